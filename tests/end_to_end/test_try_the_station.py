"""Three commands of the README, as a newcomer types them: service, scale, station; a green one, a black one."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
from api_process import Served

from servers.keeper import free_port

TRY = Path(__file__).parents[2] / "tools" / "try_station.py"
PATIENCE_S = 60
_FINGER_S = 0.3


class Typed:
    """A command that somebody types lines to and reads lines from."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, str(TRY), *words]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lines: Queue[str] = Queue()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def type_with_a_finger(self, line: str) -> None:
        """The same with a pause in it that no scanner makes."""
        assert self._process.stdin is not None
        self._process.stdin.write(line[:1])
        self._process.stdin.flush()
        time.sleep(_FINGER_S)
        self.type(line[1:])

    def line_with(self, words: str) -> str:
        """The next line that has these words in it."""
        while words not in (line := self._lines.get(timeout=PATIENCE_S)):
            pass
        return line

    def stop(self) -> None:
        """The input ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._reading.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def tried(tmp_path: Path) -> Iterator[tuple[Served, Typed, Typed]]:
    data, port = tmp_path / ".data", str(free_port())
    service = Served("--demo", "--data", data, "--cylinders", "200")
    scales = Typed("scales", "--data", str(data), "--scale-port", port)
    station = Typed("station", "--data", str(data), "--url", service.url, "--scale-port", port)
    yield service, scales, station
    station.stop()
    scales.stop()
    service.stop()


def test_a_newcomer_sees_green_then_black_and_finds_both_in_the_histories(
    tmp_path: Path, tried: tuple[Served, Typed, Typed]
) -> None:
    service, scales, station = tried

    def code_on_the_scale(expected: str) -> str:
        while expected not in (line := scales.line_with("on the scale")):
            scales.type("")
        return line.split()[4]

    words = station.line_with("Sign on").split()
    badge, pin = next(word for word in words if word.startswith("PL:W:")), words[words.index("PIN") + 1]
    station.line_with('"ready"')
    station.type_with_a_finger(badge)
    station.line_with('"asks_pin"')
    station.type_with_a_finger(pin)
    station.line_with('"signed_on"')
    good = code_on_the_scale("可充")
    station.type(good)
    assert json.loads(station.line_with('"decided"'))["outcome"] == "ALLOW"
    assert json.loads(station.line_with('"filled"'))["ended_because"] == "limit_reached"
    scales.type("")
    black = code_on_the_scale("R32")
    station.type(black)
    assert json.loads(station.line_with('"refused"'))["reasons"] == ["R32"]
    regulator = {"Authorization": f"Bearer {token_of(tmp_path / '.data')}"}

    def acts(code: str) -> list[Any]:
        answer = httpx.get(f"{service.url}/v1/cylinders/{code}/history", headers=regulator, trust_env=False)
        return [item["entry"]["type"] for item in answer.json()["entries"]]

    assert acts(black)[-1] == "fill_decided"
    station.stop()  # what is unsent is sent
    assert "filled" in acts(good)


def token_of(data: Path) -> str:
    return str(json.loads((data / "demo-access.json").read_text("utf-8"))["tokens"]["regulator"])


def test_without_a_service_each_says_what_to_do_first(tmp_path: Path) -> None:
    for what in ("scales", "station"):
        done = subprocess.run(
            [sys.executable, TRY, what, "--data", tmp_path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert done.stderr == f"{tmp_path} holds no generated town: run `make serve` first and leave it running.\n"
