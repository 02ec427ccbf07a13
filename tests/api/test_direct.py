"""The short way to an endpoint calls what FastAPI calls, in its order, and answers the same."""

import asyncio
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import iter_route_contexts
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel

from cylinder_api.app import ROUTERS
from cylinder_api.direct import Direct, ways_of


class Weighed(BaseModel):
    code: str
    net_g: int
    remark: str | None = None


CALLED: list[str] = []


async def count_it(request: Request) -> None:
    CALLED.append(f"count {request.scope['route'].name}")


async def ledger() -> str:
    CALLED.append("ledger")
    return "ledger"


async def caller(request: Request, store: Annotated[str, Depends(ledger)]) -> str:
    CALLED.append(f"caller from {store}")
    if "authorization" not in request.headers:
        raise PermissionError
    return request.headers["authorization"]


Store = Annotated[str, Depends(ledger)]
Caller = Annotated[str, Depends(caller)]
router = APIRouter()


@router.post("/weighings", status_code=201, response_model_exclude_none=True)
async def weigh(who: Caller, store: Store) -> Weighed:
    CALLED.append(f"weigh for {who} in {store}")
    return Weighed(code="04HM", net_g=14_900)


@router.post("/plain", response_model=Weighed)
async def plain(who: Caller) -> Any:
    return {"code": who, "net_g": 1}


@router.get("/weighings")
async def list_weighings(limit: int = 10) -> list[int]:
    return list(range(limit))


@router.get("/weighings/{number}")
async def get_weighing(number: int) -> int:
    return number


async def read_label(request: Request) -> Response:
    CALLED.append(f"read {request.scope['raw_path'].decode()}")
    return Response(request.method)


router.add_api_route("/labels/{link:path}", read_label, methods=["GET", "HEAD"], response_class=Response)
router.add_api_route("/labels/exact/path", read_label, methods=["OPTIONS"], response_class=Response)


@router.get("/slow")
def read_slowly() -> int:
    return 1


@router.post("/marked", response_model=Weighed)
async def mark(response: Response) -> Any:
    response.headers["x-mark"] = "yes"
    return {"code": "04HM", "net_g": 1}


async def refused(_request: Request, _error: Exception) -> Response:
    return Response(status_code=401)


def app(*, direct: bool) -> FastAPI:
    made = FastAPI(redirect_slashes=False)
    made.include_router(router, dependencies=[Depends(count_it)])
    made.add_exception_handler(PermissionError, refused)
    if direct:
        made.router.middleware_stack = Direct(made, made.router.middleware_stack)
    return made


async def ask(served: FastAPI, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
    async with AsyncClient(transport=ASGITransport(served), base_url="http://test") as client:
        answer = await client.request(method, path, headers=headers)
    return answer.status_code, answer.content, dict(answer.headers)


REQUESTS = [
    ("POST", "/weighings", {"authorization": "me"}),
    ("POST", "/weighings", {}),
    ("POST", "/plain", {"authorization": "me"}),
    ("GET", "/weighings?limit=2", {}),
    ("GET", "/weighings?limit=many", {}),
    ("GET", "/weighings/7", {}),
    ("GET", "/slow", {}),
    ("POST", "/marked", {}),
    ("PUT", "/weighings", {}),
    ("GET", "/labels/8004/9520001A%2FB/?x=1", {}),
    ("HEAD", "/labels/", {}),
    ("GET", "/labels", {}),
    ("GET", "//labels/x", {}),
    ("OPTIONS", "/labels/exact/path", {}),
    ("POST", "/labels/x", {}),
    ("POST", "/weighings/", {}),
    ("POST", "/nowhere", {}),
]


@pytest.mark.parametrize(("method", "path", "headers"), REQUESTS)
def test_the_short_way_calls_and_answers_as_the_long_one(method: str, path: str, headers: dict[str, str]) -> None:
    told = []
    for direct in (False, True):
        CALLED.clear()
        answer = asyncio.run(ask(app(direct=direct), method, path, headers))
        told.append((*answer, list(CALLED)))
    assert told[0] == told[1]


def test_only_routes_that_need_no_more_than_their_dependencies_go_the_short_way() -> None:
    assert {way.route.name for way in ways_of(app(direct=False))} == {"weigh", "plain", "read_label"}


def test_what_stations_call_all_day_goes_the_short_way() -> None:
    served = FastAPI()
    for module in ROUTERS:
        served.include_router(module.router)
    ways = {way.route.name for way in ways_of(served)}
    assert {"check_fill", "record_fill", "record_return", "record_departure"} <= ways
    assert {"resolve_code", "resolve_grai", "resolve_giai", "get_public_answer", "verify_code"} <= ways


def test_below_a_segment_that_goes_the_short_way_lies_no_route_that_does_not() -> None:
    """It would never be asked."""
    served = FastAPI()
    for module in ROUTERS:
        served.include_router(module.router)
    short = {(way.route.name, way.context.path) for way in ways_of(served)}
    segments = {str(path).partition("{")[0] for _name, path in short if "{" in str(path)}
    assert segments >= {"/c/", "/C/", "/8003/", "/8004/", "/about/", "/verify/"}
    for context in iter_route_contexts(served.routes):
        path = str(context.path)
        if any(path.startswith(segment) for segment in segments):
            assert (context.name, path) in short
