"""The receiver that the page about webhooks shows is run as it stands: it takes our messages and nobody else's."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_webhooks import until

from cylinder_api.delivery.addresses import Guard
from cylinder_api.delivery.sending import Message, Outcome, Sender
from cylinder_api.delivery.signing import format_secret
from cylinder_api.service import system_clock
from servers.keeper import free_port

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
SECRET = b"s" * 32
MESSAGE = Message("msg_1", b'{"type":"org.pinglian.cylinder.filled.v1"}', "application/cloudevents+json")


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The page's receiver as a process, and its port."""
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    path, port = tmp_path_factory.mktemp("receiver") / "receiver.py", free_port()
    path.write_text(program, "utf-8")
    surroundings = {**os.environ, "SECRET": format_secret(SECRET), "PORT": str(port)}
    with subprocess.Popen(
        [sys.executable, path], env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        until(lambda: listens(port) or process.poll() is not None, bool)
        yield process, port
        process.kill()


def send(port: int, secret: bytes, at: int) -> Outcome:
    sender = Sender(Guard(private=True))
    return asyncio.run(sender.send(f"http://127.0.0.1:{port}/hook", MESSAGE, [secret], at))


def test_it_takes_what_we_signed(shown: tuple[subprocess.Popen[str], int]) -> None:
    process, port = shown
    assert send(port, SECRET, system_clock()).kind == "accepted"
    assert process.stdout is not None
    assert process.stdout.readline() == "msg_1 org.pinglian.cylinder.filled.v1\n"


def test_it_takes_nothing_that_another_signed_or_that_is_old(shown: tuple[subprocess.Popen[str], int]) -> None:
    _, port = shown
    assert send(port, b"n" * 32, system_clock()).status == 401
    assert send(port, SECRET, system_clock() - 600_000).status == 401
