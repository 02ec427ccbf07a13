"""A wait for a scale that is called off ends: the Modbus library tells a cancellation as a fault of the line."""

import asyncio

import pytest

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
