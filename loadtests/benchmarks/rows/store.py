"""Rows about the ledger on disk."""

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from benchmarks.folders import fresh_folder
from benchmarks.measure import Pair, Row, Scale, per_second
from benchmarks.rows import samples
from cylinder_codes.keys import SEED_BYTES, SigningKey
from cylinder_trace.chain import Head, seal
from cylinder_trace.store.ledger import Ledger

_CYLINDERS = 1000


@contextmanager
def _prepare_append_one(scale: Scale) -> Iterator[Pair]:
    rows = scale.count(1000)
    with fresh_folder() as folder, _raw_table(folder) as raw, _ledger(folder) as ledger:
        ledger.append([samples.registration(number) for number in range(_CYLINDERS)])
        numbers = count()
        record = samples.fill(rows, 0)
        text = seal(record, Head(1, "0" * 64), samples.NOW).text

        def append_one() -> None:
            number = next(numbers)
            record = samples.fill(number, number % _CYLINDERS)
            ledger.transact(lambda unit: unit.append(record))

        def ours() -> float:
            rate = per_second(rows, append_one)
            ledger.publisher.publish()  # what is left of it must not run into the other side's turn
            return rate

        yield Pair(
            ours=ours,
            other=lambda: per_second(rows, lambda: _commit_one(raw, text)),
        )


@contextmanager
def _ledger(folder: Path) -> Iterator[Ledger]:
    key = SigningKey("bench.example/ledger", secrets.token_bytes(SEED_BYTES))
    with Ledger(f"sqlite:///{folder / 'ledger.db'}", folder, key, lambda: time.time_ns() // 1_000_000) as ledger:
        yield ledger


@contextmanager
def _raw_table(folder: Path) -> Iterator[sqlite3.Connection]:
    raw = sqlite3.connect(folder / "raw.db", isolation_level=None)
    try:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("CREATE TABLE entry (log_index INTEGER PRIMARY KEY, text BLOB NOT NULL)")
        yield raw
    finally:
        raw.close()


def _commit_one(raw: sqlite3.Connection, text: bytes) -> None:
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("INSERT INTO entry (text) VALUES (?)", (text,))
    raw.execute("COMMIT")


APPEND_ONE = Row(
    name="store.append_one",
    unit="/s",
    better="higher",
    goal=0.5,
    kind="bound",
    against="raw sqlite3, one row of the same bytes per commit (WAL, FULL)",
    prepare=_prepare_append_one,
)
"""One caller appends one fill at a time, each durable before the next; publishing goes on beside it."""
