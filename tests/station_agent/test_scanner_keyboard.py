"""The keyboard scanner at a real pseudo-terminal."""

import asyncio
import os
import pty
import signal
import termios
import threading
import time
from collections.abc import Iterator

import pytest

from station_agent.devices.scanner import KeyboardScanner, Scan, ScannerEvent, WedgeDecoder


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The keyboard's end and the agent's end."""
    keyboard, agent = pty.openpty()
    yield keyboard, agent
    for fd in (keyboard, agent):
        os.close(fd)


async def next_events(scanner: KeyboardScanner, count: int) -> list[ScannerEvent]:
    return [await asyncio.wait_for(anext(scanner), 5) for _ in range(count)]


def test_scans_and_typing_arrive_from_a_terminal_which_gets_its_mode_back(terminal: tuple[int, int]) -> None:
    keyboard, agent = terminal
    before = termios.tcgetattr(agent)

    async def watch() -> list[ScannerEvent]:
        async with KeyboardScanner(agent, WedgeDecoder(inter_key_ms=250), now_ms) as scanner:
            assert termios.tcgetattr(agent) != before
            os.write(keyboard, "~3瓶1\r".encode()[:4])  # cut inside a character
            os.write(keyboard, "~3瓶1\r".encode()[4:] + b"~4ABC\x1d\x03DEF\r\n")
            events = await next_events(scanner, 2)
            await asyncio.sleep(0.35)
            for key in b"7K2\r":
                os.write(keyboard, bytes([key]))
                await asyncio.sleep(0.35)
            return events + await next_events(scanner, 1)

    assert asyncio.run(watch()) == [
        Scan(3, "瓶1", typed=False),
        Scan(4, "ABC\x1d\x03DEF", typed=False),
        Scan(None, "7K2", typed=True),
    ]
    assert termios.tcgetattr(agent) == before


def test_a_busy_station_does_not_make_a_scanner_look_slow(terminal: tuple[int, int]) -> None:
    keyboard, agent = terminal

    async def watch() -> list[ScannerEvent]:
        async with KeyboardScanner(agent, WedgeDecoder(inter_key_ms=250), now_ms) as scanner:
            halves = threading.Thread(target=lambda: [os.write(keyboard, half) for half in (b"~3AB", b"CD\r")])
            halves.start()
            time.sleep(0.6)  # noqa: ASYNC251 - this is the point: the loop is held up
            halves.join()
            return await next_events(scanner, 1)

    assert asyncio.run(watch()) == [Scan(3, "ABCD", typed=False)]


def test_the_terminal_gets_its_mode_back_when_the_agent_fails(terminal: tuple[int, int]) -> None:
    before = termios.tcgetattr(terminal[1])

    async def fail() -> None:
        async with KeyboardScanner(terminal[1], WedgeDecoder(), now_ms):
            raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        asyncio.run(fail())
    assert termios.tcgetattr(terminal[1]) == before


def test_ctrl_c_pressed_by_itself_interrupts(terminal: tuple[int, int]) -> None:
    async def watch() -> None:
        interrupted = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
        async with KeyboardScanner(terminal[1], WedgeDecoder(), now_ms) as scanner:
            waiting = asyncio.create_task(next_events(scanner, 1))
            os.write(terminal[0], b"\x03")
            await asyncio.wait_for(interrupted.wait(), 5)
            waiting.cancel()

    asyncio.run(watch())


def test_the_scans_end_when_the_stream_ends() -> None:
    async def watch() -> list[ScannerEvent]:
        async with KeyboardScanner(read_end, WedgeDecoder(), now_ms) as scanner:
            return [event async for event in scanner]

    read_end, write_end = os.pipe()
    os.write(write_end, b"~1A\r~2B\r")
    os.close(write_end)
    assert asyncio.run(watch()) == [Scan(1, "A", typed=False), Scan(2, "B", typed=False)]
    os.close(read_end)
