"""The scale of a simulated lane: the scale model in virtual time, behind a slow line, with its own log as the judge."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from station_agent.devices.scale import ScaleFault, ScaleReading
from station_agent.devices.scale_model import OPEN, SETTLING_S, SHUT, Change, Condition, Controls, SimulatedScale

FASTER = 3
"""Gas flows so many times as fast as into a real cylinder: a fill takes five seconds."""
_STEP_MS = 100
_ANSWERS_AFTER_S, _BUSY_S = 0.9, 1.4
"""A bus that many share: a reading every two seconds is still faster than the valve's own watchdog."""


@dataclass
class Platform:
    """One platform with its valve, from before the first day until after the last: agents come and go."""

    now: Callable[[], int]
    number: int
    log: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model = SimulatedScale(self.number, self.log.append)
        self.lost = False
        self._passed_ms = self.now()

    def catch_up(self) -> None:
        """Let the model live through the time that has passed; a scale at rest does nothing."""
        now = self.now()
        while self._passed_ms < now and self._is_busy():
            step_ms = min(_STEP_MS, now - self._passed_ms)
            self._passed_ms += step_ms
            self.model.step(FASTER * step_ms / 1000, self._passed_ms)
        self._passed_ms = now

    def _is_busy(self) -> bool:
        model = self.model
        return model.valve_open or model._quiet_s < SETTLING_S or model.condition.bypass_g_s > 0

    # ------------------------------------------------------------ hands

    def place(self, label: str, empty_g: int) -> None:
        self.catch_up()
        self.model.place(label, empty_g, self.now())

    def clear(self) -> None:
        """Take away what stands there, if something does."""
        self.catch_up()
        if self.standing is not None:
            self.model.remove(self.now())

    def meddle(self, **numbers: float) -> None:
        """Make the scale another one: zero, pipe past the valve (in grams a second of the station's time)."""
        if "bypass_g_s" in numbers:
            numbers["bypass_g_s"] /= FASTER
        self.catch_up()
        self.model.set_condition(self.now(), **numbers)

    def heal(self) -> None:
        self.meddle(**{name: getattr(Condition(), name) for name in ("tare_offset_g", "bypass_g_s")})

    @property
    def standing(self) -> str | None:
        """What stands there, by the log alone."""
        return standing_in(self.log)

    @property
    def load_g(self) -> int:
        """What stands there really weighs."""
        self.catch_up()
        return round(self.model._load_g)


def standing_in(log: Sequence[Change]) -> str | None:
    """What stands on a scale at the end of a log."""
    last = next((change for change in reversed(log) if change.event in ("placed", "removed")), None)
    return last.label if last is not None and last.event == "placed" else None


class Wire:
    """One agent's line to the platform; it dies with the agent."""

    def __init__(self, platform: Platform, boot: int) -> None:
        self._platform = platform
        self._boot = boot
        self._beats = 0
        self._wanted, self._stop_at_g = SHUT, 0
        self.dead = False
        self.overshoot_g = 0

    async def read(self) -> ScaleReading:
        """Weigh and look at the valve."""
        await asyncio.sleep(_BUSY_S if self._platform.model.valve_open else _ANSWERS_AFTER_S)
        self._answer()
        said = self._platform.model.indication()
        return ScaleReading(
            at_ms=self._platform.now(),
            gross_g=said.gross_g,
            stable=said.stable,
            valve_open=said.valve_open,
            fault=said.fault,
            watchdog_tripped=said.watchdog_tripped,
        )

    async def open_valve(self, stop_at_gross_g: int) -> None:
        """Ask for gas until that weight."""
        self._say(SHUT, stop_at_gross_g)
        self._say(OPEN, stop_at_gross_g)

    async def refresh(self) -> None:
        """Say that the host is alive."""
        self._say(self._wanted, self._stop_at_g)

    async def shut_valve(self) -> None:
        """Ask for no gas."""
        self._say(SHUT, self._stop_at_g)

    def _say(self, command: int, stop_at_g: int) -> None:
        self._answer()
        self._beats += 1
        self._wanted, self._stop_at_g = command, stop_at_g
        controls = Controls(command, self._beats, stop_at_g, self._boot)
        self._platform.model.obey(controls, self._platform.now())

    def _answer(self) -> None:
        if self.dead:
            raise asyncio.CancelledError  # the process is gone: nothing of it goes on
        if self._platform.lost:
            raise ScaleFault("The scale does not answer.")
        self._platform.catch_up()
