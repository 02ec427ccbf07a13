"""Rows about detection over a town-year: a database with oddities of which the number is known."""

import atexit
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import orjson
from sqlalchemy import create_engine, insert
from sqlmodel import SQLModel

from benchmarks.folders import fresh_folder
from benchmarks.machine import ROOT, run_measured
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.rows.deciding import national_rulebook
from benchmarks.town_year import PLANTED, town_year
from cylinder_trace.commands.passes import few_collections
from cylinder_trace.detection.watch import detect
from cylinder_trace.store.sources import open_source
from cylinder_trace.store.tables import EntryRow

_CYLINDERS = 2_000
"""A tenth of the town; the large size has 20,000."""
_ENTRIES_A_SECOND = 1_000_000 / 60
_MEGABYTE = 1_000_000
_until_the_end = ExitStack()
atexit.register(_until_the_end.close)


class _Year(NamedTuple):
    database: Path
    entries: int
    text_mb: float
    """All entries' texts, 10⁶ bytes."""


@cache
def _year(scale: Scale) -> _Year:
    path = _until_the_end.enter_context(fresh_folder()) / "ledger.db"
    engine = create_engine(f"sqlite:///{path}")
    SQLModel.metadata.create_all(engine)
    entries = size = 0
    year = town_year(scale.count(_CYLINDERS), odd=True)
    while rows := list(islice(year, 10_000)):
        with engine.begin() as connection:
            connection.execute(insert(EntryRow), [_row(entries + place, *row) for place, row in enumerate(rows)])
        entries, size = entries + len(rows), size + sum(len(text) for text, _ in rows)
        print(f"  building: {entries:,} entries", file=sys.stderr)
    engine.dispose()
    return _Year(path, entries, size / _MEGABYTE)


def _row(index: int, text: bytes, digest: bytes) -> dict[str, object]:
    entry = orjson.loads(text)
    named = {name: entry[name] for name in ("id", "subject", "n", "type", "occurred_at", "recorded_at")}
    return {**named, "log_index": index, "hash": digest, "text": text}


@contextmanager
def _prepare_rate(scale: Scale) -> Iterator[Pair]:
    year, book = _year(scale), national_rulebook()

    def ours() -> float:
        started = time.perf_counter()
        with few_collections():  # as the command does
            rows = open_source(str(year.database)).entries()
            found = Counter(str(signal.kind) for signal in detect(((row.text, row.hash) for row in rows), book))
        _require_planted(found)
        return year.entries / (time.perf_counter() - started)

    yield Pair(ours, other=lambda: _ENTRIES_A_SECOND)


@contextmanager
def _prepare_memory(scale: Scale) -> Iterator[Pair]:
    year = _year(scale)
    yield Pair(ours=lambda: _memory_mb(year), other=lambda: year.text_mb)


def _memory_mb(year: _Year) -> float:
    """The most that `cylinder-trace detect` ever had resident, 10⁶ bytes."""
    command = [str(ROOT / ".venv/bin/cylinder-trace"), "detect", str(year.database), "--json"]
    started = time.perf_counter()
    code, told, most_mb = run_measured(command)
    print(f"  {year.entries:,} entries in {time.perf_counter() - started:.1f} s, the whole command", file=sys.stderr)
    if code != 1:
        raise BenchError(f"cylinder-trace detect ended with {code}")
    _require_planted(Counter(signal["kind"] for signal in json.loads(told)["signals"]))
    return most_mb


def _require_planted(found: Counter[str]) -> None:
    if found != PLANTED:
        raise BenchError(f"{dict(PLANTED)} were planted, {dict(found)} found")


TOWN_YEAR = Row(
    name="trace.detect_town_year",
    unit="/s",
    better="higher",
    goal=1.0,
    kind="bound",
    against="the promise: a town-year of 1,000,000 entries in 60 s",
    prepare=_prepare_rate,
    sizes="both",
)
"""All detectors over a town's year in a database: rows read, texts parsed; one core. Each oddity is found, no more."""

MEMORY = Row(
    name="trace.detect_memory",
    unit="MB",
    better="lower",
    goal=0.5,
    kind="bound",
    against="the texts of all entries",
    prepare=_prepare_memory,
    sizes="large",
)
"""The most memory that the command ever had resident: entries pass by, what is remembered of them stays small."""
