"""Progress of long work on standard error: how far, how fast, how long still; one line a second at most."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_EVERY_SECONDS = 1.0
_ERASE_REST = "\x1b[K"


def pace_line(word: str, done: int, total: int, done_before: int, seconds: float) -> str:
    """Return the line; ``done_before`` were there when the work began, ``seconds`` ago.

    Worked example: 300 000 of 1 000 000 after 6 s, 100 000 of them from an earlier run, make 33,333 a second and
    21 s to go.
    """
    rate = (done - done_before) / seconds
    left = f"{(total - done) / rate:,.0f} s to go" if rate else "waiting"
    return f"{done:,} of {total:,} {word}, {rate:,.0f} a second, {left}"


@contextmanager
def progress(word: str, total: int, done_before: int = 0) -> Iterator[Callable[[int], None]]:
    """Hand out a function to call with how much is done, as often as one likes. On a terminal one line is rewritten."""
    began = last = time.monotonic()
    rewrites = sys.stderr.isatty()
    head, end = ("\r", _ERASE_REST) if rewrites else ("", "\n")

    def show(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVERY_SECONDS:
            last = now
            line = pace_line(word, done, total, done_before, now - began)
            print(f"{head}{line}", file=sys.stderr, end=end, flush=True)

    try:
        yield show
    finally:
        if rewrites and last != began:
            print(f"\r{_ERASE_REST}", file=sys.stderr, end="", flush=True)  # the next line stands alone
