"""The group commit's statements on PostgreSQL, through psycopg.

A round trip costs more than a row, so there are four in a batch: lock and last entry; look-ups; all rows; commit.  Rows
go out as one array for each column, in a pipeline: the server writes the first table while the next one is packed.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Table
from sqlalchemy.dialects.postgresql.base import PGDialect

from cylinder_trace.store.postgres_arrays import PACKERS, Packer, pack_int8s, pack_texts, take_packed
from cylinder_trace.store.tables import ENTRY_ID
from cylinder_trace.store.wire import CODE, ENTRY, FOUND, NOW, REF, Newest, Values

_DIALECT = PGDialect()  # type: ignore[no-untyped-call]

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('pinglian-writer'))"
_NEWEST = f"SELECT log_index, recorded_at FROM {ENTRY_ID.name} ORDER BY log_index DESC LIMIT 1"  # noqa: S608
_TYPES = {"BIGINT": "bigint", "VARCHAR": "text", "BYTEA": "bytea"}


# The names in the statements below come from the tables, never from a caller.
def _types(table: Table) -> list[str]:
    return [_TYPES[column.type.compile(dialect=_DIALECT)] for column in table.columns]


def _names(columns: Iterable[ColumnElement[Any]]) -> str:
    return ", ".join(str(column.key) for column in columns)


def _lookup(table: Table) -> str:
    columns = FOUND[table]
    return f"SELECT {_names(columns)} FROM {table.name} WHERE {columns[0].name} = ANY(%b)"  # noqa: S608


_FIND_IDS = f"SELECT subject, log_index FROM {ENTRY_ID.name} WHERE id = ANY(%b)"  # noqa: S608
_FIND_ENTRIES = (
    f"SELECT {', '.join(f'entry.{column.name}' for column in FOUND[ENTRY])} "  # noqa: S608
    f"FROM unnest(%b::text[], %b::bigint[]) AS found (subject, log_index) JOIN {ENTRY.name} AS entry "
    "ON entry.subject = found.subject AND entry.log_index = found.log_index"
)

_CHAIN = f"SELECT text, type FROM {ENTRY.name} WHERE subject = %s AND n > %s AND n < %s ORDER BY n"  # noqa: S608
_SINCE = f"SELECT subject, type FROM {ENTRY.name} WHERE log_index >= %s"  # noqa: S608


@cache
def _insert(table: Table) -> str:
    arrays = ", ".join(f"%b::{type}[]" for type in _types(table))
    return f"INSERT INTO {table.name} ({_names(table.columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608


@cache
def _packers_of(table: Table) -> list[Packer]:
    return [PACKERS[type] for type in _types(table)]


def _packed(packers: Sequence[Packer], rows: Sequence[Values]) -> list[bytes]:
    return [pack(column) for pack, column in zip(packers, zip(*rows, strict=True), strict=True)]


def _on_conflict(table: Table) -> str:
    changed = ", ".join(f"{column.name} = excluded.{column.name}" for column in table.columns if not column.primary_key)
    return f" ON CONFLICT ({_names(table.primary_key.columns)}) DO UPDATE SET {changed}"


class PostgresWire:
    """PostgreSQL through psycopg: one statement for all keys of a look-up, one for all rows of a table."""

    _lookups: Mapping[Table, str] = {table: _lookup(table) for table in (NOW, CODE)}
    _inserts: Mapping[Table, str] = {table: _insert(table) for table in (ENTRY, ENTRY_ID, REF, CODE)} | {
        NOW: _insert(NOW) + _on_conflict(NOW)
    }
    _packers = {table: _packers_of(table) for table in (ENTRY, REF, CODE, NOW)}
    _id_columns = [list(ENTRY.columns.keys()).index(column.name) for column in ENTRY_ID.columns]
    _free_codes = f"DELETE FROM {CODE.name} WHERE {CODE.c.code.name} = ANY(%b)"  # noqa: S608

    def __init__(self, driver: Any, error: type[Exception]) -> None:
        self._driver, self.Error = driver, error
        self._pipeline: AbstractContextManager[Any] | None = None
        """What the batch's rows go out in, from the first to the last; a connection on which it broke is let go."""
        take_packed(driver)

    def begin(self) -> None:
        pass  # psycopg begins with the first statement

    def commit(self) -> None:
        self._driver.commit()

    def newest(self) -> Newest | None:
        # One writer at a time gives gap-free indexes; the group commit makes that one lock per batch, not per entry.
        # Two statements, because the second must see what was committed while the first waited.
        with self._driver.pipeline():
            self._driver.execute(_LOCK, prepare=True)
            found = self._driver.execute(_NEWEST, prepare=True)
        row = found.fetchone()
        return Newest(*row) if row else None

    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        if self._pipeline is None:
            self._pipeline = self._driver.pipeline()
            self._pipeline.__enter__()
        packed = _packed(self._packers[table], rows)
        self._execute(self._inserts[table], packed)
        if table is ENTRY:
            self._execute(self._inserts[ENTRY_ID], [packed[at] for at in self._id_columns])

    def insert_beside(self, table: Table, rows: Sequence[Values]) -> None:
        self._execute(_insert(table), _packed(_packers_of(table), rows))

    def free_codes(self, codes: Sequence[str]) -> None:
        self._execute(self._free_codes, [pack_texts(codes)])

    def put_subjects(self, rows: Sequence[Values]) -> None:
        self.insert(NOW, rows)
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.__exit__(None, None, None)  # waits for the server, and raises what it refused

    def _execute(self, statement: str, packed: Sequence[bytes]) -> Any:
        return self._driver.execute(statement, packed, prepare=True)

    def written_since(self, size: int) -> Iterable[Values]:
        found: Iterable[Values] = self._driver.execute(_SINCE, (size,), prepare=True)
        return found

    def chain(self, subject: str, after: int, before: int) -> Iterable[Values]:
        found: Iterable[Values] = self._driver.execute(_CHAIN, (subject, after, before), prepare=True)
        return found

    def look_up(self, table: Table, keys: Sequence[str]) -> Iterable[Values]:
        if table is ENTRY:
            return self._look_up_entries(keys)
        found: Iterable[Values] = self._execute(self._lookups[table], [pack_texts(keys)])
        return found

    def _look_up_entries(self, ids: Sequence[str]) -> Iterable[Values]:
        # An id is new nearly always; only one that is not leads on to the part of `entry` that has it.
        places = self._execute(_FIND_IDS, [pack_texts(ids)]).fetchall()
        if not places:
            return ()
        subjects, indexes = zip(*places, strict=True)
        found: Iterable[Values] = self._execute(_FIND_ENTRIES, [pack_texts(subjects), pack_int8s(indexes)])
        return found
