"""The filling scale (充装秤) and its valve, as a lane of the station sees them.

`Scale` is what a lane needs. `ModbusScale` fulfils it over Modbus TCP or RTU with a register map from a driver
file; the lanes behind one address or one serial cable share a `ScaleLink`. The valve output is permissive: the scale
keeps its valve open only while the host asks for it again and again. So every failure here is one
exception, `ScaleFault`; the lane shuts and records, and if even that is lost, silence shuts the valve.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.client.base import ModbusBaseClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from station_agent.devices.driver import HOLDING, ONE_BY_ONE, ScaleDriver

# The library logs every lost frame; what matters of it reaches the lane as ScaleFault.
logging.getLogger("pymodbus").addHandler(logging.NullHandler())


class ScaleFault(Exception):
    """The scale did not answer, answered nonsense, or refused. The text is a sentence for the record."""


HEAVIEST_G = 2_000_000
"""The largest mass that a record can state."""


@dataclass(frozen=True, slots=True)
class ScaleReading:
    """What a scale said at one moment.

    `at_ms` is the host's monotonic clock, `gross_g` the weight on the platform in grams (毛重),
    `stable` whether it has come to rest, `fault` the name of a fault the scale reports, or None.
    `watchdog_tripped` says that the scale shut because it no longer heard the host.
    Raises ScaleFault for a weight that nothing on a filling scale has.
    """

    at_ms: int
    gross_g: int
    stable: bool
    valve_open: bool
    fault: str | None
    watchdog_tripped: bool

    def __post_init__(self) -> None:
        if abs(self.gross_g) > HEAVIEST_G:
            raise ScaleFault(f"The scale shows {self.gross_g} g, which no cylinder weighs.")


class Scale(Protocol):
    """One filling scale with a valve. Every method raises ScaleFault when it cannot do its work."""

    @property
    def overshoot_g(self) -> int:
        """How far below the stop weight its valve may be shut, because so much still runs in (过冲)."""

    async def read(self) -> ScaleReading:
        """Weigh and look at the valve."""

    async def open_valve(self, stop_at_gross_g: int) -> None:
        """Ask for gas until that gross weight; it flows only as long as `refresh` follows in time."""

    async def refresh(self) -> None:
        """Say that the host is alive and still wants what it last asked for."""

    async def shut_valve(self) -> None:
        """Ask for no gas."""


@dataclass(frozen=True, slots=True)
class TcpPort:
    """Where scales answer over Modbus TCP."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def client(self, timeout_s: float) -> ModbusBaseClient:
        """A client that is not connected yet."""
        return AsyncModbusTcpClient(self.host, port=self.port, timeout=timeout_s, retries=0, reconnect_delay=0)


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial cable (RS-485, RS-232) on which scales answer over Modbus RTU: `/dev/ttyUSB0`, `COM3`."""

    name: str
    baud: int = 9600
    parity: str = "N"
    stop_bits: int = 1

    def __str__(self) -> str:
        return self.name

    def client(self, timeout_s: float) -> ModbusBaseClient:
        """A client that is not connected yet."""
        return AsyncModbusSerialClient(
            self.name,
            baudrate=self.baud,
            parity=self.parity,
            stopbits=self.stop_bits,
            timeout=timeout_s,
            retries=0,
            reconnect_delay=0,
        )


class ScaleLink:
    """One connection, shared by the scales behind it, made at first use and remade after a loss.

    `timeout_ms` bounds the wait for one answer; a call that also waits for other lanes gives up after
    three times that. Belongs to one event loop.
    """

    def __init__(self, port: TcpPort | SerialPort, *, timeout_ms: int = 500) -> None:
        self._port = port
        self._timeout_s = timeout_ms / 1000
        self._client: ModbusBaseClient | None = None
        self._quiet_until = 0.0
        self._turn = asyncio.Lock()

    async def read(self, unit: int, address: int, count: int, function: int = HOLDING) -> list[int]:
        """`count` holding or input registers (function 03, 04) of that unit. Raises ScaleFault."""

        async def ask(client: ModbusBaseClient) -> ModbusPDU:
            reading = client.read_holding_registers if function == HOLDING else client.read_input_registers
            return await reading(address, count=count, device_id=unit)

        answer = await self._call(unit, ask)
        if len(answer.registers) != count:
            raise ScaleFault(f"{self._name(unit)} answered {len(answer.registers)} registers, not {count}.")
        return list(answer.registers)

    async def write(self, unit: int, address: int, words: list[int]) -> None:
        """Set consecutive holding registers of that unit at once (function 16). Raises ScaleFault."""
        await self._call(unit, lambda client: client.write_registers(address, words, device_id=unit))

    async def write_one(self, unit: int, address: int, word: int) -> None:
        """Set one holding register of that unit (function 06). Raises ScaleFault."""
        await self._call(unit, lambda client: client.write_register(address, word, device_id=unit))

    async def write_coil(self, unit: int, address: int, on: bool) -> None:
        """Set one coil of that unit (function 05). Raises ScaleFault."""
        await self._call(unit, lambda client: client.write_coil(address, on, device_id=unit))

    def close(self) -> None:
        """Drop the connection. Scales left open shut when they no longer hear the host."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _name(self, unit: int) -> str:
        return f"Scale {unit} at {self._port}"

    async def _call(self, unit: int, ask: Callable[[ModbusBaseClient], Awaitable[ModbusPDU]]) -> ModbusPDU:
        try:
            async with asyncio.timeout(3 * self._timeout_s), self._turn:
                answer = await self._asked(unit, ask)
        except (ModbusException, OSError) as failure:  # a TimeoutError is an OSError
            _require_not_called_off()
            raise ScaleFault(f"{self._name(unit)} does not answer.") from failure
        _require_not_called_off()
        if answer.isError():
            raise ScaleFault(f"{self._name(unit)} refuses: Modbus exception {answer.exception_code}.")
        return answer

    async def _asked(self, unit: int, ask: Callable[[ModbusBaseClient], Awaitable[ModbusPDU]]) -> ModbusPDU:
        try:
            return await ask(await self._connected(unit))
        except (ModbusException, OSError, asyncio.CancelledError):
            # RTU frames carry no number: an answer that comes late would be taken for the next one's. So the cable is
            # left alone for a while, and what has come by then is thrown away as the port is opened anew.
            if isinstance(self._port, SerialPort):
                self.close()
                self._quiet_until = asyncio.get_running_loop().time() + self._timeout_s / 5
            raise

    async def _connected(self, unit: int) -> ModbusBaseClient:
        if self._client is None or not self._client.connected:
            self.close()
            await asyncio.sleep(self._quiet_until - asyncio.get_running_loop().time())
            self._client = self._port.client(self._timeout_s)
            if not await self._client.connect():
                _require_not_called_off()
                raise ScaleFault(f"{self._name(unit)} cannot be reached: no connection.")
        return self._client


class ModbusScale:
    """A scale behind a ScaleLink, understood through a driver file.

    `boot_id` (1 to 65535) is drawn anew at each start of the agent, so that a scale can tell a restarted
    host from the one whose permit it holds. `clock` gives the host's monotonic milliseconds.
    """

    def __init__(
        self, link: ScaleLink, unit: int, driver: ScaleDriver, *, boot_id: int, clock: Callable[[], int]
    ) -> None:
        if not 1 <= boot_id <= 0xFFFF:
            raise ValueError(f"boot_id must be 1 to 65535, is {boot_id}")
        self._link = link
        self._unit = unit
        self._driver = driver
        self._boot_id = boot_id
        self._clock = clock
        self._wanted = "shut"
        self._said_at: int | None = None
        self._stop_at_g: int | None = None
        self._owes_shut = False
        self._host_heartbeat = 0
        self._scale_heartbeat: tuple[int, int] | None = None

    def take_over(self) -> None:
        """From now on this process commands the valve: its first word on the link will be "shut".

        A scale whose watchdog counts every frame as life would otherwise keep open, for as long as we only weigh,
        what an earlier run had asked for.
        """
        self._owes_shut = self._driver.has_valve

    @property
    def overshoot_g(self) -> int:
        """By its driver."""
        return self._driver.overshoot_g

    async def read(self) -> ScaleReading:
        """Weigh and look at the valve: one block read.

        A scale that takes no stop weight is shut here, before the overshoot would carry the fill beyond it.
        """
        if self._owes_shut:
            await self.shut_valve()
        reading = await self._look()
        if self._stop_at_g is not None and reading.gross_g >= self._stop_at_g - self._driver.overshoot_g:
            await self.shut_valve()
            reading = await self._look()
        return reading

    async def open_valve(self, stop_at_gross_g: int) -> None:
        """Ask for gas until that gross weight.

        The stop weight goes first, with the valve commanded shut, and is read back: a scale that did not
        take it would fill without an end. Only then follows the command, as the edge the scale waits for.
        """
        if not self._driver.has_valve:
            raise ScaleFault(f"Scale {self._unit} has no valve, by its driver {self._driver.name}.")
        if "stop_at" in self._driver.writes:
            await self._set_stop_weight(stop_at_gross_g)
        else:
            await self._say("shut", **self._boot())
            self._stop_at_g = stop_at_gross_g
        await self._say("open")

    async def refresh(self) -> None:
        """Say that the host is alive and still wants what it last asked for.

        Not after a silence in which the scale has shut: then "open" would be a second opening, under no permit.
        """
        if not self._driver.has_valve:
            return
        if self._wanted == "open" and self._silent_ms() >= self._driver.silence_ms:
            self._wanted = "shut"
            raise ScaleFault(f"Scale {self._unit} has not heard from the station for {self._silent_ms()} ms.")
        await self._write(self._wanted)

    async def shut_valve(self) -> None:
        """Ask for no gas. After a ScaleFault here the scale shuts by itself for want of a heartbeat."""
        self._stop_at_g = None
        if self._driver.has_valve:
            await self._say("shut", **(self._boot() if self._owes_shut else {}))

    async def _look(self) -> ScaleReading:
        driver = self._driver
        start, count = driver.block
        words = await self._link.read(self._unit, start, count, driver.read_function)
        at_ms = self._clock()
        field = {name: words[address - start] for name, address in driver.reads.items()}
        self._check_protocol(field)
        self._check_alive(field, at_ms)
        return ScaleReading(
            at_ms=at_ms,
            gross_g=self._gross_g(words, field["status"]),
            stable=self._bit(field["status"], "stable"),
            valve_open=self._bit(field["status"], "valve_open"),
            fault=self._fault(field),
            watchdog_tripped=self._bit(field["status"], "watchdog_tripped"),
        )

    async def _set_stop_weight(self, stop_at_gross_g: int) -> None:
        try:
            stop_at = self._driver.weight.to_words(stop_at_gross_g)
        except OverflowError:
            raise ScaleFault(f"Scale {self._unit} cannot hold a stop weight of {stop_at_gross_g} g.") from None
        await self._say("shut", stop_at=stop_at, **self._boot())
        held = await self._link.read(self._unit, self._driver.writes["stop_at"], len(stop_at))
        if held != stop_at:
            raise ScaleFault(f"Scale {self._unit} did not take the stop weight of {stop_at_gross_g} g.")

    def _boot(self) -> dict[str, list[int]]:
        return {"boot_id": [self._boot_id]} if "boot_id" in self._driver.writes else {}

    async def _say(self, command: str, **fields: list[int]) -> None:
        # Forget "open" before anything is sent: a later refresh must not repeat what may not have arrived.
        self._wanted = "shut"
        await self._write(command, **fields)
        self._wanted, self._owes_shut = command, False

    async def _write(self, command: str, **fields: list[int]) -> None:
        """Everything the host says, the command last."""
        writes = self._driver.writes
        if "host_heartbeat" in writes:
            self._host_heartbeat = self._host_heartbeat % 0xFFFF + 1
            fields = {"host_heartbeat": [self._host_heartbeat], **fields}
        registers = {writes[name]: words for name, words in fields.items()}
        if self._driver.command_coil is not None:
            await self._write_registers(registers)
            await self._link.write_coil(self._unit, self._driver.command_coil, command == "open")
        else:
            registers[writes["command"]] = [await self._command_word(command)]
            await self._write_registers(registers)
        self._said_at = self._clock()

    async def _write_registers(self, registers: dict[int, list[int]]) -> None:
        if self._driver.write_function == ONE_BY_ONE:
            for address, words in registers.items():
                for offset, word in enumerate(words):
                    await self._link.write_one(self._unit, address + offset, word)
            return
        for address, words in _runs(registers):
            await self._link.write(self._unit, address, words)

    async def _command_word(self, command: str) -> int:
        """The command's register; bits of it that are not ours stay as they are."""
        driver = self._driver
        if driver.command_mask == 0xFFFF:
            return driver.commands[command]
        before = (await self._link.read(self._unit, driver.writes["command"], 1))[0]
        return before & ~driver.command_mask | driver.commands[command]

    def _silent_ms(self) -> int:
        return 0 if self._said_at is None else self._clock() - self._said_at

    def _check_protocol(self, field: dict[str, int]) -> None:
        if field.get("protocol", self._driver.expected_protocol) != self._driver.expected_protocol:
            raise ScaleFault(
                f"Scale {self._unit} speaks protocol {field['protocol']}, "
                f"the driver {self._driver.name} expects {self._driver.expected_protocol}."
            )

    def _check_alive(self, field: dict[str, int], at_ms: int) -> None:
        heartbeat = field.get("heartbeat")
        if heartbeat is None:
            return
        if self._scale_heartbeat is None or self._scale_heartbeat[0] != heartbeat:
            self._scale_heartbeat = (heartbeat, at_ms)
        elif at_ms - self._scale_heartbeat[1] >= self._driver.silence_ms:
            raise ScaleFault(f"Scale {self._unit} is frozen: its heartbeat has stood still too long.")

    def _gross_g(self, words: list[int], status: int) -> int:
        at = self._driver.reads["gross"] - self._driver.block[0]
        try:
            gross_g = self._driver.weight.from_words(words[at : at + self._driver.weight.words])
        except (ValueError, OverflowError) as nonsense:
            raise ScaleFault(f"Scale {self._unit} shows no weight: {nonsense}.") from None
        return -gross_g if self._bit(status, "negative") else gross_g

    def _bit(self, status: int, name: str) -> bool:
        place = self._driver.status_bits.get(name)
        return place is not None and bool(status >> place & 1) != (name in self._driver.inverted)

    def _fault(self, field: dict[str, int]) -> str | None:
        if code := field.get("fault_code", 0):
            return self._driver.faults.get(code, f"code_{code}")
        return "overload" if self._bit(field["status"], "overload") else None


def _require_not_called_off() -> None:
    """Raise the cancellation that the library has lost; a task that went on without it would never end.

    It makes a fault of its own of it, and where an answer comes in the same moment Python 3.11's `wait_for` drops it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _runs(writes: dict[int, list[int]]) -> list[tuple[int, list[int]]]:
    """Neighbouring registers joined into one write each, so that a scale takes them at the same moment.

    The run that holds the last of the writes given, the command, is sent last.
    """
    runs: list[tuple[int, list[int]]] = []
    for address, words in sorted(writes.items()):
        if runs and runs[-1][0] + len(runs[-1][1]) == address:
            runs[-1][1].extend(words)
        else:
            runs.append((address, list(words)))
    command = list(writes)[-1] if writes else 0
    return sorted(runs, key=lambda run: run[0] <= command < run[0] + len(run[1]))
