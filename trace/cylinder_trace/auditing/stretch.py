"""A stretch of the log examined by itself: any process can do it, for what stands before it is not needed.

Per entry: the text has the hash stored beside it; it is canonical; the columns say what it says; it follows on its
predecessors inside the stretch.  What touches the entries before the stretch (first position of each subject, the
subtrees) is handed to ``joining``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from cylinder_trace.auditing.hashing import BLOCK, HASH, Hashing, leaves_of
from cylinder_trace.auditing.stored import Fault, FaultKind, StoredEntry
from cylinder_trace.auditing.texts import Json, canonical_object, text_of
from cylinder_trace.auditing.tilework import compare_tiles

NO_PREVIOUS = "0" * 64
_COPIED = ("id", "subject", "n", "type", "occurred_at", "recorded_at")
_copied = itemgetter(*_COPIED)


class Link(NamedTuple):
    """An entry as its subject's chain sees it."""

    n: int
    hash: str
    """Of the entry itself in an end of a chain; of the predecessor it names in a beginning."""
    at: int
    """Index of the entry."""
    sound: bool
    """Whether the entry is what was stored: a fault of its own says otherwise, and says enough."""


class DeviceFact(NamedTuple):
    """What an entry says about a device's own chain: a record in it, a signed head, or a key."""

    word: str
    device_id: str
    at: int
    """Index of the entry."""
    seq: int = 0
    hash: str = ""
    """Of the record, or of the record that the head names."""
    text: str = ""
    """The hash of the device's record before it; the head's signature; the key."""
    subject: str = ""


class Break(NamedTuple):
    """Where a count does not go on: in a subject's chain, or (without a subject) in the log's indexes."""

    subject: str
    expected: int
    found: int


_Ends = dict[str, tuple[int, str, int]]
"""Subject → next position, hash and index of its last entry: plain, because one is made for every entry."""


@dataclass(slots=True)
class Stretch:
    """What one stretch showed."""

    first: int = 0
    """Index of its first entry."""
    last: int = -1
    count: int = 0
    begins: dict[str, Link] = field(default_factory=dict)
    ends: dict[str, Link] = field(default_factory=dict)
    blocks: list[bytes] = field(default_factory=list)
    tail: bytes = b""
    """Leaves behind the last complete block."""
    remainders: dict[int, list[bytes]] = field(default_factory=dict)
    """Per checkpoint size that ends here: the subtrees behind the last complete block before it."""
    first_recorded_at: int | None = None
    last_recorded_at: int | None = None
    faults: list[Fault] = field(default_factory=list)
    tile_faults: list[Fault] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    edited: set[int] = field(default_factory=set)
    facts: list[DeviceFact] = field(default_factory=list)

    def blame(self, kind: FaultKind, subject: str, index: int, field: str, message: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(kind, subject, index, field, message))

    def edit(self, index: int, subject: str, field: str, message: str) -> None:
        """Note that an entry is not what was stored."""
        self.edited.add(index)
        self.blame("edited", subject, index, field, message)


class Given(NamedTuple):
    """What is known before a stretch is examined."""

    origin: str
    size: int = 0
    """Leaves before it."""
    tail: bytes = b""
    """Those of them that stand in an unfinished block."""
    sizes: Sequence[int] = ()
    """Checkpoint sizes, ascending; those that end in the stretch are looked at."""
    tiles: Mapping[int, bytes] = {}
    """Stored tiles of level 0, by number."""


def examine(rows: Sequence[StoredEntry], given: Given) -> Stretch:
    """Examine rows that stand one behind the other in the log."""
    hashing = Hashing(given.origin)
    stretch = Stretch(count=len(rows))
    leaves = leaves_of(given.tail)
    if rows:
        stretch.first, stretch.last = rows[0].index, rows[-1].index
    leaves += _examine_rows(rows, stretch, hashing)
    start = given.size - len(given.tail) // HASH
    _build(leaves, start, given, stretch, hashing)
    if given.tiles:
        stretch.tile_faults = compare_tiles(leaves, start, given, rows, stretch.edited)
    return stretch


def _examine_rows(rows: Sequence[StoredEntry], stretch: Stretch, hashing: Hashing) -> list[bytes]:
    """The one loop that every entry goes through: written out, because a call per step would double its cost."""
    leaves: list[bytes] = []
    leaf = hashing.leaf.copy
    ends: _Ends = {}
    expected, recorded_before = stretch.first, -1
    for row in rows:
        index, id, subject, n, type_word, occurred_at, recorded_at, stored, text = row
        hasher = leaf()
        hasher.update(text)
        computed = hasher.digest()
        leaves.append(computed)
        if index != expected:
            index_break(stretch, subject, expected, index)
        expected = index + 1
        if computed != stored:
            stretch.edit(index, subject, "text", "the text no longer has the hash stored beside it")
        entry = canonical_object(text)
        if entry is None:
            _note_unreadable(row, stretch, ends)
            continue
        told = _told(entry)
        if told != (id, subject, n, type_word, occurred_at, recorded_at):
            subject, n, recorded_at = _compare_columns(row, entry, stretch, sound=computed == stored)
        if recorded_at < recorded_before:
            clock_fault(stretch, subject, index)
        elif recorded_before < 0:
            stretch.first_recorded_at = recorded_at
        recorded_before = recorded_at
        end = ends.get(subject)
        if end is None or end[0] != n or end[1] != entry.get("prev"):
            _follow(row, subject, n, entry.get("prev"), stretch, end)
        ends[subject] = (n + 1, stored.hex(), index)
        if "device" in entry or subject[:7] == "device/":
            _note_device(row, entry, stretch)
    stretch.ends = {subject: Link(*end, end[2] not in stretch.edited) for subject, end in ends.items()}
    stretch.last_recorded_at = recorded_before if recorded_before >= 0 else None
    return leaves


def _told(entry: Json) -> tuple[Any, ...]:
    try:
        return tuple(_copied(entry))
    except KeyError:
        return ()


def index_break(stretch: Stretch, subject: str, expected: int, found: int) -> None:
    """Note that the log's indexes do not go on."""
    stretch.breaks.append(Break("", expected, found))
    kind: FaultKind = "deleted" if found > expected else "inserted"
    message = f"entry {expected} expected, {found} found"
    stretch.blame(kind, subject, min(found, expected), "index", message)


def clock_fault(stretch: Stretch, subject: str, index: int) -> None:
    """Note that the ledger's clock ran backwards."""
    stretch.blame("clock_backwards", subject, index, "recorded_at", "earlier than the entry before")


def chain_fault(stretch: Stretch, subject: str, index: int, link: Link, end: Link) -> None:
    """Note what is wrong if `link`, an entry's place, does not follow on `end` of its subject's chain."""
    if link.n != end.n:
        stretch.breaks.append(Break(subject, end.n, link.n))
        kind: FaultKind = "deleted" if link.n > end.n else "inserted"
        stretch.blame(kind, subject, index, "n", f"position {end.n} expected, {link.n} found")
    elif link.hash != end.hash and link.sound and end.sound:
        if end.at < 0:
            stretch.edit(index, subject, "prev", "the first entry of a chain names a predecessor")
        else:
            stretch.edit(end.at, subject, "text", f"entry {index} names another predecessor")


def _follow(
    row: StoredEntry, subject: str, n: int, prev: object, stretch: Stretch, end: tuple[int, str, int] | None
) -> None:
    link = Link(n, str(prev), row.index, row.index not in stretch.edited)
    if end is None:
        stretch.begins[subject] = link
    else:
        chain_fault(stretch, subject, row.index, link, Link(*end, end[2] not in stretch.edited))


def _note_unreadable(row: StoredEntry, stretch: Stretch, ends: _Ends) -> None:
    if row.index not in stretch.edited:
        stretch.edit(row.index, row.subject, "text", "the text is not canonical JSON")
    if row.subject not in ends:
        stretch.begins[row.subject] = Link(row.n, "", row.index, sound=False)
    ends[row.subject] = (row.n + 1, row.hash.hex(), row.index)


def _compare_columns(row: StoredEntry, entry: Json, stretch: Stretch, *, sound: bool) -> tuple[str, int, int]:
    """Name each column that differs; subject, position and time go on as a text says that has its hash."""
    for name in _COPIED:
        if entry.get(name) != getattr(row, name):
            message = f"column says {getattr(row, name)!r}, the text says {entry.get(name)!r}"
            stretch.edit(row.index, row.subject, name, message[:200])
    told = entry.get("subject"), entry.get("n"), entry.get("recorded_at")
    if not sound or [type(value) for value in told] != [str, int, int]:
        return row.subject, row.n, row.recorded_at
    return told[0] or "", told[1] or 0, told[2] or 0


def _note_device(row: StoredEntry, entry: Json, stretch: Stretch) -> None:
    """What the entry says about a device's own chain; an entry of another shape is the state check's business."""
    link, data = entry.get("device"), entry.get("data")
    device_id = row.subject.partition("/")[2]
    if isinstance(link, dict):
        seq, prev = _whole(link.get("seq")), str(link.get("prev"))
        fact = DeviceFact("record", str(link.get("id")), row.index, seq, _record_hash(entry), prev, row.subject)
        stretch.facts.append(fact)
    elif isinstance(data, dict) and row.type == "device_enrolled":
        stretch.facts.append(DeviceFact("key", device_id, row.index, text=str(data.get("vkey")), subject=row.subject))
    elif isinstance(data, dict) and row.type == "head_signed":
        head, signature = str(data.get("head")), str(data.get("signature"))
        fact = DeviceFact("head", device_id, row.index, _whole(data.get("seq")), head, signature, row.subject)
        stretch.facts.append(fact)


def _whole(value: object) -> int:
    return value if type(value) is int else -1


_sha256 = Hashing("").leaf  # a device's own chain is SHA-256 in every ledger


def _record_hash(entry: Json) -> str:
    """Hash of the author's statement alone, as the device chained it: the entry without its place."""
    record = entry.copy()
    for name in ("n", "prev", "recorded_at"):
        record.pop(name, None)
    # Beside another decision of the service the station's own one stands under a second id.
    if record.get("type") == "fill_decided" and str(record.get("id")).endswith(".station"):
        record["id"] = str(record["id"]).removesuffix(".station")
    hasher = _sha256.copy()
    hasher.update(text_of(record))
    return str(hasher.hexdigest())


def _build(leaves: list[bytes], start: int, given: Given, stretch: Stretch, hashing: Hashing) -> None:
    """The subtrees over the leaves from `start`, a block's first, and over the ends of checkpoints among them."""
    size = start + len(leaves)
    for size_of_one in given.sizes:
        if given.size < size_of_one <= size:
            first = size_of_one - size_of_one % BLOCK - start
            stretch.remainders[size_of_one] = hashing.remainder(leaves[first : size_of_one - start])
    complete = len(leaves) - len(leaves) % BLOCK
    stretch.blocks = [hashing.block(leaves[at : at + BLOCK]) for at in range(0, complete, BLOCK)]
    stretch.tail = b"".join(leaves[complete:])
