"""Running Locust in a process of its own, and reading the figures it leaves behind."""

import csv
import json
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from processes import last_line

LOCUSTFILE = Path(__file__).resolve().parents[1] / "locustfile.py"
FIGURES, TOLD, REPORT, TABLES = "figures.json", "told.jsonl", "report.html", "locust"
_FAILURES_SEEN = 1
"""Locust's exit code when it ran to the end and some requests failed."""
_LOOK_EVERY_S = 1.0


class LocustError(Exception):
    """Locust did not run; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Figures of one kind of request; times in ms."""

    name: str
    requests: int
    failures: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Requests that failed in the same way."""

    times: int
    name: str
    error: str


@dataclass(frozen=True, slots=True)
class Run:
    """What Locust measured; the last kind is all of them together."""

    kinds: list[Kind]
    failures: list[Failure]

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return self.kinds[-1].failures

    def kind(self, begins: str) -> Kind | None:
        """The figures of the kind of request whose name begins so, if there was one."""
        return next((kind for kind in self.kinds if kind.name.startswith(begins)), None)


def run_locust(brief: Path, users: int, seconds: int, folder: Path, meanwhile: Callable[[Path], None]) -> Run:
    """Run the locustfile headless; `folder` holds what was told, the figures, tables (CSV) and a report with charts.

    `meanwhile` is called each second with the file that `so_far` reads.  Raises LocustError.
    """
    log = folder / "locust.log"
    command = [
        sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--skip-log-setup", "--only-summary",
        "--users", str(users), "--spawn-rate", str(users), "--run-time", f"{seconds}s", "--stop-timeout", "20",
        "--host", "http://127.0.0.1", "--csv", str(folder / TABLES), "--html", str(folder / REPORT),
        "--brief", str(brief), "--told", str(folder / TOLD), "--figures", str(folder / FIGURES),
    ]  # fmt: skip
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as locust:
        while (ended := _ended(locust)) is None:
            meanwhile(folder / f"{TABLES}_stats_history.csv")
    if ended not in (0, _FAILURES_SEEN) or not (folder / FIGURES).exists():
        raise LocustError(f"Locust ended with exit code {ended}: {last_line(log)}")
    document = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
    return Run([Kind(**kind) for kind in document["kinds"]], [Failure(**failure) for failure in document["failures"]])


def _ended(locust: "subprocess.Popen[bytes]") -> int | None:
    try:
        return locust.wait(_LOOK_EVERY_S)
    except subprocess.TimeoutExpired:
        return None


def so_far(history: Path) -> str:
    """The last line of Locust's own table, in words."""
    try:
        with history.open(encoding="utf-8", newline="") as lines:
            last = deque(csv.DictReader(lines), maxlen=1)[0]
        return f"  {last['Total Request Count']} requests, {last['Total Failure Count']} failed …"
    except (OSError, IndexError, KeyError):
        return "  the users are starting …"
