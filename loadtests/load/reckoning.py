"""Afterwards: is everything that was acknowledged in the ledger, exactly once, and does the whole ledger fit?

The database is read as it lies, by SQL, not through the code that wrote it.
"""

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TRACE = Path(sys.executable).with_name("cylinder-trace")


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

    def fits(self, unanswered: int) -> bool:
        """Whether the ledger holds what was told exactly once, and beyond it no more than lost answers explain."""
        faults = self.missing or self.doubled or self.different
        return self.told > 0 and not faults and len(self.untold) <= unanswered


def reckon(told_file: Path, database: Path, run_id: str) -> Reckoning:
    """Compare what was told in a run with what `database` (SQLite) holds of it. Raises ReckoningError."""
    reckoning = Reckoning()
    told: dict[str, tuple[object, ...]] = {}
    for line in _told(told_file):
        place = (line["type"], line["index"], line["hash"])
        if line["id"] in told:
            reckoning.told_again += 1
        if told.setdefault(line["id"], place) != place:
            reckoning.different.append(line["id"])
    entries = list(_entries(database, run_id))
    times = Counter(id for id, _place in entries)
    places = dict(entries)
    reckoning.told, reckoning.recorded = len(told), len(entries)
    reckoning.missing = sorted(told.keys() - places.keys())
    reckoning.untold = sorted(places.keys() - told.keys())
    reckoning.doubled = sorted(id for id, found in times.items() if found > 1)
    reckoning.different += sorted(id for id in told.keys() & places.keys() if told[id] != places[id])
    return reckoning


def audit(data: Path) -> tuple[bool, str]:
    """Run ``cylinder-trace audit`` over a data folder: whether all fits, and its own story. Raises ReckoningError."""
    run = subprocess.run([str(TRACE), "audit", str(data)], capture_output=True, text=True, check=False)
    if run.returncode not in (0, 1):
        raise ReckoningError(f"the audit could not be made: {run.stderr.strip()}")
    return run.returncode == 0, run.stdout.strip()


def _told(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _entries(database: Path, run_id: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    query = "SELECT text, log_index, lower(hex(hash)) FROM entry WHERE substr(id, 1, ?) = ? ORDER BY log_index"
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            for text, index, digest in connection.execute(query, (len(run_id), run_id)):
                entry = json.loads(text)
                yield entry["id"], (entry["type"], index, digest)
    except sqlite3.Error as error:
        raise ReckoningError(f"cannot read {database}: {error}") from error
