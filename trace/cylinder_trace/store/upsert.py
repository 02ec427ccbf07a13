"""Rows of the service's tables written in place of those with the same primary key; not for append-only tables."""

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert `rows`, replacing those with the same primary key."""
    connection.execute(upsert_statement(connection.dialect.name, table), rows)


@lru_cache(maxsize=64)
def upsert_statement(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """The statement for one row, its values in the order of the columns."""
    insert_into = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    keys = [column.name for column in table.primary_key.columns]
    changed = {column.name: insert_into.excluded[column.name] for column in table.columns if column.name not in keys}
    return insert_into.on_conflict_do_update(index_elements=keys, set_=changed)
