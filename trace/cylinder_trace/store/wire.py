"""The group commit's statements, handed to the driver itself: no statement is built while callers wait.

Tables stay defined once, in ``tables``; the statements are written out from them, once.  They run in the
transaction that the wire began, and so does what work asks of SQLAlchemy: all of it is committed together, or gone.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
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


class Ahead(NamedTuple):
    """What a group commit will ask for, as far as it can be known before the writer's lock is had."""

    size: int | None = None
    """Entries of the log up to which the process remembers; None for one that remembers nothing."""
    ids: Sequence[str] = ()
    subjects: Sequence[str] = ()
    codes: Sequence[str] = ()
    """Codes; the subjects that they lead to will be asked for too."""
    remembered: Sequence[str] = ()
    """Those subjects of all of them that matter only if they have changed since `size`."""
    rows: Mapping[Table, Sequence[Values]] = MappingProxyType({})
    """Rows of the service's tables, by their primary keys."""


NOTHING_AHEAD = Ahead()


class CommitUnknown(Exception):
    """The database was told to commit, and its answer did not come: it may have, or not."""


class Wire(Protocol):
    """What a group commit reads and writes, in the words of one driver."""

    Error: type[Exception]
    """What the driver raises when the database fails."""

    def begin(self, ahead: Ahead) -> None:
        """Begin a transaction that locks out other writers; SQLAlchemy joins it when it is asked for something.

        What `ahead` names may be read in the same message. It changes no answer, only when the database is asked.
        """

    def commit(self) -> None:
        """Make what was written durable. Raises CommitUnknown, and Error where nothing was written."""

    def newest(self) -> Newest | None:
        """The log's last entry."""

    def look_up(self, table: Table, keys: Sequence[str]) -> Iterable[Values]:
        """What is read of each row with one of `keys`: entries by id, chain ends by subject, codes by code."""

    def written_since(self, size: int) -> Iterable[str]:
        """The subjects of the entries from index `size` on."""

    def chain(self, subject: str, after: int, before: int) -> Iterable[Values]:
        """Text and type of the entries between two positions of a subject's chain, oldest first."""

    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        """Write new rows; whatever the database has against them, it may say as late as at the commit."""

    def look_up_rows(self, table: Table, keys: Sequence[Values]) -> Iterable[Values]:
        """The rows of a table of the service with one of these primary keys, each in the order of its columns."""

    def put_rows(self, table: Table, rows: Sequence[Values]) -> None:
        """Write rows of a table of the service in place of those with the same primary key, as late as `insert`."""

    def insert_beside(self, table: Table, rows: Sequence[Values]) -> None:
        """Write new rows of a table of the service, likewise."""

    def put_subjects(self, rows: Sequence[Values]) -> None:
        """Write where chains end, in place of what stood there, likewise."""

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
