"""Sending something to somebody else's address (投递): signed, guarded, bounded, and tried again for days."""
