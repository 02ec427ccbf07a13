"""The steps of a fill at which a crash makes a difference, each with how an agent is made to die exactly there.

Nothing in the agent knows of them: a process that is to die replaces one function of its own copy by one that ends it
before or behind the real one.  The trap is armed by the first scan, so that what the agent does at its start, such as
closing what an earlier one left open, is not taken for a step of the fill.  docs/station.md has a row for each; a test
holds both equal.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from station_agent import cli  # noqa: F401 - whoever imports this has all of the agent in memory
from station_agent.devices.scale import ModbusScale, ScaleReading
from station_agent.journal import Journal
from station_agent.service import Service

FLOWING_G = 3_000
"""So much heavier than the empty cylinder is in the middle of a fill."""


class Trap:
    """Ends the process at a point, once a scan was taken."""

    def __init__(self) -> None:
        self.is_armed = False
        real = Service.decide

        async def arming(service: Service, request: Any) -> Any:
            self.is_armed = True
            return await real(service, request)

        Service.decide = arming  # type: ignore[assignment, method-assign]

    def spring(self) -> None:
        """Die as by kill -9, if armed."""
        if self.is_armed:
            os.kill(os.getpid(), signal.SIGKILL)


Install = Callable[[Trap], None]
When = Callable[..., bool]


def _before(owner: Any, name: str, when: When = lambda *_, **__: True) -> Install:
    def install(trap: Trap) -> None:
        real = getattr(owner, name)

        def dying(*values: Any, **named: Any) -> Any:
            if when(*values, **named):
                trap.spring()
            return real(*values, **named)

        setattr(owner, name, dying)

    return install


def _after(owner: Any, name: str, when: When = lambda *_, **__: True) -> Install:
    def install(trap: Trap) -> None:
        real = getattr(owner, name)

        def dying(*values: Any, **named: Any) -> Any:
            answer = real(*values, **named)
            if when(*values, **named):
                trap.spring()
            return answer

        setattr(owner, name, dying)

    return install


def _awaited(owner: Any, name: str, when: Callable[[Any, tuple[Any, ...]], bool] = lambda *_: True) -> Install:
    """Die when `owner.name` has been awaited."""

    def install(trap: Trap) -> None:
        real: Callable[..., Awaitable[Any]] = getattr(owner, name)

        async def dying(*values: Any, **named: Any) -> Any:
            answer = await real(*values, **named)
            if when(answer, values):
                trap.spring()
            return answer

        setattr(owner, name, dying)

    return install


def _is(type: str) -> When:
    return lambda _journal, record, **_: record.type == type


_lightest: dict[int, int] = {}


def _gas_flows(reading: ScaleReading, values: tuple[Any, ...]) -> bool:
    lightest = _lightest[id(values[0])] = min(reading.gross_g, _lightest.get(id(values[0]), reading.gross_g))
    return reading.valve_open and reading.gross_g > lightest + FLOWING_G


POINTS: dict[str, Install] = {
    "asking_the_service": _before(
        Service, "_send", lambda _self, _method, path, *_, **__: path.endswith("fill-checks")
    ),
    "decision_not_committed": _after(Journal, "_insert", _is("fill_decided")),
    "decision_committed": _after(Journal, "append", _is("fill_decided")),
    "before_start": _before(Journal, "begin"),
    "start_committed": _after(Journal, "begin"),
    "valve_told_to_open": _awaited(ModbusScale, "open_valve"),
    "gas_flows": _awaited(ModbusScale, "read", _gas_flows),
    "before_shut": _before(ModbusScale, "shut_valve"),
    "valve_told_to_shut": _awaited(ModbusScale, "shut_valve"),
    "fill_not_committed": _after(Journal, "_insert", _is("filled")),
    "fill_committed": _after(Journal, "append", _is("filled")),
    "upload_not_sent": _before(Service, "upload"),
    "upload_answered": _awaited(Service, "upload"),
    "answers_kept": _after(Journal, "settle"),
}
