"""Afterwards: is everything that was acknowledged in the ledger, exactly once, and does the whole ledger fit?

The database is read as it lies, by SQL, not through the code that wrote it.  Disputes that the service raises about a
record are named after it; nobody was told of them, so they are counted and no more.
"""

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

TRACE = Path(sys.executable).with_name("cylinder-trace")


Line = dict[str, Any]
"""A record as it was told, or as it lies there: its id, and of `_TOLD` what is known."""
_TOLD = ("type", "index", "hash")
_DISPUTE, _DISPUTED = "dispute_raised", "disputed"


class ReckoningError(Exception):
    """The ledger cannot be read or audited; the message is one sentence."""


@dataclass(slots=True)
class Reckoning:
    """What was told against what is there."""

    told: int = 0
    """Different records that were acknowledged."""
    told_again: int = 0
    """Acknowledgements of a record that had been acknowledged before."""
    recorded: int = 0
    """Entries of this run in the ledger."""
    missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    """In the ledger with another type, index or hash than was told."""
    untold: list[str] = field(default_factory=list)
    """In the ledger, but never acknowledged: the answer was lost."""
    disputes: int = 0
    """What the service disputes of what it recorded."""

    def fits(self, unanswered: int) -> bool:
        """Whether the ledger holds what was told exactly once, and beyond it no more than lost answers explain."""
        faults = self.missing or self.doubled or self.different
        return self.told > 0 and not faults and len(self.untold) <= unanswered


def reckon(told_file: Path, database_url: str, run_id: str) -> Reckoning:
    """Compare what was told in a run with what the database holds of it. Raises ReckoningError."""
    reckoning = Reckoning()
    everything = {entry["index"]: entry for entry in _entries(database_url, run_id)}
    told: dict[str, Line] = {}
    for line in _told(told_file, everything):
        if line["id"] in told:
            reckoning.told_again += 1
        if differs(line, told.setdefault(line["id"], line)):
            reckoning.different.append(line["id"])
    entries = [entry for entry in everything.values() if entry["type"] != _DISPUTE or entry["id"] in told]
    reckoning.disputes = len(everything) - len(entries)
    times = Counter(entry["id"] for entry in entries)
    found = {entry["id"]: entry for entry in entries}
    reckoning.told, reckoning.recorded = len(told), len(entries)
    reckoning.missing = sorted(told.keys() - found.keys())
    reckoning.untold = sorted(found.keys() - told.keys())
    reckoning.doubled = sorted(id for id, count in times.items() if count > 1)
    reckoning.different += sorted(id for id in told.keys() & found.keys() if differs(told[id], found[id]))
    return reckoning


def differs(one: Line, other: Line) -> bool:
    """Whether the two tell something else of the same record, as far as both tell it."""
    return any(one[name] != other[name] for name in _TOLD if name in one and name in other)


def audit(source: str, vkey: str) -> tuple[bool, str]:
    """Run ``cylinder-trace audit`` over a data folder or a database: whether all fits, and its own story.

    Raises ReckoningError.
    """
    run = subprocess.run([str(TRACE), "audit", source, "--vkey", vkey], capture_output=True, text=True, check=False)
    if run.returncode not in (0, 1):
        raise ReckoningError(f"the audit could not be made: {run.stderr.strip()}")
    return run.returncode == 0, run.stdout.strip()


def _told(path: Path, everything: Mapping[int, Line]) -> Iterator[Line]:
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            yield from (_under_its_id(json.loads(line), everything) for line in lines)


def _under_its_id(line: Line, everything: Mapping[int, Line]) -> Line:
    """A record that cannot be followed stands in the ledger as the dispute about it, whose id begins with its own."""
    there = everything.get(line["index"]) if line.get("status") == _DISPUTED else None
    return {**line, "id": there["id"]} if there and there["id"].startswith(line["id"]) else line


def _entries(database_url: str, run_id: str) -> Iterator[Line]:
    """Every entry whose id begins with `run_id`, in the order of the log."""
    try:
        if database_url.startswith("sqlite:///"):
            yield from _in_sqlite(database_url.removeprefix("sqlite:///"), run_id)
        else:
            yield from _in_postgres(database_url.replace("+psycopg", "", 1), run_id)
    except (sqlite3.Error, psycopg.Error) as error:
        raise ReckoningError(f"cannot read {database_url.rpartition('@')[2]}: {error}") from error


def _in_sqlite(database: str, run_id: str) -> Iterator[Line]:
    query = "SELECT text, log_index, lower(hex(hash)) FROM entry WHERE substr(id, 1, ?) = ? ORDER BY log_index"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        yield from map(_line, connection.execute(query, (len(run_id), run_id)))


def _in_postgres(url: str, run_id: str) -> Iterator[Line]:
    query = "SELECT text, log_index, encode(hash, 'hex') FROM entry WHERE starts_with(id, %s) ORDER BY log_index"
    with psycopg.connect(url) as connection, connection.cursor(name="reckoning") as cursor:
        yield from map(_line, cursor.execute(query, (run_id,)))


def _line(row: tuple[bytes, int, str]) -> Line:
    text, index, digest = row
    entry = json.loads(bytes(text))
    return {"id": entry["id"], "type": entry["type"], "index": index, "hash": digest}
