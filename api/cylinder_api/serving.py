"""Running the app under uvicorn, so that it says when it listens and lets go of its streams when it stops."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI, Response
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from cylinder_api.problems import problem
from cylinder_api.service import Service

_GRACE_S = 20
_COME_AGAIN_S = 5


class Server(uvicorn.Server):
    """A uvicorn server for our app."""

    def __init__(self, app: FastAPI, ready: Callable[[], None] = lambda: None) -> None:
        """`ready` is called once the socket accepts."""
        patience = app.state.service.settings.patience
        config = uvicorn.Config(
            app,
            lifespan="on",
            loop="uvloop",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=patience.idle_s,
            http=partial(_Patient, head_s=patience.head_s),  # type: ignore[arg-type]  # called like the class itself
        )
        super().__init__(config)
        self._service: Service = app.state.service
        app.state.connections = lambda: len(self.server_state.connections)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the doors, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first: they would keep their connections open for ever."""
        self._service.feed.stop()
        await super().shutdown(sockets)


class Bounded:
    """ASGI middleware: answers whoever comes on top of the most connections that he come again, and lets him go."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            state = scope["app"].state
            if state.connections() > state.service.settings.patience.connections:
                await _crowded(HTTPConnection(scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _crowded(request: HTTPConnection) -> Response:
    headers = {"Retry-After": str(_COME_AGAIN_S), "Connection": "close"}
    return problem(request, "unavailable", "too many connections are open at once; come again", headers=headers)


class _Patient(H11Protocol):
    """Lets go of a client that begins a request and does not come to the end of its headers (slowloris)."""

    def __init__(self, *rest: Any, head_s: float, **named: Any) -> None:
        super().__init__(*rest, **named)
        self._head_s = head_s
        self._cut: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self.conn.their_state is not h11.IDLE or self.timeout_keep_alive_task is not None:
            self._stop_waiting()
        elif self._cut is None:
            self._cut = self.loop.call_later(self._head_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not accept yet; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only where the socket says that it is TCP; with it every answer takes 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def url_of(bound: socket.socket) -> str:
    """The base URL that a bound socket answers at."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
