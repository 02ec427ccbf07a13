"""The agent's screen on a real pseudo-terminal, read by a terminal emulator as a person would see it."""

import codecs
import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path

import pyte

from stations.pieces import BIN, wait_until

F1, F2, F3, F4, F6, F7 = "\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS", "\x1b[17~", "\x1b[18~"
ESCAPE, CTRL_C = "\x1b", "\x03"


class _RingingScreen(pyte.Screen):
    """Counts its bells."""

    bells = 0

    def bell(self, *_: object) -> None:
        self.bells += 1


class Terminal:
    """`station-agent run` on a terminal of so many columns and rows."""

    def __init__(self, config: Path, *, columns: int = 80, rows: int = 24, **environment: str) -> None:
        self._hands, terminal = pty.openpty()
        _set_size(terminal, columns, rows)
        self._screen = _RingingScreen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._lock = threading.Lock()
        self._taking = threading.Event()
        self._taking.set()
        self.written = bytearray()
        surroundings = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLORTERM")}
        self.process = subprocess.Popen(
            [str(BIN / "station-agent"), "run", "--config", str(config)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env={**surroundings, "TERM": "xterm-256color", **environment},
        )
        os.close(terminal)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while self._taking.wait() and (data := os.read(self._hands, 65_536)):
                with self._lock:
                    self.written += data
                    # the emulator stumbles over private sequences with a letter of their own, which terminals ignore
                    self._stream.feed(self._text.decode(data).replace("\x1b[>25u", "").replace("\x1b[<u", ""))
        except OSError:  # the terminal is gone
            return

    @property
    def bells(self) -> int:
        """How often the bell rang."""
        return self._screen.bells

    def type(self, text: str) -> None:
        """Keys in one burst, as a scanner types them."""
        os.write(self._hands, text.encode())

    def press(self, *keys: str) -> None:
        """Keys one after the other, as a finger presses them."""
        for key in keys:
            self.type(key)
            time.sleep(0.15)  # a finger: longer than between a scanner's keys, and than an escape sequence takes

    def lines(self) -> list[str]:
        """What is on the screen, without the empty halves of wide characters."""
        with self._lock:
            return ["".join(self._screen.buffer[y][x].data for x in range(self._screen.columns)).rstrip()
                    for y in range(self._screen.lines)]  # fmt: skip

    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines())

    def ground_of(self, text: str) -> str:
        """The background colour of the first character of a text on the screen."""
        with self._lock:
            for y in range(self._screen.lines):
                cells = [self._screen.buffer[y][x] for x in range(self._screen.columns)]
                seen = "".join(cell.data for cell in cells)
                if text in seen:
                    before, x = seen.index(text), 0
                    while len("".join(cell.data for cell in cells[:x])) < before:
                        x += 1
                    return str(cells[x].bg)
        raise AssertionError(f"{text} is not on the screen")

    def shows(self, *texts: str) -> None:
        """Wait until all of it is on the screen."""
        try:
            wait_until(lambda: all(text in self.text() for text in texts), f"the screen shows {texts}")
        except AssertionError as missing:
            raise AssertionError(f"{missing}\n{self.text()}") from None

    def shows_no_more(self, text: str) -> None:
        """Wait until it is gone."""
        wait_until(lambda: text not in self.text(), f"the screen shows {text} no more")

    def resize(self, columns: int, rows: int) -> None:
        """The window is pulled to another size."""
        with self._lock:
            self._screen.resize(rows, columns)
        _set_size(self._hands, columns, rows)
        os.kill(self.process.pid, 28)  # SIGWINCH: nobody sends it where the terminal does not control the process

    def hold(self) -> None:
        """Somebody marks text with the mouse, or the line hangs: the terminal takes nothing any more."""
        self._taking.clear()

    def let_go(self) -> None:
        """It takes again what is written."""
        self._taking.set()

    def close_window(self) -> int:
        """The window is gone without a word, and the exit status."""
        os.close(self._hands)
        return self.process.wait(30)

    def leave(self) -> int:
        """Ctrl+C, and the exit status."""
        self.press(CTRL_C)
        status = self.process.wait(30)
        os.close(self._hands)
        return status


def _set_size(fd: int, columns: int, rows: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
