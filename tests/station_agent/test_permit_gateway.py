"""The fill-permit gateway: a machine asks over Modbus TCP, by a real client; the lane's side is driven as by a lane."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient

from servers.keeper import free_port
from station_agent.devices import permit_gateway as gw
from station_agent.devices.permit_gateway import GatewayGun, PermitGateway
from station_agent.devices.scale import ScaleFault
from stations.bench import BenchScale

BOOT, STOP_G = 4711, 31_000
CODE = "04HMASW9NF6YZZPW1011YN6955"


class Machine:
    """An HMI with its PLC: asks, and opens its gun while it is allowed to."""

    def __init__(self, client: AsyncModbusTcpClient) -> None:
        self.client = client

    async def look(self) -> list[int]:
        answer = await self.client.read_holding_registers(0, count=32, device_id=1)
        assert not answer.isError()
        return list(answer.registers)

    async def ask(self, code: str, seq: int, *, boot: int = BOOT, length: int | None = None) -> None:
        octets = code.encode().ljust(32, b"\0")
        words = [int.from_bytes(octets[at : at + 2], "big") for at in range(0, 32, 2)]
        await self.client.write_registers(gw.LENGTH, [len(code) if length is None else length, *words], device_id=1)
        await self.client.write_register(gw.REQ_BOOT, boot, device_id=1)
        await self.client.write_register(gw.REQ_SEQ, seq, device_id=1)

    async def answered(self, seq: int) -> list[int]:
        for _ in range(1_000):
            if (words := await self.look())[gw.RESP_SEQ] == seq:
                return words
        raise AssertionError(f"request {seq} was never answered")

    async def may_fill(self) -> bool:
        """What a PLC looks at before it opens the gun."""
        words = await self.look()
        mine = (
            words[gw.RESP_SEQ] == words[gw.REQ_SEQ] and words[gw.RESP_BOOT] == words[gw.BOOT_ID] == words[gw.REQ_BOOT]
        )
        return mine and words[gw.ALLOW] == 1


class Lane:
    """The station's side of the lane, and its clock."""

    def __init__(self) -> None:
        self.now_ms = 50_000
        self.asked: list[tuple[int, str]] = []
        self.weigher = BenchScale(simulated_s_per_read=0.1)
        self.weigher.model.place("C", 16_800, 0)
        self.start(BOOT)

    def start(self, boot: int) -> None:
        """The agent begins: nothing is remembered."""
        self.gun = GatewayGun(1, boot, self.weigher, overshoot_g=100, clock=lambda: self.now_ms)

    async def walk(self, lane: int, code: str) -> None:
        self.asked.append((lane, code))

    def gas(self, g_s: float) -> None:
        self.weigher.model.set_condition(0, bypass_g_s=g_s)


@asynccontextmanager
async def served(lane: Lane) -> AsyncIterator[Machine]:
    port = free_port()
    gateway = PermitGateway("127.0.0.1", port)
    gateway.add(1, lane.gun)
    ready = asyncio.Event()
    serving = asyncio.create_task(gateway.serve(lane.walk, lambda there, _: ready.set() if there else None))
    try:
        await asyncio.wait_for(ready.wait(), 10)
        async with AsyncModbusTcpClient("127.0.0.1", port=port) as client:
            yield Machine(client)
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


def day(act: Callable[[Lane, Machine], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        lane = Lane()
        async with served(lane) as machine:
            await asyncio.wait_for(act(lane, machine), 20)

    asyncio.run(run())


async def permitted(lane: Lane, machine: Machine, seq: int = 1) -> None:
    await machine.ask(CODE, seq)
    await lane.gun.open_valve(STOP_G)
    assert await machine.may_fill()


# ---------------------------------------------------------------- asking


def test_a_request_walks_the_path_of_a_scan_and_nothing_is_allowed_before_it_ends() -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        assert (await machine.look())[:4] == [1, BOOT, 0, 0]
        await machine.ask(CODE, 1)
        words = await machine.look()
        assert lane.asked == [(1, CODE)]
        assert (words[gw.STATUS], words[gw.ALLOW], words[gw.RESP_SEQ]) == (gw.DECIDING, 0, 0)
        lane.now_ms += 120
        await lane.gun.open_valve(STOP_G)
        words = await machine.answered(1)
        assert (words[gw.STATUS], words[gw.ALLOW], words[gw.RESP_BOOT], words[gw.LATENCY]) == (gw.ALLOWED, 1, BOOT, 120)

    day(act)


def test_a_refusal_is_told_by_its_first_reason_and_by_the_tens_of_all() -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        await machine.ask(CODE, 7)
        lane.gun.hear("refused", ["R20", "R41", "R66"])
        words = await machine.answered(7)
        assert (words[gw.STATUS], words[gw.ALLOW], words[gw.REASON]) == (gw.REFUSED, 0, 20)
        assert (words[gw.REASONS], words[gw.REASONS + 1]) == (0, 1 << 2 | 1 << 4 | 1 << 6)

    day(act)


@pytest.mark.parametrize(("event", "fault"), [("busy", gw.LANE_BUSY), ("fault", gw.LANE_FAULT)])
def test_a_lane_that_cannot_take_the_request_says_so(event: str, fault: int) -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        await machine.ask(CODE, 1)
        lane.gun.hear("busy", [], "another code, of a scanner at this lane")
        assert (await machine.look())[gw.STATUS] == gw.DECIDING
        lane.gun.hear(event, [], CODE)
        words = await machine.answered(1)
        assert (words[gw.STATUS], words[gw.ALLOW], words[gw.FAULT]) == (gw.FAULTY, 0, fault)

    day(act)


@pytest.mark.parametrize(("code", "length"), [("A" * 32, 33), ("A\0B", None), ("\0\0", 2)])
def test_what_is_no_text_of_a_code_asks_nobody(code: str, length: int | None) -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        await machine.ask(code, 1, length=length)
        assert (await machine.answered(1))[gw.FAULT] == gw.UNREADABLE
        assert lane.asked == []

    day(act)


def test_the_same_sequence_number_again_asks_nothing_again() -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        await machine.ask(CODE, 1)
        lane.gun.hear("refused", ["R20"])
        await machine.ask(CODE, 1)
        assert (await machine.look())[gw.STATUS] == gw.REFUSED
        assert len(lane.asked) == 1

    day(act)


def test_the_answer_cannot_be_written_by_the_machine() -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        for address in (0, gw.BOOT_ID, gw.RESP_BOOT, gw.ALLOW, gw.HEARTBEAT):
            assert (await machine.client.write_register(address, 1, device_id=1)).isError()
        assert (await machine.client.write_registers(gw.REQ_BOOT, [1] * 30, device_id=1)).isError()
        assert (await machine.client.read_holding_registers(0, count=32, device_id=2)).isError()
        assert not await machine.may_fill()
        assert lane.asked == []

    day(act)


# ---------------------------------------------------------------- withdrawn, and never back by itself


def test_allow_falls_three_seconds_after_the_lane_was_last_heard_and_a_late_word_does_not_bring_it_back() -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        await permitted(lane, machine)
        lane.now_ms += 2_900
        await lane.gun.refresh()
        for ms in (0, 1_500, 1_499):
            lane.now_ms += ms
            assert await machine.may_fill()
        lane.now_ms += 1
        words = await machine.look()
        assert (words[gw.ALLOW], words[gw.FAULT]) == (0, gw.AGENT_SILENT)
        await lane.gun.refresh()
        assert not await machine.may_fill()
        with pytest.raises(ScaleFault, match="not heard of each other"):
            await lane.gun.read()

    day(act)


def test_a_machine_that_has_not_looked_for_three_seconds_has_lost_its_permit() -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        await permitted(lane, machine)
        for _ in range(6):
            lane.now_ms += 500
            await lane.gun.refresh()
        with pytest.raises(ScaleFault, match="not heard of each other"):
            await lane.gun.read()
        assert (await machine.look())[gw.FAULT] == gw.MACHINE_SILENT

    day(act)


def test_after_a_restart_no_old_permit_and_no_old_request_opens_anything() -> None:
    async def run() -> None:
        lane = Lane()
        async with served(lane) as machine:
            await permitted(lane, machine)
        lane.start(BOOT + 1)
        async with served(lane) as machine:
            assert not await machine.may_fill()
            await machine.ask(CODE, 2, boot=BOOT)
            assert (await machine.answered(2))[gw.FAULT] == gw.OLD_BOOT
            assert len(lane.asked) == 1
            with pytest.raises(ScaleFault, match="has not asked for this fill"):
                await lane.gun.open_valve(STOP_G)
            assert not await machine.may_fill()
            await machine.ask(CODE, 3, boot=BOOT + 1)
            await lane.gun.open_valve(STOP_G)
            assert await machine.may_fill()

    asyncio.run(run())


@pytest.mark.parametrize("code", ["", "OTHER"])
def test_the_machines_next_word_ends_what_it_was_allowed(code: str) -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        await permitted(lane, machine)
        assert (await lane.gun.read()).valve_open
        await machine.ask(code, 2)
        assert not await machine.may_fill()
        assert not (await lane.gun.read()).valve_open

    day(act)


def test_the_lane_takes_its_permit_back() -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        await permitted(lane, machine)
        await lane.gun.shut_valve()
        assert not await machine.may_fill()

    day(act)


# ---------------------------------------------------------------- filling


def test_the_machine_is_told_to_stop_before_the_permits_weight_by_the_scale_that_the_lane_reads() -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        await permitted(lane, machine)
        while (await lane.gun.read()).valve_open:
            lane.gas(250 if await machine.may_fill() else 0)
            lane.now_ms += 100
            await lane.gun.refresh()
        lane.gas(250 if await machine.may_fill() else 0)
        for _ in range(30):
            await lane.gun.read()
        reading = await lane.gun.read()
        assert reading.stable
        assert STOP_G - 200 <= reading.gross_g <= STOP_G
        assert lane.weigher.events("valve_opened") == []

    day(act)


def test_heartbeat_and_state_are_there_for_the_machines_own_watchdog() -> None:
    async def act(lane: Lane, machine: Machine) -> None:
        before = await machine.look()
        lane.now_ms += 1_000
        lane.gun.state = lambda: "filling"
        after = await machine.look()
        assert after[gw.HEARTBEAT] - before[gw.HEARTBEAT] == 10
        assert (before[gw.STATE], after[gw.STATE]) == (0, 4)

    day(act)
