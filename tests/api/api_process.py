"""``cylinder-api`` as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "cylinder_api.cli")
_QUIET = {"PYTHONWARNINGS": "error", "CYLINDERS": "200"}


def run(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end."""
    surroundings = {**os.environ, **_QUIET, **environment}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, env=surroundings
    )


def answer(*arguments: str | Path) -> dict[str, Any]:
    """What a command that must succeed prints with --json."""
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


class Served:
    """A running ``cylinder-api serve``."""

    def __init__(self, *arguments: str | Path) -> None:
        command = [*COMMAND, "serve", *map(str, arguments), "--json"]
        if "--port" not in arguments:
            command += ["--port", "0"]
        surroundings = {**os.environ, **_QUIET}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._errors.extend, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        first = self.process.stdout.readline()
        self.ready: dict[str, Any] = json.loads(first) if first else {}

    @property
    def url(self) -> str:
        return str(self.ready["listening"])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and answer the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(30)
        self._reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return "".join(self._errors)


@contextmanager
def served(*arguments: str | Path) -> Iterator[Served]:
    """A service that is stopped at the end."""
    service = Served(*arguments)
    try:
        assert service.ready, service.log
        yield service
    finally:
        service.stop()
