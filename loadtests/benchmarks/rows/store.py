"""Rows about the ledger on disk, in both homes.

Raw rows are what any durable store must pay: the entry's bytes, two hashes and a unique id, in one table of the same
database, on the same disk, with the same durability.  Ours adds the checks, the state, both chains of indexes, the
references and the publishing.
"""

import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks.callers import CALLERS, append_together, made_ahead, slowest_hundredth
from benchmarks.folders import fresh_folder
from benchmarks.measure import Pair, Row, Scale, per_second
from benchmarks.rows import samples
from cylinder_codes.keys import SEED_BYTES, SigningKey
from cylinder_trace.chain import NO_PREVIOUS, Head, seal
from cylinder_trace.events import Record
from cylinder_trace.store.ledger import Ledger

_CYLINDERS = 1000
BATCH = 1000
"""Entries of one transaction in the rows about batches."""
_SLOWEST_MS = 25.0

RawRow = tuple[str, bytes, bytes, bytes]
"""Id, hash, previous hash, text."""


class Records:
    """Fills that nobody has appended yet, made ahead of the clock's start."""

    def __init__(self) -> None:
        self._numbers = count()

    def take(self, amount: int) -> list[Record]:
        """The next fills, of the cylinders in turn."""
        numbers = [next(self._numbers) for _ in range(amount)]
        return [samples.fill(number, number % _CYLINDERS) for number in numbers]


class RawRows:
    """Rows of the same bytes under ids of their own, made ahead of the clock's start."""

    def __init__(self) -> None:
        sealed = seal(samples.fill(10_000, 0), Head(1, NO_PREVIOUS), samples.NOW)
        self._row = (sealed.hash, bytes.fromhex(NO_PREVIOUS), sealed.text)
        self._numbers = count()

    def take(self, amount: int) -> list[RawRow]:
        """The next rows."""
        return [(f"fill-{next(self._numbers)}", *self._row) for _ in range(amount)]


@contextmanager
def _prepare_append_one(scale: Scale) -> Iterator[Pair]:
    rows = scale.count(1000)
    with _sqlite_sides() as (ledger, raw):
        fresh, fresh_rows = Records(), RawRows()

        def ours() -> float:
            records = iter(fresh.take(rows))
            with made_ahead():
                rate = per_second(rows, lambda: ledger.append([next(records)]))
            return _then_published(ledger, rate)

        def other() -> float:
            prepared = iter(fresh_rows.take(rows))
            return per_second(rows, lambda: _commit_raw(raw, [next(prepared)]))

        yield Pair(ours, other)


@contextmanager
def _prepare_append_batches(scale: Scale) -> Iterator[Pair]:
    batches = scale.count(8)
    with _sqlite_sides() as (ledger, raw):
        fresh, fresh_rows = Records(), RawRows()
        yield Pair(
            ours=lambda: append_batches(ledger, fresh, batches),
            other=lambda: _raw_batches(raw, fresh_rows, batches),
        )


@contextmanager
def _prepare_append_64(scale: Scale) -> Iterator[Pair]:
    turns = scale.count(100)
    with _sqlite_sides() as (ledger, raw):
        fresh, fresh_rows = Records(), RawRows()
        batches = max(1, turns * CALLERS // BATCH)
        yield Pair(
            ours=lambda: _together(ledger, fresh, turns).per_second,
            other=lambda: _raw_batches(raw, fresh_rows, batches),
        )


@contextmanager
def _prepare_slowest_of_64(scale: Scale) -> Iterator[Pair]:
    turns = scale.count(100)
    with _sqlite_sides() as (ledger, _raw):
        fresh = Records()
        yield Pair(ours=lambda: _together(ledger, fresh, turns).p99_ms, other=lambda: _SLOWEST_MS)


def append_batches(ledger: Ledger, fresh: Records, batches: int) -> float:
    """Entries a second in batches of 1,000, each one transaction; they are published while the next are appended."""
    prepared = iter([fresh.take(BATCH) for _ in range(batches)])
    with made_ahead():
        rate = BATCH * per_second(batches, lambda: ledger.append(next(prepared)))
    return _then_published(ledger, rate)


class _Served(NamedTuple):
    """How 64 concurrent callers were served."""

    per_second: float
    p99_ms: float


def _together(ledger: Ledger, fresh: Records, turns: int) -> _Served:
    answered = append_together(ledger, fresh.take(CALLERS * turns))
    took_s = max(one.answered for one in answered) - min(one.asked for one in answered)
    rate = _then_published(ledger, len(answered) / took_s)
    return _Served(rate, 1000 * slowest_hundredth([one.answered - one.asked for one in answered]))


def _then_published(ledger: Ledger, rate: float) -> float:
    ledger.publisher.publish()  # what is left of it must not run into the other side's turn
    return rate


@contextmanager
def _sqlite_sides() -> Iterator[tuple[Ledger, sqlite3.Connection]]:
    with (
        fresh_folder() as folder,
        _raw_table(folder) as raw,
        bench_ledger(f"sqlite:///{folder / 'ledger.db'}", folder) as ledger,
    ):
        yield ledger, raw


@contextmanager
def bench_ledger(url: str, folder: Path) -> Iterator[Ledger]:
    """A ledger with every cylinder on file."""
    key = SigningKey("bench.example/ledger", secrets.token_bytes(SEED_BYTES))
    with Ledger(url, folder, key, lambda: time.time_ns() // 1_000_000) as ledger:
        ledger.append([samples.registration(number) for number in range(_CYLINDERS)])
        yield ledger


@contextmanager
def _raw_table(folder: Path) -> Iterator[sqlite3.Connection]:
    raw = sqlite3.connect(folder / "raw.db", isolation_level=None)
    try:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute(
            "CREATE TABLE raw (log_index INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, "
            "hash BLOB NOT NULL, prev BLOB NOT NULL, text BLOB NOT NULL)"
        )
        yield raw
    finally:
        raw.close()


def _commit_raw(raw: sqlite3.Connection, rows: Sequence[RawRow]) -> None:
    raw.execute("BEGIN IMMEDIATE")
    raw.executemany("INSERT INTO raw (id, hash, prev, text) VALUES (?, ?, ?, ?)", rows)
    raw.execute("COMMIT")


def _raw_batches(raw: sqlite3.Connection, fresh: RawRows, batches: int) -> float:
    prepared = iter([fresh.take(BATCH) for _ in range(batches)])
    return BATCH * per_second(batches, lambda: _commit_raw(raw, next(prepared)))


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

APPEND_64 = Row(
    name="store.append_64",
    unit="/s",
    better="higher",
    goal=0.18,
    kind="bound",
    against="raw sqlite3, 1,000 rows of the same bytes per commit (WAL, FULL)",
    prepare=_prepare_append_64,
)
"""64 callers at once, one fill each, through the group commit."""

APPEND_64_P99 = Row(
    name="store.append_64_p99",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 99 in 100 of 64 callers at once are answered within 25 ms",
    prepare=_prepare_slowest_of_64,
)
"""How long the slowest hundredth of the same callers waits."""

APPEND_1000 = Row(
    name="store.append_1000",
    unit="/s",
    better="higher",
    goal=0.4,
    kind="bound",
    against="raw sqlite3, the same number of rows of the same bytes per commit (WAL, FULL)",
    prepare=_prepare_append_batches,
)
"""Batches of 1,000 fills, each batch one transaction."""
