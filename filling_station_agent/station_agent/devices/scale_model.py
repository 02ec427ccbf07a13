"""A filling scale as it behaves: steel on a platform, gas through a valve, and the scale's own safety.

The model knows nothing of networks, registers or driver files and reads no clock: simulated time comes in small
steps, wall time with every call.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from random import Random

FULL_FLOW_G_S = 250.0
FINE_FLOW_G_S = 40.0  # what is left of the flow when the stop weight is reached; it bounds the overshoot
FINE_FROM_G = 1_000.0  # this far below the stop weight the flow begins to be throttled
RAMP_S = 0.3  # time constant of opening: full flow after about a second
CLOSING_S = 0.1  # time constant of closing: at full flow 25 g still run in
SETTLING_S = 1.0  # no flow for this long: the weight is stable
NOISE_G = 4.0
DIVISION_G = 10  # the scale shows steps of 10 g (分度值)
CAPACITY_G = 150_000
LOGGED_STEP_G = 100
WATCHDOG_MS = 3_000  # wall time: a dead host must not fill a cylinder faster because time is lapsed

SHUT, OPEN = 0, 1
FAULTS = ("overload", "stuck_valve", "watchdog", "open_refused")
"""What the scale itself can report."""
SETTABLE_FAULTS = ("stuck_valve", "overload", "link", "sticky_weight", "frozen")
"""What the world can break: the valve, the load cell, the link, the indicator (读数卡死), the whole electronics."""


class WorldRefusal(Exception):
    """Something the world outside asked for that cannot happen, such as a cylinder where one stands."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the simulator's own log; `t_ms` is UTC.

    `gross_g` is what the scale shows, `load_g` what stands on it: the two differ once somebody tampers with the scale.
    """

    t_ms: int
    scale: int
    event: str
    label: str | None
    gross_g: int
    cause: str | None
    stop_at_gross_g: int | None = None
    load_g: int = 0


@dataclass(frozen=True, slots=True)
class Controls:
    """What the host last wrote; `stop_at_g` None where the scale takes no stop weight."""

    command: int = SHUT
    heartbeat: int = 0
    stop_at_g: int | None = 0
    boot_id: int = 0


@dataclass(frozen=True, slots=True)
class Indication:
    """What the scale says at a moment."""

    gross_g: int
    stable: bool
    valve_open: bool
    overload: bool
    watchdog_tripped: bool
    fault: str | None
    heartbeat: int


@dataclass(frozen=True, slots=True)
class Condition:
    """How good or bad a scale is; every number can be set through the world port and by an option."""

    noise_g: float = NOISE_G
    """Standard deviation of the weight while gas flows (噪声)."""
    drift_g_per_min: float = 0.0
    """By how much the zero wanders in a simulated minute (零点漂移)."""
    tare_offset_g: float = 0.0
    """What somebody keyed in: the scale shows so much more than stands on it (去皮作弊)."""
    overshoot_g: float = 0.0
    """Gas that still runs in after the valve has shut, beside the usual (过冲)."""
    bypass_g_s: float = 0.0
    """Gas that flows past the valve, whatever the host wants (旁通)."""
    link_delay_ms: float = 0.0
    """How late each answer comes (慢链路)."""


LIMITS: dict[str, tuple[float, float]] = {
    "noise_g": (0, 500),
    "drift_g_per_min": (-5_000, 5_000),
    "tare_offset_g": (-20_000, 20_000),
    "overshoot_g": (0, 5_000),
    "bypass_g_s": (0, FULL_FLOW_G_S),
    "link_delay_ms": (0, 10_000),
}
"""The least and the most that can be set."""


class SimulatedScale:
    """One platform with one valve. Weights in grams, `wall_ms` in milliseconds of real time."""

    def __init__(
        self,
        number: int,
        record: Callable[[Change], None],
        condition: Condition = Condition(),
        *,
        watchdog_ms: int = WATCHDOG_MS,
    ) -> None:
        self.number = number
        self.condition = condition
        self._watchdog_ms = watchdog_ms
        self.controls = Controls()
        self.valve_open = False
        self.link_lost = False
        self._record = record
        self._noise = Random(number)  # noqa: S311 - noise, and the same at every run
        self._label: str | None = None
        self._load_g = 0.0
        self._flow_g_s = 0.0
        self._quiet_s = SETTLING_S
        self._wanted_open = False
        self._stop_at_g: int | None = None
        self._late_g = 0.0
        self._drifted_g = 0.0
        self._stuck = False
        self._sticky = False
        self._frozen = False
        self._forced_overload = False
        self._fault: str | None = None
        self._heard_ms: int | None = None
        self._logged_g = self._logged_load_g = 0
        self._shown_g = 0
        self._beats = 0

    # ------------------------------------------------------------ the world outside

    def place(self, label: str, empty_g: int, wall_ms: int) -> int:
        """An operator puts a cylinder on the platform. Returns the weight shown."""
        if self._label is not None:
            raise WorldRefusal(f"scale {self.number} already carries {self._label}")
        self._label, self._load_g = label, float(empty_g)
        self._show(wall_ms, settled=True)
        self._log("placed", wall_ms)
        return self._shown_g

    def remove(self, wall_ms: int) -> int:
        """The operator takes the cylinder away. Returns the last weight shown."""
        if self._label is None:
            raise WorldRefusal(f"scale {self.number} is empty")
        if self.valve_open:
            self._shut("removed", wall_ms)
        gross_g = self._shown_g
        self._log("removed", wall_ms)
        self._label, self._load_g, self._flow_g_s, self._late_g = None, 0.0, 0.0, 0.0
        self._show(wall_ms, settled=True)
        return gross_g

    def set_fault(self, fault: str | None, wall_ms: int) -> int:
        """Break one thing, one of SETTABLE_FAULTS, or mend everything (None)."""
        self._stuck = fault == "stuck_valve"
        self._sticky = fault == "sticky_weight"
        self._frozen = fault == "frozen"
        self._forced_overload = fault == "overload"
        self.link_lost = fault == "link"
        if fault is not None:
            self._log("fault", wall_ms, f"{fault} begins")
        if self.valve_open and not (self._wanted_open or self._stuck):
            self._close_valve("stuck_valve mended", wall_ms)
        return self._shown_g

    def set_condition(self, wall_ms: int, **numbers: float) -> int:
        """Make the scale better or worse, by the names and limits of LIMITS. Returns the weight shown."""
        self.condition = replace(self.condition, **numbers)
        told = ", ".join(f"{name} {value:g}" for name, value in sorted(numbers.items()))
        self._log("condition", wall_ms, told)
        self._show(wall_ms, settled=self._quiet_s >= SETTLING_S)
        return self._shown_g

    # ------------------------------------------------------------ the host

    def obey(self, controls: Controls, wall_ms: int) -> None:
        """Take what the host wrote. Only the step from any other command to "open" can open the valve."""
        before, self.controls = self.controls, controls
        if controls.heartbeat != before.heartbeat:
            self._heard_ms = wall_ms
        if controls.command != OPEN:
            self._acknowledge(wall_ms)
        elif controls.boot_id != before.boot_id and self._wanted_open:
            self._shut("boot_changed", wall_ms)
        elif before.command != OPEN:
            self._open(wall_ms)

    def indication(self) -> Indication:
        """What it says now."""
        return Indication(
            gross_g=self._shown_g,
            stable=self._quiet_s >= SETTLING_S,
            valve_open=self.valve_open,
            overload=self._overloaded(),
            watchdog_tripped=self._fault == "watchdog",
            fault=self._fault,
            heartbeat=self._beats,
        )

    def _acknowledge(self, wall_ms: int) -> None:
        if self._wanted_open:
            self._shut("command", wall_ms)
        if not (self.valve_open or self._overloaded()):
            self._fault = None

    def _open(self, wall_ms: int) -> None:
        refusal = self._refusal(wall_ms)
        if refusal is not None:
            self._fault = self._fault or "open_refused"
            self._log("fault", wall_ms, f"open_refused: {refusal}")
            return
        self._wanted_open = self.valve_open = True
        self._stop_at_g, self._late_g = self.controls.stop_at_g, 0.0
        self._log("valve_opened", wall_ms, "command", self._stop_at_g)

    def _refusal(self, wall_ms: int) -> str | None:
        if self._heard_ms is None or wall_ms - self._heard_ms >= self._watchdog_ms:
            return "no fresh heartbeat"
        if self._fault is not None:
            return self._fault
        if self._label is None:
            return "no cylinder"
        if self.controls.stop_at_g is not None and self.controls.stop_at_g <= self._shown_g:
            return "stop weight not above the present weight"
        return None

    # ------------------------------------------------------------ time

    def step(self, step_s: float, wall_ms: int) -> None:
        """Let `step_s` simulated seconds pass; the stop weight and the watchdog are looked at in each."""
        if not self._frozen:
            self._beats = wall_ms // 100
        if self._overloaded() and self._fault != "overload":
            self._fail("overload", wall_ms)
        if self._wanted_open and self._heard_ms is not None and wall_ms - self._heard_ms >= self._watchdog_ms:
            self._fail("watchdog", wall_ms)
        self._drifted_g += self.condition.drift_g_per_min * step_s / 60
        if self.valve_open or self._flow_g_s > 0 or self._bypass_g_s() > 0:
            self._let_flow(step_s, wall_ms)
        elif self._quiet_s < SETTLING_S:
            self._settle(step_s, wall_ms)
        elif self.condition.drift_g_per_min:
            self._show(wall_ms, settled=True)

    def power_off(self, wall_ms: int) -> None:
        """Spring-loaded valves shut when the power goes."""
        if self.valve_open:
            self._close_valve("power_off", wall_ms)

    def _let_flow(self, step_s: float, wall_ms: int) -> None:
        lag_s = RAMP_S if self.valve_open else CLOSING_S
        self._flow_g_s += (self._wanted_flow_g_s() - self._flow_g_s) * min(1.0, step_s / lag_s)
        if not self.valve_open and self._flow_g_s < 1:
            self._flow_g_s = 0.0
        self._quiet_s = 0.0
        if self._label is not None:
            self._load_g += (self._flow_g_s + self._bypass_g_s()) * step_s
        if not self.valve_open:
            self._late_g = max(0.0, self._late_g - self._flow_g_s * step_s)
        self._show(wall_ms)
        if self._reached_stop():
            self._shut("stop_weight", wall_ms)

    def _reached_stop(self) -> bool:
        return self._wanted_open and self._stop_at_g is not None and self._indicated_g() >= self._stop_at_g

    def _wanted_flow_g_s(self) -> float:
        if not self.valve_open:
            return FINE_FLOW_G_S if self._late_g > 0 else 0.0
        if not self._wanted_open:  # stuck: nothing throttles any more
            return FULL_FLOW_G_S if self._load_g < CAPACITY_G else 0.0
        if self._stop_at_g is None:
            return FULL_FLOW_G_S
        left_g = self._stop_at_g - self._indicated_g()
        return max(FINE_FLOW_G_S, min(FULL_FLOW_G_S, FULL_FLOW_G_S * left_g / FINE_FROM_G))

    def _bypass_g_s(self) -> float:
        return self.condition.bypass_g_s if self._label is not None and self._load_g < CAPACITY_G else 0.0

    def _settle(self, step_s: float, wall_ms: int) -> None:
        self._quiet_s += step_s
        self._show(wall_ms, settled=self._quiet_s >= SETTLING_S)
        if self._quiet_s >= SETTLING_S:
            self._log("weight", wall_ms, "settled")

    def _indicated_g(self) -> float:
        """What the electronics weigh: the load, as far as nobody has meddled with it."""
        if self._sticky or self._frozen:
            return float(self._shown_g)
        return self._load_g + self.condition.tare_offset_g + self._drifted_g

    def _show(self, wall_ms: int, *, settled: bool = False) -> None:
        quiet = settled or self._sticky or self._frozen
        noise_g = 0.0 if quiet else self.condition.noise_g * max(-2.5, min(2.5, self._noise.gauss(0, 1)))
        self._shown_g = round((self._indicated_g() + noise_g) / DIVISION_G) * DIVISION_G
        if self._wanted_open and self._stop_at_g is not None and not self._reached_stop():
            # What it shows and what it shuts by go through one filter: noise shows nobody the stop weight before.
            self._shown_g = min(self._shown_g, (self._stop_at_g - 1) // DIVISION_G * DIVISION_G)
        moved_g = max(abs(self._shown_g - self._logged_g), abs(round(self._load_g) - self._logged_load_g))
        if not settled and moved_g >= LOGGED_STEP_G:
            self._log("weight", wall_ms)

    # ------------------------------------------------------------ the valve

    def _overloaded(self) -> bool:
        return self._forced_overload or self._load_g > CAPACITY_G

    def _fail(self, fault: str, wall_ms: int) -> None:
        self._fault = fault
        self._log("fault", wall_ms, fault)
        if self._wanted_open:
            self._shut(fault, wall_ms)

    def _shut(self, cause: str, wall_ms: int) -> None:
        self._wanted_open = False
        if self._stuck:
            self._fault = "stuck_valve"
            self._log("fault", wall_ms, f"stuck_valve: would not shut on {cause}")
        else:
            self._close_valve(cause, wall_ms)

    def _close_valve(self, cause: str, wall_ms: int) -> None:
        self.valve_open = False
        self._late_g = self.condition.overshoot_g if cause != "removed" else 0.0
        self._log("valve_shut", wall_ms, cause)

    def _log(self, event: str, wall_ms: int, cause: str | None = None, stop_at_g: int | None = None) -> None:
        self._logged_g, self._logged_load_g = self._shown_g, round(self._load_g)
        self._record(
            Change(wall_ms, self.number, event, self._label, self._shown_g, cause, stop_at_g, round(self._load_g))
        )


def condition_of(numbers: dict[str, object]) -> dict[str, float]:
    """The numbers as a condition takes them; raises ValueError for an unknown name or a number beyond its limits."""
    if not numbers or set(numbers) - {field.name for field in fields(Condition)}:
        raise ValueError(f"what can be set is {', '.join(LIMITS)}")
    checked = {}
    for name, value in numbers.items():
        low, high = LIMITS[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{name} must be a number from {low:g} to {high:g}")
        checked[name] = float(value)
    return checked
