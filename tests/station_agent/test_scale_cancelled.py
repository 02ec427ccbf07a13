"""A wait for a scale that is called off ends: the Modbus library tells a cancellation as a fault of the line."""

import asyncio
from contextlib import suppress

import pytest

from station_agent.agent import _cancel
from station_agent.devices.driver import load_driver
from station_agent.devices.scale import ModbusScale, ScaleLink, TcpPort


def test_a_read_that_is_called_off_is_no_fault_of_the_scale() -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            asked.set()
        writer.close()
        await writer.wait_closed()
        ended.set()

    async def call_off() -> None:
        async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as server:
            link = ScaleLink(TcpPort("127.0.0.1", server.sockets[0].getsockname()[1]), timeout_ms=20_000)
            scale = ModbusScale(link, 1, load_driver("demo-scale"), boot_id=7, clock=lambda: 0)
            reading = asyncio.create_task(scale.read())
            await asked.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            link.close()
            await ended.wait()

    asyncio.run(call_off())


def test_a_read_that_is_called_off_as_its_answer_comes_ends_all_the_same() -> None:
    """Its task would otherwise go on reading for ever, and the agent that waits for it would never end."""

    answering: set[asyncio.Task[object]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here = asyncio.current_task()
        assert here is not None
        answering.add(here)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                asked = await reader.readexactly(12)
                count = asked[11]
                writer.write(asked[:4] + bytes((0, 3 + 2 * count)) + asked[6:8] + bytes((2 * count, *bytes(2 * count))))
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()
        answering.discard(here)

    async def called_off_after(port: int, turns: int) -> bool:
        """Whether a read that was called off after so many turns of the loop was under way, and ended by that."""
        link = ScaleLink(TcpPort("127.0.0.1", port), timeout_ms=20_000)
        reading = asyncio.create_task(link.read(1, 0, 4))
        for _ in range(turns):
            await asyncio.sleep(0)
        under_way = reading.cancel()
        await asyncio.wait({reading})
        link.close()
        assert reading.cancelled() or not under_way, f"after {turns} turns it went on"
        return under_way

    async def call_off() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port, turns = server.sockets[0].getsockname()[1], 0
            while await called_off_after(port, turns):
                turns += 1
            assert turns > 3
            await asyncio.sleep(0)  # the last line may only just have been laid
            if answering:
                await asyncio.wait(answering)

    for _ in range(5):
        asyncio.run(call_off())


def test_a_task_that_takes_a_cancellation_for_something_else_is_told_again_until_it_ends() -> None:
    heard: list[str] = []

    async def deaf() -> None:
        for _ in range(2):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                heard.append("not now")
        await asyncio.Event().wait()

    async def ended() -> None:
        task = asyncio.create_task(deaf())
        await asyncio.sleep(0)
        await asyncio.wait_for(_cancel([task]), 30)
        assert task.cancelled()

    asyncio.run(ended())
    assert heard == ["not now", "not now"]
