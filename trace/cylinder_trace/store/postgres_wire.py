"""The group commit's statements on PostgreSQL, through psycopg.

A round trip costs more than a row, and while one waits for it nobody else may write.  So a batch takes two messages:
the lock, the last entry and what the batch will look up (``postgres_reading``); all rows and the commit.  Rows go out
as one array for each column; of a large batch the server writes the first table while the next one is packed.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Table

from cylinder_trace.store.postgres_arrays import Packer, pack_columns, pack_texts
from cylinder_trace.store.postgres_messages import Messages
from cylinder_trace.store.postgres_reading import PostgresReading, arrays_of, names_of, packers_of, type_of
from cylinder_trace.store.tables import ENTRY_ID
from cylinder_trace.store.wire import CODE, ENTRY, NOW, REF, Ahead, CommitUnknown, Newest, Values


# The names in the statements below come from the tables, never from a caller.
@cache
def _insert(table: Table) -> str:
    rows = f"SELECT * FROM unnest({arrays_of(table.columns)})"  # noqa: S608
    return f"INSERT INTO {table.name} ({names_of(table.columns)}) {rows}"


@cache
def _put_row(table: Table) -> str:
    values = ", ".join(f"${place}::{type_of(column)}" for place, column in enumerate(table.columns, 1))
    return f"INSERT INTO {table.name} ({names_of(table.columns)}) VALUES ({values})" + _on_conflict(table)  # noqa: S608


@cache
def _packers(table: Table) -> list[Packer]:
    return packers_of(table.columns)


def _on_conflict(table: Table) -> str:
    changed = ", ".join(f"{column.name} = excluded.{column.name}" for column in table.columns if not column.primary_key)
    return f" ON CONFLICT ({names_of(table.primary_key.columns)}) DO UPDATE SET {changed}"


class PostgresWire:
    """PostgreSQL through psycopg: one statement for all keys of a look-up, one for all rows of a table."""

    _inserts: Mapping[Table, str] = {table: _insert(table) for table in (ENTRY, ENTRY_ID, REF, CODE)} | {
        NOW: _insert(NOW) + _on_conflict(NOW)
    }
    _id_columns = [list(ENTRY.columns.keys()).index(column.name) for column in ENTRY_ID.columns]
    _free_codes = f"DELETE FROM {CODE.name} WHERE {CODE.c.code.name} = ANY($1::text[])"  # noqa: S608

    def __init__(self, driver: Any, error: type[Exception]) -> None:
        self._driver, self.Error = driver, error
        self._messages = Messages(driver)
        self._reading: PostgresReading

    def begin(self, ahead: Ahead) -> None:
        self._reading = PostgresReading(self._messages, ahead)

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
        packed = pack_columns(_packers(table), rows)
        self._messages.put(self._inserts[table], *packed)
        if table is ENTRY:
            self._messages.put(self._inserts[ENTRY_ID], *(packed[at] for at in self._id_columns))

    def put_rows(self, table: Table, rows: Sequence[Values]) -> None:
        for row in rows:
            self._messages.put(_put_row(table), *row)

    def insert_beside(self, table: Table, rows: Sequence[Values]) -> None:
        self._messages.put(_insert(table), *pack_columns(_packers(table), rows))

    def free_codes(self, codes: Sequence[str]) -> None:
        self._messages.put(self._free_codes, pack_texts(codes))

    def put_subjects(self, rows: Sequence[Values]) -> None:
        self.insert(NOW, rows)

    def commit(self) -> None:
        self._messages.put("COMMIT")
        try:
            self._messages.send()
        except Exception as error:
            # Only where the server says that the transaction failed is it known that nothing was written.
            if self._driver.info.transaction_status == TransactionStatus.INERROR:
                raise
            # Crash point: the line broke behind the word COMMIT. Only asking again with the same id tells.
            raise CommitUnknown(str(error)) from error
