"""What stands before several processes, as nginx does: one upstream for each request, and nothing is tried again."""

import contextlib
import itertools
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from socketserver import StreamRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

_PART = 65_536


class Balancer:
    """Hands each request to one of the upstreams in use, in turn, and its answer back as it comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._upstreams: Iterator[str] = itertools.cycle(())
        self._running: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        """Requests that each upstream has answered to the end."""
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def use(self, *urls: str) -> None:
        """From now on requests go to these; those under way stay where they are."""
        with self._lock:
            self._upstreams = itertools.cycle(urls)

    def running_at(self, url: str) -> int:
        """How many requests the upstream is working on, streams not counted."""
        with self._lock:
            return self._running[url]

    def close(self) -> None:
        """Take no more requests."""
        self._server.shutdown()
        self._server.server_close()

    @contextlib.contextmanager
    def turn(self, *, counts: bool) -> Iterator[str]:
        """The upstream of one request; a stream does not count as work under way."""
        with self._lock:
            url = next(self._upstreams)
            self._running[url] += counts
        try:
            yield url
            self.answered[url] += 1
        finally:
            with self._lock:
                self._running[url] -= counts


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, balancer: Balancer) -> None:
        super().__init__(("127.0.0.1", 0), _OneRequest)
        self.balancer = balancer


class _OneRequest(StreamRequestHandler):
    """A connection with one request: the answer ends where the upstream closes."""

    server: _Server
    rbufsize = 0

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (byte := self.rfile.read(1)):
                return
            head += byte
        with self.server.balancer.turn(counts=b"/changes" not in head.split(b"\r\n", 1)[0]) as url:
            self._pass_on(head, urlsplit(url).port)

    def _pass_on(self, head: bytes, port: int | None) -> None:
        lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
        length = next((int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), 0)
        with socket.create_connection(("127.0.0.1", port or 0)) as upstream:
            upstream.sendall(b"\r\n".join([*lines, b"connection: close", b"", b""]))
            while length:
                part = self.rfile.read(min(length, _PART))
                upstream.sendall(part)
                length -= len(part)
            while part := upstream.recv(_PART):
                self.wfile.write(part)
