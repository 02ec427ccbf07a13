"""The group commit's statements, handed to the driver itself: no statement is built while callers wait.

Tables stay defined once, in ``tables``; the statements are written out from them, once.  They run on the driver's
connection that the group commit's own SQLAlchemy transaction holds, so they commit or go with it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ClauseElement, ColumnElement, Connection, Table, bindparam, delete, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from cylinder_trace.store.database import BEGIN_WRITING
from cylinder_trace.store.tables import CodeRow, EntryRefRow, EntryRow, SubjectNowRow

Values = tuple[Any, ...]
"""A row's values in the order of its table's columns."""

ENTRY: Table = EntryRow.__table__  # type: ignore[attr-defined]
REF: Table = EntryRefRow.__table__  # type: ignore[attr-defined]
NOW: Table = SubjectNowRow.__table__  # type: ignore[attr-defined]
CODE: Table = CodeRow.__table__  # type: ignore[attr-defined]


class Newest(NamedTuple):
    """The log's last entry."""

    log_index: int
    recorded_at: int


class Wire(Protocol):
    """What a group commit reads and writes, in the words of one driver."""

    Error: type[Exception]
    """What the driver raises when the database fails."""

    def begin(self) -> None:
        """Begin a transaction; SQLAlchemy joins it when it is asked for something."""

    def commit(self) -> None:
        """Make what was written durable."""

    def newest(self) -> Newest | None:
        """Lock out other writers until the commit, then read the log's last entry."""

    def look_up(self, table: Table, keys: Sequence[str]) -> Iterable[Values]:
        """What is read of each row with one of `keys`: entries by id, chain ends by subject, codes by code."""

    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        """Write new rows."""

    def put_subjects(self, rows: Sequence[Values]) -> None:
        """Write where chains end, in place of what stood there."""

    def free_codes(self, codes: Sequence[str]) -> None:
        """Take the rows of `codes` away."""


def wire_of(connection: Connection) -> Wire:
    """The wire of an open transaction's connection."""
    driver = connection.connection.driver_connection
    error = connection.dialect.loaded_dbapi.Error
    return PostgresWire(driver, error) if connection.dialect.name == "postgresql" else SqliteWire(driver, error)


_FOUND = {
    ENTRY: (ENTRY.c.id, ENTRY.c.text, ENTRY.c.log_index, ENTRY.c.hash),
    NOW: (NOW.c.subject, NOW.c.n, NOW.c.head, NOW.c.state, NOW.c.log_index),
    CODE: (CODE.c.code, CODE.c.cylinder_id),
}
"""What is read of a table; the first column is the one it is looked up by."""
_NEWEST = select(ENTRY.c.log_index, ENTRY.c.recorded_at).order_by(ENTRY.c.log_index.desc()).limit(1)


_WRITTEN = (ENTRY, REF, CODE)
_SQLITE = SQLiteDialect()
_POSTGRES = PGDialect()  # type: ignore[no-untyped-call]


_MOST_ROWS = 128
"""Rows of one SQLite statement; 128 rows of an entry's nine columns are far below SQLite's 32,766 parameters."""


def _groups(count: int) -> Iterator[slice]:
    """`count` things in groups of 128, then 64, 32 … 1: few sizes, so that each size's statement stays prepared."""
    start, size = 0, _MOST_ROWS
    while start < count:
        while size > count - start:
            size //= 2
        yield slice(start, start + size)
        start += size


@lru_cache(maxsize=64)
def _sqlite_lookup(table: Table, count: int) -> str:
    columns = _FOUND[table]
    wanted = columns[0].in_([bindparam(f"key{number}") for number in range(count)])
    return str(select(*columns).where(wanted).compile(dialect=_SQLITE, compile_kwargs={"render_postcompile": True}))


@lru_cache(maxsize=64)
def _sqlite_insert(table: Table, count: int) -> str:
    """Insert `count` rows; a subject's row takes the place of the one before."""
    statement = sqlite.insert(table).values([(None,) * len(table.columns)] * count)
    if table is NOW:
        changed = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
        statement = statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changed)
    return _sqlite_text(statement)


def _sqlite_text(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=_SQLITE))


class SqliteWire:
    """SQLite through `sqlite3`, which keeps the prepared statement of each of these texts.

    `sqlite3` lets go of the interpreter's lock for every step, and a busy neighbour, such as the publisher, may then
    hold it for milliseconds.  So many rows go into one statement.
    """

    _newest = str(_NEWEST.compile(dialect=_SQLITE, compile_kwargs={"literal_binds": True}))
    _free_code = _sqlite_text(delete(CODE).where(CODE.c.code == bindparam("freed")))

    def __init__(self, driver: Any, error: type[Exception]) -> None:
        self._driver, self.Error = driver, error

    def begin(self) -> None:
        self._driver.execute(BEGIN_WRITING)

    def commit(self) -> None:
        self._driver.commit()

    def newest(self) -> Newest | None:
        row = self._driver.execute(self._newest).fetchone()  # the transaction holds the write lock since it began
        return Newest(*row) if row else None

    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        for group in _groups(len(rows)):
            values = tuple(chain.from_iterable(rows[group]))
            self._driver.execute(_sqlite_insert(table, group.stop - group.start), values)

    def put_subjects(self, rows: Sequence[Values]) -> None:
        self.insert(NOW, rows)

    def free_codes(self, codes: Sequence[str]) -> None:
        self._driver.executemany(self._free_code, [(code,) for code in codes])

    def look_up(self, table: Table, keys: Sequence[str]) -> Iterator[Values]:
        for group in _groups(len(keys)):
            yield from self._driver.execute(_sqlite_lookup(table, group.stop - group.start), keys[group])


_LOCK = "SELECT pg_advisory_xact_lock(hashtext('pinglian-writer'))"
_COPY_FROM = 16
"""Rows from which COPY is cheaper than one INSERT each: COPY costs a round trip more."""
_POSTGRES_TYPES = {"BIGINT": "int8", "VARCHAR": "text", "BYTEA": "bytea"}


# The names in the statements below come from the tables, never from a caller.
def _postgres_types(table: Table) -> list[str]:
    return [_POSTGRES_TYPES[column.type.compile(dialect=_POSTGRES)] for column in table.columns]


def _names(columns: Iterable[ColumnElement[Any]]) -> str:
    return ", ".join(str(column.key) for column in columns)


def _postgres_lookup(table: Table) -> str:
    columns = _FOUND[table]
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

    _newest = str(_NEWEST.compile(dialect=_POSTGRES, compile_kwargs={"literal_binds": True}))
    _lookups: Mapping[Table, str] = {table: _postgres_lookup(table) for table in _FOUND}
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
