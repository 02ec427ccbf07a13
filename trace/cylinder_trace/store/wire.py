"""The group commit's statements, handed to the driver itself: no statement is built while callers wait.

Tables stay defined once, in ``tables``; the statements are written out from them, once.  They run on the driver's
connection that the group commit's own SQLAlchemy transaction holds, so they commit or go with it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Table, select

from cylinder_trace.store.tables import CodeRow, EntryRefRow, EntryRow, SubjectNowRow

Values = tuple[Any, ...]
"""A row's values in the order of its table's columns."""

ENTRY: Table = EntryRow.__table__  # type: ignore[attr-defined]
REF: Table = EntryRefRow.__table__  # type: ignore[attr-defined]
NOW: Table = SubjectNowRow.__table__  # type: ignore[attr-defined]
CODE: Table = CodeRow.__table__  # type: ignore[attr-defined]


class Newest(NamedTuple):
    """The log's last entry."""

    log_index: int
    recorded_at: int


class Wire(Protocol):
    """What a group commit reads and writes, in the words of one driver."""

    Error: type[Exception]
    """What the driver raises when the database fails."""

    def begin(self) -> None:
        """Begin a transaction; SQLAlchemy joins it when it is asked for something."""

    def commit(self) -> None:
        """Make what was written durable."""

    def newest(self) -> Newest | None:
        """Lock out other writers until the commit, then read the log's last entry."""

    def look_up(self, table: Table, keys: Sequence[str]) -> Iterable[Values]:
        """What is read of each row with one of `keys`: entries by id, chain ends by subject, codes by code."""

    def written_since(self, size: int) -> Iterable[Values]:
        """Subject and type of each entry from index `size` on."""

    def chain(self, subject: str, after: int, before: int) -> Iterable[Values]:
        """Text and type of the entries between two positions of a subject's chain, oldest first."""

    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        """Write new rows; they are there when `put_subjects` has returned."""

    def insert_beside(self, table: Table, rows: Sequence[Values]) -> None:
        """Write new rows of a table of the service; behind `put_subjects`."""

    def put_subjects(self, rows: Sequence[Values]) -> None:
        """Write where chains end, in place of what stood there: the last rows of a batch."""

    def free_codes(self, codes: Sequence[str]) -> None:
        """Take the rows of `codes` away, in its turn among the inserts."""


FOUND = {
    ENTRY: (ENTRY.c.id, ENTRY.c.text, ENTRY.c.log_index, ENTRY.c.hash),
    NOW: (NOW.c.subject, NOW.c.n, NOW.c.head, NOW.c.state, NOW.c.log_index),
    CODE: (CODE.c.code, CODE.c.cylinder_id),
}
"""What is read of a table; the first column is the one it is looked up by."""
NEWEST = select(ENTRY.c.log_index, ENTRY.c.recorded_at).order_by(ENTRY.c.log_index.desc()).limit(1)
"""The log's last entry."""
