"""Rows about the ledger on PostgreSQL: a server of their own, with PostgreSQL's own settings for durability."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg

from benchmarks.folders import fresh_folder
from benchmarks.measure import BenchError, Pair, Round, Row, Scale, per_second
from benchmarks.rows.store import BATCH, RawRow, RawRows, Records, append_batches, bench_ledger
from servers.postgres import DRIVER, fresh_database, running_postgres

_CONNECTIONS = 8
_TABLE = """
CREATE TABLE raw (
    log_index bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    id text NOT NULL UNIQUE, hash bytea NOT NULL, prev bytea NOT NULL, text bytea NOT NULL
)
"""
_COPY = "COPY raw (id, hash, prev, text) FROM STDIN (FORMAT BINARY)"


class Beside(NamedTuple):
    """Our side of a row on PostgreSQL, and the place of the other."""

    ours: Round
    other_url: str
    """Another database of the same server."""
    folder: Path


@contextmanager
def beside(scale: Scale) -> Iterator[Beside]:
    """Our ledger in one database of a new server, and a second one beside it; raises BenchError."""
    batches = scale.count(8)
    with fresh_folder() as folder, fresh_server() as server, ExitStack() as stack:
        ours_url, other_url = (stack.enter_context(fresh_database(server)) for _ in range(2))
        ledger = stack.enter_context(bench_ledger(ours_url, folder))
        fresh = Records()
        yield Beside(lambda: append_batches(ledger, fresh, batches), other_url, folder)


@contextmanager
def fresh_server() -> Iterator[str]:
    """The URL of a PostgreSQL with its own settings, so that a commit is on disk; raises BenchError."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_postgres())
        except (RuntimeError, OSError) as error:
            raise BenchError(f"no PostgreSQL to measure on: {error}") from error
        yield server


@contextmanager
def _against(other: Callable[[str, Scale], Iterator[Round]], scale: Scale) -> Iterator[Pair]:
    with beside(scale) as (ours, url, _folder), contextmanager(other)(url, scale) as against:
        yield Pair(ours, against)


def _copying(url: str, scale: Scale) -> Iterator[Round]:
    batches, fresh = scale.count(8), RawRows()
    with _connect(url) as connection:
        connection.execute(_TABLE)
        connection.commit()

        def other() -> float:
            prepared = iter([fresh.take(BATCH) for _ in range(batches)])
            return BATCH * per_second(batches, lambda: _copy(connection, next(prepared)))

        yield other


def _locking(url: str, scale: Scale) -> Iterator[Round]:
    events, fresh = scale.count(100), RawRows()
    with ExitStack() as stack:
        connections = [stack.enter_context(_connect(url)) for _ in range(_CONNECTIONS)]
        threads = stack.enter_context(ThreadPoolExecutor(_CONNECTIONS))
        connections[0].execute(_TABLE)
        connections[0].commit()

        def other() -> float:
            shares = [(connection, fresh.take(events)) for connection in connections]
            return _CONNECTIONS * events * per_second(1, lambda: list(threads.map(_insert_each, shares)))

        yield other


def _connect(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(url.replace(DRIVER, "postgresql", 1))


def _copy(connection: "psycopg.Connection[tuple[object, ...]]", rows: Sequence[RawRow]) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(["text", "bytea", "bytea", "bytea"])
        for row in rows:
            copy.write_row(row)
    connection.commit()


def _insert_each(share: "tuple[psycopg.Connection[tuple[object, ...]], Sequence[RawRow]]") -> None:
    """What one would write: a transaction for each event, and in it one lock for all chains."""
    connection, rows = share
    for row in rows:
        connection.execute("SELECT pg_advisory_xact_lock(1)")
        connection.execute("INSERT INTO raw (id, hash, prev, text) VALUES (%s, %s, %s, %s)", row)
        connection.commit()


APPEND_1000 = Row(
    name="store.postgres_1000",
    unit="/s",
    better="higher",
    goal=0.35,
    kind="bound",
    against="COPY (binary), the same number of rows of the same bytes per commit, PostgreSQL's own durability",
    prepare=lambda scale: _against(_copying, scale),
)
"""Batches of 1,000 fills on PostgreSQL, each batch one transaction."""

APPEND_LOCKED = Row(
    name="store.postgres_lock",
    unit="/s",
    better="higher",
    goal=10.0,
    kind="usual",
    against="a transaction and an advisory lock for each event, eight connections at once",
    prepare=lambda scale: _against(_locking, scale),
)
"""The same batches against what one would write first: one lock and one commit for each event."""
