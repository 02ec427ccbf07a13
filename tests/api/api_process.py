"""``cylinder-api`` as a process of its own."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cylinder_api.cli import main

COMMAND = (sys.executable, "-m", "cylinder_api.cli")
_QUIET = {"PYTHONWARNINGS": "error", "CYLINDERS": "200"}


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """What a command that could not do its work says: one sentence on stderr, nothing else."""
        assert self.code == 2, self
        assert self.out == ""
        (line,) = self.err.strip().splitlines()
        assert line.startswith("cylinder-api: ")
        return line

    @property
    def sentence_of_arguments(self) -> str:
        """The same for wrong arguments, where the sentence begins with the command."""
        assert (self.code, self.out) == (2, ""), self
        (line,) = self.err.strip().splitlines()
        return line


def run(*arguments: str | Path) -> Done:
    """Run one command to its end, in this process: starting one takes seconds."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as wrong_arguments:
            code = int(str(wrong_arguments.code))
    return Done(code, out.getvalue(), err.getvalue())


def answer(*arguments: str | Path) -> dict[str, Any]:
    """What a command that must succeed prints with --json."""
    done = run(*arguments, "--json")
    assert done.code == 0, done
    said: dict[str, Any] = json.loads(done.out)
    return said


class Served:
    """A running ``cylinder-api serve``."""

    def __init__(
        self, *arguments: str | Path, program: Sequence[str] = COMMAND, surroundings: Mapping[str, str] | None = None
    ) -> None:
        """Another version of the `program` has its own environment."""
        command = [*program, "serve", *map(str, arguments), "--json"]
        if "--port" not in arguments:
            command += ["--port", "0"]
        surroundings = {**os.environ, **_QUIET} if surroundings is None else surroundings
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._errors.extend, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        first = self.process.stdout.readline()
        if not first:
            self.stop()
            raise AssertionError(f"it did not start: {self.log}")
        self.ready: dict[str, Any] = json.loads(first)

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
