"""Keys (按键): a scanner's burst is a scan wherever one looks; what a finger presses on a page counts for that page.

In the usual view every key goes to the decoder of the scanners, as it comes: who types a code ends it with Enter.
While a page takes keys, each is held back until the next would have come if a scanner were typing.  What a scanner
announces with its prefix, or four keys in quick succession, is a scan; anything else was a finger.
"""

from typing import Protocol

from station_agent.devices.scanner import ScannerEvent

_FEWEST_OF_A_BURST = 4
_BURST_IS_OVER_MS = 1_000
_ENDS = "\r\n"


class Decoder(Protocol):
    """What turns keys into scans."""

    def feed(self, char: str, at_ms: int) -> list[ScannerEvent]:
        """Take one key."""


class KeySorter:
    """Keeps no clock of its own: `at_ms` is the moment at which the key came from the terminal."""

    def __init__(self, decoder: Decoder, *, prefix: str, inter_key_ms: int = 50) -> None:
        self._decoder = decoder
        self._prefix = prefix
        self._inter_key_ms = inter_key_ms
        self._held: list[tuple[str, int]] = []
        self._burst_at: int | None = None

    @property
    def wait_ms(self) -> int | None:
        """How long after the last key `silence` is to be told; None while nothing is held back."""
        return self._inter_key_ms + 1 if self._held else None

    def scanned(self, char: str, at_ms: int) -> list[ScannerEvent]:
        """A key in the usual view."""
        return self._to_decoder() + self._decoder.feed(char, at_ms)

    def pressed(self, char: str, at_ms: int) -> tuple[list[ScannerEvent], list[str]]:
        """A key while a page takes keys: what a scanner completed with it, and what fingers did before it."""
        fingers = self.silence(at_ms)
        if self._burst_at is not None and at_ms - self._burst_at <= _BURST_IS_OVER_MS:
            return self._go_on(char, at_ms), fingers
        self._held.append((char, at_ms))
        if self._held[0][0] == self._prefix or len(self._held) >= _FEWEST_OF_A_BURST:
            self._burst_at = None if char in _ENDS else at_ms
            return self._to_decoder(), fingers
        return [], fingers

    def silence(self, at_ms: int) -> list[str]:
        """What fingers did, if no key came for so long that no scanner is typing."""
        if not self._held or at_ms - self._held[-1][1] <= self._inter_key_ms:
            return []
        keys = [char for char, _ in self._held]
        self._held.clear()
        return keys

    def _go_on(self, char: str, at_ms: int) -> list[ScannerEvent]:
        self._burst_at = None if char in _ENDS else at_ms
        return self._decoder.feed(char, at_ms)

    def _to_decoder(self) -> list[ScannerEvent]:
        events = [event for char, at_ms in self._held for event in self._decoder.feed(char, at_ms)]
        self._held.clear()
        return events
