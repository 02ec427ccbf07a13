"""Building a home anew from a mirror (重建): every entry's bytes, hash and index as they were, the states by replay.

Steps, with what a crash leaves behind (the same command goes on from there):
  1. mark the empty home as unfinished                             a home that the service refuses
  2. write the entries, 1,000 in a transaction, hashing each       the same, with the entries so far
  3. compare the root with the signed one                          the same
  4. write the tiles and the keys into the data folder             the same
  5. read model, checkpoints, and the mark taken away at once      a whole home; its service publishes the checkpoint
  6. publish the checkpoint file
When step 2 is taken up again, what is there already is compared with the mirror, byte for byte.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, delete, func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from cylinder_codes.keys import SigningKey
from cylinder_codes.note import format_lines, format_note, split_note
from cylinder_trace.chain import EMPTY, Head
from cylinder_trace.checkpoint import Checkpoint, CheckpointError, open_checkpoint, unverified_checkpoint
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import CodeBound, Entry, Event, RegistrationWithdrawn, parse_entry
from cylinder_trace.merkle import HashesInMemory, leaf_hash, root_hash
from cylinder_trace.rotation import RotationError, parse_rotations, predecessors
from cylinder_trace.store.database import (
    UNFINISHED,
    StoreError,
    create_schema,
    first_line,
    lock_file,
    open_engine,
    parse_url,
    sqlite_path,
)
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.mirror import Watch
from cylinder_trace.store.sources import MirrorSource, is_mirror
from cylinder_trace.store.tables import (
    CheckpointRow,
    CodeRow,
    CosignatureRow,
    EntryRefRow,
    EntryRow,
    MetaRow,
    SubjectNowRow,
)
from cylinder_trace.subjects import SubjectState, format_state, kind_of, next_subject_state
from cylinder_trace.suite import Suite, suite_of_origin

ROWS_PER_COMMIT = 1000
NOT_CARRIED = (
    "buyers' personal data (the vault)",
    "accounts and their tokens",
    "devices' one-time codes and uploaded journals: stations enrol anew",
)
"""What lies beside the ledger and not in it, so that no mirror has it."""

_entry: Any = EntryRow.__table__  # type: ignore[attr-defined]
_meta: Any = MetaRow.__table__  # type: ignore[attr-defined]


class NotRebuilt(Exception):
    """The mirror was read and is not sound; the home stays unfinished."""


class Rebuilt(NamedTuple):
    """What the new home holds."""

    size: int
    root: bytes
    subjects: int
    found: int
    """Entries that an earlier, interrupted run had already written."""


@dataclass(frozen=True, slots=True)
class Item:
    """An entry on its way: its place, its bytes, and what they say."""

    index: int
    text: bytes
    hash: bytes
    entry: Entry


@dataclass(slots=True)
class Replay:
    """The read model as far as it has been replayed."""

    heads: dict[str, tuple[Head, int]] = field(default_factory=dict)
    """Where each chain ends, and the index of its last entry."""
    states: dict[str, SubjectState] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)

    def take(self, item: Item) -> None:
        """Fold the next entry; raises ValueError if it does not follow."""
        subject, entry = item.entry.subject, item.entry
        head = self.heads.get(subject, (EMPTY, 0))[0]
        if (entry.n, entry.prev) != (head.n, head.hash):
            raise ValueError(f"it does not follow on the entry before it in the chain of {subject}")
        before, event = self.states.get(subject), entry.event()
        self.states[subject] = next_subject_state(before, entry, event)
        self.heads[subject] = Head(entry.n + 1, item.hash.hex()), item.index
        self._take_codes(subject.partition("/")[2], event, before)

    def _take_codes(self, cylinder_id: str, event: Event, before: SubjectState | None) -> None:
        if isinstance(event, CodeBound):
            self.codes[event.code] = cylinder_id
        elif isinstance(event, RegistrationWithdrawn) and isinstance(before, CylinderState):
            for code in before.codes:
                self.codes.pop(code, None)

    def subject_rows(self) -> list[dict[str, Any]]:
        """The rows of the read model."""
        return [self._subject_row(subject) for subject in self.states]

    def _subject_row(self, subject: str) -> dict[str, Any]:
        (head, log_index), state = self.heads[subject], self.states[subject]
        return {
            "subject": subject,
            "kind": kind_of(subject),
            "n": head.n,
            "head": head.hash,
            "log_index": log_index,
            "owner_id": state.owner_id if isinstance(state, CylinderState) else None,
            "state": format_state(state),
        }


def rebuild(mirror: Path, url: str, data: Path, key: SigningKey, watch: Watch = lambda rows, _: rows) -> Rebuilt:
    """Make the home at `url`, its public files under ``data/log``, out of a mirror.

    Raises StoreError when the home is not empty or cannot be used, NotRebuilt when the mirror is not sound.
    """
    source, newest = _opened(mirror, key)
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    for folder in (data, *([path.parent] if path else [])):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = lock_file(path or data / "rebuild")
    engine = open_engine(parsed, writer=True)
    try:
        _begin(engine, data, key.name)
        return _Rebuilding(engine, source, newest, LogFiles(data / "log", suite_of_origin(key.name))).run(watch)
    except DBAPIError as error:
        raise StoreError(f"the database cannot be written: {first_line(error)}; run the command again") from error
    finally:
        engine.dispose()
        lock.release()


def _opened(mirror: Path, key: SigningKey) -> tuple[MirrorSource, Checkpoint]:
    if not is_mirror(mirror):
        raise StoreError(f"{mirror} is not a mirror: make one with: cylinder-trace mirror SOURCE {mirror}")
    source = MirrorSource(mirror)
    try:
        former = predecessors(key.verifying_key, parse_rotations(source.rotations()))
        return source, open_checkpoint(source.checkpoint(), [key.verifying_key, *former])
    except RotationError as error:
        raise StoreError(f"the mirror's file rotations is damaged: {error}; make a new mirror") from error
    except CheckpointError as error:
        raise StoreError(f"the mirror's checkpoint is not signed by the key in --key: {error}") from error


def _begin(engine: Engine, data: Path, origin: str) -> None:
    """Mark an empty home as unfinished; one that is marked already is taken up again."""
    try:
        if _is_unfinished(engine, origin):
            return
        _require_empty(engine, data)
    except DBAPIError as error:
        raise StoreError(f"the database cannot be used: {first_line(error)}") from error
    # Tables first, then the mark: a kill in between leaves tables without a row, which is an empty home.
    create_schema(engine, origin)
    with engine.begin() as connection:
        connection.execute(insert(_meta), [{"key": UNFINISHED, "value": f"rebuild of {origin}"}])


def _is_unfinished(engine: Engine, origin: str) -> bool:
    if not inspect(engine).has_table(MetaRow.__tablename__):
        return False
    with engine.connect() as connection:
        stored = {row.key: row.value for row in connection.execute(select(_meta))}
    if UNFINISHED not in stored:
        return False
    if stored.get("origin") != origin:
        raise StoreError(f"here a rebuild of another log, {stored.get('origin')}, was begun: name an empty home")
    return True


def _require_empty(engine: Engine, data: Path) -> None:
    with engine.connect() as connection:
        for name in inspect(engine).get_table_names():
            row = connection.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1')).first()  # noqa: S608 - the database's own
            if row is not None and name != MetaRow.__tablename__:
                raise StoreError(f"this home is not empty, {name} has rows: nothing was written, name an empty one")
    if (data / "log").is_dir() and any((data / "log").iterdir()):
        raise StoreError(f"{data / 'log'} is not empty: nothing was written, name an empty folder with --data")


class _Rebuilding:
    """One run of the command."""

    def __init__(self, engine: Engine, source: MirrorSource, newest: Checkpoint, files: LogFiles) -> None:
        self._engine, self._source, self._newest, self._files = engine, source, newest, files
        self._replay, self._leaves = Replay(), HashesInMemory(suite=files.suite)
        self._clocks: dict[int, int] = {}
        """Size → `recorded_at` of its last entry, for the sizes of checkpoints."""
        self._notes = {unverified_checkpoint(note).size: note for note in source.checkpoints()}

    def run(self, watch: Watch) -> Rebuilt:
        """All steps."""
        size = self._newest.size
        with self._engine.connect() as connection:
            found = connection.scalar(select(func.coalesce(func.max(_entry.c.log_index) + 1, 0))) or 0
        items = _items(watch(self._source.texts(0, size), size), self._files.suite)
        while rows := list(islice(items, ROWS_PER_COMMIT)):
            self._take(rows, found)
        self._require_roots(found)
        self._write_tiles()
        with self._engine.begin() as connection:
            self._finish(connection)
        self._files.publish(self._notes[size])
        return Rebuilt(size, self._newest.root, len(self._replay.states), found)

    def _take(self, items: list[Item], found: int) -> None:
        for item in items:
            if item.index != len(self._leaves):
                raise NotRebuilt(f"entry {len(self._leaves)} is missing in the mirror")
            self._fold(item)
            self._leaves.append(item.hash)
            if item.index + 1 in self._notes:
                self._clocks[item.index + 1] = item.entry.recorded_at
        with self._engine.begin() as connection:
            _require_same(connection, [item for item in items if item.index < found])
            _insert(connection, [item for item in items if item.index >= found])

    def _fold(self, item: Item) -> None:
        try:
            self._replay.take(item)
        except ValueError as error:
            raise NotRebuilt(f"entry {item.index} of the mirror: {error}") from error

    def _require_roots(self, found: int) -> None:
        size = len(self._leaves)
        if size != self._newest.size or found > size:
            raise NotRebuilt(
                f"the mirror holds {size} entries, signed are {self._newest.size}, in the home are {found}"
            )
        for note in self._notes.values():
            stated = unverified_checkpoint(note)
            if root_hash(stated.size, self._leaves, self._files.suite) != stated.root:
                raise NotRebuilt(f"the mirror's entries do not have the signed root of {stated.size} entries")

    def _write_tiles(self) -> None:
        for start in range(0, len(self._leaves), 65536):
            end = min(len(self._leaves), start + 65536)
            self._files.grow(start, [self._leaves(0, index) for index in range(start, end)])
        self._files.publish_keys(self._source.vkeys())
        if rotations := self._source.rotations():
            self._files.publish_rotations(rotations)

    def _finish(self, connection: Connection) -> None:
        _insert_all(connection, SubjectNowRow, self._replay.subject_rows())
        codes = [{"code": code, "cylinder_id": cylinder} for code, cylinder in self._replay.codes.items()]
        _insert_all(connection, CodeRow, codes)
        for size, note in self._notes.items():
            own, others = _taken_apart(note, size)
            # When it was published nobody has kept; its newest entry had been recorded then.
            row = {"size": size, "note": own, "published_at": self._clocks.get(size, 0)}
            _insert_all(connection, CheckpointRow, [row])
            _insert_all(connection, CosignatureRow, others)
        connection.execute(delete(_meta).where(_meta.c.key == UNFINISHED))


def _items(rows: Iterator[tuple[int, bytes]], suite: Suite) -> Iterator[Item]:
    for index, stored in rows:
        try:
            yield Item(index, stored, leaf_hash(stored, suite), parse_entry(stored))
        except ValueError as error:
            raise NotRebuilt(f"entry {index} of the mirror is not an entry") from error


def _require_same(connection: Connection, items: list[Item]) -> None:
    if not items:
        return
    span = _entry.c.log_index >= items[0].index, _entry.c.log_index <= items[-1].index
    rows = connection.execute(select(_entry.c.text).where(*span).order_by(_entry.c.log_index))
    if [bytes(row.text) for row in rows] != [item.text for item in items]:
        raise StoreError("what an earlier run wrote here is not what the mirror holds: start anew with an empty home")


def _insert(connection: Connection, items: list[Item]) -> None:
    refs = [{"ref": ref, "log_index": item.index} for item in items for ref in dict.fromkeys(item.entry.refs)]
    _insert_all(connection, EntryRow, [_entry_row(item) for item in items])
    _insert_all(connection, EntryRefRow, refs)


def _entry_row(item: Item) -> dict[str, Any]:
    entry = item.entry
    copied = {name: getattr(entry, name) for name in ("id", "subject", "n", "type", "occurred_at", "recorded_at")}
    return {"log_index": item.index, **copied, "hash": item.hash, "text": item.text}


def _insert_all(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table.__table__), rows)


def _taken_apart(note: str, size: int) -> tuple[str, list[dict[str, Any]]]:
    """The note with the log's own lines, and a row for each line of a witness."""
    signed, lines = split_note(note)
    origin = unverified_checkpoint(note).origin
    others = [line for line in lines if line.name != origin]
    rows = {f"{line.name}+{line.key_id.hex()}": format_lines([line]) for line in others}
    own = format_note(signed, [line for line in lines if line.name == origin])
    return own, [{"size": size, "key": key, "line": line} for key, line in rows.items()]
