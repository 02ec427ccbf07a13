"""A stretch of the log examined by itself: any process can do it, for what stands before it is not needed.

Per entry: the text has the hash stored beside it; it is canonical; the columns say what it says; it follows on its
predecessors inside the stretch.  What touches the entries before the stretch (first position of each subject, the
subtrees) is handed to ``joining``.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter, le
from typing import Any, NamedTuple

import orjson

from cylinder_trace.auditing.hashing import BLOCK, HASH, Hashing, leaves_of
from cylinder_trace.auditing.references import digest_of, line_of, refs_in
from cylinder_trace.auditing.shapes import Shapes
from cylinder_trace.auditing.stored import Fault, FaultKind, StoredEntry
from cylinder_trace.auditing.texts import Json, canonical_object, text_of
from cylinder_trace.auditing.tilework import compare_tiles

NO_PREVIOUS = "0" * 64
_COPIED = ("id", "subject", "n", "type", "occurred_at", "recorded_at")
_copied = itemgetter(*_COPIED)
_AT_ONCE = 256
"""Entries that are hashed and then read: so few that their texts are still in the processor's cache."""
_ABOUT_DEVICES = frozenset({"device_enrolled", "device_revoked", "head_signed", "journal_forked"})
_SECOND = ".station"
_TOLD = 4
"""Number of the group from the id to `recorded_at` (see ``shapes``)."""
_sha256 = Hashing("").leaf  # a device's own chain is SHA-256 in every ledger


Link = tuple[int, str, int]
"""An entry as its subject's chain sees it: a position, a hash and the entry's index.

In a beginning: its own position, and the hash of the predecessor it names.  In an end: the next position, and its own
hash.  Plain, because one is made for every entry."""

DeviceRecord = tuple[int, str, str, int, str, str]
"""A record of a device's own chain as the entry it became tells it: sequence, hash, the hash of the one before it,
index of the entry, the record's id (without what a second entry adds to it) and the entry's subject."""


class DeviceFact(NamedTuple):
    """What an entry says about a device beside its records: a signed head, a key, a second branch, or the end
    of its trust."""

    word: str
    device_id: str
    at: int
    """Index of the entry."""
    seq: int = 0
    hash: str = ""
    """Of the record that the head names; of the one before a second branch."""
    text: str = ""
    """The head's signature; the key."""
    subject: str = ""


@dataclass(slots=True)
class DeviceRun:
    """Records of one device, in the order of the log; no new key, no branch and no cutting off stands between them."""

    device_id: str
    records: list[DeviceRecord] = field(default_factory=list)
    whole: bool = False
    """Whether each record follows on the one before it in the run."""
    ascending: bool = False
    """Whether their sequences ascend: records may be missing that became no entry, but none is doubled."""

    def close(self) -> None:
        """No more records come."""
        self.whole = all(one[0] + 1 == two[0] and one[1] == two[2] for one, two in pairwise(self.records))
        self.ascending = self.whole or all(one[0] < two[0] for one, two in pairwise(self.records))


_Times = dict[int, int | None]


class Break(NamedTuple):
    """Where a count does not go on: in a subject's chain, or (without a subject) in the log's indexes."""

    subject: str
    expected: int
    found: int


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
    facts: list[DeviceFact | DeviceRun] = field(default_factory=list)
    references: bytes | None = None
    """Digest of what its entries refer to, if that was asked for."""

    def blame(self, kind: FaultKind, subject: str, index: int, field: str, message: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(kind, subject, index, field, message))

    def edit(self, index: int, subject: str, field: str, message: str) -> None:
        """Note that an entry is not what was stored."""
        self.edited.add(index)
        self.blame("edited", subject, index, field, message)


class _Runs:
    """The devices' records of a stretch as they come."""

    def __init__(self, stretch: Stretch) -> None:
        self._facts, self._open = stretch.facts, dict[str, list[DeviceRecord]]()

    def of(self, device_id: str) -> list[DeviceRecord]:
        """Where the device's next record belongs."""
        records = self._open.get(device_id)
        if records is None:
            run = DeviceRun(device_id)
            self._facts.append(run)
            records = self._open[device_id] = run.records
        return records

    def note(self, fact: DeviceFact) -> None:
        """A head, a new key, a branch, or the end: what the device records from here on is another run."""
        self._facts.append(fact)
        if fact.word in ("key", "fork", "end"):
            self._open.pop(fact.device_id, None)

    def close(self) -> None:
        """No more come."""
        for fact in self._facts:
            if isinstance(fact, DeviceRun):
                fact.close()


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
    references: bool = False
    """Whether the index of references will be compared."""


def examine(rows: Sequence[StoredEntry], given: Given) -> Stretch:
    """Examine rows that stand one behind the other in the log."""
    hashing = Hashing(given.origin)
    stretch = Stretch(count=len(rows))
    if rows:
        stretch.first, stretch.last = rows[0].index, rows[-1].index
    own, times = [], _Times()
    runs, lines = _Runs(stretch), list[str]() if given.references else None
    _compare_indexes(rows, stretch)
    for at in range(0, len(rows), _AT_ONCE):
        some = rows[at : at + _AT_ONCE]
        leaves = hashing.leaves([row.text for row in some])
        _compare_hashes(some, leaves, stretch)
        _read_texts(some, stretch, runs, times, lines)
        own += leaves
    runs.close()
    stretch.references = None if lines is None else digest_of(lines)
    _compare_clock(rows, times, stretch)
    leaves = leaves_of(given.tail) + own
    start = given.size - len(given.tail) // HASH
    _build(leaves, start, given, stretch, hashing)
    if given.tiles:
        stretch.tile_faults = compare_tiles(leaves, start, given, rows, stretch.edited)
    return stretch


def _compare_indexes(rows: Sequence[StoredEntry], stretch: Stretch) -> None:
    if [row.index for row in rows] != [*range(stretch.first, stretch.first + len(rows))]:
        for one, after in pairwise(rows):
            if after.index != one.index + 1:
                index_break(stretch, after.subject, one.index + 1, after.index)


def _compare_hashes(rows: Sequence[StoredEntry], own: Sequence[bytes], stretch: Stretch) -> None:
    if [row.hash for row in rows] != own:
        for row, leaf in zip(rows, own, strict=True):
            if row.hash != leaf:
                stretch.edit(row.index, row.subject, "text", "the text no longer has the hash stored beside it")


_SHAPES = Shapes()
"""The texts' shapes, kept from stretch to stretch."""


def _read_texts(
    rows: Sequence[StoredEntry], stretch: Stretch, runs: _Runs, times: _Times, lines: list[str] | None
) -> None:
    """The loop that every text goes through: written out, because a call per step would double its cost."""
    begins, ends, match = stretch.begins, stretch.ends, _SHAPES.match
    for row in rows:
        index, id, subject, n, type_word, occurred_at, recorded_at, stored, text = row
        found, prev, refs = match(type_word, text), "", ""
        if found is not None:
            device_id, device_prev, seq, told, prev, refs, told_subject = found.groups()
            # What is told has no quote and no escape inside its values, so equal texts say the same.
            place = f'{id}","n":{n},"occurred_at":{occurred_at},"prev":"{prev}","recorded_at":{recorded_at}'
            if told != place or told_subject != subject or type_word in _ABOUT_DEVICES:
                found = None
            elif device_id:
                own_id = id.removesuffix(_SECOND) if type_word == "fill_decided" else id
                own = _hash_of_record(found, own_id, occurred_at)
                runs.of(device_id).append((int(seq), own, device_prev, index, own_id, subject))
        if found is None:
            read = _read_long(row, stretch, runs, times)
            if read is None:
                continue
            subject, n, prev, refs = read
        if lines is not None and refs:
            lines.append(line_of(index, refs_in(refs)))
        end = ends.get(subject)
        if end is None:
            begins[subject] = (n, prev, index)
        elif end[0] != n or end[1] != prev:
            chain_fault(stretch, subject, (n, prev, index), end, stretch.edited)
        ends[subject] = (n + 1, stored.hex(), index)


def _hash_of_record(found: re.Match[str], own_id: str, occurred_at: int) -> str:
    """Hash of the author's statement alone, as the device chained it: the entry's text with its place cut out."""
    start, end = found.span(_TOLD)
    whole = found.string
    hasher = _sha256.copy()
    hasher.update(f'{whole[:start]}{own_id}","occurred_at":{occurred_at}{whole[end:]}'.encode())
    return str(hasher.hexdigest())


def _read_long(row: StoredEntry, stretch: Stretch, runs: _Runs, times: _Times) -> tuple[str, int, str, str] | None:
    """Subject, position, predecessor and references of an entry of no known shape; None if it cannot be read."""
    entry = canonical_object(row.text)
    if entry is None:
        _note_unreadable(row, stretch)
        times[row.index] = None
        return None
    _SHAPES.learn(entry)
    subject, n = row.subject, row.n
    if _told(entry) != row[1:7]:
        sound = row.index not in stretch.edited
        subject, n, times[row.index] = _compare_columns(row, entry, stretch, sound=sound)
    if "device" in entry or subject[:7] == "device/":
        _note_device(row, entry, runs)
    refs = entry.get("refs")
    return subject, n, str(entry.get("prev")), orjson.dumps(refs).decode()[1:-1] if isinstance(refs, list) else ""


def _compare_clock(rows: Sequence[StoredEntry], other: _Times, stretch: Stretch) -> None:
    """`other` holds what a text says instead of its column, or None where the text cannot be read."""
    times = [row.recorded_at for row in rows]
    if other:
        told = [(row, other.get(row.index, row.recorded_at)) for row in rows]
        rows, times = [row for row, at in told if at is not None], [at for _row, at in told if at is not None]
    if times:
        stretch.first_recorded_at, stretch.last_recorded_at = times[0], times[-1]
    if not all(map(le, times, times[1:])):
        for row, (before, at) in zip(rows[1:], pairwise(times), strict=True):
            if at < before:
                clock_fault(stretch, row.subject, row.index)


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


def chain_fault(stretch: Stretch, subject: str, link: Link, end: Link, edited: Collection[int]) -> None:
    """Note what is wrong if `link`, an entry's place, does not follow on `end` of its subject's chain.

    An entry in `edited` has a fault of its own, which says enough.
    """
    (n, prev, index), (next_n, head, at) = link, end
    if n != next_n:
        stretch.breaks.append(Break(subject, next_n, n))
        kind: FaultKind = "deleted" if n > next_n else "inserted"
        stretch.blame(kind, subject, index, "n", f"position {next_n} expected, {n} found")
    elif prev != head and index not in edited and at not in edited:
        if at < 0:
            stretch.edit(index, subject, "prev", "the first entry of a chain names a predecessor")
        else:
            stretch.edit(at, subject, "text", f"entry {index} names another predecessor")


def _note_unreadable(row: StoredEntry, stretch: Stretch) -> None:
    if row.index not in stretch.edited:
        stretch.edit(row.index, row.subject, "text", "the text is not canonical JSON")
    if row.subject not in stretch.ends:
        stretch.begins[row.subject] = (row.n, "", row.index)
    stretch.ends[row.subject] = (row.n + 1, row.hash.hex(), row.index)


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


def _note_device(row: StoredEntry, entry: Json, runs: _Runs) -> None:
    """What the entry says about a device's own chain; an entry of another shape is the state check's business."""
    link, data = entry.get("device"), entry.get("data")
    device_id = row.subject.partition("/")[2]
    if isinstance(link, dict):
        record = _record(entry)
        place = (_whole(link.get("seq")), _hash_of(record), str(link.get("prev")), row.index, str(record.get("id")))
        runs.of(str(link.get("id"))).append((*place, row.subject))
    elif isinstance(data, dict) and row.type == "device_enrolled":
        runs.note(DeviceFact("key", device_id, row.index, text=str(data.get("vkey")), subject=row.subject))
    elif isinstance(data, dict) and row.type == "journal_forked":
        seq, previous = _whole(data.get("seq")), str(data.get("previous"))
        runs.note(DeviceFact("fork", device_id, row.index, seq, previous, subject=row.subject))
    elif row.type == "device_revoked":
        runs.note(DeviceFact("end", device_id, row.index, subject=row.subject))
    elif isinstance(data, dict) and row.type == "head_signed":
        head, signature = str(data.get("head")), str(data.get("signature"))
        runs.note(DeviceFact("head", device_id, row.index, _whole(data.get("seq")), head, signature, row.subject))


def _whole(value: object) -> int:
    return value if type(value) is int else -1


def _record(entry: Json) -> Json:
    """The author's statement alone, as the device chained it: the entry without its place."""
    record = entry.copy()
    for name in ("n", "prev", "recorded_at"):
        record.pop(name, None)
    if (own := _own_id(str(record.get("id")), record.get("type"))) != str(record.get("id")):
        record["id"] = own
    return record


def _own_id(id: str, type_word: object) -> str:
    """The record's id: beside another decision of the service the station's own one stands under a second."""
    return id.removesuffix(_SECOND) if type_word == "fill_decided" else id


def _hash_of(record: Json) -> str:
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
