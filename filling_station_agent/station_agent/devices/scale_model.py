"""A filling scale as it behaves: steel on a platform, gas through a valve, and the scale's own safety.

The model knows nothing of networks and reads no clock: simulated time comes in small steps, wall time
with every call. It is written apart from the driver file on purpose, so that a mistake in either shows.
"""

from collections.abc import Callable
from dataclasses import dataclass
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

IDLE, FILLING, DONE, FAULT = 0, 1, 2, 3
SHUT, OPEN = 0, 1
FAULT_CODES = {"overload": 1, "stuck_valve": 2, "watchdog": 3, "open_refused": 4}
SETTABLE_FAULTS = ("stuck_valve", "overload", "link")


class WorldRefusal(Exception):
    """Something the world outside asked for that cannot happen, such as a cylinder where one stands."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the simulator's own log; `t_ms` is UTC."""

    t_ms: int
    scale: int
    event: str
    label: str | None
    gross_g: int
    cause: str | None
    stop_at_gross_g: int | None = None


@dataclass(frozen=True, slots=True)
class Controls:
    """What the host last wrote."""

    command: int = SHUT
    heartbeat: int = 0
    stop_at_g: int = 0
    boot_id: int = 0


class SimulatedScale:
    """One platform with one valve. Weights in grams, `wall_ms` in milliseconds of real time."""

    def __init__(self, number: int, record: Callable[[Change], None]) -> None:
        self.number = number
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
        self._stop_at_g = 0
        self._done = False
        self._stuck = False
        self._forced_overload = False
        self._fault: str | None = None
        self._heard_ms: int | None = None
        self._logged_g = 0
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
        self._label, self._load_g, self._flow_g_s, self._done = None, 0.0, 0.0, False
        self._show(wall_ms, settled=True)
        return gross_g

    def set_fault(self, fault: str | None, wall_ms: int) -> int:
        """Break one thing (`stuck_valve`, `overload`, `link`), or mend everything (None)."""
        self._stuck = fault == "stuck_valve"
        self._forced_overload = fault == "overload"
        self.link_lost = fault == "link"
        if fault is not None:
            self._log("fault", wall_ms, f"{fault} begins")
        if self.valve_open and not (self._wanted_open or self._stuck):
            self._close_valve("stuck_valve mended", wall_ms)
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

    def registers(self) -> list[int]:
        """Registers 0 to 6 as they read now."""
        bits = (self._quiet_s >= SETTLING_S, self.valve_open, self._overloaded(), self._fault == "watchdog")
        status = sum(1 << place for place, on in enumerate(bits) if on)
        gross = self._shown_g & 0xFFFFFFFF
        code = FAULT_CODES.get(self._fault or "", 0)
        return [1, self._state(), status, code, gross >> 16, gross & 0xFFFF, self._beats & 0xFFFF]

    def _state(self) -> int:
        if self._fault is not None:
            return FAULT
        if self.valve_open:
            return FILLING
        return DONE if self._done else IDLE

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
        self._done, self._stop_at_g = False, self.controls.stop_at_g
        self._log("valve_opened", wall_ms, "command", self._stop_at_g)

    def _refusal(self, wall_ms: int) -> str | None:
        if self._heard_ms is None or wall_ms - self._heard_ms >= WATCHDOG_MS:
            return "no fresh heartbeat"
        if self._fault is not None:
            return self._fault
        if self._label is None:
            return "no cylinder"
        if self.controls.stop_at_g <= self._shown_g:
            return "stop weight not above the present weight"
        return None

    # ------------------------------------------------------------ time

    def step(self, step_s: float, wall_ms: int) -> None:
        """Let `step_s` simulated seconds pass; the stop weight and the watchdog are looked at in each."""
        self._beats = wall_ms // 100
        if self._overloaded() and self._fault != "overload":
            self._fail("overload", wall_ms)
        if self._wanted_open and self._heard_ms is not None and wall_ms - self._heard_ms >= WATCHDOG_MS:
            self._fail("watchdog", wall_ms)
        if self.valve_open or self._flow_g_s > 0:
            self._let_flow(step_s, wall_ms)
        elif self._quiet_s < SETTLING_S:
            self._settle(step_s, wall_ms)

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
            self._load_g += self._flow_g_s * step_s
        self._show(wall_ms)
        if self._wanted_open and self._load_g >= self._stop_at_g:
            self._done = True
            self._shut("stop_weight", wall_ms)

    def _wanted_flow_g_s(self) -> float:
        if not self.valve_open:
            return 0.0
        if not self._wanted_open:  # stuck: nothing throttles any more
            return FULL_FLOW_G_S if self._load_g < CAPACITY_G else 0.0
        left_g = self._stop_at_g - self._load_g
        return max(FINE_FLOW_G_S, min(FULL_FLOW_G_S, FULL_FLOW_G_S * left_g / FINE_FROM_G))

    def _settle(self, step_s: float, wall_ms: int) -> None:
        self._quiet_s += step_s
        self._show(wall_ms, settled=self._quiet_s >= SETTLING_S)
        if self._quiet_s >= SETTLING_S:
            self._log("weight", wall_ms, "settled")

    def _show(self, wall_ms: int, *, settled: bool = False) -> None:
        noise_g = 0.0 if settled else max(-10.0, min(10.0, self._noise.gauss(0, NOISE_G)))
        self._shown_g = round((self._load_g + noise_g) / DIVISION_G) * DIVISION_G
        if not settled and abs(self._shown_g - self._logged_g) >= LOGGED_STEP_G:
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
        self._log("valve_shut", wall_ms, cause)

    def _log(self, event: str, wall_ms: int, cause: str | None = None, stop_at_g: int | None = None) -> None:
        self._logged_g = self._shown_g
        self._record(Change(wall_ms, self.number, event, self._label, self._shown_g, cause, stop_at_g))
