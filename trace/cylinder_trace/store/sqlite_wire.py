"""The group commit's statements on SQLite, through `sqlite3`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import ClauseElement, Table, and_, bindparam, delete, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from cylinder_trace.store.database import BEGIN_WRITING
from cylinder_trace.store.tables import PersonRow
from cylinder_trace.store.upsert import upsert_statement
from cylinder_trace.store.wire import CODE, ENTRY, FOUND, NEWEST, NOW, Ahead, CommitUnknown, Newest, Values

_DIALECT = SQLiteDialect()
_MOST_ROWS = 128
"""Rows of one SQLite statement; 128 rows of an entry's nine columns are far below SQLite's 32,766 parameters."""

_CACHE_KIB = 8_000
"""Pages that SQLite keeps: a batch of 1,000 changes more than the 2 MB of its own choice hold, and wrote some twice."""


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
    columns = FOUND[table]
    wanted = columns[0].in_([bindparam(f"key{number}") for number in range(count)])
    return str(select(*columns).where(wanted).compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}))


@lru_cache(maxsize=64)
def _sqlite_insert(table: Table, count: int) -> str:
    """Insert `count` rows."""
    return _sqlite_text(_insert(table, count))


def _insert(table: Table, count: int) -> sqlite.Insert:
    return sqlite.insert(table).values([(None,) * len(table.columns)] * count)


@lru_cache(maxsize=64)
def _sqlite_put(count: int, *, same_owner: bool) -> str:
    """Put `count` subjects' rows in the place of those before; with `same_owner` only where no index is touched.

    SQLite writes a row's place in an index anew whenever the statement names one of its columns, changed or not.
    """
    statement = _insert(NOW, count)
    new, keys = statement.excluded, list(NOW.primary_key.columns)
    indexed = [column for index in NOW.indexes for column in index.columns]
    kept = {column.name for column in ((*keys, *indexed) if same_owner else keys)}
    change = {column.name: new[column.name] for column in NOW.columns if column.name not in kept}
    where = and_(*(column.is_not_distinct_from(new[column.name]) for column in indexed)) if same_owner else None
    return _sqlite_text(statement.on_conflict_do_update(index_elements=keys, set_=change, where=where))


@lru_cache(maxsize=64)
def _sqlite_put_row(table: Table) -> str:
    return _sqlite_text(upsert_statement("sqlite", table))


@lru_cache(maxsize=64)
def _sqlite_row(table: Table) -> str:
    return _sqlite_text(select(table).where(*(column == bindparam(None) for column in table.primary_key.columns)))


def _sqlite_text(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=_DIALECT))


class SqliteWire:
    """SQLite through `sqlite3`, which keeps the prepared statement of each of these texts.

    `sqlite3` lets go of the interpreter's lock for every step, and a busy neighbour, such as the publisher, may then
    hold it for milliseconds.  So many rows go into one statement.
    """

    _newest = str(NEWEST.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))
    _chain = f"SELECT text, type FROM {ENTRY.name} WHERE subject = ? AND n > ? AND n < ? ORDER BY n"  # noqa: S608
    _since = f"SELECT subject FROM {ENTRY.name} WHERE log_index >= ?"  # noqa: S608
    _free_code = _sqlite_text(delete(CODE).where(CODE.c.code == bindparam("freed")))

    def __init__(self, driver: Any, error: type[Exception]) -> None:
        self._driver, self.Error = driver, error
        driver.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")

    def begin(self, ahead: Ahead) -> None:
        self._driver.execute(BEGIN_WRITING)

    def commit(self) -> None:
        try:
            self._driver.commit()
        except Exception as error:
            raise CommitUnknown(str(error)) from error

    def newest(self) -> Newest | None:
        row = self._driver.execute(self._newest).fetchone()  # the transaction holds the write lock since it began
        return Newest(*row) if row else None

    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        for group in _groups(len(rows)):
            values = tuple(chain.from_iterable(rows[group]))
            self._driver.execute(_sqlite_insert(table, group.stop - group.start), values)

    def look_up_rows(self, table: Table, keys: Sequence[Values]) -> Iterator[Values]:
        for key in keys:
            yield from self._driver.execute(_sqlite_row(table), key)

    def put_rows(self, table: Table, rows: Sequence[Values]) -> None:
        with self._overwriting(table):
            self._driver.executemany(_sqlite_put_row(table), rows)

    @contextmanager
    def _overwriting(self, table: Table) -> Iterator[None]:
        """In the vault what is replaced is overwritten: the key of an erased person must not lie on in the file."""
        if table.name != PersonRow.__tablename__:
            yield
            return
        self._driver.execute("PRAGMA secure_delete=ON").close()
        try:
            yield
        finally:
            self._driver.execute("PRAGMA secure_delete=OFF").close()

    def insert_beside(self, table: Table, rows: Sequence[Values]) -> None:
        self.insert(table, rows)

    def put_subjects(self, rows: Sequence[Values]) -> None:
        for group in _groups(len(rows)):
            count, values = group.stop - group.start, tuple(chain.from_iterable(rows[group]))
            if self._driver.execute(_sqlite_put(count, same_owner=True), values).rowcount < count:
                self._driver.execute(_sqlite_put(count, same_owner=False), values)

    def free_codes(self, codes: Sequence[str]) -> None:
        self._driver.executemany(self._free_code, [(code,) for code in codes])

    def written_since(self, size: int) -> Iterator[str]:
        return (subject for (subject,) in self._driver.execute(self._since, (size,)))

    def chain(self, subject: str, after: int, before: int) -> Iterator[Values]:
        found: Iterator[Values] = self._driver.execute(self._chain, (subject, after, before))
        return found

    def look_up(self, table: Table, keys: Sequence[str]) -> Iterator[Values]:
        for group in _groups(len(keys)):
            yield from self._driver.execute(_sqlite_lookup(table, group.stop - group.start), keys[group])
