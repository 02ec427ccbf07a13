"""The issue book (发码簿): every code that the command line has issued, whose it is and what became of it."""
