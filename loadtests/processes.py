"""Starting and stopping the servers that load is put on: each a process of its own, ready before it is used."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

_STOP_S = 15


class ServerError(Exception):
    """A server did not come up; the message is one sentence with its own words in it."""


def free_port(wanted: int = 0) -> int:
    """A port of 127.0.0.1 that nobody listens on now: any, or the one wanted. Raises ServerError."""
    with socket.socket() as probe:
        # as servers do: a port whose last connections are still closing is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except (OSError, OverflowError) as error:
            raise ServerError(f"cannot listen on port {wanted}: {error}; choose another with --port") from error
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_server(
    command: Sequence[str],
    ready_url: str,
    log: Path,
    timeout_s: float = 120,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[int]:
    """Run `command` until the block ends; hand out its process id when `ready_url` answers 200. Raises ServerError.

    `more` goes into its environment.
    """
    with log.open("wb") as output:
        # What is measured is the service, and not how often one account may ask it.
        unbounded = {"RATE_PER_ACCOUNT": "off", "RATE_PER_ADDRESS": "off", "RATE_OF_ATTEMPTS": "off"}
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **unbounded, **more}
        try:
            server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        except OSError as error:
            raise ServerError(f"cannot run {command[0]}: {error.strerror}; run make setup") from error
    try:
        _wait_ready(server, command[0], ready_url, log, time.monotonic() + timeout_s)
        yield server.pid
    finally:
        _stop(server)


def last_line(log: Path) -> str:
    """The last thing that a process said."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def is_up(url: str) -> bool:
    """Whether `url` answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a URL we made ourselves
            return bool(answer.status == HTTPStatus.OK)
    except (OSError, ValueError, urllib.error.URLError):
        return False


def _wait_ready(server: "subprocess.Popen[bytes]", name: str, ready_url: str, log: Path, deadline: float) -> None:
    program = Path(name).name
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise ServerError(f"{program} ended with exit code {server.returncode}: {last_line(log)}")
        if is_up(ready_url):
            return
        time.sleep(0.1)
    raise ServerError(f"{program} did not answer on {ready_url} in time: {last_line(log)}")


def _stop(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    try:
        server.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
