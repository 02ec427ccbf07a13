"""What issuing and the book's own commands share: the CSV of codes, the turn at the book, names as people type them."""

import argparse
import csv
import io
import sqlite3
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import zip_longest
from pathlib import Path

from cylinder_codes.book.file import BookError
from cylinder_codes.book.issue_book import IssueBook
from cylinder_codes.book.values import IssuedCode
from cylinder_codes.commands.files import write_whole
from cylinder_codes.digital_link import format_printed_link
from cylinder_codes.identifiers import format_code_human

_LONGEST_NAME = 80
_SHOWN = 20
_COLUMNS = ("number", "code", "human_text", "link", "range", "issued_at")


def line_of_text(text: str) -> str:
    """Return a name of 1 to 80 characters in NFC, or a note; argparse's error for one that no line can hold."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"{_beginning(name)} has not 1 to {_LONGEST_NAME} characters")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name):
        raise argparse.ArgumentTypeError(f"{_beginning(name)} has a control character in it")
    return name


def _beginning(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")


def holder_name(holder: str) -> str:
    return holder or "own use (自用)"


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


def write_table(
    out: Path, codes: Iterable[IssuedCode], host: str, show: Callable[[int], None] = lambda _: None
) -> None:
    """Write the CSV of ``codes``; ``show`` is told how many are written."""

    def parts() -> Iterator[bytes]:
        for count, line in enumerate(_lines(codes, host)):
            yield line.encode()
            show(count)

    write_whole(out, parts())


def file_holds(out: Path, codes: Iterable[IssuedCode], host: str) -> bool:
    """Say whether ``out`` is, to the last byte, the file that ``write_table`` makes of ``codes``."""
    with out.open("rb") as file:
        return all(there == line.encode() for there, line in zip_longest(file, _lines(codes, host), fillvalue=""))


def _lines(codes: Iterable[IssuedCode], host: str) -> Iterator[str]:
    buffer = io.StringIO()
    table = csv.writer(buffer)
    table.writerow(_COLUMNS)
    yield buffer.getvalue()
    for line in codes:
        buffer.seek(0)
        buffer.truncate()
        link = format_printed_link(line.code, host)
        human_text = format_code_human(line.code)
        table.writerow((line.number, line.code.text, human_text, link, line.range_name, line.issued_at))
        yield buffer.getvalue()
