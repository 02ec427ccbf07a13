"""The filling scale (充装秤) and its valve, as a lane of the station sees them.

`Scale` is what a lane needs. `ModbusScale` fulfils it over Modbus TCP with a register map from a driver
file; the lanes of a station share one connection, `ScaleLink`. The valve output is permissive: the scale
keeps its valve open only while the host asks for it again and again. So every failure here is one
exception, `ScaleFault`; the lane shuts and records, and if even that is lost, silence shuts the valve.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from station_agent.devices.driver import ScaleDriver

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

    async def read(self) -> ScaleReading:
        """Weigh and look at the valve."""

    async def open_valve(self, stop_at_gross_g: int) -> None:
        """Ask for gas until that gross weight; it flows only as long as `refresh` follows in time."""

    async def refresh(self) -> None:
        """Say that the host is alive and still wants what it last asked for."""

    async def shut_valve(self) -> None:
        """Ask for no gas."""


class ScaleLink:
    """One Modbus TCP connection, shared by the scales behind it, made at first use and remade after a loss.

    `timeout_ms` bounds the wait for one answer; a call that also waits for other lanes gives up after
    three times that. Belongs to one event loop.
    """

    def __init__(self, host: str, port: int, *, timeout_ms: int = 500) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_ms / 1000
        self._client: AsyncModbusTcpClient | None = None
        self._connecting = asyncio.Lock()

    async def read(self, unit: int, address: int, count: int) -> list[int]:
        """`count` holding registers of that unit. Raises ScaleFault."""

        async def ask(client: AsyncModbusTcpClient) -> ModbusPDU:
            return await client.read_holding_registers(address, count=count, device_id=unit)

        answer = await self._call(unit, ask)
        if len(answer.registers) != count:
            raise ScaleFault(f"{self._name(unit)} answered {len(answer.registers)} registers, not {count}.")
        return list(answer.registers)

    async def write(self, unit: int, address: int, words: list[int]) -> None:
        """Set consecutive holding registers of that unit at once. Raises ScaleFault."""

        async def ask(client: AsyncModbusTcpClient) -> ModbusPDU:
            return await client.write_registers(address, words, device_id=unit)

        await self._call(unit, ask)

    def close(self) -> None:
        """Drop the connection. Scales left open shut when they no longer hear the host."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _name(self, unit: int) -> str:
        return f"Scale {unit} at {self._host}:{self._port}"

    async def _call(self, unit: int, ask: Callable[[AsyncModbusTcpClient], Awaitable[ModbusPDU]]) -> ModbusPDU:
        try:
            async with asyncio.timeout(3 * self._timeout_s):
                answer = await ask(await self._connected(unit))
        except (ModbusException, OSError) as failure:  # a TimeoutError is an OSError
            raise ScaleFault(f"{self._name(unit)} does not answer.") from failure
        if answer.isError():
            raise ScaleFault(f"{self._name(unit)} refuses: Modbus exception {answer.exception_code}.")
        return answer

    async def _connected(self, unit: int) -> AsyncModbusTcpClient:
        async with self._connecting:
            if self._client is None or not self._client.connected:
                self.close()
                self._client = AsyncModbusTcpClient(
                    self._host, port=self._port, timeout=self._timeout_s, retries=0, reconnect_delay=0
                )
                if not await self._client.connect():
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
        self._command = driver.commands["shut"]
        self._host_heartbeat = 0
        self._scale_heartbeat: tuple[int, int] | None = None

    async def read(self) -> ScaleReading:
        """Weigh and look at the valve: one block read."""
        driver = self._driver
        start, count = driver.block
        words = await self._link.read(self._unit, start, count)
        at_ms = self._clock()
        field = {name: words[address - start] for name, address in driver.reads.items()}
        if field["protocol"] != driver.expected_protocol:
            raise ScaleFault(
                f"Scale {self._unit} speaks protocol {field['protocol']}, "
                f"the driver {driver.name} expects {driver.expected_protocol}."
            )
        self._check_alive(field["heartbeat"], at_ms)
        gross = driver.reads["gross"] - start
        return ScaleReading(
            at_ms=at_ms,
            gross_g=driver.words_to_weight(words[gross : gross + driver.weight_words]),
            stable=self._bit(field["status"], "stable"),
            valve_open=self._bit(field["status"], "valve_open"),
            fault=self._fault(field["fault_code"], field["status"]),
            watchdog_tripped=self._bit(field["status"], "watchdog_tripped"),
        )

    async def open_valve(self, stop_at_gross_g: int) -> None:
        """Ask for gas until that gross weight.

        The stop weight goes first, with the valve commanded shut, and is read back: a scale that did not
        take it would fill without an end. Only then follows the command, as the edge the scale waits for.
        """
        try:
            stop_at = self._driver.weight_to_words(stop_at_gross_g)
        except OverflowError:
            raise ScaleFault(f"Scale {self._unit} cannot hold a stop weight of {stop_at_gross_g} g.") from None
        await self._say("shut", stop_at=stop_at, boot_id=[self._boot_id])
        held = await self._link.read(self._unit, self._driver.writes["stop_at"], len(stop_at))
        if held != stop_at:
            raise ScaleFault(f"Scale {self._unit} did not take the stop weight of {stop_at_gross_g} g.")
        await self._say("open")

    async def refresh(self) -> None:
        """Say that the host is alive and still wants what it last asked for."""
        await self._write(command=[self._command])

    async def shut_valve(self) -> None:
        """Ask for no gas. After a ScaleFault here the scale shuts by itself for want of a heartbeat."""
        await self._say("shut")

    async def _say(self, command: str, **fields: list[int]) -> None:
        # Forget "open" before anything is sent: a later refresh must not repeat what may not have arrived.
        self._command = self._driver.commands["shut"]
        await self._write(**fields, command=[self._driver.commands[command]])
        self._command = self._driver.commands[command]

    async def _write(self, **fields: list[int]) -> None:
        self._host_heartbeat = self._host_heartbeat % 0xFFFF + 1
        fields = {"host_heartbeat": [self._host_heartbeat], **fields}
        for address, words in _runs({self._driver.writes[name]: words for name, words in fields.items()}):
            await self._link.write(self._unit, address, words)

    def _check_alive(self, heartbeat: int, at_ms: int) -> None:
        if self._scale_heartbeat is None or self._scale_heartbeat[0] != heartbeat:
            self._scale_heartbeat = (heartbeat, at_ms)
        elif at_ms - self._scale_heartbeat[1] >= self._driver.silence_ms:
            raise ScaleFault(f"Scale {self._unit} is frozen: its heartbeat has stood still too long.")

    def _bit(self, status: int, name: str) -> bool:
        return bool(status >> self._driver.status_bits[name] & 1)

    def _fault(self, code: int, status: int) -> str | None:
        if code:
            return self._driver.faults.get(code, f"code_{code}")
        return "overload" if self._bit(status, "overload") else None


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
    command = list(writes)[-1]
    return sorted(runs, key=lambda run: run[0] <= command < run[0] + len(run[1]))
