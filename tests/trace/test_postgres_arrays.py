"""A column of many rows reaches PostgreSQL as one array, every value as it was."""

from collections.abc import Sequence

import psycopg
import pytest

from cylinder_trace.store.postgres_arrays import PACKERS
from cylinder_trace.store.postgres_messages import Messages

COLUMNS: list[tuple[str, Sequence[object]]] = [
    ("bigint", [0, 1, -1, 2**63 - 1, -(2**63)]),
    ("bigint", [7]),
    ("text", ["a", "bb", "瓶链", "", "x" * 70_000]),
    ("text", ["same", "long", "ness"]),
    ("text", ["瓶", "abc"]),
    ("text", ["a", None, "", None]),
    ("text", [None]),
    ("bytea", [b"", b"\x00", bytes(range(256))]),
    ("bytea", [bytes(32), b"\xff" * 32]),
    ("bytea", [b"", b""]),
    ("bigint", []),
    ("text", []),
    ("bytea", []),
]


@pytest.mark.parametrize("number", [1, 1000], ids=["once", "a thousand times"])
def test_every_value_arrives_as_it_was(number: int, postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        messages = Messages(connection)
        for kind, values in COLUMNS:
            many = [*values] * (number if max(map(len, map(str, values)), default=0) < 1000 else 1)
            statement = f"SELECT item FROM unnest($1::{kind}[]) WITH ORDINALITY AS given (item, n) ORDER BY n"
            assert [row[0] for row in messages.ask(statement, PACKERS[kind](many))] == many
