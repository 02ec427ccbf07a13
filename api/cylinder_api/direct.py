"""The short way (直达) from a request to its endpoint, for routes that need no more than their dependencies.

FastAPI works out anew for every request which dependency needs which, opens three exit stacks and looks twice through
all routes: half of what a fill check costs. Most of our routes have a path without variables, no parameters but their
body (see ``bodies``) and dependencies that are plain coroutines. For these the order is worked out once, from what
FastAPI itself has made of the route; they call the same functions in the same order, and every other route goes
FastAPI's own way.  So do the routes of the resolver: one segment with the rest of the path behind it, which the
endpoint reads from the request itself.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts, serialize_response
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Call = Callable[..., Awaitable[Any]]


class Step(NamedTuple):
    """A function to call, and the place in the values so far of each of its arguments; the request is value 0."""

    call: Call
    arguments: tuple[tuple[str, int], ...]


class Way(NamedTuple):
    """How a route is answered: its dependencies in their order, its endpoint last."""

    route: APIRoute
    context: RouteContext
    steps: tuple[Step, ...]

    async def answer(self, request: Request) -> Response:
        """What the endpoint answers, in the shape that its route documents."""
        values: list[Any] = [request]
        for call, arguments in self.steps:
            values.append(await call(**{name: values[place] for name, place in arguments}))
        answer = values[-1]
        return answer if isinstance(answer, Response) else await self._shaped(answer)

    async def _shaped(self, answer: Any) -> Response:
        context = self.context
        content = await serialize_response(
            field=context.response_field,
            response_content=answer,
            include=context.response_model_include,
            exclude=context.response_model_exclude,
            by_alias=context.response_model_by_alias,
            exclude_unset=context.response_model_exclude_unset,
            exclude_defaults=context.response_model_exclude_defaults,
            exclude_none=context.response_model_exclude_none,
            dump_json=True,
        )
        return Response(content, context.status_code or 200, media_type="application/json")


class Direct:
    """ASGI app in front of a router: answers what it knows the way of, and hands on all else."""

    def __init__(self, app: FastAPI, router: ASGIApp) -> None:
        """Knows the routes that `app` has now."""
        self._router = router
        ways = [(method, str(way.context.path), way) for way in ways_of(app) for method in way.context.methods or ()]
        self._ways = {(method, path): way for method, path, way in ways if "{" not in path}
        self._below = {(method, path.partition("{")[0]): way for method, path, way in ways if "{" in path}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_plain = scope["type"] == "http" and not scope.get("root_path")
        way = self._way(scope["method"], scope["path"]) if is_plain else None
        if way is None:
            await self._router(scope, receive, send)
            return
        scope.update(route=way.route, endpoint=way.route.endpoint, path_params={})
        answer = await way.answer(Request(scope, receive, send))
        await answer(scope, receive, send)

    def _way(self, method: str, path: str) -> Way | None:
        return self._ways.get((method, path)) or self._below.get((method, path[: path.find("/", 1) + 1]))


def ways_of(app: FastAPI) -> Iterator[Way]:
    """The routes of `app` that are answered in the short way."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and (_is_plain(context) or _reads_path_itself(context)):
            steps: list[Step] = []
            _lay_out(context.dependant, steps, {})
            yield Way(route, context, tuple(steps))


def _is_plain(context: RouteContext) -> bool:
    is_json = isinstance(context.response_class, DefaultPlaceholder) and context.response_field is not None
    has_one_path = "{" not in (context.path or "{") and context.max_body_size is None
    return is_json and has_one_path and _needs_no_more(context.dependant)


_OPEN_PATH = re.compile(r"(?:/[^/{}]+)+|/[^/{}]+/\{[a-z_]+:path\}")


def _reads_path_itself(context: RouteContext) -> bool:
    """Whether a route has one path, or one segment with the rest of the path behind it, and makes its own Response."""
    answers_itself = context.response_class is Response and context.response_field is None
    is_open = _OPEN_PATH.fullmatch(context.path or "") is not None and context.max_body_size is None
    return answers_itself and is_open and _needs_no_more(context.dependant)


_MORE = (
    "path_params", "query_params", "header_params", "cookie_params", "body_params", "websocket_param_name",
    "response_param_name", "background_tasks_param_name", "security_scopes_param_name", "own_oauth_scopes",
    "concurrency",
)  # fmt: skip
"""What a dependency may ask of FastAPI beside the request and other dependencies."""


def _needs_no_more(needs: Dependant) -> bool:
    is_own = not any(getattr(needs, name) for name in _MORE) and needs.use_cache
    return is_own and _is_coroutine(needs.call) and all(map(_needs_no_more, needs.dependencies))


def _is_coroutine(call: object) -> bool:
    return inspect.iscoroutinefunction(call if inspect.isroutine(call) else type(call).__call__)


def _lay_out(needs: Dependant, steps: list[Step], places: dict[Call, int]) -> int:
    """Put what `needs` calls behind its own dependencies, each once; its place among the values."""
    call: Call = needs.call  # type: ignore[assignment]  # a coroutine, see above
    arguments = [(sub.name, _lay_out(sub, steps, places)) for sub in needs.dependencies]
    arguments += [(name, 0) for name in (needs.request_param_name, needs.http_connection_param_name) if name]
    if call not in places:
        steps.append(Step(call, tuple((name, place) for name, place in arguments if name)))
        places[call] = len(steps)
    return places[call]
