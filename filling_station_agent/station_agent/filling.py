"""Filling (充装): a permit is used up, the valve opens, the weight is watched, the valve is shut.

The only place in the agent that opens a valve, and it cannot be called without a permit.  The scale shuts by itself at
the stop weight, when it no longer hears us for three seconds, and on overload; everything here comes before that.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from station_agent.devices.scale import Scale, ScaleFault, ScaleReading
from station_agent.permit import Permit, Permits

_NEAR_POLL_S = 0.025
_FAR_POLL_S = 0.05
_REFRESH_MS = 500
_NOTE_MS = 2_000
REST_WITHIN_MS = 3_000  # for the weight to come to rest when nothing flows
_SETTLE_MS = 5_000  # of wall time, for the weight to come to rest
_LOST_MS = 10_000  # a scale silent for this long has shut by itself, three times over
NEAR_G = 100  # a weight this far below the stop weight is still the end of a full fill, or what the scale's driver says
NO_GAS_G = 50  # a gain below this is noise of the scale, not gas

Because = Literal["limit_reached", "stopped", "fault"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a fill ended. `gross_g` is the weight afterwards, None if the scale no longer answers."""

    gross_g: int | None
    because: Because
    fault: str | None = None
    seen: bool = True
    """Whether somebody watched until the valve was shut; False for what a crash left open."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What the filling loop asks and tells while gas flows."""

    steady: Callable[[], int]
    must_stop: Callable[[], bool]
    """Whether somebody has taken the permission back."""
    weighed: Callable[[int], None]
    """Told of every weight."""
    noted: Callable[[int], Awaitable[None]]
    """Told of a weight every few seconds, to be kept against a crash."""
    longest_ms: int


async def rest(scale: Scale, steady: Callable[[], int], within_ms: int) -> ScaleReading:
    """The first reading at rest; raises ScaleFault if the weight does not come to rest in time."""
    deadline = steady() + within_ms
    while True:
        reading = await scale.read()
        if reading.stable and not reading.valve_open:
            return reading
        if steady() >= deadline:
            raise ScaleFault("The weight does not come to rest.")
        await asyncio.sleep(_NEAR_POLL_S)


async def fill(
    scale: Scale,
    permit: Permit,
    permits: Permits,
    *,
    cylinder_id: str,
    scale_id: str,
    begin: Callable[[], Awaitable[None]],
    watch: Watch,
) -> Ending:
    """Fill under `permit` until the stop weight, a fault, a withdrawal or the longest time; the valve is shut then.

    `begin` makes the start durable; the valve is not touched before it returns.  Raises PermitRefused, ScaleFault for a
    scale that reports a fault already, and whatever `begin` raises: then nothing was opened.
    """
    await _require_no_fault(scale)
    permits.consume(permit, cylinder_id=cylinder_id, scale_id=scale_id, now=watch.steady())
    await begin()
    because: Because = "stopped"
    fault: str | None = None
    try:
        in_time = watch.steady() < permit.start_before  # writing the start may have taken long
        if in_time and not watch.must_stop():  # and a denial may have come meanwhile
            await scale.open_valve(permit.stop_at_gross_g)
            because, fault = await _until_shut(scale, permit.stop_at_gross_g, watch)
    except ScaleFault as lost:
        because, fault = "fault", str(lost)
    finally:
        await asyncio.shield(_shut(scale, watch.steady))
    reading = await _final_weight(scale, watch.steady)
    near_g = max(NEAR_G, scale.overshoot_g)
    if because == "stopped" and reading and reading.gross_g >= permit.stop_at_gross_g - near_g:
        because = "limit_reached"
    return Ending(reading.gross_g if reading else None, because, fault or (reading.fault if reading else None))


async def _require_no_fault(scale: Scale) -> None:
    """Raise ScaleFault for one that stays when it is told to shut.

    A scale that shut by itself, having lost us for longer than `_shut` goes on asking, waits for just that word.
    """
    if (await scale.read()).fault is None:
        return
    await scale.shut_valve()
    if (reported := (await scale.read()).fault) is not None:
        raise ScaleFault(f"The scale reports a fault: {reported}.")


async def _until_shut(scale: Scale, stop_at_gross_g: int, watch: Watch) -> tuple[Because, str | None]:
    began = refreshed = noted = watch.steady()
    while True:
        reading = await scale.read()
        watch.weighed(reading.gross_g)
        now = watch.steady()
        if reading.fault is not None or reading.watchdog_tripped:
            return "fault", reading.fault or "watchdog"
        if not reading.valve_open or watch.must_stop() or now - began > watch.longest_ms:
            return "stopped", None
        if reading.gross_g >= stop_at_gross_g:  # the scale's own cut-off has not worked
            return "stopped", None
        if now - refreshed >= _REFRESH_MS:
            await scale.refresh()
            refreshed = now
        if now - noted >= _NOTE_MS:
            await watch.noted(reading.gross_g)
            noted = now
        await asyncio.sleep(_NEAR_POLL_S)


async def _shut(scale: Scale, steady: Callable[[], int]) -> None:
    """Ask for no gas until the scale has heard it, or has been silent long enough to have shut by itself."""
    deadline = steady() + _LOST_MS
    while True:
        try:
            await scale.shut_valve()
        except ScaleFault:
            if steady() >= deadline:
                return
            await asyncio.sleep(_FAR_POLL_S)
        else:
            return


async def _final_weight(scale: Scale, steady: Callable[[], int]) -> ScaleReading | None:
    try:
        return await rest(scale, steady, _SETTLE_MS)
    except ScaleFault:
        try:
            return await scale.read()
        except ScaleFault:
            return None
