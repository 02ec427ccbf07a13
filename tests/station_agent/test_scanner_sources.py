"""Scanners that do not type: a serial port over a pseudo-terminal pair, TCP both ways, unplugged and back again."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from servers.keeper import free_port
from station_agent.clock import steady_ms
from station_agent.devices.evdev import open_exclusively
from station_agent.devices.scanner import Dropped, Scan, ScannerEvent
from station_agent.devices.scanner_frames import Framing
from station_agent.devices.scanner_sources import ListeningSource, ScannerSource, SerialPlug, TcpPlug
from stations.serial_pair import serial_cable

GS_SCAN = "]d2800309520001123450ZJ33010000017\x1d01"


class Floor:
    """Takes what scanners bring, and what is told of them."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[ScannerEvent] = asyncio.Queue()
        self.told: asyncio.Queue[tuple[bool, str]] = asyncio.Queue()

    async def take(self, event: ScannerEvent) -> None:
        self.events.put_nowait(event)

    def tell(self, there: bool, said: str) -> None:
        self.told.put_nowait((there, said))

    async def next(self) -> ScannerEvent:
        return await asyncio.wait_for(self.events.get(), 10)

    async def told_next(self) -> tuple[bool, str]:
        return await asyncio.wait_for(self.told.get(), 10)


@asynccontextmanager
async def at_work(source: ScannerSource | ListeningSource) -> AsyncIterator[Floor]:
    floor = Floor()
    work = asyncio.create_task(source.bring(floor.take, floor.tell, steady_ms))
    try:
        yield floor
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def send(port: str, text: str) -> None:
    fd = os.open(port, os.O_WRONLY | os.O_NOCTTY)
    os.write(fd, text.encode())
    os.close(fd)


def send_slowly(port: str, *pieces: str) -> None:
    for piece in pieces:
        send(port, piece)
        time.sleep(0.05)


def serial(port: str, framing: Framing = Framing()) -> ScannerSource:  # noqa: B008
    return ScannerSource("gun 1", SerialPlug(port), framing, 1)


def test_a_serial_scanner_brings_its_scans_with_every_control_character() -> None:
    async def day() -> None:
        with serial_cable() as cable:
            async with at_work(serial(cable.near)) as floor:
                assert await floor.told_next() == (True, cable.near)
                send(cable.far, f"{GS_SCAN}\r\n")
                assert await floor.next() == Scan(1, GS_SCAN, typed=False)

    asyncio.run(day())


def test_a_serial_scanner_may_frame_its_scans_with_stx_and_etx() -> None:
    async def day() -> None:
        with serial_cable() as cable:
            async with at_work(serial(cable.near, Framing(framed=True))) as floor:
                await floor.told_next()
                send(cable.far, "\x02瓶1\x03")
                assert await floor.next() == Scan(1, "瓶1", typed=False)

    asyncio.run(day())


def test_a_scan_that_a_pause_ends_is_whole_although_the_station_was_busy_while_it_arrived() -> None:
    async def day() -> None:
        with serial_cable() as cable:
            async with at_work(serial(cable.near, Framing(terminator="", gap_ms=600))) as floor:
                await floor.told_next()
                halves = threading.Thread(target=send_slowly, args=(cable.far, "AB", "CD"))
                halves.start()
                time.sleep(1.5)  # noqa: ASYNC251 - this is the point: the loop is held up
                halves.join()
                assert await floor.next() == Scan(1, "ABCD", typed=False)

    asyncio.run(day())


def test_an_unplugged_scanner_is_told_once_and_found_again_and_its_half_scan_is_none(tmp_path: Path) -> None:
    port = tmp_path / "ttyACM0"

    async def day() -> None:
        with serial_cable() as cable:
            port.symlink_to(cable.near)
            async with at_work(serial(str(port))) as floor:
                await floor.told_next()
                send(cable.far, "8003")
                port.unlink()
                cable.unplug()
                there, said = await floor.told_next()
                assert (there, said.startswith(str(port))) == (False, True)
                with serial_cable() as again:
                    port.symlink_to(again.near)
                    assert await floor.told_next() == (True, str(port))
                    send(again.far, "ABC\r")
                    event = await floor.next()
                    if event == Dropped(1, "unfinished"):  # if the half scan arrived at all before the plug was out
                        event = await floor.next()
                    assert event == Scan(1, "ABC", typed=False)
                    assert floor.told.empty()

    asyncio.run(day())


Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def test_the_agent_connects_to_a_scanner_that_listens_and_again_after_it_hung_up() -> None:
    async def converse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{GS_SCAN}\r\nhalf".encode())
        await writer.drain()
        writer.close()

    async def day() -> None:
        port = free_port()
        async with at_work(ScannerSource("base", TcpPlug("127.0.0.1", port), Framing(), 2)) as floor:
            assert (await floor.told_next())[0] is False  # it is not there yet
            async with await asyncio.start_server(converse, "127.0.0.1", port):
                for _ in range(2):
                    assert await floor.told_next() == (True, f"127.0.0.1:{port}")
                    assert await floor.next() == Scan(2, GS_SCAN, typed=False)
                    assert await floor.next() == Dropped(2, "unfinished")
                    assert await floor.told_next() == (False, f"127.0.0.1:{port} has hung up")

    asyncio.run(day())


def test_scanners_connect_to_the_agent_two_at_once_and_keep_their_scans_apart() -> None:
    async def day() -> None:
        port = free_port()
        source = ListeningSource("bases", "127.0.0.1", port, Framing(), None)
        async with at_work(source) as floor:
            one = await reached(port)
            two = await reached(port)
            for writer, text in ((one, "~1AB"), (two, "~2CD"), (one, "EF\r"), (two, "GH\r")):
                writer.write(text.encode())
                await writer.drain()
            assert {await floor.next(), await floor.next()} == {
                Scan(1, "ABEF", typed=False),
                Scan(2, "CDGH", typed=False),
            }
            for writer in (one, two):
                writer.close()
                await writer.wait_closed()

    asyncio.run(day())


def test_an_agent_that_ends_while_scanners_are_connected_says_nothing_of_it() -> None:
    said: list[object] = []
    with socket.socket() as gun:

        async def day() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
            port = free_port()
            async with at_work(ListeningSource("bases", "127.0.0.1", port, Framing(), 1)) as floor:
                (await reached(port)).close()
                assert [(await floor.told_next())[0] for _ in range(2)] == [True, False]
                gun.connect(("127.0.0.1", port))
                assert (await floor.told_next())[0]

        asyncio.run(day())
    assert said == []


async def reached(port: int) -> asyncio.StreamWriter:
    for _ in range(200):
        try:
            return (await asyncio.open_connection("127.0.0.1", port))[1]
        except OSError:
            await asyncio.sleep(0.02)
    raise AssertionError("the agent does not listen")


def test_a_port_that_is_taken_is_told_and_does_not_end_the_agent() -> None:
    async def day() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            async with at_work(ListeningSource("bases", "127.0.0.1", port, Framing(), 1)) as floor:
                there, said = await floor.told_next()
                assert (there, f"127.0.0.1:{port}" in said) == (False, True)

    asyncio.run(day())


def test_what_is_no_keyboard_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for device in (tmp_path / "file", tmp_path / "none"):
        with pytest.raises(OSError):  # noqa: PT011 - whatever the system says of it
            open_exclusively(str(device))
