"""Scanners that do not type into our terminal: on a serial port, over TCP, or a keyboard of their own.

Each is read for as long as the agent runs; one that is unplugged or switched off is told once and tried again until it
is back, and what it had begun to send is no scan.
"""

import asyncio
import codecs
import os
import select
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import serial

from station_agent.devices.evdev import EvdevKeys, open_exclusively
from station_agent.devices.scanner import ScannerEvent
from station_agent.devices.scanner_frames import FrameDecoder, Framing

_TRY_AGAIN_S = 1.0
LOOK_S = 0.2
"""How often a thread that reads looks whether it is still wanted."""
_CONNECT_WITHIN_S = 5.0

Chunks = AsyncIterator[tuple[str, int]]
"""What arrived, and when, on the steady clock."""


class Plug(Protocol):
    """Where a scanner is plugged in."""

    def __str__(self) -> str:
        """The name that a person finds it by."""

    def connected(self, clock: Callable[[], int]) -> AbstractAsyncContextManager[Chunks]:
        """What it sends, until it is lost. Raises OSError."""


@dataclass(frozen=True, slots=True)
class SerialPlug:
    """A serial port or USB-COM: `/dev/ttyACM0`, `COM4`."""

    port: str
    baud: int = 9600
    parity: str = "N"
    stop_bits: int = 1

    def __str__(self) -> str:
        return self.port

    @asynccontextmanager
    async def connected(self, clock: Callable[[], int]) -> AsyncIterator[Chunks]:
        """What it sends, until it is unplugged. Raises OSError."""
        device = await asyncio.to_thread(self._open)
        try:
            async with reading(lambda: device.read(1) + device.read(device.in_waiting), clock) as chunks:
                yield decoded(chunks)
        finally:
            await asyncio.to_thread(device.close)

    def _open(self) -> serial.Serial:
        alone = None if sys.platform == "win32" else True  # Windows gives a port to one program anyway
        return serial.Serial(
            self.port, self.baud, parity=self.parity, stopbits=self.stop_bits, timeout=LOOK_S, exclusive=alone
        )


@dataclass(frozen=True, slots=True)
class TcpPlug:
    """A scanner or its base that listens; the agent connects to it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @asynccontextmanager
    async def connected(self, clock: Callable[[], int]) -> AsyncIterator[Chunks]:
        """What it sends, until it hangs up. Raises OSError."""
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            yield decoded(_received(reader, clock))
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@dataclass(frozen=True, slots=True)
class KeyboardPlug:
    """A scanner that types, read from Linux's input device for us alone, whatever window has the focus."""

    device: str

    def __str__(self) -> str:
        return self.device

    @asynccontextmanager
    async def connected(self, clock: Callable[[], int]) -> AsyncIterator[Chunks]:
        """What it types, until it is unplugged. Raises OSError."""
        fd = await asyncio.to_thread(open_exclusively, self.device)
        try:
            async with reading(lambda: _read_if_ready(fd), clock) as chunks:
                yield typed_keys(chunks)
        finally:
            os.close(fd)


def _read_if_ready(fd: int) -> bytes:
    ready, _, _ = select.select([fd], [], [], LOOK_S)
    return os.read(fd, 4096) if ready else b""


async def typed_keys(chunks: AsyncIterator[tuple[bytes, int]]) -> Chunks:
    """The characters behind an input device's records."""
    keys = EvdevKeys()
    async for records, at_ms in chunks:
        if text := keys.feed(records):
            yield text, at_ms


async def _received(reader: asyncio.StreamReader, clock: Callable[[], int]) -> AsyncIterator[tuple[bytes, int]]:
    while chunk := await reader.read(4096):
        yield chunk, clock()


async def decoded(chunks: AsyncIterator[tuple[bytes, int]]) -> Chunks:
    """The characters behind bytes of UTF-8; control characters such as GS are kept."""
    text = codecs.getincrementaldecoder("utf-8")("replace")
    async for chunk, at_ms in chunks:
        yield text.decode(chunk), at_ms


@asynccontextmanager
async def reading(
    read: Callable[[], bytes], clock: Callable[[], int]
) -> AsyncIterator[AsyncIterator[tuple[bytes, int]]]:
    """What `read` brings, read on a thread of its own, so that a busy station does not make a scanner look slow.

    `read` waits for at most LOOK_S and returns nothing if nothing came; its OSError is raised to who iterates.
    """
    loop, wanted = asyncio.get_running_loop(), threading.Event()
    wanted.set()
    arrived: asyncio.Queue[tuple[bytes, int] | OSError] = asyncio.Queue()

    def work() -> None:
        while wanted.is_set():
            try:
                chunk = read()
            except OSError as lost:
                loop.call_soon_threadsafe(arrived.put_nowait, lost)
                return
            if chunk:
                loop.call_soon_threadsafe(arrived.put_nowait, (chunk, clock()))

    async def chunks() -> AsyncIterator[tuple[bytes, int]]:
        while True:
            item = await arrived.get()
            if isinstance(item, OSError):
                raise item
            yield item

    thread = threading.Thread(target=work, name="scanner", daemon=True)
    thread.start()
    try:
        yield chunks()
    finally:
        wanted.clear()
        await asyncio.to_thread(thread.join)


Take = Callable[[ScannerEvent], Awaitable[None]]
TellState = Callable[[bool, str], None]
"""Told whether the scanner is there, and a sentence about it."""


@dataclass(frozen=True, slots=True)
class ScannerSource:
    """One scanner: where it is plugged in, how it marks its scans, and the lane whose cylinders it scans."""

    name: str
    plug: Plug
    framing: Framing
    lane: int | None
    lane_prefix: str = "~"

    def decoder(self) -> FrameDecoder:
        """A decoder for one connection."""
        return FrameDecoder(self.framing, self.lane, self.lane_prefix)

    async def bring(self, take: Take, tell: TellState, clock: Callable[[], int]) -> None:
        """Bring every scan, for ever; a scanner that is not there is looked for again."""
        there: bool | None = None
        while True:
            try:
                async with self.plug.connected(clock) as chunks:
                    there = True
                    tell(True, f"{self.plug}")
                    await self.listen(chunks, take, clock)
                lost = f"{self.plug} has hung up"
            except OSError as failure:  # a TimeoutError is an OSError
                lost = f"{self.plug}: {failure.strerror or failure}"
            if there is not False:
                there = False
                tell(False, lost)
            await asyncio.sleep(_TRY_AGAIN_S)

    async def hear(self, hear: Callable[[Chunks], Awaitable[None]], clock: Callable[[], int]) -> None:
        """Hand on what it sends, character by character, until it is lost. Raises OSError."""
        async with self.plug.connected(clock) as chunks:
            await hear(chunks)

    async def listen(self, chunks: Chunks, take: Take, clock: Callable[[], int]) -> None:
        """Bring the scans of one connection, until it is lost."""
        decoder = self.decoder()
        arriving = asyncio.ensure_future(anext(chunks, None))
        try:
            while True:
                at_rest = await self._pauses(arriving)
                if at_rest:
                    events = decoder.pause(clock())
                else:
                    chunk = arriving.result()
                    if chunk is None:
                        return
                    events = decoder.feed(*chunk)
                    arriving = asyncio.ensure_future(anext(chunks, None))
                for event in events:
                    await take(event)
        finally:
            arriving.cancel()
            for event in decoder.lose():
                await take(event)

    async def _pauses(self, arriving: asyncio.Future[tuple[str, int] | None]) -> bool:
        """Wait for what arrives; True if a scan that a pause ends may be complete first.

        Waits twice: where the loop itself was held up, what arrived meanwhile comes through in the second wait.
        """
        if self.framing.terminator or self.framing.framed:
            await asyncio.wait({arriving})
            return False
        for _ in range(2):
            await asyncio.wait({arriving}, timeout=(self.framing.gap_ms + 1) / 1000)
            if arriving.done():
                return False
        return True


@dataclass(frozen=True, slots=True)
class ListeningSource:
    """Scanners or their bases that connect to the agent; each connection is one of them."""

    name: str
    host: str
    port: int
    framing: Framing
    lane: int | None
    lane_prefix: str = "~"

    async def bring(self, take: Take, tell: TellState, clock: Callable[[], int]) -> None:
        """Bring every scan of every scanner that connects, for ever; a port that is taken is tried again."""
        told = False
        while True:
            try:
                serving = await asyncio.start_server(partial(self._converse, take, tell, clock), self.host, self.port)
            except OSError as failure:
                if not told:
                    tell(False, f"{self.host}:{self.port}: {failure.strerror or failure}")
                told = True
                await asyncio.sleep(_TRY_AGAIN_S)
                continue
            async with serving:
                await serving.serve_forever()

    def decoder(self) -> FrameDecoder:
        """A decoder for one connection."""
        return FrameDecoder(self.framing, self.lane, self.lane_prefix)

    async def hear(self, hear: Callable[[Chunks], Awaitable[None]], clock: Callable[[], int]) -> None:
        """Hand on what every scanner that connects sends, character by character. Raises OSError."""

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.CancelledError):  # nobody waits for this task, and asyncio prints of it
                await hear(decoded(_received(reader, clock)))
            writer.close()

        async with await asyncio.start_server(converse, self.host, self.port) as serving:
            await serving.serve_forever()

    async def _converse(
        self,
        take: Take,
        tell: TellState,
        clock: Callable[[], int],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        peer = "{}:{}".format(*writer.get_extra_info("peername")[:2])
        one = ScannerSource(self.name, TcpPlug(self.host, self.port), self.framing, self.lane, self.lane_prefix)
        tell(True, f"{peer} at {self.host}:{self.port}")
        try:
            await one.listen(decoded(_received(reader, clock)), take, clock)
        except (OSError, asyncio.CancelledError):
            pass  # gone, or the agent ends: nobody waits for this task
        finally:
            tell(False, f"{peer} has hung up")
            writer.close()
