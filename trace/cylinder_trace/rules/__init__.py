"""One function per reason why a cylinder may not be filled."""
