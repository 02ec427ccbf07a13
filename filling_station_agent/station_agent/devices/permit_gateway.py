"""The fill-permit gateway (充装许可网关): a filling machine's HMI or PLC asks for a permit, over Modbus TCP.

Here the roles are the other way round: the machine opens and shuts its own gun, and we are the Modbus server that it
asks.  Each lane is a unit with 32 holding registers.

    machine writes  2 ReqBoot  4 length  5–20 code, two characters a register  3 ReqSeq, last
    agent answers   21 RespBoot  23 status  24 allow  25 reason  26–27 reasons as bits  31 latency  22 RespSeq, last
    always there    0 protocol  1 BootId  28 state  29 fault  30 heartbeat

A request walks the path of a scan, so that its decision is on the disk before `allow` can be 1.  `allow` falls back to
0 by itself when the lane's task has not renewed it for three seconds, and when the machine has not looked for so long;
it is never 1 for a request of another run: a machine gives our BootId back, and that is drawn anew at every start.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pymodbus.constants import ExcCodes

from station_agent.devices.scale import Scale, ScaleFault, ScaleReading

if TYPE_CHECKING:
    from pymodbus.simulator import SimDevice

PROTOCOL = 1
REGISTERS = 32
SILENCE_MS = 3_000
BOOT_ID, REQ_BOOT, REQ_SEQ, LENGTH, CODE, RESP_BOOT, RESP_SEQ, STATUS = 1, 2, 3, 4, 5, 21, 22, 23
ALLOW, REASON, REASONS, STATE, FAULT, HEARTBEAT, LATENCY = 24, 25, 26, 28, 29, 30, 31
NOTHING_ASKED, DECIDING, ALLOWED, REFUSED, FAULTY = range(5)
NO_FAULT, OLD_BOOT, UNREADABLE, LANE_BUSY, LANE_FAULT, AGENT_SILENT, MACHINE_SILENT = range(7)
STATES = ("idle", "scanned", "deciding", "permitted", "filling", "done", "refused", "fault", "checked")
"""Register 28 holds the place of the lane's state in this list."""

_LONGEST_CODE = 32
_READ, _WRITE_ONE, _WRITE_MANY = 3, 6, 16
_TRY_AGAIN_S = 1.0

Ask = Callable[[int, str], Awaitable[None]]
"""Walk the path of a scan: the lane's digit and what the machine has read."""


@dataclass(slots=True)
class _Request:
    """What a machine asked for and has not been told yet."""

    seq: int
    code: str
    at_ms: int


class GatewayGun:
    """One lane's gun behind a machine: the machine's registers on one side, a lane's `Scale` on the other.

    `weigher` is the scale that the lane reads; its own valve, if it has one, is never touched. `overshoot_g` is what
    still runs in after `allow` falls: the machine is told so much before the permit's weight.
    """

    def __init__(self, lane: int, boot_id: int, weigher: Scale, *, overshoot_g: int, clock: Callable[[], int]) -> None:
        self.lane = lane
        self.state: Callable[[], str] = lambda: STATES[0]
        self._boot_id = boot_id
        self._weigher = weigher
        self.overshoot_g = overshoot_g
        self._clock = clock
        self._told = [0] * REGISTERS
        self._answer = dict.fromkeys(
            (RESP_BOOT, RESP_SEQ, STATUS, ALLOW, REASON, REASONS, REASONS + 1, FAULT, LATENCY), 0
        )
        self._asked: _Request | None = None
        self._last_seq = 0
        self._renewed_at = self._heard_at = 0
        self._stop_at_g = 0

    # ------------------------------------------------------------ the lane's side

    async def read(self) -> ScaleReading:
        """The weight, and whether gas may flow: the machine's own valve we do not see. Raises ScaleFault."""
        reading = await self._weigher.read()
        self._watch_both()
        if self._answer[ALLOW] and reading.gross_g >= self._stop_at_g - self.overshoot_g:
            self._withdraw(ALLOWED, NO_FAULT)
        if self._answer[FAULT] in (AGENT_SILENT, MACHINE_SILENT) and self._stop_at_g:
            self._stop_at_g = 0
            raise ScaleFault(f"The machine of lane {self.lane} and the station have not heard of each other for 3 s.")
        return replace(reading, valve_open=bool(self._answer[ALLOW]))

    async def open_valve(self, stop_at_gross_g: int) -> None:
        """Allow the fill that the machine has asked for. Raises ScaleFault if it has asked for none."""
        if self._asked is None:
            raise ScaleFault(f"The machine of lane {self.lane} has not asked for this fill.")
        self._stop_at_g, self._renewed_at = stop_at_gross_g, self._clock()
        self._reply(ALLOWED, allow=1)

    async def refresh(self) -> None:
        """Renew the permit. One that was withdrawn stays withdrawn."""
        self._watch_both()
        self._renewed_at = self._clock()

    async def shut_valve(self) -> None:
        """Withdraw the permit."""
        self._stop_at_g = 0
        if self._answer[ALLOW]:
            self._withdraw(ALLOWED, NO_FAULT)

    def hear(self, event: str, reasons: list[str], raw_scan: str | None = None) -> None:
        """What was told of the lane, as everybody is told it: the end of a request that was not allowed."""
        if self._asked is None or (event == "busy" and raw_scan != self._asked.code):
            return
        if event == "refused":
            self._reply(REFUSED, reasons=reasons)
        elif event in ("busy", "fault", "dropped"):
            self._reply(FAULTY, fault=LANE_BUSY if event == "busy" else LANE_FAULT)

    # ------------------------------------------------------------ the machine's side

    def registers(self) -> list[int]:
        """All 32, as they read now."""
        self._watch_both()
        now, words = self._clock(), list(self._told)
        for address, word in self._answer.items():
            words[address] = word
        state = self.state()
        words[0], words[BOOT_ID] = PROTOCOL, self._boot_id
        words[STATE] = STATES.index(state) if state in STATES else len(STATES)
        words[HEARTBEAT] = now // 100 & 0xFFFF
        return words

    def looked(self) -> None:
        """The machine has asked for something, and so is alive."""
        self._watch_both()
        self._heard_at = self._clock()

    def write(self, address: int, words: list[int]) -> str | None:
        """The machine writes; returns the code that it asks for, if this was a new request."""
        self._told[address : address + len(words)] = words
        if not address <= REQ_SEQ < address + len(words) or self._told[REQ_SEQ] in (0, self._last_seq):
            return None
        self._last_seq = self._told[REQ_SEQ]
        self._withdraw(DECIDING, NO_FAULT)  # whatever was allowed before is over
        code = self._code()
        self._asked = _Request(self._last_seq, code, self._clock())
        if self._told[REQ_BOOT] != self._boot_id:
            self._reply(FAULTY, fault=OLD_BOOT)
        elif self._told[LENGTH] == 0:
            self._reply(NOTHING_ASKED)
        elif not code:
            self._reply(FAULTY, fault=UNREADABLE)
        else:
            return code
        return None

    def _code(self) -> str:
        """The code's characters; nothing if there are none, too many, or such as no code has."""
        length = self._told[LENGTH]
        if length > _LONGEST_CODE:
            return ""
        octets = b"".join(word.to_bytes(2, "big") for word in self._told[CODE : CODE + _LONGEST_CODE // 2])[:length]
        return octets.decode("ascii") if octets.isascii() and not octets.count(0) else ""

    # ------------------------------------------------------------ both

    def _watch_both(self) -> None:
        if not self._answer[ALLOW]:
            return
        now = self._clock()
        if now - self._renewed_at >= SILENCE_MS:
            self._withdraw(FAULTY, AGENT_SILENT)
        elif now - self._heard_at >= SILENCE_MS:
            self._withdraw(FAULTY, MACHINE_SILENT)

    def _withdraw(self, status: int, fault: int) -> None:
        self._answer |= {ALLOW: 0, STATUS: status, FAULT: fault}

    def _reply(self, status: int, *, allow: int = 0, reasons: list[str] | None = None, fault: int = NO_FAULT) -> None:
        """Everything of the answer, and RespSeq with it: no machine sees the one without the other."""
        if self._asked is None:
            return
        numbers = [int(code[1:]) for code in reasons or [] if code[1:].isdecimal()]
        bits = sum(1 << tens for tens in {number // 10 for number in numbers if number < 320})
        latency_ms = min(self._clock() - self._asked.at_ms, 0xFFFF)
        self._answer |= {RESP_BOOT: self._boot_id, STATUS: status, ALLOW: allow, REASON: (numbers or [0])[0]}
        self._answer |= {REASONS: bits >> 16, REASONS + 1: bits & 0xFFFF, FAULT: fault, LATENCY: latency_ms}
        self._answer[RESP_SEQ] = self._asked.seq
        self._asked = None


class PermitGateway:
    """The Modbus server of all lanes whose gun a machine opens; units as the settings give them."""

    def __init__(self, host: str, port: int) -> None:
        self.guns: dict[int, GatewayGun] = {}
        self._address = (host, port)
        self._asking: set[asyncio.Future[None]] = set()

    def add(self, unit: int, gun: GatewayGun) -> None:
        """Serve this gun as that unit."""
        self.guns[unit] = gun

    def hear(self, event: str, lane: int | None, reasons: list[str], raw_scan: str | None) -> None:
        """What was told of a lane."""
        for gun in self.guns.values():
            if gun.lane == lane:
                gun.hear(event, reasons, raw_scan)

    async def serve(self, ask: Ask, tell: Callable[[bool, str], None]) -> None:
        """Serve for ever; a port that is taken is told and tried again."""
        from pymodbus.server import ModbusTcpServer  # half a second, for the stations that have such machines

        devices = [_device(number, partial(self._access, gun, ask)) for number, gun in self.guns.items()]
        told = False
        while True:
            server = ModbusTcpServer(
                [*devices, _device(0, _nobody)], address=self._address, ignore_missing_devices=True
            )
            try:
                await server.serve_forever(background=True)
            except RuntimeError:
                if not told:
                    tell(False, f"the port {self._address[0]}:{self._address[1]} is taken")
                told = True
                await asyncio.sleep(_TRY_AGAIN_S)
                continue
            tell(True, f"{self._address[0]}:{self._address[1]}")
            try:
                await server.serving
            finally:
                await server.shutdown()  # type: ignore[no-untyped-call]

    async def _access(
        self,
        gun: GatewayGun,
        ask: Ask,
        function: int,
        _start: int,
        address: int,
        _count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if function not in (_READ, _WRITE_ONE, _WRITE_MANY):
            return ExcCodes.ILLEGAL_FUNCTION
        gun.looked()
        if values is not None:
            code = gun.write(address, [int(value) for value in values])
            if code is not None:
                walking = asyncio.ensure_future(ask(gun.lane, code))
                self._asking.add(walking)
                walking.add_done_callback(self._asking.discard)
        registers[:REGISTERS] = gun.registers()
        return None


async def _nobody(*_access: object) -> ExcCodes:
    return ExcCodes.GATEWAY_NO_RESPONSE


def _device(unit: int, action: Callable[..., Awaitable[ExcCodes | None]]) -> "SimDevice":
    """The machine may write 2 to 20; everything else is ours."""
    from pymodbus.simulator import DataType, SimData, SimDevice

    ours, theirs = range(BOOT_ID + 1), range(REQ_BOOT, RESP_BOOT)
    return SimDevice(
        unit,
        [
            SimData(0, count=len(ours), values=0, datatype=DataType.REGISTERS, readonly=True),
            SimData(REQ_BOOT, count=len(theirs), values=0, datatype=DataType.REGISTERS),
            SimData(RESP_BOOT, count=REGISTERS - RESP_BOOT, values=0, datatype=DataType.REGISTERS, readonly=True),
        ],
        action=action,  # type: ignore[arg-type]
    )
