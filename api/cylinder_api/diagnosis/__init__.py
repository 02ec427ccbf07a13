"""What an installation can get wrong, one look after the other; ``doctor`` prints it."""
