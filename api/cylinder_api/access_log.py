"""One line of JSON for each request: what was called, by whom, how it ended, how long it took.

Never bodies, tokens or query texts: they may hold personal data. A path is logged as its template.
"""

import logging
import time
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cylinder_api.tracing import HEADER, NO_TRACE, current, trace_for

log = logging.getLogger("cylinder_api.access")
_FIELDS = ("method", "route", "status", "ms", "account_id", "place")


class AccessLog:
    """ASGI middleware that gives each request its trace, and measures and logs it when it has finished."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()
        trace = trace_for(Headers(scope=scope).get(HEADER.decode()))
        current.set(trace)

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (HEADER, trace.traceparent.encode())]}
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            seconds = time.perf_counter() - began
            scope["app"].state.metrics.observe(scope["method"], _route_of(scope), status, seconds)
            log.info("request", extra=_facts(scope, status, seconds))


def _facts(scope: Scope, status: int, seconds: float) -> dict[str, Any]:
    return {
        "method": scope["method"],
        "route": _route_of(scope),
        "status": status,
        "ms": round(seconds * 1000, 1),
        "account_id": scope.get("state", {}).get("account_id"),
    }


def _route_of(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "-")


class JsonLines(logging.Formatter):
    """A log record as one JSON object. Traces are left out: their messages may quote what a caller sent."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": int(record.created * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (trace := current.get()) is not NO_TRACE:
            line["trace_id"] = trace.trace_id
        line |= {name: value for name in _FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return orjson.dumps(line).decode()
