"""Named queries and subscriptions (命名查询、订阅): kept questions, and who is told what is new of them."""

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool

from cylinder_api.access import Account, Caller
from cylinder_api.bodies import read_body, takes
from cylinder_api.delivery.addresses import BadAddress, Guard
from cylinder_api.delivery.secret_box import SecretBox
from cylinder_api.delivery.signing import SECRET_PREFIX, parse_secret
from cylinder_api.epcis.answering import JSON, JSON_LD, Titled, epc_format_of
from cylinder_api.epcis.asking import query_of, refusal_of
from cylinder_api.epcis.negotiation import SPOKEN, answers, discovery, negotiate
from cylinder_api.epcis.paging import Pages, Turn, next_link
from cylinder_api.refusals import Refused
from cylinder_api.routers.epcis_query import ASKING, DOCUMENT, PAGING, answer_query, parse, turn_of, url_items
from cylinder_api.service import Service, ServiceHere
from cylinder_trace.epcis.indexing import format_instant, instant_of
from cylinder_trace.epcis.query import Query, QueryFault
from cylinder_trace.epcis.reading import Unreadable, read_json
from cylinder_trace.epcis.schedule import ScheduleFault, next_time, parse_schedule
from cylinder_trace.store.epcis import named
from cylinder_trace.store.epcis.selecting import Mark, newest_seq
from cylinder_trace.store.tables import EpcisQueryRow, EpcisSubscriptionRow

router = APIRouter(prefix="/epcis/queries", tags=["epcis"], dependencies=[Depends(negotiate)])
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,79}")
_MOST_BYTES = 64 * 1024
_MOST_QUERIES = 500
_MOST_SUBSCRIPTIONS = 50
"""Of one query."""
_LONGEST_SECRET = 500
Shape = TypeVar("Shape", bound=BaseModel)
QueryName = Annotated[str, Path(description="Of the caller's organisation")]


class QueryDefinition(BaseModel):
    """A named query: its name, and the object of the query language that it stands for."""

    model_config = ConfigDict(extra="forbid")

    name: str
    query: dict[str, Any]


class NewSubscription(BaseModel):
    """Who is told what is new of a query: at once (`stream`), or when a `schedule` says so."""

    model_config = ConfigDict(extra="forbid")

    dest: str
    signatureToken: str | None = None  # noqa: N815 - GS1's names
    stream: bool | None = None
    schedule: dict[str, str] | None = None
    reportIfEmpty: bool = False  # noqa: N815
    initialRecordTime: str | None = None  # noqa: N815


class Subscription(BaseModel):
    """A subscription as it stands; its secret is never shown."""

    subscriptionID: str  # noqa: N815
    dest: str
    createdAt: str  # noqa: N815
    stream: bool | None = None
    schedule: dict[str, str] | None = None
    reportIfEmpty: bool | None = None  # noqa: N815
    initialRecordTime: str | None = None  # noqa: N815
    lastNotifiedAt: str | None = None  # noqa: N815
    """When the other side last took something."""
    minRecordTime: str | None = None  # noqa: N815
    """Events recorded from then on are still to be told."""
    epcFormat: str | None = None  # noqa: N815


_QUERY = {"name": "shipped", "query": {"eventType": ["ObjectEvent"], "EQ_bizStep": ["shipping", "receiving"]}}
_SUBSCRIPTION = {
    "dest": "https://client.example.com/queryCallback",
    "signatureToken": "13df38d8275b13f05704629e5f1cf3d45d6132d5",
    "schedule": {"hour": "1", "minute": "5"},
}


# --- queries -------------------------------------------------------------------------------------------------


@router.post(
    "",
    status_code=201,
    response_class=Response,
    summary="Keep a query under a name (命名查询)",
    responses=answers("epcis_exists", "epcis_media_type", "epcis_query_parameter", "epcis_query_invalid",
                      "epcis_query_too_complex", "epcis_too_large"),
    openapi_extra=takes(QueryDefinition, _QUERY),
)  # fmt: skip
async def create_epcis_query(request: Request, caller: Caller, service: ServiceHere) -> Response:
    """Its events are under `Location`; whoever is of the same organisation may ask and subscribe."""
    said = await _body(request, QueryDefinition)
    if not _NAME.fullmatch(said.name):
        raise Refused("epcis_query_invalid", "name: 1 to 80 characters of A-Z a-z 0-9 . _ ~ -, a letter or digit first")
    _kept_query(said.query)
    row = EpcisQueryRow(
        org_id=caller.org_id,
        name=said.name,
        account_id=caller.account_id,
        created_at=service.clock(),
        query=orjson.dumps(said.query).decode(),
    )
    await run_in_threadpool(_keep_query, service, row)
    return Response(status_code=201, headers={**SPOKEN, "Location": f"/epcis/queries/{said.name}/events"})


def _keep_query(service: Service, row: EpcisQueryRow) -> None:
    engine = service.ledger.engine
    with engine.connect() as reading:
        if named.count_queries(reading, row.org_id) >= _MOST_QUERIES:
            raise Refused("epcis_query_too_complex", f"an organisation keeps {_MOST_QUERIES} queries; delete one first")
    if not named.add_query(engine, row):
        raise Refused("epcis_exists", "your organisation has a query of this name; delete it first, or take another")


@router.get(
    "",
    summary="The organisation's named queries, page by page (命名查询清单)",
    responses=answers("epcis_query_parameter"),
    openapi_extra={"parameters": PAGING},
)
def list_epcis_queries(
    request: Request, response: Response, caller: Caller, service: ServiceHere
) -> list[QueryDefinition]:
    """As they were kept."""
    pages = Pages(service.keys.master, "queries", caller.org_id, service.clock())
    size, turn = parse(url_items(request, only_paging=True)).per_page, turn_of(request, pages)
    behind = str(turn.behind.key) if turn and turn.behind else ""
    with service.ledger.engine.connect() as reading:
        rows = named.read_queries(reading, caller.org_id, behind, size + 1)
    if len(rows) > size:
        token = pages.token_of(Turn(behind=Mark(rows[size - 1].name, 0)))
        response.headers["Link"] = next_link(request, token)
        response.headers["GS1-Next-Page-Token-Expires"] = format_instant(pages.expires_at)
    return [_shown_query(row) for row in rows[:size]]


@router.get("/{name}", summary="A named query (命名查询)", responses=answers("epcis_name_unknown"))
def get_epcis_query(name: QueryName, caller: Caller, service: ServiceHere) -> QueryDefinition:
    """As it was kept."""
    return _shown_query(_found(service, caller, name))


@router.delete(
    "/{name}",
    status_code=204,
    response_class=Response,
    summary="Let a named query go, with every subscription to it (删除命名查询)",
    responses=answers("epcis_name_unknown"),
)
def delete_epcis_query(name: QueryName, caller: Caller, service: ServiceHere) -> Response:
    """Nothing is told of it any more."""
    if not named.delete_query(service.ledger.engine, caller.org_id, name):
        raise _no_such_query()
    return Response(status_code=204)


@router.get(
    "/{name}/events",
    summary="The events that a named query finds, page by page (命名查询的事件)",
    response_class=Response,
    responses={**DOCUMENT, **answers("epcis_name_unknown", *ASKING)},
    openapi_extra={"parameters": PAGING},
)
def query_epcis_events_by_name(name: QueryName, request: Request, caller: Caller, service: ServiceHere) -> Response:
    """With the rights of who asks."""
    size = parse(url_items(request, only_paging=True)).per_page
    query = _kept_query(orjson.loads(_found(service, caller, name).query))
    return answer_query(request, caller, service, query._replace(per_page=size), Titled(name))


def _kept_query(said: dict[str, Any]) -> Query:
    try:
        return query_of(said)
    except QueryFault as fault:
        raise refusal_of(fault) from None


def _found(service: Service, caller: Account, name: str) -> EpcisQueryRow:
    with service.ledger.engine.connect() as reading:
        row = named.read_query(reading, caller.org_id, name)
    if row is None:
        raise _no_such_query()
    return row


def _no_such_query() -> Refused:
    return Refused("epcis_name_unknown", "your organisation has no query of this name")


def _shown_query(row: EpcisQueryRow) -> QueryDefinition:
    return QueryDefinition(name=row.name, query=orjson.loads(row.query))


# --- subscriptions -------------------------------------------------------------------------------------------


@router.post(
    "/{name}/subscriptions",
    status_code=201,
    response_model_exclude_none=True,
    summary="Be told what is new of a named query (订阅)",
    responses=answers("epcis_name_unknown", "epcis_subscription", "epcis_media_type", "epcis_too_large"),
    openapi_extra=takes(NewSubscription, _SUBSCRIPTION),
)
async def subscribe_epcis_query(
    name: QueryName, request: Request, response: Response, caller: Caller, service: ServiceHere
) -> Subscription:
    """Documents go to `dest` by POST, signed with `signatureToken`; what is not answered with 2xx comes again.

    The signature stands in `GS1-Signature` and, with the other headers of Standard Webhooks, in `webhook-signature`.
    """
    said = await _body(request, NewSubscription)
    row = await run_in_threadpool(_subscribe, service, caller, name, said, epc_format_of(request))
    response.headers["Location"] = f"/epcis/queries/{name}/subscriptions/{row.id}"
    return _shown(row)


def _subscribe(
    service: Service, caller: Account, name: str, said: NewSubscription, epc_format: str | None
) -> EpcisSubscriptionRow:
    _require_standing(_kept_query(orjson.loads(_found(service, caller, name).query)))
    now, id = service.clock(), f"sub_{secrets.token_hex(16)}"
    due_at = _due_at(said, now)
    initial = _initial(said)
    _require_address(service, said.dest)
    with service.ledger.engine.connect() as reading:
        if len(named.read_subscriptions(reading, caller.org_id, name)) >= _MOST_SUBSCRIPTIONS:
            raise Refused("epcis_subscription", f"a query has at most {_MOST_SUBSCRIPTIONS} subscriptions")
        at_seq = newest_seq(reading) if initial is None else named.seq_before(reading, initial)
    body = said.model_dump(exclude={"signatureToken"}, exclude_none=True) | {"initial_ms": initial}
    row = EpcisSubscriptionRow(
        id=id,
        org_id=caller.org_id,
        query_name=name,
        account_id=caller.account_id,
        role=caller.role,
        created_at=now,
        body=orjson.dumps(body).decode(),
        epc_format=epc_format,
        secret_sealed=_sealed(service, id, said.signatureToken),
        at_seq=at_seq,
        due_at=due_at,
    )
    if not named.add_subscription(service.ledger.engine, row):
        raise _no_such_query()
    return row


@router.get(
    "/{name}/subscriptions",
    response_model_exclude_none=True,
    summary="Who is told of a named query (订阅清单)",
    responses=answers("epcis_name_unknown"),
)
def list_epcis_subscriptions(name: QueryName, caller: Caller, service: ServiceHere) -> list[Subscription]:
    """Those that have not ended."""
    _found(service, caller, name)
    with service.ledger.engine.connect() as reading:
        return [_shown(row) for row in named.read_subscriptions(reading, caller.org_id, name)]


@router.get(
    "/{name}/subscriptions/{subscription_id}",
    response_model_exclude_none=True,
    summary="A subscription as it stands (订阅)",
    responses=answers("epcis_name_unknown", "epcis_unknown"),
)
def get_epcis_subscription(name: QueryName, subscription_id: str, caller: Caller, service: ServiceHere) -> Subscription:
    """How far the other side has come."""
    _found(service, caller, name)
    with service.ledger.engine.connect() as reading:
        rows = named.read_subscriptions(reading, caller.org_id, name)
    row = next((row for row in rows if row.id == subscription_id), None)
    if row is None:
        raise _no_such_subscription()
    return _shown(row)


@router.delete(
    "/{name}/subscriptions/{subscription_id}",
    status_code=204,
    response_class=Response,
    summary="End a subscription (退订)",
    responses=answers("epcis_name_unknown", "epcis_unknown"),
)
def unsubscribe_epcis_query(name: QueryName, subscription_id: str, caller: Caller, service: ServiceHere) -> Response:
    """What is under way at this moment may still arrive."""
    _found(service, caller, name)
    if not named.delete_subscription(service.ledger.engine, caller.org_id, name, subscription_id):
        raise _no_such_subscription()
    return Response(status_code=204)


def _no_such_subscription() -> Refused:
    return Refused("epcis_unknown", "this query has no such subscription")


def _require_standing(query: Query) -> None:
    if query.limit is not None or query.most is not None:
        raise Refused("epcis_subscription", "a query with eventCountLimit or maxEventCount cannot be subscribed to")


def _due_at(said: NewSubscription, now: int) -> int | None:
    """When a schedule asks first; None for a stream."""
    if (said.stream is True) == (said.schedule is not None):
        raise Refused("epcis_subscription", "say either stream: true or a schedule")
    if said.schedule is None:
        if said.reportIfEmpty:
            raise Refused("epcis_subscription", "reportIfEmpty goes with a schedule: a stream tells only what is new")
        return None
    try:
        return next_time(parse_schedule(said.schedule), now)
    except ScheduleFault as fault:
        raise Refused("epcis_subscription", fault.en, detail_zh=fault.zh) from None


def _initial(said: NewSubscription) -> int | None:
    if said.initialRecordTime is None:
        return None
    try:
        return instant_of(said.initialRecordTime)
    except ValueError:
        raise Refused(
            "epcis_subscription",
            "initialRecordTime: write a date and time with its zone, 2026-04-01T08:00:00.000+08:00",
        ) from None


def _require_address(service: Service, dest: str) -> None:
    try:
        Guard(service.settings.private_receivers).check_url(dest)
    except BadAddress as error:
        raise Refused("epcis_subscription", f"dest: {error}") from None


def _sealed(service: Service, id: str, token: str | None) -> bytes | None:
    if token is None:
        return None
    secret = parse_secret(token) if token.startswith(SECRET_PREFIX) else token.encode()
    if not secret or len(secret) > _LONGEST_SECRET:
        raise Refused("epcis_subscription", "signatureToken: 1 to 500 bytes, or a whsec_ secret of Standard Webhooks")
    return SecretBox(service.keys.master).seal(id, secret)


def _shown(row: EpcisSubscriptionRow) -> Subscription:
    body = orjson.loads(row.body)
    since = row.taken_at or body.get("initial_ms") or row.created_at
    return Subscription(
        subscriptionID=row.id,
        dest=body["dest"],
        createdAt=format_instant(row.created_at),
        stream=body.get("stream"),
        schedule=body.get("schedule"),
        reportIfEmpty=body["reportIfEmpty"] if "schedule" in body else None,
        initialRecordTime=body.get("initialRecordTime"),
        lastNotifiedAt=None if row.taken_at is None else format_instant(row.taken_at),
        minRecordTime=format_instant(since),
        epcFormat=row.epc_format,
    )


# --- what all of them do -------------------------------------------------------------------------------------


async def _body(request: Request, shape: type[Shape]) -> Shape:
    """The body as JSON of this shape, read strictly; raises Refused or RequestValidationError."""
    form = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if form not in (JSON, JSON_LD):
        raise Refused("epcis_media_type", f"send Content-Type: {JSON} or {JSON_LD}")
    text = await read_body(request, _MOST_BYTES)
    try:
        value = read_json(text).value
    except Unreadable as error:
        raise Refused("epcis_invalid", f"/: {error.fault.en}", detail_zh=f"/：{error.fault.zh}") from None
    try:
        return shape.model_validate(value, strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from None


def _tells(*methods: str) -> Callable[[], Awaitable[Response]]:
    async def tell_settings() -> Response:
        """What is spoken here; anybody may ask."""
        return discovery(methods)

    return tell_settings


for _path, _answer, _methods in (
    ("", list_epcis_queries, ("GET", "HEAD", "POST")),
    ("/{name}", get_epcis_query, ("GET", "HEAD", "DELETE")),
    ("/{name}/events", query_epcis_events_by_name, ("GET", "HEAD")),
    ("/{name}/subscriptions", list_epcis_subscriptions, ("GET", "HEAD", "POST")),
    ("/{name}/subscriptions/{subscription_id}", get_epcis_subscription, ("GET", "HEAD", "DELETE")),
):
    _same: dict[str, Any] = {"name": _answer.__name__, "include_in_schema": False}
    router.add_api_route(_path, _answer, methods=["HEAD"], response_model_exclude_none=True, **_same)
    router.add_api_route(_path, _tells(*_methods), methods=["OPTIONS"], response_class=Response, **_same)
