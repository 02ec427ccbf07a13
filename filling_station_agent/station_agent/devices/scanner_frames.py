"""From what one scanner sends to scans: where each begins and ends, and which lane it belongs to. Keeps no clock.

A scanner on a serial port, a TCP connection or a keyboard of its own belongs to one lane, or says its lane as the
keyboard wedges do (`~` and a digit). Whenever a pause, an overlong text or a wrong digit leaves a doubt, the scan is
dropped and the operator scans again.
"""

from dataclasses import dataclass

from station_agent.devices.scanner import LONGEST, Dropped, ScannerEvent, event_of

STX, ETX = "\x02", "\x03"
_NEW_BEGINNING_MS = 2_000
"""After so long a pause what comes is a new scan, and no rest of a broken one."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How a scanner marks a scan. Nothing between the marks is touched: GS (0x1D) arrives as GS."""

    prefix: str = ""
    """What it sends before the content; a scan without it is dropped."""
    suffix: str = ""
    """What it sends after the content and before the terminator; a scan without it is dropped."""
    terminator: str = "\r\n"
    """Each of these characters ends a scan; empty: a pause does."""
    framed: bool = False
    """STX before and ETX after, in place of a terminator."""
    gap_ms: int = 500
    """The longest pause inside a scan."""
    repeat_ms: int = 0
    """The same again within this time is one scan: readers of RFID tags repeat what lies before them."""


class FrameDecoder:
    """Gathers what one connection of one scanner sends. `lane` None: the scanner names its lane."""

    def __init__(self, framing: Framing, lane: int | None, lane_prefix: str) -> None:
        self._framing = framing
        self._lane = lane
        self._lane_prefix = lane_prefix
        self._text = ""
        self._inside = not framing.framed
        self._broken = False
        self._last_at: int | None = None
        self._done: tuple[str, int] | None = None

    def feed(self, text: str, at_ms: int) -> list[ScannerEvent]:
        """Take what arrived at `at_ms` (monotonic milliseconds); return what it completed."""
        events = self.pause(at_ms)
        self._last_at = at_ms
        for char in text:
            events += self._take(char, at_ms)
        return events

    def pause(self, at_ms: int) -> list[ScannerEvent]:
        """Nothing has arrived until `at_ms`: a scan that a pause ends is complete, any other is broken."""
        if self._last_at is None or not self._text or at_ms - self._last_at <= self._framing.gap_ms:
            return []
        if self._ends_by_pause:
            return self._end(at_ms)
        if at_ms - self._last_at <= _NEW_BEGINNING_MS:
            self._broken = True
            return []
        return self.lose()

    def lose(self) -> list[ScannerEvent]:
        """The connection is gone: what it had begun to send is no scan."""
        begun, self._text, self._broken = self._text, "", False
        self._inside = not self._framing.framed
        return [Dropped(self._lane, "unfinished")] if begun else []

    @property
    def _ends_by_pause(self) -> bool:
        return not (self._framing.terminator or self._framing.framed)

    def _take(self, char: str, at_ms: int) -> list[ScannerEvent]:
        if self._framing.framed:
            if char == STX:
                begun = self.lose()
                self._inside = True
                return begun
            if char == ETX:
                self._inside = False
                return self._end(at_ms)
        elif char in self._framing.terminator:
            return self._end(at_ms) if self._text else []
        if self._inside and len(self._text) <= LONGEST:
            self._text += char
        return []

    def _end(self, at_ms: int) -> list[ScannerEvent]:
        text, broken, self._text, self._broken = self._text, self._broken, "", False
        if not text:
            return [Dropped(self._lane, "empty")]
        if broken or len(text) > LONGEST:
            return [Dropped(self._lane, "unfinished" if broken else "too_long")]
        if self._done is not None and text == self._done[0] and at_ms - self._done[1] < self._framing.repeat_ms:
            self._done = (text, at_ms)
            return []
        self._done = (text, at_ms)
        return [self._event(text)]

    def _event(self, text: str) -> ScannerEvent:
        framing = self._framing
        if len(text) <= len(framing.prefix) + len(framing.suffix):
            return Dropped(self._lane, "empty")
        if not (text.startswith(framing.prefix) and text.endswith(framing.suffix)):
            return Dropped(self._lane, "unframed")
        return self._in_lane(text[len(framing.prefix) : len(text) - len(framing.suffix)])

    def _in_lane(self, text: str) -> ScannerEvent:
        """A scanner of one lane that types another lane's digit is in the wrong place, or set up wrongly."""
        digit = text[1:2]
        if not (text.startswith(self._lane_prefix) and digit.isascii() and digit.isdecimal()):
            return event_of(self._lane, text, typed=False)
        if self._lane not in (None, int(digit)):
            return Dropped(self._lane, "other_lane")
        return event_of(int(digit), text[2:], typed=False) if text[2:] else Dropped(int(digit), "empty")
