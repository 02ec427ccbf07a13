"""What is to be told to others (发件箱): which entries become messages for which webhook, and how far each has come."""
