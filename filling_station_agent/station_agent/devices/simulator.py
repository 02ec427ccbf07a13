"""`station-agent simulate-scale`: filling scales that speak Modbus TCP, with a log of their own.

The log, one JSON line per change of valve, weight or fault, is the witness in every safety test: it is
written by the scales, not by the station. A second port, the world port, stands for the operator's hands.
"""

import argparse
import asyncio
import json
import logging
import signal
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TextIO, cast

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from station_agent.devices.scale_model import (
    CAPACITY_G,
    SETTABLE_FAULTS,
    Change,
    Controls,
    SimulatedScale,
    WorldRefusal,
)

_STEP_S = 0.02  # of simulated time: 5 g at full flow
_TICK_S = 0.02  # of wall time
_LONGEST_LEAP_MS = 250  # a process that was held up loses simulated time instead of leaping over the host
_READ, _WRITE_ONE, _WRITE_MANY = 3, 6, 16
_SAID_AT, _SAID = 0, 7  # first register and number of registers the scale sets
_TOLD_AT, _TOLD = 10, 5  # the same for those the host sets


ABOUT = """\
Play filling scales that speak Modbus TCP, with a log of their own. The log, one
JSON line per change of valve, weight or fault, is written by the scales, not by
the station. A second port, the world port, stands for the operator's hands."""


class SimulatorError(Exception):
    """The simulator cannot start. The text is a sentence for stderr."""


class Simulation:
    """All scales, driven by the wall clock times a factor, and their log."""

    def __init__(self, scales: int, time_factor: float, log: TextIO) -> None:
        self._log = log
        self._time_factor = time_factor
        self._began = (time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000)
        self._now_ms = self._began[0]
        self._owed_s = 0.0
        self.scales = {number: SimulatedScale(number, self._write) for number in range(1, scales + 1)}

    def advance(self) -> int:
        """Bring every scale up to the present and return it: UTC milliseconds that never jump."""
        before = self._now_ms
        self._now_ms = self._began[0] + time.monotonic_ns() // 1_000_000 - self._began[1]
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

    def _write(self, change: Change) -> None:
        line = asdict(change)
        if line["stop_at_gross_g"] is None:
            del line["stop_at_gross_g"]
        self._log.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._log.flush()


# ---------------------------------------------------------------- Modbus


def _modbus_device(simulation: Simulation, number: int) -> SimDevice:
    said = SimData(_SAID_AT, count=_SAID, values=0, datatype=DataType.REGISTERS, readonly=True)
    told = SimData(_TOLD_AT, count=_TOLD, values=0, datatype=DataType.REGISTERS)
    return SimDevice(number, [said, told], action=partial(_on_access, simulation, simulation.scales[number]))


async def _on_access(
    simulation: Simulation,
    scale: SimulatedScale,
    function: int,
    _start: int,
    address: int,
    _count: int,
    registers: list[int],
    values: list[int] | list[bool] | None,
) -> ExcCodes | None:
    """Called by the server before each access: freshens what is read, obeys what is written."""
    if scale.link_lost:
        raise NoSuchIdException("the simulated link is cut")  # the server then stays silent
    if function not in {_READ, _WRITE_ONE, _WRITE_MANY}:
        return ExcCodes.ILLEGAL_FUNCTION
    now_ms = simulation.advance()
    if values is not None:
        told = registers[_TOLD_AT : _TOLD_AT + _TOLD]
        told[address - _TOLD_AT : address - _TOLD_AT + len(values)] = values
        scale.obey(_controls(told), now_ms)
    registers[_SAID_AT : _SAID_AT + _SAID] = scale.registers()
    return None


def _controls(told: list[int]) -> Controls:
    stop_at_g = int.from_bytes(b"".join(word.to_bytes(2, "big") for word in told[2:4]), "big", signed=True)
    return Controls(command=told[0], heartbeat=told[1], stop_at_g=stop_at_g, boot_id=told[4])


async def _nobody(*_access: object) -> ExcCodes:
    return ExcCodes.GATEWAY_NO_RESPONSE


async def _serve_modbus(simulation: Simulation, host: str, port: int) -> tuple[ModbusTcpServer, int]:
    devices = [_modbus_device(simulation, number) for number in simulation.scales]
    # Unit 0 of this server stands for every unit that is not there.
    absent = SimDevice(0, [SimData(0, count=16, values=0, datatype=DataType.REGISTERS)], action=_nobody)
    server = ModbusTcpServer([*devices, absent], address=(host, port), ignore_missing_devices=True)
    try:
        await server.serve_forever(background=True)
    except RuntimeError as failure:
        raise SimulatorError(_cannot_listen(host, port, "--port")) from failure
    return server, _port_of(cast(asyncio.Server, server.transport))


# ---------------------------------------------------------------- the world port


async def _serve_world(simulation: Simulation, host: str, port: int) -> tuple[asyncio.Server, int]:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(_act(simulation, line), ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):  # gone, or a line beyond the reader's limit
            pass
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
            f'"fault": {"|".join(SETTABLE_FAULTS)} or null',
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
    raise ValueError("no such wish")


# ---------------------------------------------------------------- the command line


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
    except SimulatorError as failure:
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
    simulation = Simulation(arguments.scales, arguments.time_factor, log)
    modbus, port = await _serve_modbus(simulation, arguments.host, arguments.port)
    try:
        world, world_port = await _serve_world(simulation, arguments.host, arguments.world_port)
        try:
            _announce(arguments, {"port": port, "world_port": world_port})
            await _until_stopped(simulation)
        finally:
            world.close()
    finally:
        await modbus.shutdown()  # type: ignore[no-untyped-call]
        simulation.power_off()


async def _until_stopped(simulation: Simulation) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
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
        print(
            f"Filling scales listen on {arguments.host}:{ports['port']} (Modbus TCP, unit ids 1 to "
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


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0.1 <= factor <= 100:
        raise argparse.ArgumentTypeError(f"must be a number from 0.1 to 100, is {text!r}")
    return factor
