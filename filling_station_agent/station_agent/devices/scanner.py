"""Barcode scanners that type (键盘口扫码枪, "keyboard wedge"): from keys to scans, lane by lane.

All scanners of a station type into one keyboard stream. Each is set up to type `~` and the digit of its
lane before the content and Enter after it. A scanner types far faster than a person, so the time between
keys tells the two apart. A scan given to the wrong lane would let gas into a cylinder that nobody judged:
whenever the stream leaves a doubt about the lane, the scans are dropped and the operator scans again.
"""

import asyncio
import codecs
import os
import re
import select
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

if sys.platform != "win32":
    import termios

LONGEST = 512
"""Characters; the longest symbol we print has under 60."""
_BURST_PROOF = 4  # keys in quick succession from the start that no typist produces
_TYPING_PAUSE_MS = 10_000  # a typed line left alone this long was given up
_CTRL_C = "\x03"
# Also as a caps-locked keyboard (pl:w:) or a foreign layout (PL;W;) would deliver it.
_CARD = re.compile(r"(?:\][A-Za-z][0-9])?(PL[:;]([WFSP])[:;]|pl[:;]([wfsp])[:;])(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scan:
    """Content that is no card of ours: a cylinder's code, hopefully.

    `lane` is the digit the scanner typed, or None where nothing told; `typed` marks a person's keys.
    """

    lane: int | None
    text: str
    typed: bool


@dataclass(frozen=True, slots=True)
class Badge:
    """A worker's badge (上岗卡), `PL:W:<worker_id>`."""

    lane: int | None
    worker_id: str
    typed: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """A card from the wall, `PL:F:<finding>`: what the eye found wrong with the lane's next cylinder."""

    lane: int | None
    finding: str
    typed: bool


@dataclass(frozen=True, slots=True)
class StampSeen:
    """`PL:S:{…}`: what a device read from the steel of the lane's next cylinder, as one JSON object (钢印读数)."""

    lane: int | None
    text: str
    typed: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """A card or device, `PL:P:<statement>`: what was done with the lane's next cylinder before the fill (充装前)."""

    lane: int | None
    text: str
    typed: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    """Keys that were not taken for a scan, and why; the operator is asked to scan again.

    `unfinished`: the scanner stopped before Enter. `too_long`: no Enter after 512 characters.
    `interleaved`: two scanners typed at once. `empty`: a prefix and nothing else. `other_lane`: a lane's own scanner
    named another lane. `unframed`: without the prefix or suffix that this scanner is set up to send.
    """

    lane: int | None
    reason: Literal["unfinished", "too_long", "interleaved", "empty", "other_lane", "unframed"]


ScannerEvent = Scan | Badge | Finding | StampSeen | Statement | Dropped


@dataclass(slots=True)
class _Line:
    """The keys gathered since the last Enter; `prefixed` when a scanner announced them."""

    lane: int | None
    prefixed: bool
    text: str = ""
    typed: bool = False

    @property
    def from_scanner(self) -> bool:
        return self.prefixed or (len(self.text) >= _BURST_PROOF and not self.typed)


class WedgeDecoder:
    """Turns keys with their times into scanner events; keeps no clock of its own.

    `prefix` is one character, followed by the lane's digit; any character of `suffix` ends a scan. A gap of
    more than `inter_key_ms` inside a scanner's burst means that keys are lost: the burst is dropped.
    """

    def __init__(self, *, prefix: str = "~", suffix: str = "\r\n", inter_key_ms: int = 50) -> None:
        if len(prefix) != 1 or not suffix or prefix in suffix:
            raise ValueError("the prefix must be one character, the suffix at least one other")
        self._prefix = prefix
        self._suffix = suffix
        self._inter_key_ms = inter_key_ms
        self._line: _Line | None = None
        self._prefix_seen = False  # and the lane's digit is due
        self._ends_to_ignore = 0  # Enters still to come from scans that were dropped half-way
        self._last: tuple[str, int] | None = None

    def is_quiet(self, at_ms: int) -> bool:
        """Whether a key at `at_ms` would come too late to belong to a scanner's burst."""
        return self._last is None or at_ms - self._last[1] > self._inter_key_ms

    def feed(self, char: str, at_ms: int) -> list[ScannerEvent]:
        """Take one key, pressed at `at_ms` (monotonic milliseconds); return what it completed."""
        events = self._after_pause(char, at_ms) if self.is_quiet(at_ms) else []
        second_half_of_enter = char == "\n" and self._last is not None and self._last[0] == "\r"
        self._last = (char, at_ms)
        if self._prefix_seen:
            self._prefix_seen = False
            if char.isascii() and char.isdigit():
                return events + self._begin(int(char))
            events += self._take(self._prefix)
        if char == self._prefix:
            self._prefix_seen = True
            return events
        if char not in self._suffix:
            return events + self._take(char)
        return events if second_half_of_enter else events + self._end()

    def _after_pause(self, char: str, at_ms: int) -> list[ScannerEvent]:
        """Silence ends every burst, also those that are being ignored; only a typist pauses."""
        events: list[ScannerEvent] = []
        if self._prefix_seen:  # no digit followed: it was content, or all that was left of a scan
            self._prefix_seen = False
            events = self._take(self._prefix)
        self._ends_to_ignore = 0
        line = self._line
        if line is None or self._last is None:
            return events
        given_up = at_ms - self._last[1] > _TYPING_PAUSE_MS
        pasted = not line.prefixed and char in self._suffix  # a person pastes a code, then presses Enter
        if given_up or (line.from_scanner and not pasted):
            self._line = None
            return [Dropped(line.lane, "unfinished")]
        line.typed = True
        return []

    def _begin(self, lane: int) -> list[ScannerEvent]:
        """A scanner announces itself. If another's burst is under way, their keys cannot be told apart."""
        interrupted, self._line = self._line, None
        if self._ends_to_ignore:
            self._ends_to_ignore += 1
            return [Dropped(lane, "interleaved")]
        if interrupted is not None and interrupted.from_scanner:
            self._ends_to_ignore = 2
            return [Dropped(interrupted.lane, "interleaved"), Dropped(lane, "interleaved")]
        self._line = _Line(lane, prefixed=True)
        return [Dropped(None, "interleaved")] if interrupted is not None else []

    def _take(self, char: str) -> list[ScannerEvent]:
        if self._ends_to_ignore:
            return []
        if self._line is None:
            self._line = _Line(None, prefixed=False)
        self._line.text += char
        if len(self._line.text) <= LONGEST:
            return []
        lane, self._line, self._ends_to_ignore = self._line.lane, None, 1
        return [Dropped(lane, "too_long")]

    def _end(self) -> list[ScannerEvent]:
        if self._ends_to_ignore:
            self._ends_to_ignore -= 1
            return []
        line, self._line = self._line, None
        if line is None:
            return []
        return [event_of(line.lane, line.text, typed=line.typed)] if line.text else [Dropped(line.lane, "empty")]


def event_of(lane: int | None, text: str, *, typed: bool) -> ScannerEvent:
    """What a whole text means: a card of ours, or the code of a cylinder."""
    card = _CARD.fullmatch(text)
    if card is None:
        return Scan(lane, text, typed)
    content = card[4] if card[2] else card[4].swapcase()
    kinds: dict[str, type[Badge | Finding | StampSeen | Statement]] = {
        "W": Badge,
        "F": Finding,
        "S": StampSeen,
        "P": Statement,
    }
    return kinds[(card[2] or card[3]).upper()](lane, content, typed)


class KeyboardScanner:
    """The keyboard stream of a station PC, read from a file descriptor (terminal, pty or pipe).

    Use as `async with KeyboardScanner(...) as scanner: async for event in scanner`. A terminal is taken out
    of line mode, without echo, and given back as it was. The iteration ends when the stream does. `clock`
    gives monotonic milliseconds; it is read on a thread of its own, so that a busy station does not make a
    scanner look slow. Ctrl+C as a single key interrupts the process; inside a scan it is content, for a
    barcode must not be able to stop a station.
    """

    def __init__(self, fd: int, decoder: WedgeDecoder, clock: Callable[[], int]) -> None:
        self._fd = fd
        self._decoder = decoder
        self._clock = clock
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._keys: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()
        self._ready: list[ScannerEvent] = []

    async def __aenter__(self) -> Self:
        self._terminal = one_key_at_a_time(self._fd)
        self._terminal.__enter__()
        self._loop = asyncio.get_running_loop()
        self._wake_read, self._wake_write = os.pipe()
        self._reader = threading.Thread(target=self._read, name="keyboard-scanner", daemon=True)
        self._reader.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sys.platform != "win32":
            os.write(self._wake_write, b".")
            self._reader.join()
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._terminal.__exit__(kind, error, trace)

    def __aiter__(self) -> AsyncIterator[ScannerEvent]:
        return self

    async def __anext__(self) -> ScannerEvent:
        while not self._ready:
            chunk, at_ms = await self._keys.get()
            if not chunk:
                raise StopAsyncIteration
            self._decode(chunk, at_ms)
        return self._ready.pop(0)

    def _decode(self, chunk: bytes, at_ms: int) -> None:
        for char in self._text.decode(chunk):
            if char == _CTRL_C and self._decoder.is_quiet(at_ms):
                signal.raise_signal(signal.SIGINT)
            else:
                self._ready += self._decoder.feed(char, at_ms)

    def _read(self) -> None:
        chunk = b"more"
        while chunk:
            if self._is_left():
                return
            try:
                chunk = os.read(self._fd, 4096)
            except OSError:  # the other side of a pty has hung up
                chunk = b""
            at_ms = self._clock()
            self._loop.call_soon_threadsafe(self._keys.put_nowait, (chunk, at_ms))

    def _is_left(self) -> bool:
        """Wait for keys; True if nobody wants them any more. On Windows the read itself waits, to the end."""
        if sys.platform == "win32":
            return False
        readable, _, _ = select.select([self._fd, self._wake_read], [], [])
        return self._wake_read in readable


def one_key_at_a_time(fd: int) -> AbstractContextManager[None]:
    """Bytes as they come, unchanged and without echo, if `fd` is a terminal; the old mode on leaving."""
    return _raw_terminal(fd) if os.isatty(fd) else nullcontext()


@contextmanager
def _raw_terminal(fd: int) -> Iterator[None]:
    if sys.platform == "win32":
        raise NotImplementedError("a Windows console belongs to the screen; without it, give the scans on a pipe")
    before = termios.tcgetattr(fd)
    keys = termios.tcgetattr(fd)
    keys[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON | termios.ISTRIP)
    keys[3] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN | termios.ISIG)
    termios.tcsetattr(fd, termios.TCSANOW, keys)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSANOW, before)
