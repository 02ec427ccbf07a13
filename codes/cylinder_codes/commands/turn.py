"""Taking turns at the issue book (发码簿): one process at a time issues from it, the others wait."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cylinder_codes.book.file import BookError
from cylinder_codes.book.issue_book import IssueBook


@contextmanager
def issuing_alone(path: Path) -> Iterator[IssueBook]:
    """Open the book when no other process issues from it any more.

    Two commands alike, started together, would otherwise both take up the one range, and its codes go out twice. The
    lock is SQLite's, on an empty file beside the book: the system lets go of it however the process ends.
    """
    with closing(IssueBook(str(path))) as book, closing(_turn_at(path)):
        yield book


def _turn_at(path: Path) -> sqlite3.Connection:
    try:
        turn = sqlite3.connect(f"{path}.issuing", isolation_level=None, timeout=0)
        if not _gets_its_turn(turn):
            print(f"waiting: another process is issuing from {path}", file=sys.stderr, flush=True)
            turn.execute("PRAGMA busy_timeout = 1000")
            while not _gets_its_turn(turn):
                pass
    except sqlite3.Error as error:
        raise BookError(f"{path}.issuing, which keeps two processes from issuing at once: {error}") from error
    return turn


def _gets_its_turn(turn: sqlite3.Connection) -> bool:
    try:
        turn.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True
