"""Sounds (声音): one for each verdict, so that it is known without looking up. A plain terminal has its bell alone."""

import sys
import threading
from typing import NamedTuple


class Tone(NamedTuple):
    """A sound and the silence before it."""

    after_ms: int
    hertz: int
    for_ms: int


_HIGH, _LOW = 1760, 220
SOUNDS: dict[str, tuple[Tone, ...]] = {
    "good": (Tone(0, _HIGH, 150),),
    "done": (Tone(0, _HIGH, 120), Tone(200, _HIGH, 120)),
    "bad": (Tone(0, _LOW, 300), Tone(350, _LOW, 300), Tone(350, _LOW, 300)),
    "halt": tuple(Tone(0 if n == 0 else 250, _LOW if n % 2 else _HIGH, 180) for n in range(5)),
}
"""Tone of a verdict → one high beep, two high ones, three low ones, five in turn; the bell rings as often."""


def has_tones() -> bool:
    """Whether this machine plays tones besides the bell of the terminal."""
    return sys.platform == "win32"


def play(tones: tuple[Tone, ...]) -> None:
    """Play tones without waiting for them (Windows)."""
    threading.Thread(target=_beep, args=(tones,), daemon=True).start()


def _beep(tones: tuple[Tone, ...]) -> None:
    if sys.platform == "win32":
        import time
        import winsound

        for tone in tones:
            time.sleep(tone.after_ms / 1000)
            winsound.Beep(tone.hertz, tone.for_ms)
