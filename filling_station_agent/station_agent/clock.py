"""The station's time (可信时间): what its own clock says, and how far that is from the service's time.

Three clocks are read here and nowhere else.  The *wall clock* is what a person may set; it dates every record.  The
*steady clock* only runs forward, also while the machine sleeps; it measures permits and silences.  The *service's time*
is learned from its signed replicas and its signed heartbeats; the steady clock carries it on, so that
setting the wall clock shows at once.

A wall clock that is set while the agent runs (改钟) is doubted from the moment at which that is seen until the service
says the time again, also if somebody puts it right meanwhile: what was dated in between cannot be told from the rest.

After a start without network the reference saved at the last contact is used, but only if the machine has not been
restarted since: the steady clock still counts from it then, and the skew is as good as before.  After a restart of the
machine nobody can tell how long it was off, and whoever may set its clock could make yesterday out of today and so keep
old data young for ever.  So the skew is unknown until the service says the time, and an unknown skew is refused (R65),
but for the hours that the rulebook may grant after a power cut (`unchecked`): they count from the last moment at which
the time was known, whatever restarts come between, and never begin before what was recorded last.  So a clock that is
set back gains those hours once for each contact, and no more.

While the machine sleeps (休眠) the steady clock counts on where the system has one that does; where it has none, the
wall clock seems to have jumped when it wakes, and is doubted.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

_SLOWEST_ANSWER_MS = 5_000  # an answer that took longer says too little about the present
_SET_BY_HAND_MS = 30_000  # a time server's corrections are smaller, or slower, than this
_PLAIN_MS = 600_000  # beyond this every rulebook refuses, and the figure itself is the better evidence
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def wall_ms() -> int:
    """UTC milliseconds by this machine's clock."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Milliseconds that only run forward, at the same pace for every process until the machine restarts."""
    kind = getattr(time, "CLOCK_BOOTTIME", None)  # counts on while the machine sleeps
    return (time.monotonic_ns() if kind is None else time.clock_gettime_ns(kind)) // 1_000_000


def machine_boot() -> str:
    """A name for the time since this machine's last start; empty where the system gives none."""
    if sys.platform == "win32":
        return _windows_boot()
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def _windows_boot() -> str:
    """The number of Windows' last start, which it counts up each time."""
    import winreg

    place = r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:  # type: ignore[attr-defined, unused-ignore]
            return f"windows-{winreg.QueryValueEx(key, 'BootId')[0]}"  # type: ignore[attr-defined, unused-ignore]
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Reference:
    """One moment by all three clocks, and the start of the machine for which `steady_at` counts."""

    server_at: int
    wall_at: int
    steady_at: int
    machine_boot: str

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Reference":
        """The reference in a stored object; raises TypeError or KeyError for anything else."""
        numbers = {name: int(value[name]) for name in ("server_at", "wall_at", "steady_at")}
        return cls(**numbers, machine_boot=str(value["machine_boot"]))

    def to_json(self) -> dict[str, Any]:
        """The reference as an object to store."""
        return asdict(self)


class Unchecked(NamedTuple):
    """A clock after a restart of the machine, as nobody has checked it yet (重启未核)."""

    skew_ms: int
    """How far it was wrong when that was known last."""
    beyond_ms: int
    """How far it stands beyond the last moment at which the time was known; negative if before what was recorded."""


class TrustedClock:
    """The wall clock together with what is known of its error."""

    def __init__(
        self,
        *,
        wall: Callable[[], int] = wall_ms,
        steady: Callable[[], int] = steady_ms,
        boot: str | None = None,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._boot = machine_boot() if boot is None else boot
        self._reference: Reference | None = None
        self._ahead_ms = self._began_ahead_ms = wall() - steady()
        """Wall clock minus steady clock when they were last compared, and at the start."""
        self._was_set = False
        self._recorded_at = 0

    def now(self) -> int:
        """UTC milliseconds by the wall clock; every record of the station is dated by it."""
        return self._wall()

    def steady(self) -> int:
        """Milliseconds for measuring how long something took."""
        return self._steady()

    @property
    def reference(self) -> Reference | None:
        """The last moment at which the time was known, to be kept for a start without network."""
        reference = self._reference
        if reference is None or self.skew_ms() is None:
            return reference
        passed_ms = self._steady() - reference.steady_at
        return Reference(reference.server_at + passed_ms, self._wall(), reference.steady_at + passed_ms, self._boot)

    def restore(self, reference: Reference | None, recorded_at: int = 0) -> None:
        """Take up what an earlier run knew; `recorded_at` is the latest date on any record, by the wall clock."""
        self._reference, self._recorded_at = reference, recorded_at

    def learn(self, server_at: int, asked_at: int, answered_at: int) -> None:
        """The service said that it was `server_at`; asked and answered are on the steady clock."""
        if 0 <= answered_at - asked_at <= _SLOWEST_ANSWER_MS:
            middle = (asked_at + answered_at) // 2
            wall_at = self._wall() - (self._steady() - middle)
            self._reference = Reference(server_at, wall_at, middle, self._boot)
            self._ahead_ms, self._was_set = wall_at - middle, False

    def trusted_now(self) -> int | None:
        """The service's time now, or None if nobody can tell."""
        skew = self.skew_ms()
        return None if skew is None else self._wall() - skew

    def likely_now(self) -> int:
        """The moment that rules and locks are asked about: the service's time, or the wall clock's if nobody knows."""
        trusted = self.trusted_now()
        return self.now() if trusted is None else trusted

    def skew_ms(self) -> int | None:
        """Wall clock minus the service's time; None if nobody can tell."""
        self._look_whether_set()
        reference = self._reference
        if reference is None or not self._counts_on(reference):
            return None
        skew_ms = self._wall() - reference.server_at - (self._steady() - reference.steady_at)
        return None if self._was_set and abs(skew_ms) < _PLAIN_MS else skew_ms

    def unchecked(self) -> Unchecked | None:
        """What can be said of the clock after a restart of the machine; None where it is known, or was set since.

        It counts by the steady clock from the agent's start on: what is done to the wall clock meanwhile gains nothing.
        """
        self._look_whether_set()
        kept = self._reference
        drifted_ms = self._wall() - self._steady() - self._began_ahead_ms
        if kept is None or self._counts_on(kept) or self._was_set or abs(drifted_ms) > _SET_BY_HAND_MS:
            return None
        wall = self._began_ahead_ms + self._steady()
        since = self._recorded_at if wall < self._recorded_at else kept.wall_at
        return Unchecked(kept.wall_at - kept.server_at, wall - since)

    def _look_whether_set(self) -> None:
        """Between two looks both clocks run as far; where they did not, somebody has set one of them."""
        ahead_ms = self._wall() - self._steady()
        self._was_set = self._was_set or abs(ahead_ms - self._ahead_ms) > _SET_BY_HAND_MS
        self._ahead_ms = ahead_ms

    def _counts_on(self, reference: Reference) -> bool:
        same_boot = bool(self._boot) and reference.machine_boot == self._boot
        return same_boot and self._steady() >= reference.steady_at
