"""The line between a station and its service, which a test cuts, slows down, or leaves hanging half open."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Literal

from servers.keeper import free_port

Mode = Literal["open", "cut", "silent"]


class Network:
    """A TCP line to `port`, on a port of its own.

    cut: nobody listens, every connection breaks.  silent: connections are taken and stay, not a byte passes.
    `bytes_per_s` makes an open line slow.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.bytes_per_s = 0
        self._mode: Mode = "open"
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self.port = free_port()  # and nobody else is given it while the line is cut
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    @property
    def url(self) -> str:
        """The service's address behind this line."""
        return f"http://127.0.0.1:{self.port}"

    def turn(self, mode: Mode) -> None:
        """Change the line, and every connection that is on it."""
        asyncio.run_coroutine_threadsafe(self._turn(mode), self._loop).result(10)

    def close(self) -> None:
        """Take the line down."""
        self.turn("cut")
        asyncio.run_coroutine_threadsafe(self._all_gone(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # ------------------------------------------------------------ on the loop

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def _turn(self, mode: Mode) -> None:
        before, self._mode = self._mode, mode
        if mode == "silent":
            self._passing.clear()
        else:
            self._passing.set()
        if mode == "cut" and before != "cut":
            await self._stop_listening()
            for writer in list(self._writers):
                writer.transport.abort()
        if before == "cut" and mode != "cut":
            await self._listen()

    async def _stop_listening(self) -> None:
        # Whoever is just being taken is let in first: asyncio loses a connection whose server is closed meanwhile.
        for listening in self._server.sockets:
            self._loop.remove_reader(listening)
        for _ in range(5):  # taken, made, carried
            await asyncio.sleep(0)
        self._server.close()

    async def _all_gone(self) -> None:
        while self._writers:
            for writer in list(self._writers):
                writer.transport.abort()
            await asyncio.sleep(0.01)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._kept(writer), contextlib.suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to)
            with self._kept(there_writer):
                await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))
                await self._gone(there_writer)
        await self._gone(writer)

    @contextlib.contextmanager
    def _kept(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)

    async def _gone(self, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(self.bytes_per_s // 10 or 65_536):
                await self._passing.wait()
                if self.bytes_per_s:
                    await asyncio.sleep(len(chunk) / self.bytes_per_s)
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort()


@contextlib.contextmanager
def network_to(port: int) -> Iterator[Network]:
    """A line that is taken down at the end."""
    network = Network(port)
    try:
        yield network
    finally:
        network.close()
