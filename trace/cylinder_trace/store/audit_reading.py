"""Reading a ledger for its audit: ranges of stored rows as fast as the driver gives them, tiles, journals, heads.

Whatever stands there is handed on: text where bytes belong, words where numbers belong.  The audit says what is wrong
with it; only a database that cannot be read at all is a StoreError.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, Table, inspect
from sqlalchemy.exc import DBAPIError

from cylinder_trace.audit import StoredEntry, StoredHead, StoredRecord
from cylinder_trace.auditing.devices import SECOND_BRANCH
from cylinder_trace.auditing.folding import Code
from cylinder_trace.auditing.references import Pair
from cylinder_trace.merkle import HASH_SIZE, leaf_hash
from cylinder_trace.store.database import StoreError, first_line, open_engine, parse_url, sqlite_path
from cylinder_trace.store.sources import MirrorSource, ServiceSource, is_mirror, texts_in
from cylinder_trace.store.tables import (
    CheckpointRow,
    CodeRow,
    CosignatureRow,
    EntryRefRow,
    EntryRow,
    JournalBranchRow,
    JournalRow,
    SubjectNowRow,
)
from cylinder_trace.suite import Suite, suite_of_origin
from cylinder_trace.tiles import TILE_WIDTH, tile_path

_ENTRY_TYPES = (int, str, str, int, str, int, int, bytes, bytes)
_RECORD_TYPES = (str, int, str, str, str, int, bytes)
_HEAD_TYPES = (str, str, int, str, int)
_STATE_TYPES = (str, str)
_REFERENCE_TYPES = (int, str)
_REFERRING_AT_ONCE = 250_000
"""Entries whose references are held at a time, some 100 MB."""


class AuditSource(Protocol):
    """What an audit reads."""

    def size(self) -> int:
        """How many entries there are, by the newest index."""

    def count(self) -> int:
        """How many entries there are, counted: fewer than `size` when some are missing."""

    def next_from(self, index: int) -> int:
        """The first index that is there from `index` on; `index` itself where none is."""

    def rows(self, start: int, end: int) -> list[StoredEntry]:
        """Entries from index `start` up to, not including, `end`."""

    def checkpoints(self) -> list[str]:
        """Every signed checkpoint that is stored beside the entries."""

    def published(self) -> list[str]:
        """The checkpoint in the log's public folder, if there is one."""

    def vkeys(self) -> list[str]:
        """The keys the source names itself."""

    def rotations(self) -> str:
        """The statements by which the log's key was rotated."""

    def policy(self) -> str:
        """The policy that names the witnesses, where the source has one."""

    def cosignatures(self) -> list[tuple[int, str]]:
        """Signature lines kept beside checkpoints, with the size of each."""

    def tiles(self, start: int, end: int) -> Mapping[int, bytes]:
        """Stored tiles of level 0 over these entries, by number; what is not there is left out."""

    def upper_tiles(self, size: int) -> Mapping[tuple[int, int], bytes]:
        """Stored tiles above level 0 of a tree of `size`."""

    def journal(self, settled: Mapping[str, int]) -> Iterator[StoredRecord] | None:
        """Records of devices, each device's from the sequence in `settled` on; None where no journal is."""

    def journal_of(self, device_id: str, first: int, last: int) -> Iterator[StoredRecord] | None:
        """One chain's records, a device's or its second branch's, from one sequence on; None where no journal is."""

    def heads(self, since: int) -> Iterator[StoredHead] | None:
        """Ends of chains in the read model, of subjects with an entry since index `since`; None where none is."""

    def read_model(self, since: int) -> Mapping[str, str] | None:
        """Stored states of those subjects; None where no read model is."""

    def references(self, start: int, stop: int) -> Iterator[Pair] | None:
        """The index of references, of entries from `start` up to, not including, `stop`; None where none is."""

    def codes(self) -> Iterator[Code] | None:
        """The index of codes; None where none is."""


def open_audit_source(place: str, token: str | None = None) -> AuditSource:
    """The ledger at a URL, database file, data folder or mirror; raises StoreError with one clear sentence."""
    if place.startswith(("http://", "https://")):
        return ServiceRows(ServiceSource(place.rstrip("/"), token))
    path = Path(place)
    if is_mirror(path):
        return ServiceRows(MirrorSource(path))
    if path.is_dir():
        return DatabaseRows(f"sqlite:///{path / 'ledger.db'}", path)
    return DatabaseRows(place, None) if "://" in place else DatabaseRows(f"sqlite:///{path}", None)


class DatabaseRows:
    """A ledger in SQLite or PostgreSQL, with its log folder where one is given."""

    def __init__(self, url: str, folder: Path | None) -> None:
        parsed = parse_url(url)
        path = sqlite_path(parsed)
        if path is not None and not path.is_file():
            raise StoreError(f"there is no database {path}; name the data folder or its ledger.db")
        self._engine = open_engine(parsed, writer=False)
        self._log = folder / "log" if folder else None

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()

    def size(self) -> int:
        found = self._select(EntryRow, ("log_index",), "ORDER BY log_index DESC LIMIT 1")
        return found[0][0] + 1 if found else 0

    def next_from(self, index: int) -> int:
        found = self._select(EntryRow, ("log_index",), "WHERE log_index >= {0} ORDER BY log_index LIMIT 1", index)
        return int(found[0][0]) if found else index

    def count(self) -> int:
        return int(self._select(EntryRow, ("count(*)",), "")[0][0])

    def rows(self, start: int, end: int) -> list[StoredEntry]:
        columns = ("log_index", "id", "subject", "n", "type", "occurred_at", "recorded_at", "hash", "text")
        where = "WHERE log_index >= {0} AND log_index < {0} ORDER BY log_index"
        return list(map(StoredEntry._make, _typed(self._select(EntryRow, columns, where, start, end), _ENTRY_TYPES)))

    def checkpoints(self) -> list[str]:
        found = self._select(CheckpointRow, ("size", "note"), "ORDER BY size")
        # A note beside another size than its own is handed on as what it is: none.
        return [str(note) if _says(note, size) else f"{size}: {note}" for size, note in found]

    def published(self) -> list[str]:
        path = self._log / "checkpoint" if self._log else None
        return [path.read_bytes().decode(errors="replace")] if path and path.is_file() else []

    def vkeys(self) -> list[str]:
        return self._text("log/keys").split()

    def rotations(self) -> str:
        return self._text("log/rotations")

    def policy(self) -> str:
        return self._text("witnesses.policy")

    def _text(self, name: str) -> str:
        path = self._log.parent / name if self._log else None
        return path.read_bytes().decode(errors="replace") if path and path.is_file() else ""

    def cosignatures(self) -> list[tuple[int, str]]:
        if not inspect(self._engine).has_table(CosignatureRow.__tablename__):
            return []  # a ledger from before there were any
        return _typed(self._select(CosignatureRow, ("size", "line"), "ORDER BY size, key"), (int, str))

    def tiles(self, start: int, end: int) -> Mapping[int, bytes]:
        found = {}
        for number in range(start // TILE_WIDTH, -(-end // TILE_WIDTH)):
            if data := self._tile(0, number):
                found[number] = data
        return found

    def upper_tiles(self, size: int) -> Mapping[tuple[int, int], bytes]:
        found, level = {}, 1
        while count := size >> (8 * level):
            for number in range(-(-count // TILE_WIDTH)):
                if data := self._tile(level, number):
                    found[level, number] = data
            level += 1
        return found

    def _tile(self, level: int, number: int) -> bytes:
        """The widest tile; where a narrower one says otherwise stand noughts, which are no entry's hash."""
        if self._log is None:
            return b""
        whole = self._log / tile_path(level, number)
        partial = whole.with_name(f"{whole.name}.p")
        paths = [path for path in partial.glob("*") if path.name.isdecimal()] if partial.is_dir() else []
        paths += [whole] if whole.is_file() else []
        widest, *narrower = sorted((path.read_bytes() for path in paths), key=len, reverse=True) or [b""]
        found = bytearray(widest)
        for data in narrower:
            for at in range(0, len(data), HASH_SIZE):
                if widest[at : at + HASH_SIZE] != data[at : at + HASH_SIZE]:
                    found[at : at + HASH_SIZE] = bytes(HASH_SIZE)
        return bytes(found)

    def journal(self, settled: Mapping[str, int]) -> Iterator[StoredRecord] | None:
        return self._journal(settled)

    def _journal(self, settled: Mapping[str, int]) -> Iterator[StoredRecord]:
        for rows, suffix in ((JournalRow, ""), (JournalBranchRow, SECOND_BRANCH)):
            devices = [row[0] + suffix for row in self._select(rows, ("DISTINCT device_id",), "ORDER BY device_id")]
            for chain in devices:
                yield from self.journal_of(chain, settled.get(chain, -(2**62)), 2**62)

    def journal_of(self, device_id: str, first: int, last: int) -> Iterator[StoredRecord]:
        columns = ("device_id", "seq", "hash", "id", "status", "log_index", "text")
        where = "WHERE device_id = {0} AND seq >= {0} AND seq <= {0} ORDER BY seq LIMIT 5000"
        own_id = device_id.removesuffix(SECOND_BRANCH)
        rows = JournalRow if own_id == device_id else JournalBranchRow
        while found := self._select(rows, columns, where, own_id, first, last):
            records = map(StoredRecord._make, _typed(found, _RECORD_TYPES))
            yield from records if own_id == device_id else (one._replace(device_id=device_id) for one in records)
            first = found[-1][1] + 1

    def heads(self, since: int) -> Iterator[StoredHead] | None:
        columns = ("subject", "kind", "n", "head", "log_index")
        found = self._select(SubjectNowRow, columns, "WHERE log_index >= {0}", since)
        return map(StoredHead._make, _typed(found, _HEAD_TYPES))

    def read_model(self, since: int) -> Mapping[str, str] | None:
        found = self._select(SubjectNowRow, ("subject", "state"), "WHERE log_index >= {0}", since)
        return dict(_typed(found, _STATE_TYPES))

    def references(self, start: int, stop: int) -> Iterator[Pair]:
        # The table is ordered by what is referred to, so each range costs a walk through all of it.
        edges = [start, *range(max(start, 0) + _REFERRING_AT_ONCE, min(stop, self.size()), _REFERRING_AT_ONCE), stop]
        for first, end in pairwise(edges):
            where = "WHERE log_index >= {0} AND log_index < {0} ORDER BY log_index, ref"
            yield from _typed(self._select(EntryRefRow, ("log_index", "ref"), where, first, end), _REFERENCE_TYPES)

    def codes(self) -> Iterator[Code]:
        found = self._select(CodeRow, ("code", "cylinder_id"), "")
        yield from _typed(found, _STATE_TYPES)

    def _select(self, row: Any, columns: Sequence[str], rest: str, *values: Any) -> list[tuple[Any, ...]]:
        table: Table = row.__table__
        try:
            with self._engine.connect() as connection:
                return _read(connection, f"SELECT {', '.join(columns)} FROM {table.name} {rest}", values)  # noqa: S608
        except DBAPIError as error:
            raise StoreError(f"the database cannot be read as a ledger: {first_line(error)}") from error
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise StoreError(f"the database cannot be read as a ledger: {error}") from error


def _read(connection: Connection, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The driver's own rows: a row object and a converter for each value would cost more than the audit of it."""
    driver: Any = connection.connection.driver_connection
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:  # in binary, for as text every byte of an entry comes as two digits
        return list(driver.execute(statement.format("%s"), values, binary=True).fetchall())
    statement = statement.format("?")
    try:
        return list(driver.execute(statement, values).fetchall())
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    # A text column holds bytes that are no text: they are shown as they are, so that the audit can name the row.
    driver.text_factory = lambda data: data.decode(errors="replace")
    return list(driver.execute(statement, values).fetchall())


def _typed(rows: list[tuple[Any, ...]], types: tuple[type, ...]) -> list[tuple[Any, ...]]:
    """The rows; SQLite lets anything stand in any column, and what is of another type is made one of the right type."""
    if all({*map(type, column)} == {kind} for column, kind in zip(zip(*rows, strict=True), types, strict=False)):
        return rows
    return [tuple(map(_as, row, types)) for row in rows]


def _as(value: Any, kind: type) -> Any:
    if type(value) is kind:
        return value
    if kind is int:
        return -1
    text = value if isinstance(value, bytes) else str(value).encode()
    return text if kind is bytes else text.decode(errors="replace")


def _says(note: object, size: int) -> bool:
    """Whether the note is about as many entries as the column beside it says."""
    return str(note).split("\n")[1:2] == [str(size)]


class ServiceRows:
    """A ledger behind HTTP, or its mirror: entries, checkpoint and keys; no journal and no read model is shown."""

    def __init__(self, source: ServiceSource) -> None:
        self._source = source
        note = self._source.checkpoint()
        self._size = self._source.size()
        self._suite = suite_of_origin(note.partition("\n")[0])

    def close(self) -> None:
        """Nothing is held."""

    def size(self) -> int:
        return self._size

    def count(self) -> int:
        return self._size

    def next_from(self, index: int) -> int:
        return index

    def rows(self, start: int, end: int) -> list[StoredEntry]:
        found: list[StoredEntry] = []
        for first in range(start - start % TILE_WIDTH, min(end, self._size), TILE_WIDTH):
            width = min(TILE_WIDTH, self._size - first)
            bundle = self._source.get(f"/log/{tile_path('entries', first // TILE_WIDTH, width)}")
            found += [_as_row(index, text, self._suite) for index, text in enumerate(texts_in(bundle), first)]
        return [row for row in found if start <= row.index < end]

    def checkpoints(self) -> list[str]:
        return self._source.checkpoints()

    def published(self) -> list[str]:
        return []

    def vkeys(self) -> list[str]:
        return self._source.vkeys()

    def rotations(self) -> str:
        return self._source.rotations()

    def policy(self) -> str:
        return ""

    def cosignatures(self) -> list[tuple[int, str]]:
        return []

    def tiles(self, start: int, end: int) -> Mapping[int, bytes]:
        """Level 0, as far as the checkpoint's tree has it."""
        found = {}
        for number in range(start // TILE_WIDTH, -(-min(end, self._size) // TILE_WIDTH)):
            width = min(TILE_WIDTH, self._size - number * TILE_WIDTH)
            found[number] = self._source.get(f"/log/{tile_path(0, number, width)}")
        return found

    def upper_tiles(self, size: int) -> Mapping[tuple[int, int], bytes]:
        found, level = {}, 1
        while count := self._size >> (8 * level):
            for number in range(-(-count // TILE_WIDTH)):
                path = tile_path(level, number, min(TILE_WIDTH, count - number * TILE_WIDTH))
                found[level, number] = self._source.get(f"/log/{path}")
            level += 1
        return found

    def journal(self, settled: Mapping[str, int]) -> Iterator[StoredRecord] | None:
        return None

    def journal_of(self, device_id: str, first: int, last: int) -> Iterator[StoredRecord] | None:
        return None

    def heads(self, since: int) -> Iterator[StoredHead] | None:
        return None

    def references(self, start: int, stop: int) -> Iterator[Pair] | None:
        return None

    def codes(self) -> Iterator[Code] | None:
        return None

    def read_model(self, since: int) -> Mapping[str, str] | None:
        return None


def _as_row(index: int, text: bytes, suite: Suite) -> StoredEntry:
    """The row that a database would hold for a text; what it does not say is left empty."""
    try:
        told = orjson.loads(text)
        columns = [told[name] for name in ("id", "subject", "n", "type", "occurred_at", "recorded_at")]
    except (ValueError, KeyError, TypeError):
        columns = []
    row = (index, *columns, leaf_hash(text, suite), text)
    if [*map(type, row)] == [*_ENTRY_TYPES]:
        return StoredEntry._make(row)
    return StoredEntry(index, "", "", -1, "", -1, -1, leaf_hash(text, suite), text)
