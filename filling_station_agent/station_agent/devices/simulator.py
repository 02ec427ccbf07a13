"""`station-agent simulate-scale`: filling scales that speak Modbus TCP or RTU, with a log of their own.

The log, one JSON line per change of valve, weight or fault, is the witness in every safety test: it is
written by the scales, not by the station. A second port, the world port, stands for the operator's hands.
"""

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TextIO, cast

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.server.base import ModbusBaseServer
from pymodbus.simulator import DataType, SimData, SimDevice

from station_agent.clock import steady_ms, wall_ms
from station_agent.devices.driver import HOLDING, DriverError, ScaleDriver, load_driver
from station_agent.devices.played_registers import PlayedRegisters
from station_agent.devices.scale_model import (
    CAPACITY_G,
    LIMITS,
    SETTABLE_FAULTS,
    Change,
    Condition,
    SimulatedScale,
    WorldRefusal,
    condition_of,
)

_STEP_S = 0.02  # of simulated time: 5 g at full flow
_TICK_S = 0.02  # of wall time
_LONGEST_LEAP_MS = 250  # a process that was held up loses simulated time instead of leaping over the host
_READ_COIL, _WRITE_COIL, _WRITE_ONE, _WRITE_MANY = 1, 5, 6, 16


ABOUT = """\
Play filling scales that speak Modbus TCP (or RTU on a serial port), with a log
of their own. The log, one JSON line per change of valve, weight or fault, is
written by the scales, not by the station. A second port, the world port, stands
for the operator's hands, and for whoever tampers with the scale."""


class SimulatorError(Exception):
    """The simulator cannot start. The text is a sentence for stderr."""


class Simulation:
    """All scales, driven by the wall clock times a factor, and their log."""

    def __init__(
        self,
        scales: int,
        time_factor: float,
        record: Callable[[Change], None],
        driver: ScaleDriver,
        condition: Condition = Condition(),  # noqa: B008 - frozen
        *,
        wall: Callable[[], int] = wall_ms,
        steady: Callable[[], int] = steady_ms,
    ) -> None:
        self.driver = driver
        self._time_factor = time_factor
        self._steady = steady
        self._began = (wall(), steady())
        self._now_ms = self._began[0]
        self._owed_s = 0.0
        self.scales = {
            number: SimulatedScale(number, record, condition, watchdog_ms=driver.silence_ms)
            for number in range(1, scales + 1)
        }

    def advance(self) -> int:
        """Bring every scale up to the present and return it: UTC milliseconds that never jump."""
        before = self._now_ms
        self._now_ms = self._began[0] + self._steady() - self._began[1]
        passed_ms = self._now_ms - before
        self._owed_s += min(passed_ms, _LONGEST_LEAP_MS) / 1000 * self._time_factor
        steps = int(self._owed_s / _STEP_S)
        self._owed_s -= steps * _STEP_S
        for step in range(1, steps + 1):
            wall_ms = before + passed_ms * step // steps
            for scale in self.scales.values():
                scale.step(_STEP_S, wall_ms)
        return self._now_ms

    async def run(self) -> None:
        """Advance for ever."""
        while True:
            self.advance()
            await asyncio.sleep(_TICK_S)

    def power_off(self) -> None:
        """Shut what is open."""
        now_ms = self.advance()
        for scale in self.scales.values():
            scale.power_off(now_ms)


def written_to(log: TextIO) -> Callable[[Change], None]:
    """A record that writes every change as one JSON line."""

    def write(change: Change) -> None:
        line = asdict(change)
        if line["stop_at_gross_g"] is None:
            del line["stop_at_gross_g"]
        log.write(json.dumps(line, ensure_ascii=False) + "\n")
        log.flush()

    return write


# ---------------------------------------------------------------- Modbus


def modbus_devices(simulation: Simulation) -> list[SimDevice]:
    """The scales as a Modbus server plays them; unit 0 stands for every unit that is not there."""
    devices = [_modbus_device(simulation, number) for number in simulation.scales]
    absent = SimDevice(0, [SimData(0, count=16, values=0, datatype=DataType.REGISTERS)], action=_nobody)
    return [*devices, absent]


def _modbus_device(simulation: Simulation, number: int) -> SimDevice:
    """Coils, discrete inputs, holding and input registers, as far as the driver file names them."""
    driver, scale = simulation.driver, simulation.scales[number]
    start, count = driver.block
    said = [SimData(start, count=count, values=0, datatype=DataType.REGISTERS, readonly=True)]
    told = [SimData(address, values=0, datatype=DataType.REGISTERS) for address in sorted(driver.written)]
    nothing = [SimData(0xFFFF, values=0, datatype=DataType.REGISTERS, readonly=True)]
    holding, inputs = (said + told, nothing) if driver.read_function == HOLDING else (told or nothing, said)
    coil = (driver.command_coil or 0) // 16 * 16
    coils = [SimData(coil, values=[False] * 16, datatype=DataType.BITS)]
    action = partial(_on_access, simulation, scale, PlayedRegisters(driver, scale))
    discrete = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    return SimDevice(number, (coils, discrete, holding, inputs), action=action)


async def _on_access(
    simulation: Simulation,
    scale: SimulatedScale,
    played: PlayedRegisters,
    function: int,
    start: int,
    address: int,
    _count: int,
    registers: list[int],
    values: list[int] | list[bool] | None,
) -> ExcCodes | None:
    """Called by the server before each access: freshens what is read, obeys what is written."""
    if scale.link_lost:
        raise NoSuchIdException("the simulated link is cut")  # the server then stays silent
    if scale.condition.link_delay_ms:
        await asyncio.sleep(scale.condition.link_delay_ms / 1000)
    driver = simulation.driver
    coils = {_READ_COIL, _WRITE_COIL} if driver.command_coil is not None else set()
    if function not in {HOLDING, driver.read_function, _WRITE_ONE, _WRITE_MANY, *coils}:
        return ExcCodes.ILLEGAL_FUNCTION
    now_ms = simulation.advance()
    if function == _WRITE_COIL and values:
        played.hear_coil(address, bool(values[0]), now_ms)
    elif values:
        played.hear(address, [int(value) for value in values], now_ms)
    if function == driver.read_function:
        for at, word in played.said().items():
            registers[at - start] = word
    return None


async def _nobody(*_access: object) -> ExcCodes:
    return ExcCodes.GATEWAY_NO_RESPONSE


async def _silence(*_access: object) -> None:
    raise NoSuchIdException("nobody on the cable has this unit id")


async def serve_tcp(simulation: Simulation, host: str, port: int) -> tuple[ModbusTcpServer, int]:
    """The scales behind a TCP port; returns the server and its port. Raises SimulatorError."""
    server = ModbusTcpServer(modbus_devices(simulation), address=(host, port), ignore_missing_devices=True)
    try:
        await server.serve_forever(background=True)
    except RuntimeError as failure:
        raise SimulatorError(_cannot_listen(host, port, "--port")) from failure
    return server, _port_of(cast(asyncio.Server, server.transport))


async def serve_serial(simulation: Simulation, port: str, baud: int) -> ModbusSerialServer:
    """The scales on a serial cable (RTU). Raises SimulatorError."""
    devices = modbus_devices(simulation)
    devices[-1].action = _silence
    server = ModbusSerialServer(devices, port=port, baudrate=baud, ignore_missing_devices=True, reconnect_delay=0)
    try:
        await server.serve_forever(background=True)
    except RuntimeError as failure:
        raise SimulatorError(f"The simulator cannot open {port}: --serial names no free port.") from failure
    return server


# ---------------------------------------------------------------- the world port


async def _serve_world(simulation: Simulation, host: str, port: int) -> tuple[asyncio.Server, int]:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(_act(simulation, line), ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError):
            pass  # gone, or a line beyond the reader's limit, or the simulator ends: nobody waits for this task
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(converse, host, port)
    except OSError as failure:
        raise SimulatorError(_cannot_listen(host, port, "--world-port")) from failure
    return server, _port_of(server)


def _act(simulation: Simulation, line: bytes) -> dict[str, object]:
    """Do what one line of the world port asks and say how it went."""
    try:
        wish = json.loads(line)
        scale = simulation.scales[wish["scale"]]
        return {"ok": True, "gross_g": _do(scale, wish, simulation.advance())}
    except WorldRefusal as refusal:
        return {"ok": False, "error": str(refusal)}
    except (ValueError, KeyError, TypeError):
        return {
            "ok": False,
            "error": f'expected {{"scale": 1 to {len(simulation.scales)}}} with one of '
            '"place": {"label": text, "empty_g": grams}, "remove": true, '
            f'"fault": {"|".join(SETTABLE_FAULTS)} or null, "set": {{{", ".join(LIMITS)}: number}}',
        }


def _do(scale: SimulatedScale, wish: dict[str, object], now_ms: int) -> int:
    match wish:
        case {"place": {"label": str(label), "empty_g": int(empty_g)}} if 0 < empty_g <= CAPACITY_G:
            return scale.place(label, empty_g, now_ms)
        case {"remove": True}:
            return scale.remove(now_ms)
        case {"fault": None}:
            return scale.set_fault(None, now_ms)
        case {"fault": str(fault)} if fault in SETTABLE_FAULTS:
            return scale.set_fault(fault, now_ms)
        case {"set": dict(numbers)}:
            return scale.set_condition(now_ms, **condition_of(numbers))
    raise ValueError("no such wish")


# ---------------------------------------------------------------- the command line


_CONDITIONS = {
    "noise_g": "grams of noise while gas flows",
    "drift_g_per_min": "grams by which the zero wanders in a simulated minute",
    "tare_offset_g": "grams that the scale shows too much: a tampered tare",
    "overshoot_g": "grams that run in after the valve has shut, beside the usual 25",
    "bypass_g_s": "grams a second that flow past the valve: a manual bypass",
    "link_delay_ms": "milliseconds by which each answer is late",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `station-agent simulate-scale`."""
    number, factor = partial(_whole, low=0, high=65_535), _factor
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument(
        "--port", type=number, default=1502, help="Modbus TCP port, 0 picks a free one (default %(default)s)"
    )
    parser.add_argument(
        "--world-port",
        type=number,
        default=0,
        help="port of the operator's hands: JSON lines that place and remove cylinders (default: a free one)",
    )
    parser.add_argument(
        "--scales",
        type=partial(_whole, low=1, high=247),
        default=4,
        help="number of scales, unit ids 1 to N (default %(default)s)",
    )
    parser.add_argument(
        "--time-factor",
        type=factor,
        default=1.0,
        help="simulated seconds per second, up to 100 (default 1); the 3 s watchdog stays real time",
    )
    parser.add_argument(
        "--driver",
        default="demo-scale",
        help="register map to play: shipped, or a .toml file (default %(default)s)",
    )
    parser.add_argument("--serial", metavar="PORT", help="play on this serial port (RTU), not on TCP")
    parser.add_argument("--baud", type=number, default=9600, help="its speed (default %(default)s)")
    for name, meaning in _CONDITIONS.items():
        low, high = LIMITS[name]
        told = f"{meaning}, {low:g} to {high:g} (default {getattr(Condition(), name):g})"
        option = "--" + name.replace("_", "-")
        kind = partial(_within, low=low, high=high)
        parser.add_argument(option, dest=name, type=kind, default=getattr(Condition(), name), metavar="N", help=told)
    parser.add_argument(
        "--log",
        type=Path,
        required=True,
        help="file to append every change of valve and weight to, as JSON lines",
    )
    parser.add_argument("--ready-file", type=Path, help="file to write the two ports to, as JSON, once listening")
    parser.add_argument("--json", action="store_true", help="say where it listens as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Simulate until SIGINT or SIGTERM. Returns 0 after a clean stop, 2 if it could not start or go on."""
    logging.getLogger("pymodbus").addHandler(logging.NullHandler())
    try:
        if arguments.ready_file is not None:
            arguments.ready_file.unlink(missing_ok=True)
        with arguments.log.open("a", encoding="utf-8") as log:
            asyncio.run(_simulate(arguments, log))
    except (SimulatorError, DriverError) as failure:
        print(failure, file=sys.stderr)
        return 2
    except OSError as failure:
        print(
            f"The simulator cannot write {failure.filename or arguments.log}: {failure.strerror}.",
            file=sys.stderr,
        )
        return 2
    return 0


async def _simulate(arguments: argparse.Namespace, log: TextIO) -> None:
    driver = await asyncio.to_thread(load_driver, arguments.driver)
    condition = Condition(**{name: getattr(arguments, name) for name in _CONDITIONS})
    simulation = Simulation(arguments.scales, arguments.time_factor, written_to(log), driver, condition)
    modbus: ModbusBaseServer
    port = 0
    if arguments.serial:
        modbus = await serve_serial(simulation, arguments.serial, arguments.baud)
    else:
        modbus, port = await serve_tcp(simulation, arguments.host, arguments.port)
    try:
        world, world_port = await _serve_world(simulation, arguments.host, arguments.world_port)
        try:
            stop = _told_to_stop()  # before anybody hears that it runs: whoever does may tell it to stop at once
            _announce(arguments, {"port": port, "world_port": world_port})
            await _run_until(stop, simulation)
        finally:
            world.close()
    finally:
        await modbus.shutdown()  # type: ignore[no-untyped-call]
        simulation.power_off()


def _told_to_stop() -> asyncio.Event:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    return stop


async def _run_until(stop: asyncio.Event, simulation: Simulation) -> None:
    advancing, stopping = asyncio.create_task(simulation.run()), asyncio.create_task(stop.wait())
    done, pending = await asyncio.wait({advancing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()  # a log that can no longer be written ends the simulation


def _announce(arguments: argparse.Namespace, ports: dict[str, int]) -> None:
    if arguments.ready_file is not None:
        half = arguments.ready_file.with_name(arguments.ready_file.name + ".part")
        half.write_text(json.dumps(ports) + "\n", "utf-8")
        half.replace(arguments.ready_file)
    if arguments.json:
        print(json.dumps(ports | {"scales": arguments.scales, "time_factor": arguments.time_factor}), flush=True)
    else:
        where = (
            f"{arguments.serial} (Modbus RTU" if arguments.serial else f"{arguments.host}:{ports['port']} (Modbus TCP"
        )
        print(
            f"Filling scales listen on {where}, unit ids 1 to "
            f"{arguments.scales}, time x {arguments.time_factor:g}); the world port is "
            f"{arguments.host}:{ports['world_port']}. Stop with Ctrl+C.",
            flush=True,
        )


def _port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def _cannot_listen(host: str, port: int, option: str) -> str:
    return (
        f"The simulator cannot listen on {host}:{port}: the port is in use, or the address is not this machine's. "
        f"Choose another with {option} or --host."
    )


def _whole(text: str, *, low: int, high: int) -> int:
    if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
        raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {high}, is {text!r}")
    return int(text)


def _within(text: str, *, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"must be a number from {low:g} to {high:g}, is {text!r}")
    return number


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0.1 <= factor <= 100:
        raise argparse.ArgumentTypeError(f"must be a number from 0.1 to 100, is {text!r}")
    return factor
