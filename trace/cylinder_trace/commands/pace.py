"""How far a long work has come, on standard error: once a second on a terminal, seldom elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self


class Pace:
    """Told again and again what was counted; says so only when a moment has gone by, and wipes it away at the end."""

    def __init__(self) -> None:
        self._what, self._first, self._began = "", 0, 0.0
        self._shown = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._what and sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def __call__(self, what: str, done: int, total: int) -> None:
        """`done` of `total` are done, 0 where the total is not known."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._first, self._began = what, done, now
            return  # how fast it goes is not known yet
        live = sys.stderr.isatty()
        if now - self._shown < (1 if live else 10):
            return
        self._shown = now
        rate = (done - self._first) / max(now - self._began, 0.001)
        left = (
            f"/{total}, {rate:,.0f}/s, {(total - done) / max(rate, 0.001):.0f} s left" if total else f", {rate:,.0f}/s"
        )
        line = f"{what}: {done}{left}"
        print(f"\r\033[K{line}" if live else line, end="\r" if live else "\n", file=sys.stderr, flush=True)
