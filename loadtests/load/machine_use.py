"""Who takes the machine while load is on it (处理器占用): the service, the servers under it, Locust."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

SERVICE, POSTGRES, REDIS, LOCUST, NOBODY = "service", "postgres", "redis", "locust", "nobody"


@dataclass(frozen=True, slots=True)
class Use:
    """Parts of the whole machine over a stretch of time, by who took them; 1 = every core, all the time.

    Sessions of PostgreSQL that ended meanwhile are missed; what nobody took is the machine's own word.
    """

    seconds: float
    parts: Mapping[str, float]


class Watch:
    """Watches all processes under this one from now on; `look` now and then: the time of one that ended is lost."""

    def __init__(self, service: tuple[int, ...]) -> None:
        """`service`: its process ids."""
        self._service, self._started = service, time.monotonic()
        self._before = _times(service)
        self._last, self._seconds = self._before, 0.0

    def look(self) -> None:
        """Look what was taken so far."""
        now = _times(self._service)
        if LOCUST in now or LOCUST not in self._last:
            self._last, self._seconds = now, time.monotonic() - self._started

    def use(self) -> Use:
        """What was taken, up to the last look at which Locust was still there."""
        cores = (os.cpu_count() or 1) * max(self._seconds, 1e-3)
        taken = {who: (spent - self._before.get(who, 0.0)) / cores for who, spent in self._last.items()}
        return Use(self._seconds, taken)


def _times(service: tuple[int, ...]) -> dict[str, float]:
    idle = psutil.cpu_times()
    times: dict[str, float] = {NOBODY: idle.idle + idle.iowait}
    for process in psutil.Process().children(recursive=True):
        try:
            who, spent = _who(process, service), process.cpu_times()
        except psutil.Error:  # it ended while we looked
            continue
        if who:
            times[who] = times.get(who, 0.0) + spent.user + spent.system
    return times


def _who(process: psutil.Process, service: tuple[int, ...]) -> str | None:
    if process.pid in service:
        return SERVICE
    words = " ".join(process.cmdline()[:4])
    for who, mark in ((POSTGRES, "postgres"), (REDIS, "redis-server"), (LOCUST, "locust")):
        if mark in words and "keeper.py" not in words:
            return who
    return None
