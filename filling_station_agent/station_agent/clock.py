"""The station's time (可信时间): what its own clock says, and how far that is from the service's time.

Three clocks are read here and nowhere else.  The *wall clock* is what a person may set; it dates every record.  The
*steady clock* only runs forward, also while the machine sleeps; it measures permits and silences.  The *service's time*
is learned from its signed replicas and its signed heartbeats; the steady clock carries it on, so that
setting the wall clock shows at once.

After a start without network the reference saved at the last contact is used.  If the machine has not been restarted
since, the steady clock still counts from it and the skew is as good as before.  After a restart of the machine nobody
can tell how long it was off: the last known skew is carried over, but only while the wall clock has not fallen behind
anything the station has already dated; otherwise the skew is unknown, and an unknown skew is refused (R65).
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_SLOWEST_ANSWER_MS = 5_000  # an answer that took longer says too little about the present
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
    try:
        return _BOOT_ID.read_text("ascii").strip()
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
        self._not_before = 0

    def now(self) -> int:
        """UTC milliseconds by the wall clock; every record of the station is dated by it."""
        return self._wall()

    def steady(self) -> int:
        """Milliseconds for measuring how long something took."""
        return self._steady()

    @property
    def reference(self) -> Reference | None:
        """The last contact with the service's time, to be kept for a start without network."""
        return self._reference

    def restore(self, reference: Reference | None, last_dated_at: int) -> None:
        """Take up what an earlier run knew; `last_dated_at` is the latest date it has put on anything."""
        self._reference = reference
        self._not_before = max(last_dated_at, reference.wall_at if reference else 0)

    def learn(self, server_at: int, asked_at: int, answered_at: int) -> None:
        """The service said that it was `server_at`; asked and answered are on the steady clock."""
        if 0 <= answered_at - asked_at <= _SLOWEST_ANSWER_MS:
            middle = (asked_at + answered_at) // 2
            wall_at = self._wall() - (self._steady() - middle)
            self._reference = Reference(server_at, wall_at, middle, self._boot)

    def trusted_now(self) -> int | None:
        """The service's time now, or None if nobody can tell."""
        skew = self.skew_ms()
        return None if skew is None else self._wall() - skew

    def skew_ms(self) -> int | None:
        """Wall clock minus the service's time; None if nobody can tell."""
        reference = self._reference
        if reference is None:
            return None
        if self._counts_on(reference):
            return self._wall() - reference.server_at - (self._steady() - reference.steady_at)
        if self._wall() < self._not_before:
            return None
        return reference.wall_at - reference.server_at

    def _counts_on(self, reference: Reference) -> bool:
        same_boot = bool(self._boot) and reference.machine_boot == self._boot
        return same_boot and self._steady() >= reference.steady_at
