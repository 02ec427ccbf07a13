"""A process that does one side's work and answers in JSON lines: a peer in its own environment, or one of our writers.

What it is told and what it answers is one JSON object a line, see ``json_lines``; it ends when its input ends.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.measure import BenchError

PEERS = Path(__file__).resolve().parent / "peers"
_STOP_S = 60


class Worker:
    """A running worker. `begin` and `end` are apart, so that several can work at the same time."""

    def __init__(self, process: "subprocess.Popen[str]", name: str, log: Path) -> None:
        self._process, self._name, self._log = process, name, log

    def ask(self, **what: object) -> Any:
        """Tell it what to ``do`` and wait for the answer; raises BenchError when it ends instead."""
        self.begin(**what)
        return self.end()

    def begin(self, **what: object) -> None:
        """Tell it what to do."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{json.dumps(what)}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._ended() from error

    def end(self) -> Any:
        """Wait for its answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        return json.loads(line)

    def _ended(self) -> BenchError:
        said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return BenchError(f"{self._name} ended early: {said[-1] if said else 'it said nothing'}")


@contextmanager
def running_worker(script: str, folder: Path, python: Path | None = None, number: int = 0) -> Iterator[Worker]:
    """Run ``peers/<script>.py``, what it says going into `folder`; leaving the block lets it finish and end."""
    log = folder / f"{script}-{number}.log"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "loadtests")}
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [str(python or sys.executable), str(PEERS / f"{script}.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment,
        ) as process,
    ):  # fmt: skip
        try:
            yield Worker(process, script, log)
        finally:
            _let_end(process)


def _let_end(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    try:
        process.stdin.close()
        process.wait(_STOP_S)
    except (OSError, subprocess.TimeoutExpired):
        process.kill()
