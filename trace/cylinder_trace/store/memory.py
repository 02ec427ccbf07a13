"""What the writing process remembers of the log between two group commits, so that it need not ask again.

The law: what is remembered holds for a log of exactly `size` entries, and every change to a chain or a code is an
entry.  So a batch may use it if, and only if, the log has that size when the batch holds the writer's lock.  On SQLite
it always has; on PostgreSQL another process may have written meanwhile, and then what its entries changed is forgotten
first.  Whoever commits takes the memory away first and puts it back behind the commit: a commit that failed, or nobody
knows how, leaves none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, TypeVar

from cylinder_trace.chain import Head
from cylinder_trace.subjects import SubjectState

Known = TypeVar("Known")

_MOST = 4096
"""Things remembered of each kind; some 2 KB each, so the memory stays below 20 MB."""


class Found(NamedTuple):
    """An entry as it was found by its id."""

    text: bytes
    index: int  # type: ignore[assignment]  # the field hides tuple.index
    digest: bytes


class SubjectNow(NamedTuple):
    """A subject's chain end and state, as the unit sees it."""

    head: Head
    state: SubjectState | None
    log_index: int


@dataclass(slots=True)
class Memory:
    """What is known of a log of `size` entries; only of what exists, absence is not remembered."""

    size: int = 0
    entries: dict[str, Found] = field(default_factory=dict)
    subjects: dict[str, SubjectNow] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)

    def can_catch_up(self, size: int) -> bool:
        """Whether it pays, and is possible, to read what others wrote until the log had `size` entries."""
        return 0 <= size - self.size <= _MOST

    def catch_up(self, size: int, written: Iterable[str]) -> None:
        """Forget what others changed until the log had `size` entries; `written`: the subjects of theirs.

        Entries stay as they are for ever. Codes are all forgotten: a withdrawn registration gives some back, and which
        of the others' entries is one is dearer to know than to ask for a commit's codes again.
        """
        for subject in written:
            self.subjects.pop(subject, None)
        self.codes.clear()
        self.size = size

    def keep(self, size: int, entries: Mapping[str, Found], subjects: Mapping[str, SubjectNow]) -> None:
        """Take over what a commit wrote; the log has `size` entries now."""
        self.size = size
        _renew(self.entries, entries)
        _renew(self.subjects, subjects)

    def keep_codes(self, codes: Mapping[str, str], freed: Iterable[str]) -> None:
        """Take over the codes that a commit bound, and those it set free."""
        for code in freed:
            self.codes.pop(code, None)
        _renew(self.codes, codes)


def _renew(known: dict[str, Known], newer: Mapping[str, Known]) -> None:
    """Put `newer` behind what was known, and forget what was not used for the longest time."""
    for key in newer:
        known.pop(key, None)
    known.update(newer)
    # All at once: a dict's first key is looked for behind the places of all that were deleted before it.
    for key in list(islice(known, max(0, len(known) - _MOST))):
        del known[key]
