"""A receiver of messages (接收方): a real server on the loopback, that answers as it is told, also badly."""

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple, Self

Behaviour = Callable[[socket.socket, threading.Event], None]
"""Answers on a connection; the event says that the receiver ends."""


class Received(NamedTuple):
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes


def says(status: int, headers: str = "", body: bytes = b"") -> Behaviour:
    """An answer with this status; `headers` are whole lines."""
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n".encode()
    return lambda connection, _ends: connection.sendall(head + body)


def sends(raw: bytes) -> Behaviour:
    """These bytes, whatever they are, and then the end of the connection."""
    return lambda connection, _ends: connection.sendall(raw)


def never(_connection: socket.socket, ends: threading.Event) -> None:
    """No answer, ever."""
    ends.wait()


def without_end(head: bytes) -> Behaviour:
    """`head`, and then bytes for as long as somebody takes them."""

    def pour(connection: socket.socket, ends: threading.Event) -> None:
        connection.sendall(head)
        while not ends.is_set():
            connection.sendall(b"x" * 65_536)

    return pour


class Receiver:
    """Keeps what came, by arrival. Each path answers its list of behaviours in turn, the last one for ever."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self._tls = tls
        self._told: dict[str, list[Behaviour]] = {}
        self._arrived = threading.Condition()
        self._ends = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, name="receiver", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # whoever waits in accept wakes up
        self._listener.close()

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def will(self, *behaviours: Behaviour, path: str = "/hook") -> None:
        """From now on answer so at this path."""
        with self._arrived:
            self._told[path] = list(behaviours)

    def at(self, path: str = "/hook") -> list[Received]:
        """What came to a path so far."""
        with self._arrived:
            return [one for one in self.received if one.path == path]

    def wait_for(self, count: int, path: str = "/hook", patience_s: float = 60) -> list[Received]:
        """What came to a path, as soon as it is so many."""
        with self._arrived:
            self._arrived.wait_for(lambda: sum(one.path == path for one in self.received) >= count, patience_s)
        found = self.at(path)
        assert len(found) >= count, f"{len(found)} of {count} messages came to {path}"
        return found

    def _listen(self) -> None:
        while not self._ends.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with self._tls.wrap_socket(connection, server_side=True) if self._tls else connection as stream:
                if (request := _read(stream)) is not None:
                    self._next(request)(stream, self._ends)
        except OSError:
            connection.close()  # the sender went away, or does not trust us

    def _next(self, request: Received) -> Behaviour:
        with self._arrived:
            self.received.append(request)
            self._arrived.notify_all()
            told = self._told.get(request.path, [])
            return (told.pop(0) if len(told) > 1 else told[0]) if told else says(204)


def _read(stream: socket.socket) -> Received | None:
    file = stream.makefile("rb")
    line = file.readline().decode().split()
    if len(line) != 3:
        return None
    headers: dict[str, str] = {}
    while (header := file.readline().decode().strip()) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    body = file.read(length)
    return Received(line[1], headers, body) if len(body) == length else None  # cut off in the middle
