"""Making a home out of a mirror (重建): every entry's bytes, hash and index as they were, the states by replay.

A restore is the same, with the rows and files that a backup has beside its mirror.

Steps, with what a crash leaves behind (the same command goes on from there):
  1. mark the empty home, database and folder, as unfinished       a home that the service refuses
  2. copy the files beside, keys among them                        the same
  3. write the entries, 1,000 in a transaction, hashing each,      the same, with the entries so far
     with what they add up to and the tiles of those signed
  4. compare the root with the signed one                          the same
  5. write checkpoints and all other rows, in one transaction      the same, with all rows
  6. publish keys and checkpoint                                   the same
  7. audit the home
  8. take the mark away                                            a whole home
When step 3 is taken up again, what is there already is compared with the mirror, byte for byte.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, Engine, Table, delete, func, insert, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from cylinder_codes.keys import SigningKey, VerifyingKey
from cylinder_codes.note import format_lines, format_note, split_note
from cylinder_trace.audit import AuditReport, Fault
from cylinder_trace.checkpoint import Checkpoint, CheckpointError, open_checkpoint, unverified_checkpoint
from cylinder_trace.events import parse_entry
from cylinder_trace.merkle import leaf_hash, root_hash
from cylinder_trace.rotation import RotationError, parse_rotations, predecessors
from cylinder_trace.store.backup_form import KEPT
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
from cylinder_trace.store.durable import replace_file
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.line import Line
from cylinder_trace.store.mirror import TileStack
from cylinder_trace.store.progress import Tell, counted, silent
from cylinder_trace.store.replay import Changes, Item, Replay
from cylinder_trace.store.snapshot import Row
from cylinder_trace.store.sound import audit_home
from cylinder_trace.store.sources import MirrorSource, is_mirror
from cylinder_trace.store.tables import CheckpointRow, CosignatureRow, MetaRow
from cylinder_trace.store.wire import CODE, ENTRY, REF, CommitUnknown, Values, Wire
from cylinder_trace.suite import Suite, suite_of_origin
from cylinder_trace.tiles import nodes_from_tiles

ROWS_PER_COMMIT = 1000
NOT_CARRIED = (
    "buyers' personal data (the vault)",
    "accounts and their tokens",
    "devices' one-time codes and uploaded journals: stations enrol anew",
)
"""What lies beside the ledger and not in it, so that no mirror has it."""

_checkpoint: Table = CheckpointRow.__table__  # type: ignore[attr-defined]
_cosignature: Table = CosignatureRow.__table__  # type: ignore[attr-defined]
_meta: Table = MetaRow.__table__  # type: ignore[attr-defined]
_FOLDER_MARK = ".unfinished"
"""Tells the data folder that is being filled from another one that somebody names by mistake."""
_NOT_COUNTED = (MetaRow.__tablename__, "alembic_version")
"""Tables that have rows in an empty home too."""


class NotRebuilt(Exception):
    """What was read is not sound; the home stays unfinished."""


class Rebuilt(NamedTuple):
    """What the new home holds, and what its audit says: a home with faults that were not known stays unfinished."""

    size: int
    root: bytes
    subjects: int
    found: int
    """Entries that an earlier, interrupted run had already written."""
    report: AuditReport
    finished: bool


class Beside(Protocol):
    """What comes into the home beside the log under its newest checkpoint."""

    name: str
    """What is being made of what, as a person would say it; two that are not the same have other names."""
    entries: int
    """How many entries there will be."""

    @property
    def notes(self) -> Mapping[int, str]:
        """Signed checkpoints by size whose roots are to be compared."""

    @property
    def known(self) -> Sequence[Fault]:
        """Faults that the ledger had when it was copied."""

    def require_room(self, data: Path, database: Path | None) -> None:
        """Raise StoreError unless the data folder may be filled; `database` may be a file in it that has no rows."""

    def texts(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Entries behind those that are signed."""

    def rows(self, table: Table, recorded_at: Mapping[int, int]) -> Iterable[Row]:
        """Rows of a table; `recorded_at` is that of the last entry under each checkpoint in `notes`."""

    def copy_files(self, data: Path) -> None:
        """Put into the data folder what belongs there beside the log."""


class FromMirror:
    """A mirror has nothing but checkpoints beside the log."""

    known = ()

    def __init__(self, source: MirrorSource, newest: Checkpoint) -> None:
        self.notes = {unverified_checkpoint(note).size: note for note in source.checkpoints()}
        self.entries = newest.size
        self.name = f"rebuild of {newest.origin}, {newest.size} entries, root {newest.root.hex()[:16]}"

    def require_room(self, data: Path, database: Path | None) -> None:
        if (data / "log").is_dir() and any((data / "log").iterdir()):
            raise StoreError(f"{data / 'log'} is not empty: nothing was written, name an empty folder with --data")

    def texts(self, start: int) -> Iterator[tuple[int, bytes]]:
        return iter(())

    def rows(self, table: Table, recorded_at: Mapping[int, int]) -> Iterable[Row]:
        for size, note in self.notes.items():
            own, others = _taken_apart(note, size)
            if table is _checkpoint:
                # When it was published nobody has kept; its newest entry had been recorded then.
                yield {"size": size, "note": own, "published_at": recorded_at.get(size, 0)}
            elif table is _cosignature:
                yield from others

    def copy_files(self, data: Path) -> None:
        """None."""


def rebuild(
    mirror: Path,
    url: str,
    data: Path,
    key: SigningKey,
    beside: Beside | None = None,
    remembered: Sequence[str] = (),
    tell: Tell = silent,
) -> Rebuilt:
    """Make the home at `url`, its public files under ``data/log``, out of a mirror, and audit it.

    `remembered` are checkpoints that were kept elsewhere.  Raises StoreError when the home is not empty or cannot be
    used, NotRebuilt when the mirror is not sound.
    """
    source, newest, keys = _opened(mirror, key)
    more = beside or FromMirror(source, newest)
    with _begun(url, data, newest.origin, more) as engine:
        making = _Making(engine, source, newest, more, data, tell)
        making.run()
        report = audit_home(url, data, keys, remembered, tell)
        finished = set(map(_place, report.faults)) <= set(map(_place, more.known))
        if finished:
            with engine.begin() as connection:
                connection.execute(delete(_meta).where(_meta.c.key == UNFINISHED))
            (data / _FOLDER_MARK).unlink()
    return Rebuilt(more.entries, newest.root, making.subjects, making.found, report, finished)


def _place(fault: Fault) -> tuple[str, str, int, str]:
    return fault.kind, fault.subject, fault.index, fault.field


def _opened(mirror: Path, key: SigningKey) -> tuple[MirrorSource, Checkpoint, list[VerifyingKey]]:
    if not is_mirror(mirror):
        raise StoreError(f"{mirror} is not a mirror: make one with: cylinder-trace mirror SOURCE {mirror}")
    source = MirrorSource(mirror)
    try:
        keys = [key.verifying_key, *predecessors(key.verifying_key, parse_rotations(source.rotations()))]
        return source, open_checkpoint(source.checkpoint(), keys), keys
    except RotationError as error:
        raise StoreError(f"the mirror's file rotations is damaged: {error}; make a new mirror") from error
    except CheckpointError as error:
        raise StoreError(f"the mirror's checkpoint is not signed by the key handed in: {error}") from error


@contextmanager
def _begun(url: str, data: Path, origin: str, beside: Beside) -> Iterator[Engine]:
    """The home, marked as unfinished; one that is marked already is taken up again."""
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    _is_begun(parsed, beside.name)
    mark = data / _FOLDER_MARK
    if not mark.is_file() or mark.read_text(encoding="utf-8") != beside.name:
        beside.require_room(data, path)  # before anything is put there; also when only the database was begun
    for folder in (data, *([path.parent] if path else [])):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = lock_file(path or mark)
    if path:
        path.touch(mode=0o600, exist_ok=True)  # the vault and the accounts come into it too
    engine = open_engine(parsed, writer=True)
    try:
        _mark(engine, mark, origin, beside.name)
        yield engine
    except (DBAPIError, CommitUnknown, engine.dialect.loaded_dbapi.Error) as error:
        said = str(getattr(error, "orig", error)).split("\n", 1)[0]
        raise StoreError(
            f"the database cannot be written: {said}; mend that, then run the same command again"
        ) from error
    finally:
        engine.dispose()
        lock.release()


def _mark(engine: Engine, mark: Path, origin: str, name: str) -> None:
    begun = _is_begun(engine.url, name)
    if not begun:
        _require_empty(engine)
        # Tables first, then the marks: a kill in between leaves tables without a row, which is an empty home.
        create_schema(engine, origin)
    replace_file(mark, name.encode())
    if not begun:
        with engine.begin() as connection:
            connection.execute(insert(_meta), [{"key": UNFINISHED, "value": name}])


def _is_begun(url: URL, name: str) -> bool:
    """Whether an earlier run began the same in this database; raises StoreError for another. None is made."""
    begun = _begun_here(url)
    if begun not in (None, name):
        raise StoreError(f"here lies an unfinished {begun}: finish that, or name an empty home")
    return begun is not None


def _begun_here(url: URL) -> str | None:
    if (path := sqlite_path(url)) and not path.exists():
        return None
    engine = open_engine(url, writer=False)
    try:
        if not inspect(engine).has_table(_meta.name):
            return None
        with engine.connect() as connection:
            return connection.scalar(select(_meta.c.value).where(_meta.c.key == UNFINISHED))
    except DBAPIError as error:
        raise StoreError(f"the database cannot be used: {first_line(error)}") from error
    finally:
        engine.dispose()


def _require_empty(engine: Engine) -> None:
    with engine.connect() as connection:
        for name in inspect(engine).get_table_names():
            row = connection.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1')).first()  # noqa: S608 - the database's own
            if row is not None and name not in _NOT_COUNTED:
                raise StoreError(f"this home is not empty, {name} has rows: nothing was written, name an empty one")


class _Making:
    """One run of the command."""

    def __init__(
        self, engine: Engine, source: MirrorSource, newest: Checkpoint, beside: Beside, data: Path, tell: Tell
    ) -> None:
        self._engine, self._source, self._newest, self._beside, self._data = engine, source, newest, beside, data
        self._tell, self._suite = tell, suite_of_origin(newest.origin)
        self._files = LogFiles(data / "log", self._suite)
        self._tiles = TileStack(lambda name, tile: replace_file(data / "log" / name, tile), self._suite)
        self._replay, self._next = Replay(), 0
        self._recorded_at: dict[int, int] = {}
        self.found = 0

    @property
    def subjects(self) -> int:
        """How many states were replayed."""
        return len(self._replay.states)

    def run(self) -> None:
        """Steps 2 to 6."""
        self._beside.copy_files(self._data)
        with self._engine.connect() as connection:
            self.found = connection.scalar(select(func.coalesce(func.max(ENTRY.c.log_index) + 1, 0))) or 0
        self._write_entries()
        self._require_roots()
        with self._engine.begin() as connection:
            # A ledger has a checkpoint from its first start on: where one stands, all rows stand.
            if connection.scalar(select(func.count()).select_from(_checkpoint)) == 0:
                self._write_rows(connection)
        self._publish()

    def _write_entries(self) -> None:
        signed, line = self._newest.size, Line(self._engine)
        texts = chain(self._source.texts(0, signed), self._beside.texts(signed))
        items = _items(counted(texts, "entries written 写入", self._beside.entries, self._tell), self._suite)
        try:
            while rows := list(islice(items, ROWS_PER_COMMIT)):
                changes = self._take(rows)
                with line.transaction() as begun:
                    if rows[-1].index < self.found:
                        _require_same(begun.connection, rows)
                    else:
                        _insert(begun.wire, rows, changes)
        finally:
            line.close()
        self._tiles.finish()

    def _take(self, items: list[Item]) -> Changes:
        for item in items:
            if item.index != self._next:
                raise NotRebuilt(f"entry {self._next} is missing")
            self._next += 1
            if self._next <= self._newest.size:
                self._tiles.add(item.hash)
            if self._next in self._beside.notes:
                self._recorded_at[self._next] = item.entry.recorded_at
        try:
            return self._replay.take(items)
        except ValueError as error:
            raise NotRebuilt(str(error)) from error

    def _require_roots(self) -> None:
        if self._next != self._beside.entries or self.found > self._next:
            raise NotRebuilt(f"{self._next} entries were read of {self._beside.entries}; {self.found} are in the home")
        nodes = nodes_from_tiles(self._newest.size, self._files.read_tile, self._suite)
        for stated in (self._newest, *map(unverified_checkpoint, self._beside.notes.values())):
            if root_hash(stated.size, nodes, self._suite) != stated.root:
                raise NotRebuilt(f"the entries do not have the signed root of {stated.size} entries")

    def _write_rows(self, connection: Connection) -> None:
        for table in KEPT:
            rows = self._beside.rows(table, self._recorded_at)
            some = counted(rows, f"rows of {table.name} written 写入", 0, self._tell)
            while batch := list(islice(some, ROWS_PER_COMMIT)):
                connection.execute(insert(table), batch)

    def _publish(self) -> None:
        self._files.publish_keys(self._source.vkeys())
        if rotations := self._source.rotations():
            self._files.publish_rotations(rotations)
        self._files.publish(self._source.checkpoint())


def _items(rows: Iterator[tuple[int, bytes]], suite: Suite) -> Iterator[Item]:
    for index, stored in rows:
        try:
            yield Item(index, stored, leaf_hash(stored, suite), parse_entry(stored))
        except ValueError as error:
            raise NotRebuilt(f"entry {index} is not an entry") from error


def _require_same(connection: Connection, items: list[Item]) -> None:
    # An earlier run wrote the same thousands, each whole or not at all.
    span = ENTRY.c.log_index >= items[0].index, ENTRY.c.log_index <= items[-1].index
    rows = connection.execute(select(ENTRY.c.text).where(*span).order_by(ENTRY.c.log_index))
    if [bytes(row.text) for row in rows] != [item.text for item in items]:
        raise StoreError("what an earlier run wrote here is not what is to be written: start anew with an empty home")


def _insert(wire: Wire, items: list[Item], changes: Changes) -> None:
    """As a group commit writes them."""
    wire.insert(ENTRY, list(map(_entry_row, items)))
    if refs := [(ref, item.index) for item in items for ref in dict.fromkeys(item.entry.refs)]:
        wire.insert(REF, refs)
    if changes.freed:
        wire.free_codes(sorted(changes.freed))
    if changes.codes:
        wire.insert(CODE, list(changes.codes.items()))
    wire.put_subjects(list(changes.subjects.values()))


def _entry_row(item: Item) -> Values:
    entry = item.entry
    copied = entry.id, entry.subject, entry.n, entry.type, entry.occurred_at, entry.recorded_at
    return item.index, *copied, item.hash, item.text


def _taken_apart(note: str, size: int) -> tuple[str, list[Row]]:
    """The note with the log's own lines, and a row for each line of a witness."""
    signed, lines = split_note(note)
    origin = unverified_checkpoint(note).origin
    others = [line for line in lines if line.name != origin]
    rows = {f"{line.name}+{line.key_id.hex()}": format_lines([line]) for line in others}
    own = format_note(signed, [line for line in lines if line.name == origin])
    return own, [{"size": size, "key": key, "line": line} for key, line in rows.items()]
