"""Scales on a serial cable: Modbus RTU over a pair of pseudo-terminals, judged by the simulator's log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from station_agent.clock import steady_ms
from station_agent.devices.driver import load_driver
from station_agent.devices.scale import ModbusScale, ScaleFault, ScaleLink, SerialPort
from station_agent.devices.scale_model import Change
from station_agent.devices.simulator import Simulation, serve_serial
from stations.serial_pair import Cable, serial_cable

STOP_G = 17_600


class Bus:
    """Two scales on one cable, and the station's end of it."""

    def __init__(self, cable: Cable, driver: str, timeout_ms: int) -> None:
        self.log: list[Change] = []
        self.driver = load_driver(driver)
        self.simulation = Simulation(2, 20.0, self.log.append, self.driver)
        self.link = ScaleLink(SerialPort(cable.near), timeout_ms=timeout_ms)

    def scale(self, unit: int) -> ModbusScale:
        return ModbusScale(self.link, unit, self.driver, boot_id=7, clock=steady_ms)

    def valve(self, unit: int) -> list[str | None]:
        return [change.cause for change in self.log if change.scale == unit and change.event.startswith("valve")]


@asynccontextmanager
async def bus(driver: str, timeout_ms: int = 900) -> AsyncIterator[Bus]:
    with serial_cable() as cable:
        bus = Bus(cable, driver, timeout_ms)
        server = await serve_serial(bus.simulation, cable.far, 9600)
        try:
            yield bus
        finally:
            bus.link.close()
            await server.shutdown()  # type: ignore[no-untyped-call]


async def fill(scale: ModbusScale) -> None:
    await scale.open_valve(STOP_G)
    while (await scale.read()).valve_open:
        await scale.refresh()


@pytest.mark.parametrize("driver", ["demo-scale", "example-rtu-relay"])
def test_two_scales_on_one_cable_fill_at_once(driver: str) -> None:
    async def day() -> Bus:
        async with bus(driver) as floor:
            for unit in (1, 2):
                floor.simulation.scales[unit].place("C", 16_800, floor.simulation.advance())
            await asyncio.wait_for(asyncio.gather(fill(floor.scale(1)), fill(floor.scale(2))), 30)
            return floor

    floor = asyncio.run(day())
    by = "stop_weight" if driver == "demo-scale" else "command"
    assert floor.valve(1) == floor.valve(2) == ["command", by]


def test_a_unit_that_is_not_on_the_cable_is_a_fault_and_the_next_answer_is_the_right_scales_own() -> None:
    async def ask() -> int:
        async with bus("demo-scale") as floor:
            floor.simulation.scales[2].place("C", 16_800, floor.simulation.advance())
            with pytest.raises(ScaleFault, match=r"Scale 9 at /dev/pts/.* does not answer"):
                await floor.scale(9).read()
            return (await floor.scale(2).read()).gross_g

    assert asyncio.run(ask()) == 16_800


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one() -> None:
    async def ask() -> int:
        async with bus("demo-scale", timeout_ms=2_000) as floor:
            platform = floor.simulation.scales[1]
            scale = floor.scale(1)
            platform.set_condition(floor.simulation.advance(), link_delay_ms=2_050)
            asked = asyncio.create_task(scale.read())
            await asyncio.sleep(1)
            platform.set_condition(floor.simulation.advance(), link_delay_ms=500)
            with pytest.raises(ScaleFault, match="does not answer"):
                await asked
            again = asyncio.create_task(scale.read())
            await asyncio.sleep(0.2)  # the late answer, which tells of an empty platform, is on the cable by now
            platform.place("C", 16_800, floor.simulation.advance())
            return (await again).gross_g

    assert asyncio.run(ask()) == 16_800


def test_a_serial_port_that_is_not_there_is_a_fault() -> None:
    async def ask() -> None:
        link = ScaleLink(SerialPort("/dev/ttyUSB-none"))
        scale = ModbusScale(link, 1, load_driver("demo-scale"), boot_id=7, clock=steady_ms)
        with pytest.raises(ScaleFault, match="at /dev/ttyUSB-none cannot be reached"):
            await scale.read()

    asyncio.run(ask())
