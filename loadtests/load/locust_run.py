"""Running Locust in a process of its own, and reading the figures it leaves behind."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from processes import last_line

LOCUSTFILE = Path(__file__).resolve().parents[1] / "locustfile.py"
_FAILURES_SEEN = 1
"""Locust's exit code when it ran to the end and some requests failed."""


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

    @property
    def succeeded(self) -> int:
        """How many requests were answered with a receipt."""
        return self.kinds[-1].requests - self.failed


@dataclass(frozen=True, slots=True)
class Load:
    """How much load: lanes (users) and for how long."""

    users: int
    seconds: int


def run_locust(base_url: str, station: Path, folder: Path, run_id: str, load: Load) -> Run:
    """Run the locustfile headless against `base_url`; ``folder/told.jsonl`` holds what was told afterwards.

    Raises LocustError.
    """
    log, figures = folder / "locust.log", folder / "figures.json"
    command = [
        sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary", "--skip-log-setup",
        "--host", base_url, "--users", str(load.users), "--spawn-rate", str(load.users),
        "--run-time", f"{load.seconds}s", "--stop-timeout", "10",
        "--station", str(station), "--told", str(folder / "told.jsonl"), "--figures", str(figures), "--run-id", run_id,
    ]  # fmt: skip
    with log.open("wb") as output:
        ended = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if ended.returncode not in (0, _FAILURES_SEEN) or not figures.exists():
        raise LocustError(f"Locust ended with exit code {ended.returncode}: {last_line(log)}")
    document = json.loads(figures.read_text(encoding="utf-8"))
    return Run([Kind(**kind) for kind in document["kinds"]], [Failure(**failure) for failure in document["failures"]])
