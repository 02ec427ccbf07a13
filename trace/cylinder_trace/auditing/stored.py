"""What an audit reads (rows as they lie in a store) and what it says: faults, and what it cannot exclude."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

FaultKind = Literal[
    "edited",
    "deleted",
    "inserted",
    "reordered",
    "truncated",
    "rolled_back",
    "forked",
    "forged_author",
    "clock_backwards",
    "state_mismatch",
]


class StoredEntry(NamedTuple):
    """A row as it lies in the database: the text, its hash, and the columns copied out of the text."""

    index: int  # type: ignore[assignment] # the ledger's word; nobody looks for a value in a row with tuple.index
    id: str
    subject: str
    n: int
    type: str
    occurred_at: int
    recorded_at: int
    hash: bytes
    text: bytes


class StoredEvent(NamedTuple):
    """What of a row its fold needs."""

    index: int  # type: ignore[assignment]
    subject: str
    type: str
    text: bytes


class StoredRecord(NamedTuple):
    """A record of a device's own chain as the device uploaded it, and the entry it became or links to."""

    device_id: str
    seq: int
    hash: str
    id: str
    status: str
    log_index: int
    text: bytes


class StoredHead(NamedTuple):
    """Where the read model says that a subject's chain ends."""

    subject: str
    kind: str
    n: int
    head: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, with its place. `index` counts entries of the log; -1 where there is none."""

    kind: FaultKind
    subject: str
    index: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class NotExcluded:
    """What this audit could not have seen with what it was given, and what would let it."""

    kind: FaultKind
    message: str


@dataclass(slots=True)
class AuditReport:
    """What an audit found."""

    entries: int = 0
    size: int = 0
    """Size of the newest checkpoint whose root was recomputed and fits."""
    root: str = ""
    faults: list[Fault] = field(default_factory=list)
    not_excluded: list[NotExcluded] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; what stands in `not_excluded` was not looked at and is not said to be right."""
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """The report as ``audit --json`` prints it."""
        return {
            "ok": self.ok,
            "entries": self.entries,
            "size": self.size,
            "root": self.root,
            "faults": [asdict(fault) for fault in self.faults],
            "not_excluded": [asdict(item) for item in self.not_excluded],
        }
