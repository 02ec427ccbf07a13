"""The agent on a real terminal: somebody types scans, reads the verdicts, and leaves with Ctrl+C."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from pathlib import Path

import pytest

from stations.pieces import BIN, station_in, wait_until
from stations.service import FILLER, code_of, running_service

pytestmark = pytest.mark.slow
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """The agent's terminal, 110 by 40 characters."""

    def __init__(self, config: Path) -> None:
        self._hands, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 110, 0, 0))
        self._shown = ""
        self._process = subprocess.Popen(
            [str(BIN / "station-agent"), "run", "--config", str(config)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        os.close(terminal)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while data := os.read(self._hands, 65_536):
                self._shown += data.decode(errors="replace")
        except OSError:  # the terminal is gone
            return

    def type(self, text: str) -> None:
        os.write(self._hands, text.encode())

    def screen(self) -> str:
        """The last whole picture."""
        frames = self._shown.split("\x1b[H")
        return _ESCAPES.sub("", frames[-2] if len(frames) > 1 else "")

    def shows(self, text: str) -> None:
        wait_until(lambda: text in self.screen(), f"the screen shows {text}")

    def leave(self) -> int:
        self.type("\x03")
        status = self._process.wait(20)
        os.close(self._hands)
        return status


def test_green_and_red_are_read_in_words_on_a_plain_terminal(tmp_path: Path) -> None:
    with running_service(tmp_path / "service", scales=2) as service, station_in(tmp_path / "st", scales=2) as place:
        place.enrol(service.url, service.enrolment_code())
        service.flag(2)
        terminal = Terminal(place.config)
        terminal.shows("请扫码")
        for lane, number in ((1, 1), (2, 2)):
            place.scales.place(lane, f"c{number}")
            terminal.type(f"~{lane}PL:W:{FILLER}\r")
            terminal.shows(FILLER)
            terminal.type(f"~{lane}{code_of(number)}\r")
        terminal.shows("已充")
        terminal.shows("禁充")
        terminal.shows("放入红架")
        assert terminal.leave() == 0
        assert [place.scales.openings(label) for label in ("c1", "c2")] == [1, 0]
