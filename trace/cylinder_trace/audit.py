"""The whole ledger checked again from nothing, over stored bytes.

This is a second implementation on purpose: it imports neither ``chain``, ``merkle``, ``checkpoint`` nor ``store``, so a
mistake there cannot hide itself here.  Only the state check uses ``cylinder.replay``'s own step.  It is pure: the
caller reads the rows and hands them in, in the order of the log.

Steps, per entry:
  1. the index follows on; 2. the text hashes to the hash stored beside it; 3. the text is canonical JSON;
  4. the columns copied out of the text still say what it says; 5. position and predecessor continue the chain;
  6. the ledger's clock did not run backwards; 7. the event is one that can happen here, and folds into a state.
Per checkpoint: 8. signed by the log's key; 9. its size exists; 10. its root is the root of the stored entries.
At the end: 11. the stored read model equals the folded state.
What it cannot see without a checkpoint kept elsewhere: a deleted tail together with every newer checkpoint.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cylinder_trace.events import parse_entry
from cylinder_trace.subjects import SubjectState, format_state, next_subject_state

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
_COPIED = ("id", "subject", "n", "type", "occurred_at", "recorded_at")
_NO_PREVIOUS = "0" * 64


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A row as it lies in the database: the text, its hash, and the columns copied out of the text."""

    index: int
    id: str
    subject: str
    n: int
    type: str
    occurred_at: int
    recorded_at: int
    hash: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, with its place. `index` counts entries of the log; -1 where there is none."""

    kind: FaultKind
    subject: str
    index: int
    field: str
    message: str


@dataclass(slots=True)
class AuditReport:
    """What an audit found."""

    entries: int = 0
    size: int = 0
    """Size of the newest checkpoint whose root was recomputed and fits."""
    root: str = ""
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """The report as ``audit --json`` prints it."""
        faults = [asdict(fault) for fault in self.faults]
        return {
            "ok": self.ok,
            "entries": self.entries,
            "size": self.size,
            "root": self.root,
            "faults": faults,
        }


class LogKey(NamedTuple):
    """The log's verifying key, taken apart here once more: name and Ed25519 public key."""

    name: str
    public_key: Ed25519PublicKey
    key_id: bytes


def read_vkey(vkey: str) -> LogKey:
    """The key in a vkey line ``name+id+base64(01 || public key)``; raises ValueError."""
    name, key_id, material = vkey.strip().split("+", 2)
    raw = base64.b64decode(material, validate=True)
    if raw[:1] != b"\x01" or hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() != key_id:
        raise ValueError("not an Ed25519 vkey")
    return LogKey(name, Ed25519PublicKey.from_public_bytes(raw[1:]), bytes.fromhex(key_id))


class Auditor:
    """Feed entries in order, then call `finish`.  Memory: one hash per level of the tree, one head per subject."""

    def __init__(self, checkpoints: Sequence[str], key: LogKey) -> None:
        self.report = AuditReport()
        self._frontier: list[tuple[int, bytes]] = []
        self._heads: dict[str, tuple[int, str, int]] = {}
        self._states: dict[str, SubjectState] = {}
        self._last_recorded_at = 0
        self._edited: set[int] = set()
        self._due = sorted(opened for note in checkpoints if (opened := self._open(note, key)))
        self._check_due_checkpoints()

    def check(self, rows: Iterable[StoredEntry]) -> None:
        """Check the next rows of the log."""
        for row in rows:
            self._check_row(row)

    def finish(self, read_model: Mapping[str, str] | None = None) -> AuditReport:
        """Check what is left: checkpoints beyond the end, and the read model (subject → state JSON)."""
        for size, _root in self._due:
            self._fault("truncated", "", self.report.entries, "checkpoint", f"a signed checkpoint has {size} entries")
        if read_model is not None:
            for subject in sorted({*self._states, *read_model}):
                self._check_state(subject, read_model.get(subject))
        return self.report

    def _fault(self, kind: FaultKind, subject: str, index: int, field: str, message: str) -> None:
        self.report.faults.append(Fault(kind, subject, index, field, message))

    def _check_row(self, row: StoredEntry) -> None:
        if row.index != self.report.entries:
            self._index_fault(row)
        computed = hashlib.sha256(b"\x00" + row.text).digest()
        if computed != row.hash:
            self._edit(row.index, row.subject, "text", "the text no longer has the hash stored beside it")
        entry = self._parsed(row)
        if entry is not None:
            self._check_columns(row, entry)
            self._check_place(row, entry)
        self._heads[row.subject] = (row.n + 1, row.hash.hex(), row.index)
        self._grow(computed)
        self.report.entries = row.index + 1
        self._check_due_checkpoints()

    def _index_fault(self, row: StoredEntry) -> None:
        kind: FaultKind = "deleted" if row.index > self.report.entries else "inserted"
        message = f"entry {self.report.entries} expected, {row.index} found"
        self._fault(kind, row.subject, min(row.index, self.report.entries), "index", message)

    def _edit(self, index: int, subject: str, field: str, message: str) -> None:
        self._edited.add(index)
        self._fault("edited", subject, index, field, message)

    def _parsed(self, row: StoredEntry) -> dict[str, Any] | None:
        try:
            entry = json.loads(row.text)
            text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            if text == row.text and isinstance(entry, dict):
                return entry
        except (ValueError, RecursionError):
            pass
        if row.index not in self._edited:
            self._edit(row.index, row.subject, "text", "the text is not canonical JSON")
        return None

    def _check_columns(self, row: StoredEntry, entry: dict[str, Any]) -> None:
        for name in _COPIED:
            if entry.get(name) != getattr(row, name):
                message = f"column says {getattr(row, name)!r}, the text says {entry.get(name)!r}"
                self._edit(row.index, row.subject, name, message)

    def _check_place(self, row: StoredEntry, entry: dict[str, Any]) -> None:
        n, head, index = self._heads.get(row.subject, (0, _NO_PREVIOUS, -1))
        if row.n != n:
            kind: FaultKind = "deleted" if row.n > n else "inserted"
            self._fault(kind, row.subject, row.index, "n", f"position {n} expected, {row.n} found")
        elif entry.get("prev") != head and not self._edited & {index, row.index}:
            self._edit(index, row.subject, "text", f"entry {row.index} names another predecessor")
        self._check_clock(row, entry.get("recorded_at"))
        self._fold(row)

    def _check_clock(self, row: StoredEntry, recorded_at: object) -> None:
        if not isinstance(recorded_at, int):
            return  # the entry's shape is wrong, and the fold says so
        if recorded_at < self._last_recorded_at:
            self._fault("clock_backwards", row.subject, row.index, "recorded_at", "earlier than the entry before")
        self._last_recorded_at = max(recorded_at, self._last_recorded_at)

    def _fold(self, row: StoredEntry) -> None:
        try:
            # The one place where the ledger's own code is used: what an event *means* has one home.
            entry = parse_entry(row.text)
            self._states[row.subject] = next_subject_state(self._states.get(row.subject), entry, entry.event())
        except ValueError as error:
            if row.index not in self._edited:
                self._fault("state_mismatch", row.subject, row.index, "data", str(error)[:200])

    def _check_state(self, subject: str, stored: str | None) -> None:
        state = self._states.get(subject)
        if state is None or stored is None or not _same_json(stored, format_state(state)):
            _n, _head, index = self._heads.get(subject, (0, "", -1))
            message = "the read model differs from what the entries add up to"
            self._fault("state_mismatch", subject, index, "state", message)

    def _grow(self, leaf: bytes) -> None:
        level, node = 0, leaf
        while self._frontier and self._frontier[-1][0] == level:
            _level, left = self._frontier.pop()
            node = hashlib.sha256(b"\x01" + left + node).digest()
            level += 1
        self._frontier.append((level, node))

    def _root(self) -> bytes:
        if not self._frontier:
            return hashlib.sha256(b"").digest()
        nodes = [node for _level, node in self._frontier]
        root = nodes.pop()
        while nodes:
            root = hashlib.sha256(b"\x01" + nodes.pop() + root).digest()
        return root

    def _check_due_checkpoints(self) -> None:
        while self._due and self._due[0][0] <= self.report.entries:
            size, root = self._due.pop(0)
            if size == self.report.entries:
                self._check_checkpoint(size, root)

    def _check_checkpoint(self, size: int, root: bytes) -> None:
        if self._root() == root:
            self.report.size, self.report.root = size, root.hex()
        elif not self.report.faults:
            message = f"the signed checkpoint of {size} entries has another root than the stored entries"
            self._fault("forked", "", size - 1, "checkpoint", message)

    def _open(self, note: str, key: LogKey) -> tuple[int, bytes] | None:
        try:
            text, size, root = _split_checkpoint(note)
            if text.partition("\n")[0] != key.name:
                raise ValueError("another origin")
            key.public_key.verify(_signature(note, key), text.encode())
        except (ValueError, InvalidSignature) as error:
            self._fault("forged_author", "", -1, "checkpoint", f"a stored checkpoint is not the log's own: {error}")
            return None
        return size, root


def _same_json(stored: str, folded: str) -> bool:
    try:
        return bool(json.loads(stored) == json.loads(folded))
    except (ValueError, RecursionError):
        return False


def _split_checkpoint(note: str) -> tuple[str, int, bytes]:
    head, found, _signatures = note.rpartition("\n\n")
    lines = head.split("\n")
    if not found or len(lines) < 3:
        raise ValueError("not a checkpoint")
    return head + "\n", int(lines[1]), _decoded(lines[2])


def _decoded(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("not the one base64 text of its bytes")
    return raw


def _signature(note: str, key: LogKey) -> bytes:
    *lines, rest = note.rpartition("\n\n")[2].split("\n")
    if rest:
        raise ValueError("the last line is cut off")
    for line in lines:
        dash, name, blob = line.split(" ", 2)
        raw = _decoded(blob)
        if dash == "\u2014" and name == key.name and raw[:4] == key.key_id:
            return raw[4:]
    raise ValueError("no signature of the log's key")
