"""Running the app under uvicorn, so that it says when it listens and lets go of its streams when it stops."""

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from cylinder_api.service import Service

_GRACE_S = 20


class Server(uvicorn.Server):
    """A uvicorn server for our app."""

    def __init__(self, app: FastAPI, ready: Callable[[], None] = lambda: None) -> None:
        """`ready` is called once the socket accepts."""
        config = uvicorn.Config(
            app,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        super().__init__(config)
        self._service: Service = app.state.service
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
