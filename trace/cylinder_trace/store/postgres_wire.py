"""The group commit's statements on PostgreSQL, through psycopg.

A round trip costs more than a row, and while one waits for it nobody else may write.  So there are two in a batch: the
lock, the last entry and what the batch will look up (``postgres_reading``); all rows and the commit.  Rows go out as
one array for each column, in a pipeline: the server writes the first table while the next one is packed.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Table

from cylinder_trace.store.postgres_arrays import PACKERS, Packer, pack_texts, take_packed
from cylinder_trace.store.postgres_reading import PostgresReading, names_of, type_of
from cylinder_trace.store.tables import ENTRY_ID
from cylinder_trace.store.wire import CODE, ENTRY, NOW, REF, Ahead, CommitUnknown, Newest, Values


# The names in the statements below come from the tables, never from a caller.
def _types(table: Table) -> list[str]:
    return [type_of(column) for column in table.columns]


@cache
def _insert(table: Table) -> str:
    arrays = ", ".join(f"%b::{type}[]" for type in _types(table))
    return f"INSERT INTO {table.name} ({names_of(table.columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608


@cache
def _put_row(table: Table) -> str:
    values = ", ".join(f"%s::{type}" for type in _types(table))
    return f"INSERT INTO {table.name} ({names_of(table.columns)}) VALUES ({values})" + _on_conflict(table)  # noqa: S608


@cache
def _packers_of(table: Table) -> list[Packer]:
    return [PACKERS[type] for type in _types(table)]


def _packed(packers: Sequence[Packer], rows: Sequence[Values]) -> list[bytes]:
    return [pack(column) for pack, column in zip(packers, zip(*rows, strict=True), strict=True)]


def _on_conflict(table: Table) -> str:
    changed = ", ".join(f"{column.name} = excluded.{column.name}" for column in table.columns if not column.primary_key)
    return f" ON CONFLICT ({names_of(table.primary_key.columns)}) DO UPDATE SET {changed}"


class PostgresWire:
    """PostgreSQL through psycopg: one statement for all keys of a look-up, one for all rows of a table."""

    _inserts: Mapping[Table, str] = {table: _insert(table) for table in (ENTRY, ENTRY_ID, REF, CODE)} | {
        NOW: _insert(NOW) + _on_conflict(NOW)
    }
    _packers = {table: _packers_of(table) for table in (ENTRY, REF, CODE, NOW)}
    _id_columns = [list(ENTRY.columns.keys()).index(column.name) for column in ENTRY_ID.columns]
    _free_codes = f"DELETE FROM {CODE.name} WHERE {CODE.c.code.name} = ANY(%b)"  # noqa: S608

    def __init__(self, driver: Any, error: type[Exception]) -> None:
        self._driver, self.Error = driver, error
        self._reading: PostgresReading
        self._going_out: AbstractContextManager[Any] | None = None
        """The pipeline that the batch's rows go out in, from the first of them to the commit."""
        take_packed(driver)

    def begin(self, ahead: Ahead) -> None:
        self._reading = PostgresReading(self._driver, ahead)

    def newest(self) -> Newest | None:
        return self._reading.newest()

    def written_since(self, size: int) -> Iterable[str]:
        return self._reading.written_since(size)

    def chain(self, subject: str, after: int, before: int) -> Iterable[Values]:
        return self._reading.chain(subject, after, before)

    def look_up(self, table: Table, keys: Sequence[str]) -> Iterable[Values]:
        return self._reading.look_up(table, keys)

    def look_up_rows(self, table: Table, keys: Sequence[Values]) -> Iterable[Values]:
        return self._reading.look_up_rows(table, keys)

    def insert(self, table: Table, rows: Sequence[Values]) -> None:
        packed = _packed(self._packers[table], rows)
        self._send(self._inserts[table], packed)
        if table is ENTRY:
            self._send(self._inserts[ENTRY_ID], [packed[at] for at in self._id_columns])

    def put_rows(self, table: Table, rows: Sequence[Values]) -> None:
        for row in rows:
            self._send(_put_row(table), row)

    def insert_beside(self, table: Table, rows: Sequence[Values]) -> None:
        self._send(_insert(table), _packed(_packers_of(table), rows))

    def free_codes(self, codes: Sequence[str]) -> None:
        self._send(self._free_codes, [pack_texts(codes)])

    def put_subjects(self, rows: Sequence[Values]) -> None:
        self.insert(NOW, rows)

    def commit(self) -> None:
        pipeline, self._going_out = self._pipeline(), None
        try:
            try:
                self._driver.execute("COMMIT")
            finally:
                pipeline.__exit__(None, None, None)  # waits for the server, and raises what it refused
        except Exception as error:
            # Only where the server says that the transaction failed is it known that nothing was written.
            if self._driver.info.transaction_status == TransactionStatus.INERROR:
                raise error.__context__ or error from None  # the first refusal, not those that followed from it
            # Crash point: the line broke behind the word COMMIT. Only asking again with the same id tells.
            raise CommitUnknown(str(error)) from error

    def _send(self, statement: str, values: Sequence[Any]) -> None:
        self._pipeline()
        self._driver.execute(statement, values, prepare=True)

    def _pipeline(self) -> AbstractContextManager[Any]:
        if self._going_out is None:
            self._going_out = self._driver.pipeline()
            self._going_out.__enter__()
        return self._going_out
