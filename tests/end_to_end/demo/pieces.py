"""The real pieces as real processes: the service, the filling scales, the station agent; and how each is stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

BIN = Path(sys.executable).parent
_START_S = 60.0
_STOP_S = 15.0


class PieceFailed(Exception):
    """A process of the demo did not do what it should; the message says which and where its output lies."""


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(*command: object) -> str:
    """Run one of our commands to its end and give its output; raises PieceFailed with what it said."""
    words = [str(BIN / str(command[0])), *map(str, command[1:])]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PieceFailed(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def outcome_of(*command: object) -> tuple[int, dict[str, Any]]:
    """Exit status and JSON of one of our commands."""
    words = [str(BIN / str(command[0])), *map(str, command[1:])]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout or "{}")


class Piece:
    """A running process with a log file."""

    def __init__(self, name: str, command: Sequence[object], log: Path, stdin: int | None = None) -> None:
        self.name, self._log = name, log
        words = [str(BIN / str(command[0])), *map(str, command[1:])]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    def wait_for(self, ready: Path) -> dict[str, Any]:
        """The JSON that the process writes once it is ready."""
        deadline = time.monotonic() + _START_S
        while not ready.exists():
            self.must_run()
            if time.monotonic() > deadline:
                raise PieceFailed(f"{self.name} did not get ready within {_START_S:.0f} s; see {self._log}")
            time.sleep(0.05)
        told: dict[str, Any] = json.loads(ready.read_text())
        return told

    def wait_until_said(self, wanted: Callable[[dict[str, Any]], bool], seconds: float) -> bool:
        """Wait until the process has printed a JSON line that is `wanted`; False if it has not in time."""
        deadline = time.monotonic() + seconds
        while not any(wanted(line) for line in self.said()):
            self.must_run()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def said(self) -> list[dict[str, Any]]:
        """The JSON objects that the process has printed so far, one a line."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def must_run(self) -> None:
        """Raise PieceFailed if the process has ended."""
        if self._process.poll() is not None:
            tail = self._log.read_text(errors="replace")[-800:]
            raise PieceFailed(f"{self.name} ended with {self._process.returncode}: {tail}")

    def stop(self) -> int:
        """Ask the process to end and wait; kills it if it does not. Its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return self._process.returncode


def wait_until_answering(service: Piece, url: str) -> None:
    """Wait until the service answers its readiness path."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        service.must_run()
        try:
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise PieceFailed(f"{service.name} did not answer at {url} within {_START_S:.0f} s")
