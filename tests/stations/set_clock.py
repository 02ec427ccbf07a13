"""Setting the wall clock of one agent, as somebody sets that of a station PC, while the machine's own stays as it is.

Nothing in the agent knows of it: a process out of the nursery gets another `time` in the one module that reads clocks.
"""

import time
from pathlib import Path

from station_agent import clock

CLOCK_FILE = "clock"
"""How far the clock was set, in milliseconds; read again each time that the agent looks at its clock."""


class _SetTime:
    """The module `time`, with a wall clock that somebody has set."""

    def __init__(self, by: Path) -> None:
        self._by = by

    def time_ns(self) -> int:
        return time.time_ns() + int(self._by.read_text()) * 1_000_000

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)


def set_by(file: Path) -> None:
    """From now on this process reads a wall clock that is off by what `file` says."""
    vars(clock)["time"] = _SetTime(file)


def set_clock(file: Path, by_ms: int) -> None:
    """Let whoever reads `file` be off by so much, from one look to the next."""
    new = file.with_suffix(".new")
    new.write_text(str(by_ms))
    new.replace(file)
