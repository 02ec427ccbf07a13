"""What SQLite says of a file that is damaged, apart from one that is only out of reach for a while."""

import sqlite3

_NO_DATABASE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def says_damaged(error: Exception) -> bool:
    """Whether the file is no database, or one with holes; not one that is locked, or on a disk that is full."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_DATABASE
