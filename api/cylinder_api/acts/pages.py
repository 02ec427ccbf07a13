"""Reading many entries, some at a time."""

from collections.abc import Iterator
from typing import Protocol

from cylinder_trace.audit import StoredEntry

_CHUNK = 500


class Read(Protocol):
    """A question to the reader that can be asked page by page."""

    def __call__(self, *, after: int, limit: int) -> list[StoredEntry]:
        """Up to `limit` entries behind log index `after`, in the order of the log."""


def all_entries(read: Read, after: int = -1) -> Iterator[StoredEntry]:
    """Every entry behind log index `after` that `read` finds; read as far as it is asked for."""
    while True:
        rows = read(after=after, limit=_CHUNK)
        yield from rows
        if len(rows) < _CHUNK:
            return
        after = rows[-1].index
