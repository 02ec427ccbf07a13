"""The group commit's statements on PostgreSQL, through psycopg."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table
from sqlalchemy.dialects.postgresql.base import PGDialect

from cylinder_trace.store.wire import CODE, ENTRY, FOUND, NEWEST, NOW, REF, Newest, Values

_WRITTEN = (ENTRY, REF, CODE)
_DIALECT = PGDialect()  # type: ignore[no-untyped-call]

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('pinglian-writer'))"
_COPY_FROM = 16
"""Rows from which COPY is cheaper than one INSERT each: COPY costs a round trip more."""
_TYPES = {"BIGINT": "int8", "VARCHAR": "text", "BYTEA": "bytea"}


# The names in the statements below come from the tables, never from a caller.
def _postgres_types(table: Table) -> list[str]:
    return [_TYPES[column.type.compile(dialect=_DIALECT)] for column in table.columns]


def _names(columns: Iterable[ColumnElement[Any]]) -> str:
    return ", ".join(str(column.key) for column in columns)


def _postgres_lookup(table: Table) -> str:
    columns = FOUND[table]
    return f"SELECT {_names(columns)} FROM {table.name} WHERE {columns[0].name} = ANY(%s)"  # noqa: S608


def _postgres_insert(table: Table) -> str:
    values = ", ".join(["%s"] * len(table.columns))
    return f"INSERT INTO {table.name} ({_names(table.columns)}) VALUES ({values})"  # noqa: S608


def _postgres_copy(table: Table, into: str) -> str:
    return f"COPY {into} ({_names(table.columns)}) FROM STDIN (FORMAT BINARY)"


def _on_conflict(table: Table) -> str:
    changed = ", ".join(f"{column.name} = excluded.{column.name}" for column in table.columns if not column.primary_key)
    return f" ON CONFLICT ({_names(table.primary_key.columns)}) DO UPDATE SET {changed}"


_STEP = "subject_step"
"""A temporary table of the writer's connection: COPY cannot replace rows, so many of them come in by this step."""


class PostgresWire:
    """PostgreSQL through psycopg: one statement for all keys of a look-up, COPY for many rows."""

    _newest = str(NEWEST.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))
    _lookups: Mapping[Table, str] = {table: _postgres_lookup(table) for table in FOUND}
    _inserts: Mapping[Table, str] = {table: _postgres_insert(table) for table in _WRITTEN}
    _copies: Mapping[Table, str] = {table: _postgres_copy(table, table.name) for table in _WRITTEN} | {
        NOW: _postgres_copy(NOW, _STEP)
    }
    _types: Mapping[Table, list[str]] = {table: _postgres_types(table) for table in (*_WRITTEN, NOW)}
    _make_step = f"CREATE TEMPORARY TABLE IF NOT EXISTS {_STEP} (LIKE {NOW.name}) ON COMMIT DELETE ROWS"
    _put_subject = _postgres_insert(NOW) + _on_conflict(NOW)
    _put_step = f"INSERT INTO {NOW.name} SELECT * FROM {_STEP}" + _on_conflict(NOW)  # noqa: S608
    _free_codes = f"DELETE FROM {CODE.name} WHERE {CODE.c.code.name} = ANY(%s)"  # noqa: S608

    def __init__(self, driver: Any, error: type[Exception]) -> None:
        self._driver, self.Error = driver, error

    def begin(self) -> None:
        pass  # psycopg begins with the first statement

    def commit(self) -> None:
        self._driver.commit()

    def newest(self) -> Newest | None:
        # One writer at a time gives gap-free indexes; the group commit makes that one lock per batch, not per entry.
        # Two statements, because the second must see what was committed while the first waited.
        self._driver.execute(_LOCK, prepare=True)
        row = self._driver.execute(self._newest, prepare=True).fetchone()
        return Newest(*row) if row else None

    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        with self._driver.cursor() as cursor:
            if len(rows) < _COPY_FROM:
                cursor.executemany(self._inserts[table], rows)
            else:
                self._copy(cursor, table, rows)

    def put_subjects(self, rows: Sequence[Values]) -> None:
        with self._driver.cursor() as cursor:
            if len(rows) < _COPY_FROM:
                cursor.executemany(self._put_subject, rows)
                return
            cursor.execute(self._make_step)
            self._copy(cursor, NOW, rows)
            cursor.execute(self._put_step)

    def _copy(self, cursor: Any, table: Table, rows: Sequence[Values]) -> None:
        with cursor.copy(self._copies[table]) as copy:
            copy.set_types(self._types[table])
            for row in rows:
                copy.write_row(row)

    def free_codes(self, codes: Sequence[str]) -> None:
        self._driver.execute(self._free_codes, (list(codes),))

    def look_up(self, table: Table, keys: Sequence[str]) -> Iterable[Values]:
        found: Iterable[Values] = self._driver.execute(self._lookups[table], (list(keys),), prepare=True)
        return found
