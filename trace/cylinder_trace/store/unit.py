"""A unit of work: what one caller reads, decides and appends inside the group commit.

Nothing is written while units run.  A unit stages its rows in memory; a unit that raises leaves nothing behind; what
the good units staged is written in bulk and committed once (see ``ledger``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Table
from sqlmodel import SQLModel

from cylinder_trace.chain import EMPTY, Head, Sealed, next_head, seal
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import local_day
from cylinder_trace.enactment import RulebookState, in_force
from cylinder_trace.events import (
    CodeBound,
    Entry,
    Event,
    Record,
    RegistrationWithdrawn,
    parse_entry,
    record_text,
)
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.station import StationState
from cylinder_trace.store.memory import Found, Memory, SubjectNow
from cylinder_trace.store.understood import NotUnderstood, entry_of, state_of
from cylinder_trace.store.wire import CODE, ENTRY, NOW, REF, Values, Wire
from cylinder_trace.subjects import (
    DeviceState,
    SubjectState,
    format_state,
    kind_of,
    next_subject_state,
)
from cylinder_trace.suite import SHA256, Suite

RowKey = tuple[type[SQLModel], tuple[Any, ...]]
"""Table and primary key of a row that is not the ledger's."""
Row = TypeVar("Row", bound=SQLModel)


class Hints(NamedTuple):
    """What a work will look up: read ahead for all works of a batch together. Only a matter of speed."""

    ids: Sequence[str] = ()
    subjects: Sequence[str] = ()
    codes: Sequence[str] = ()
    rows: Sequence[RowKey] = ()


NO_HINTS = Hints()


def hints_for(records: Sequence[Record]) -> Hints:
    """What appending `records` will look up."""
    return Hints(
        ids=[record.id for record in records],
        subjects=[record.subject for record in records],
        codes=[record.data["code"] for record in records if record.type == CodeBound.type],
    )


class IdConflict(ValueError):
    """The id is taken by an entry that says something else."""


class CodeTaken(ValueError):
    """The code leads to another cylinder, or is dead for ever; the sentence says which."""


class Receipt(NamedTuple):
    """Where an appended record stands. `replayed` if it stood there before."""

    id: str
    subject: str
    n: int
    prev: str
    """Hash of the entry before it in its subject's chain, or 64 zeros."""
    index: int  # type: ignore[assignment]  # the field hides tuple.index, which nobody asks a receipt for
    hash: str
    recorded_at: int
    replayed: bool = False


class Told(NamedTuple):
    """What an entry tells. Of the entry only the place and the moments are to be looked at, not the `data`."""

    entry: Entry
    event: Event


_NEW_SUBJECT = SubjectNow(EMPTY, None, -1)


@dataclass(slots=True)
class Staged:
    """What has been staged: by one unit, or by all good units of a batch."""

    entries: dict[str, Found] = field(default_factory=dict)
    entry_rows: list[Values] = field(default_factory=list)
    """The same as they are written. Plain tuples of plain values: the garbage collector has nothing to walk through."""
    ref_rows: list[Values] = field(default_factory=list)
    chains: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """Subject → position and id of its entries here, in the order of its chain."""
    subjects: dict[str, SubjectNow] = field(default_factory=dict)
    codes: dict[str, str | None] = field(default_factory=dict)
    """Code → the cylinder it leads to from now on; None when a withdrawn registration set it free."""
    freed: set[str] = field(default_factory=set)
    """Codes whose rows of before this batch are to go, whatever they lead to afterwards."""
    rows: dict[RowKey, SQLModel] = field(default_factory=dict)
    beside: dict[Table, list[Values]] = field(default_factory=dict)
    """Append-only table of the service → its new rows, as they are written."""

    def absorb(self, other: "Staged") -> None:
        """Take over what a good unit staged."""
        self.entries.update(other.entries)
        self.entry_rows += other.entry_rows
        self.ref_rows += other.ref_rows
        for subject, links in other.chains.items():
            self.chains.setdefault(subject, []).extend(links)
        self.subjects.update(other.subjects)
        self.codes.update(other.codes)
        self.freed.update(other.freed)
        self.rows.update(other.rows)
        for table, rows in other.beside.items():
            self.beside.setdefault(table, []).extend(rows)


@dataclass(slots=True)
class Read:
    """What this transaction has read or remembered, also what it found to be absent; nobody else writes meanwhile."""

    entries: dict[str, Found | None] = field(default_factory=dict)
    subjects: dict[str, SubjectNow] = field(default_factory=dict)
    codes: dict[str, str | None] = field(default_factory=dict)
    rows: dict[RowKey, Mapping[str, Any] | None] = field(default_factory=dict)
    """What stands in rows of tables that are not the ledger's."""
    not_understood: dict[str, NotUnderstood] = field(default_factory=dict)
    """Subjects whose state this version cannot read: told to whoever asks for one, and to no neighbour."""


@dataclass(slots=True)
class Batch:
    """One transaction of the group commit."""

    connection: Connection
    wire: Wire
    size: int
    """Entries in the log before this batch."""
    now: int
    """The ledger's clock, never behind the last entry's."""
    memory: Memory = field(default_factory=Memory)
    staged: Staged = field(default_factory=Staged)
    read: Read = field(default_factory=Read)
    suite: Suite = SHA256

    @property
    def next_index(self) -> int:
        return self.size + len(self.staged.entries)

    def flush(self) -> None:
        """Write what the good units staged; the caller commits."""
        if self.staged.entries:
            self._flush_entries()
        for table, values in self.staged.beside.items():
            self.wire.insert_beside(table, values)
        for table, values in _by_table(self.staged.rows.values()).items():
            self.wire.put_rows(table, values)

    def remember(self) -> Memory:
        """What is known once this batch is committed."""
        staged, read = self.staged, self.read
        subjects = {name: now for name, now in read.subjects.items() if now.state is not None} | staged.subjects
        entries = {id: found for id, found in read.entries.items() if found is not None} | staged.entries
        codes = {code: holder for code, holder in (read.codes | staged.codes).items() if holder is not None}
        self.memory.keep(self.next_index, entries, subjects)
        self.memory.keep_codes(codes, freed=staged.freed)
        return self.memory

    def prefetch(self, hints: Hints) -> None:
        """Have at hand what the next steps will ask for, with at most one query for each of the four, and each table.

        Whoever asks for a code asks for the cylinder next.
        """
        read, memory, codes = self.read, self.memory, hints.codes
        if unread := _unread(hints.ids, read.entries, memory.entries):
            read.entries.update(_select_entries(self.wire, unread))
        if unread := _unread(codes, read.codes, memory.codes):
            read.codes.update(_select_codes(self.wire, unread))
        cylinders = (f"cylinder/{holder}" for code in codes if (holder := read.codes[code]))
        if unread := _unread(chain(hints.subjects, cylinders), read.subjects, memory.subjects):
            read.subjects.update(_select_subjects(self.wire, unread, read.not_understood))
        for model, keys in keys_by_model(key for key in hints.rows if key not in read.rows).items():
            read.rows.update(_select_rows(self.wire, model, keys))

    def _flush_entries(self) -> None:
        self.wire.insert(ENTRY, self.staged.entry_rows)
        if self.staged.ref_rows:
            self.wire.insert(REF, self.staged.ref_rows)
        self._flush_codes()
        self.wire.put_subjects([_now_row(name, now) for name, now in self.staged.subjects.items()])

    def _flush_codes(self) -> None:
        if self.staged.freed:
            self.wire.free_codes(sorted(self.staged.freed))
        rows = [(code, cylinder) for code, cylinder in self.staged.codes.items() if cylinder]
        if rows:
            self.wire.insert(CODE, rows)


class Unit:
    """One caller's view of the ledger inside the group commit."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._own = Staged()
        self._read: dict[str, Told] = {}
        """What this unit has read or stated, by id."""

    @property
    def now(self) -> int:
        """The ledger's clock for this transaction, UTC ms."""
        return self._batch.now

    @property
    def connection(self) -> Connection:
        """For reading tables that are not the ledger's (accounts, vault); writing goes through `put`."""
        return self._batch.connection

    @property
    def staged(self) -> Staged:
        """What this unit has staged so far."""
        return self._own

    def cylinder(self, cylinder_id: str) -> CylinderState | None:
        """State of a cylinder, or None if it is not on file."""
        state = self.subject(f"cylinder/{cylinder_id}").state
        return state if isinstance(state, CylinderState) else None

    def cylinder_by_code(self, code: str) -> CylinderState | None:
        """State of the cylinder a code leads to, alive or dead; None if the code was never bound."""
        cylinder_id = self._code(code)
        return self.cylinder(cylinder_id) if cylinder_id else None

    def station(self, station_id: str) -> StationState | None:
        """State of a station, or None if it is not on file."""
        state = self.subject(f"station/{station_id}").state
        return state if isinstance(state, StationState) else None

    def device(self, device_id: str) -> DeviceState | None:
        """State of a device, or None if it is not enrolled."""
        state = self.subject(f"device/{device_id}").state
        return state if isinstance(state, DeviceState) else None

    def rulebook(self, rulebook_id: str) -> Rulebook | None:
        """The version of a rulebook that decides now, or None if none was published."""
        state = self.subject(f"rulebook/{rulebook_id}").state
        return in_force(state, local_day(self.now)) if isinstance(state, RulebookState) else None

    def entry(self, id: str) -> Entry | None:
        """The entry with this id, or None."""
        found = self._found(id)
        return parse_entry(found.text) if found else None

    def told(self, id: str) -> Told | None:
        """What the entry with this id tells, or None; read once in a unit."""
        found = self._found(id)
        return self._told(id, found) if found else None

    def receipt(self, id: str) -> Receipt | None:
        """Where the entry with this id stands, or None."""
        found = self._found(id)
        return _receipt(self._told(id, found).entry, found.index, found.digest.hex(), replayed=True) if found else None

    def told_between(self, subject: str, after: int, before: int) -> list[Told]:
        """What a subject's chain tells behind position `after` and ahead of position `before`, oldest first."""
        if before - after <= 1:
            return []
        staged = [
            self._told(id, part.entries[id])
            for part in (self._batch.staged, self._own)
            for n, id in part.chains.get(subject, ())
            if after < n < before
        ]
        # What is staged is the end of the chain: where it reaches back far enough, nothing is to be read.
        if len(staged) == before - after - 1:
            return staged
        rows = self._batch.wire.chain(subject, after, before)
        return [*(Told(*entry_of(bytes(text), word)) for text, word in rows), *staged]

    def _told(self, id: str, found: Found) -> Told:
        told = self._read.get(id)
        if told is None:
            told = self._read[id] = Told(*entry_of(found.text))
        return told

    def staged_under(self, ref: str) -> list[Entry]:
        """Entries under a reference that this unit, and others before it in this batch, have staged, oldest first."""
        both = (self._batch.staged, self._own)
        places = {place for part in both for name, place in part.ref_rows if name == ref}
        return [parse_entry(row[-1]) for part in both for row in part.entry_rows if row[0] in places]

    def append(self, record: Record, recorded_at: int | None = None) -> Receipt:
        """Append `record` to its subject's chain; the answer is durable once the group commit answers.

        The same id with the same content gives the same receipt again.  `recorded_at` is for imports of a past
        that was recorded elsewhere; it never runs backwards.  Raises IdConflict, CodeTaken, StateError,
        EventError, CanonicalError.
        """
        if found := self._found(record.id):
            return _replayed(record, found)
        event = record.stated().event
        now = self.subject(record.subject)
        sealed = seal(record, now.head, self.now if recorded_at is None else recorded_at, self._batch.suite)
        state = next_subject_state(now.state, sealed.entry, event)
        self._stage_codes(record.subject, event, now.state)
        self._read[record.id] = Told(sealed.entry, event)
        return self._stage(sealed, state)

    def put(self, row: SQLModel) -> None:
        """Stage a row of a table that is not the ledger's; an existing row with the same key is replaced."""
        self._own.rows[(type(row), _key_of(row))] = row

    def find(self, table: type[Row], *key: Any) -> Row | None:
        """The row with this primary key, as this unit sees it: staged before it in this batch, or committed."""
        for staged in (self._own, self._batch.staged):
            if row := staged.rows.get((table, key)):
                return row if isinstance(row, table) else None
        if (table, key) not in self._batch.read.rows:
            self._batch.prefetch(Hints(rows=((table, key),)))
        found = self._batch.read.rows[(table, key)]
        return table(**found) if found else None

    def staged_rows(self, table: type[Row]) -> list[Row]:
        """Rows of a table that this unit, and others before it in this batch, have staged."""
        both = (*self._batch.staged.rows.values(), *self._own.rows.values())
        return [row for row in both if isinstance(row, table)]

    def add(self, table: Table, row: Values) -> None:
        """Stage a new row of an append-only table of the service: its values in the order of the columns."""
        self._own.beside.setdefault(table, []).append(row)

    def added(self, table: Table) -> list[Values]:
        """Rows that this unit, and others before it in this batch, have added to a table."""
        return [row for part in (self._batch.staged, self._own) for row in part.beside.get(table, ())]

    def append_all(self, records: Sequence[Record]) -> list[Receipt]:
        """`append` each of `records`, with few reads for all of them together."""
        self.prefetch(hints_for(records))
        return [self.append(record) for record in records]

    def prefetch(self, hints: Hints) -> None:
        """Read what the next steps will ask for, in a few queries instead of one each."""
        self._batch.prefetch(hints)

    def subject(self, subject: str) -> SubjectNow:
        """Chain end and state of any subject; raises NotUnderstood."""
        for staged in (self._own, self._batch.staged):
            if now := staged.subjects.get(subject):
                return now
        read = self._batch.read.subjects
        if subject not in read:
            self._batch.prefetch(Hints(subjects=(subject,)))
        if error := self._batch.read.not_understood.get(subject):
            raise error
        return read[subject]

    def _stage(self, sealed: Sealed, state: SubjectState) -> Receipt:
        own, entry, head = self._own, sealed.entry, next_head(sealed)
        index = self._batch.next_index + len(own.entries)
        own.entries[entry.id] = Found(sealed.text, index, sealed.hash)
        own.entry_rows.append(_entry_row(sealed, index))
        own.ref_rows += [(ref, index) for ref in dict.fromkeys(entry.refs)]
        own.chains.setdefault(entry.subject, []).append((entry.n, entry.id))
        own.subjects[entry.subject] = SubjectNow(head, state, index)
        return _receipt(entry, index, head.hash)

    def _stage_codes(self, subject: str, event: Event, before: SubjectState | None) -> None:
        if isinstance(event, CodeBound):
            if (holder := self._code(event.code)) is not None:
                raise CodeTaken(_why_taken(event.code, holder, self.cylinder(holder)))
            self._own.codes[event.code] = subject.partition("/")[2]
        elif isinstance(event, RegistrationWithdrawn) and isinstance(before, CylinderState):
            self._own.codes.update(dict.fromkeys(before.codes))
            self._own.freed.update(before.codes)

    def _code(self, code: str) -> str | None:
        for staged in (self._own, self._batch.staged):
            if code in staged.codes:
                return staged.codes[code]
        read = self._batch.read.codes
        if code not in read:
            self._batch.prefetch(Hints(codes=(code,)))
        return read[code]

    def _found(self, id: str) -> Found | None:
        for staged in (self._own, self._batch.staged):
            if found := staged.entries.get(id):
                return found
        read = self._batch.read.entries
        if id not in read:
            self._batch.prefetch(Hints(ids=(id,)))
        return read[id]


def _why_taken(code: str, holder_id: str, holder: CylinderState | None) -> str:
    if holder is not None and (code in holder.voided_codes or holder.status in ("condemned", "destroyed")):
        return f"code {code} is dead for ever: it was given to {holder_id}, and is cancelled or scrapped with it"
    return f"code {code} already leads to {holder_id}; a code leads to one cylinder"


def _unread(keys: Iterable[str], read: dict[str, Any], remembered: Mapping[str, Any]) -> list[str]:
    """Those of `keys` that the database must be asked for; what is remembered counts as read from now on."""
    missing: dict[str, None] = {}
    for key in keys:
        if key in read:
            continue
        known = remembered.get(key)
        if known is None:
            missing[key] = None
        else:
            read[key] = known
    return list(missing)


def _select_entries(wire: Wire, ids: Sequence[str]) -> dict[str, Found | None]:
    rows = wire.look_up(ENTRY, ids)
    return dict.fromkeys(ids) | {id: Found(bytes(text), index, bytes(digest)) for id, text, index, digest in rows}


def _select_subjects(
    wire: Wire, subjects: Sequence[str], not_understood: dict[str, NotUnderstood]
) -> dict[str, SubjectNow]:
    found = dict.fromkeys(subjects, _NEW_SUBJECT)
    for subject, n, head, state, log_index in wire.look_up(NOW, subjects):
        try:
            found[subject] = SubjectNow(Head(n, head), state_of(subject, state), log_index)
        except NotUnderstood as error:
            del found[subject]
            not_understood[subject] = error
    return found


def _select_codes(wire: Wire, codes: Sequence[str]) -> dict[str, str | None]:
    return dict.fromkeys(codes) | dict(wire.look_up(CODE, codes))


def keys_by_model(rows: Iterable[RowKey]) -> dict[type[SQLModel], list[Values]]:
    """The keys of each model's rows."""
    models: dict[type[SQLModel], list[Values]] = {}
    for model, key in rows:
        models.setdefault(model, []).append(key)
    return models


def _select_rows(wire: Wire, model: type[SQLModel], keys: Sequence[Values]) -> dict[RowKey, Mapping[str, Any] | None]:
    names = table_of(model).columns.keys()
    rows = [dict(zip(names, row, strict=True)) for row in wire.look_up_rows(table_of(model), keys)]
    found = {(model, tuple(row[column.name] for column in _key_columns(model))): row for row in rows}
    return {(model, key): found.get((model, key)) for key in keys}


def _replayed(record: Record, found: Found) -> Receipt:
    entry = parse_entry(found.text)
    if record_text(entry.record()) != record_text(record):
        raise IdConflict(f"id {record.id} is taken by an entry that says something else")
    return _receipt(entry, found.index, found.digest.hex(), replayed=True)


def _receipt(entry: Entry, index: int, digest: str, replayed: bool = False) -> Receipt:
    return Receipt(entry.id, entry.subject, entry.n, entry.prev, index, digest, entry.recorded_at, replayed)


def _entry_row(sealed: Sealed, index: int) -> Values:
    entry = sealed.entry
    place = (index, entry.id, entry.subject, entry.n, entry.type, entry.occurred_at, entry.recorded_at)
    return (*place, sealed.hash, sealed.text)


def _now_row(subject: str, now: SubjectNow) -> Values:
    assert now.state is not None  # noqa: S101 - a staged subject always has a state
    owner_id = now.state.owner_id if isinstance(now.state, CylinderState) else None
    return subject, kind_of(subject), now.head.n, now.head.hash, now.log_index, owner_id, format_state(now.state)


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a model of `tables`."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


def _key_columns(model: type[SQLModel]) -> list[Any]:
    return list(table_of(model).primary_key.columns)


def _key_of(row: SQLModel) -> tuple[Any, ...]:
    return tuple(getattr(row, column.name) for column in _key_columns(type(row)))


def _by_table(rows: Iterable[SQLModel]) -> dict[Table, list[Values]]:
    tables: dict[Table, list[Values]] = {}
    for row in rows:
        table = table_of(type(row))
        tables.setdefault(table, []).append(tuple(getattr(row, column.name) for column in table.columns))
    return tables
