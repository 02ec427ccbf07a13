"""A client that costs little beside the servers it measures: prepared requests over connections that stay open.

A general HTTP client takes longer for a request than an empty endpoint for its answer; then the ratio of two servers
would be the client against itself.
"""

import asyncio
import random
import time
from collections.abc import Iterator, Mapping, Sequence

import orjson

from benchmarks.measure import BenchError

CONNECTIONS = 32


def post(path: str, port: int, headers: Mapping[str, str], body: object) -> bytes:
    """A whole POST request as bytes."""
    data = orjson.dumps(body)
    fields = {"Host": f"127.0.0.1:{port}", "Content-Type": "application/json", "Content-Length": str(len(data))}
    lines = [f"{name}: {value}\r\n" for name, value in {**fields, **headers}.items()]
    return f"POST {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + data


def get(path: str, port: int, headers: Mapping[str, str]) -> bytes:
    """A whole GET request as bytes."""
    lines = [f"{name}: {value}\r\n" for name, value in {"Host": f"127.0.0.1:{port}", **headers}.items()]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


def answers_per_second(
    port: int, requests: Sequence[bytes], connections: int = CONNECTIONS, status: int = 200
) -> float:
    """Send all `requests`, one at a time on each connection; raises BenchError unless every answer has the status."""
    return asyncio.run(_fire(port, requests, connections, f"HTTP/1.1 {status}".encode()))


async def answer_times(port: int, requests: Sequence[bytes], per_second: float, drawn: random.Random) -> list[float]:
    """Seconds from when each of `requests` was due to its answer, at so many a second at random; raises BenchError.

    A request that is due while every connection waits counts its waiting, as a person at a scale would.
    """
    waiting: asyncio.Queue[tuple[bytes, float]] = asyncio.Queue()
    times: list[float] = []
    senders = [asyncio.create_task(_send(port, waiting, times)) for _ in range(CONNECTIONS)]
    due = time.perf_counter()
    for request in requests:
        due += drawn.expovariate(per_second)
        await asyncio.sleep(due - time.perf_counter())
        waiting.put_nowait((request, due))
    joined = asyncio.create_task(waiting.join())
    try:
        await asyncio.wait({joined, *senders}, return_when=asyncio.FIRST_COMPLETED)
        for sender in senders:
            if sender.done():
                sender.result()
    finally:
        for task in (joined, *senders):
            task.cancel()
        await asyncio.gather(joined, *senders, return_exceptions=True)
    return times


async def _send(port: int, waiting: "asyncio.Queue[tuple[bytes, float]]", times: list[float]) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        raise BenchError(f"nothing listens on port {port}: {error.strerror}") from error
    try:
        while True:
            request, due = await waiting.get()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_content_length(head))
            if not head.startswith(b"HTTP/1.1 200"):
                raise BenchError(f"the server answered {head.partition(b' ')[2][:40].decode(errors='replace')}")
            times.append(time.perf_counter() - due)
            waiting.task_done()
    except asyncio.IncompleteReadError as error:
        raise BenchError("the server closed the connection before it had answered") from error
    finally:
        writer.close()


async def _fire(port: int, requests: Sequence[bytes], connections: int, good: bytes) -> float:
    loop = asyncio.get_running_loop()
    waiting, left = iter(requests), [len(requests)]
    finished: asyncio.Future[None] = loop.create_future()
    try:
        opened = [
            await loop.create_connection(lambda: _Connection(waiting, left, finished, good), "127.0.0.1", port)
            for _ in range(min(connections, len(requests)))
        ]
    except OSError as error:
        raise BenchError(f"nothing listens on port {port}: {error.strerror}") from error
    started = time.perf_counter()
    for _transport, connection in opened:
        connection.send_next()
    try:
        await finished
        return len(requests) / (time.perf_counter() - started)
    finally:
        for transport, _connection in opened:
            transport.close()


class _Connection(asyncio.Protocol):
    """One connection: sends a request when the answer before it is complete."""

    def __init__(
        self, waiting: Iterator[bytes], left: list[int], finished: "asyncio.Future[None]", good: bytes
    ) -> None:
        self._waiting, self._left, self._finished, self._good = waiting, left, finished, good
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def send_next(self) -> None:
        request = next(self._waiting, None)
        if request is not None and self._transport is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        self._received = b""
        if not head.startswith(self._good):
            status = head.partition(b"\r\n")[0] + b": " + body[:300]
            self._fail(f"the server answered {status.decode(errors='replace')}")
            return
        self._left[0] -= 1
        if self._left[0] == 0 and not self._finished.done():
            self._finished.set_result(None)
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._left[0]:
            self._fail("the server closed the connection before it had answered")

    def _fail(self, why: str) -> None:
        if not self._finished.done():
            self._finished.set_exception(BenchError(why))


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
