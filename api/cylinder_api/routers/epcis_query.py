"""Asking for EPCIS events (EPCIS 事件查询): by the query language, one by its id, and along the vocabularies."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from sqlalchemy import Connection

from cylinder_api.access import Account, Caller
from cylinder_api.epcis.answering import (
    JSON,
    JSON_LD,
    Titled,
    collection_of,
    document_of,
    epc_format_of,
    media_type_of,
    write_of,
    written,
)
from cylinder_api.epcis.asking import refusal_of, visible_to
from cylinder_api.epcis.negotiation import SPOKEN, answers, discovery, negotiate
from cylinder_api.epcis.paging import PARAMETER, Pages, Turn, next_link
from cylinder_api.refusals import Refused
from cylinder_api.service import Service, ServiceHere
from cylinder_trace.epcis.cbv import BIZ_STEPS, DISPOSITIONS, EVENT_TYPES, Vocabulary
from cylinder_trace.epcis.indexing import format_instant, id_of, word_of
from cylinder_trace.epcis.query import ColumnCondition, Query, QueryFault
from cylinder_trace.epcis.query_language import NAMES, parse_query_object, parse_url_query
from cylinder_trace.store.epcis.listing import Source, has_value, list_values
from cylinder_trace.store.epcis.selecting import Mark, Page, Visible, count_upto, newest_seq, select_page

router = APIRouter(prefix="/epcis", tags=["epcis"], dependencies=[Depends(negotiate)])
_LONGEST_QUERY = 16_000
"""Bytes of a URL's query; what is longer is asked as a named query."""
_PATIENCE_S = 2.0
"""A question waits so long for what was recorded before it."""
_OF_ONE_ID = 100
"""An event and the declarations of errors in it."""

# --- events --------------------------------------------------------------------------------------------------

PAGING = [
    {"name": "perPage", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 1, "default": 30}},
    {"name": PARAMETER, "in": "query", "required": False, "schema": {"type": "string"}},
]
_PARAMETERS = [
    *({"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in NAMES),
    *PAGING,
]
DOCUMENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "An EPCISQueryDocument; `Link: rel=next` leads on",
        "content": {kind: {"schema": {"type": "object"}} for kind in (JSON, JSON_LD)},
    }
}
_COLLECTION: dict[int | str, dict[str, Any]] = {
    200: {"description": "A Collection of values", "content": {JSON: {"schema": {"type": "object"}}}}
}
ASKING = ("epcis_query_parameter", "epcis_query_too_complex", "epcis_query_too_large", "epcis_uri_too_long")


@router.get(
    "/events",
    summary="EPCIS events that meet all conditions, page by page (查询事件)",
    response_class=Response,
    responses={**DOCUMENT, **answers(*ASKING)},
    openapi_extra={"parameters": _PARAMETERS},
)
def query_epcis_events(request: Request, caller: Caller, service: ServiceHere) -> Response:
    """The parameters are those of the EPCIS 2.0 query language; several values are joined by `|`.

    Beside those listed there are families whose names say a unit, a type or a field: `GE_quantity_KGM`,
    `EQ_bizTransaction_po`, `EQ_pl:type`; see docs/epcis-query.md.  A page never changes because something was recorded
    meanwhile.
    """
    return answer_query(request, caller, service, url_query(request))


@router.get(
    "/events/{event_id:path}",
    summary="One event by its eventID, and the declarations of errors in it (按编号取事件)",
    response_class=Response,
    responses={**DOCUMENT, **answers("epcis_unknown")},
)
def get_epcis_event(
    event_id: Annotated[str, Path()], request: Request, caller: Caller, service: ServiceHere
) -> Response:
    """The id is percent-encoded, its slashes and question mark too."""
    query = Query(columns=(ColumnCondition("EQ_eventID", "event_id", frozenset((event_id,))),))
    form = media_type_of(request)
    complete = complete_to(service)
    with service.ledger.engine.connect() as reading:
        page = select_page(
            reading, query, visible_to(caller.role, caller.org_id), newest_seq(reading), None, _OF_ONE_ID
        )
    if not page.events:
        raise Refused("epcis_unknown", "no event that you may see has this id")
    return _document(request, service, page, form, complete, Titled())


# --- vocabularies --------------------------------------------------------------------------------------------

_EPCS = ("epc", "parent", "input", "output")


RESOURCES: Mapping[str, Source] = {
    "eventTypes": Source(names=("own_type",), always=EVENT_TYPES),
    "epcs": Source(names=_EPCS),
    "bizSteps": Source(column="biz_step", always=BIZ_STEPS.words),
    "bizLocations": Source(column="biz_location"),
    "readPoints": Source(column="read_point"),
    "dispositions": Source(column="disposition", always=DISPOSITIONS.words),
}
"""GS1's name of a resource → where its values stand."""
_PARAMETER_OF = {
    "eventTypes": "eventType",
    "epcs": "MATCH_anyEPC",
    "bizSteps": "EQ_bizStep",
    "bizLocations": "EQ_bizLocation",
    "readPoints": "EQ_readPoint",
    "dispositions": "EQ_disposition",
}
_WORDS: Mapping[str, Vocabulary] = {"bizSteps": BIZ_STEPS, "dispositions": DISPOSITIONS}
TOP_LEVEL = ("capture", "events", *RESOURCES, "queries")
"""Everything under /epcis."""
_Kind = Annotated[str, Path(json_schema_extra={"enum": list(RESOURCES)})]


@router.get(
    "",
    summary="What there is under /epcis (资源清单)",
    response_class=Response,
    responses={**_COLLECTION, **answers()},
)
def list_epcis_resources(request: Request, caller: Caller) -> Response:
    """GS1's top-level resources."""
    return _collection(request, TOP_LEVEL)


@router.get(
    "/{kind}",
    summary="The values of a kind that stand in events, page by page (取值清单)",
    response_class=Response,
    responses={**_COLLECTION, **answers("epcis_unknown", "epcis_query_parameter")},
    openapi_extra={"parameters": PAGING},
)
def list_epcis_values(kind: _Kind, request: Request, caller: Caller, service: ServiceHere) -> Response:
    """`eventTypes`, `epcs`, `bizSteps`, `bizLocations`, `readPoints`, `dispositions`: CBV's words and what stands in
    events that the caller may see."""
    source, now, form = _source(kind), service.clock(), media_type_of(request)
    write = write_of(epc_format_of(request), service.settings.company_prefixes)
    visible = visible_to(caller.role, caller.org_id)
    pages = Pages(service.keys.master, kind, visible.org_id, now)
    size = parse(url_items(request, only_paging=True)).per_page
    turn = turn_of(request, pages)
    behind = str(turn.behind.key) if turn and turn.behind else ""
    complete = complete_to(service)
    with service.ledger.engine.connect() as reading:
        values, last = list_values(reading, source, visible, behind, size)
    members = [value if write is None else written(value, write) for value in values]
    headers = complete | ({} if last is None else _onward(request, pages, Turn(behind=Mark(last, 0))))
    return _said(collection_of(members), form, headers)


@router.get(
    "/{kind}/{value:path}/events",
    summary="EPCIS events with one value, page by page (按取值查询事件)",
    response_class=Response,
    responses={**DOCUMENT, **answers("epcis_unknown", *ASKING)},
    openapi_extra={"parameters": _PARAMETERS},
)
def query_epcis_events_of(
    kind: _Kind, value: Annotated[str, Path()], request: Request, caller: Caller, service: ServiceHere
) -> Response:
    """The value is percent-encoded, its slashes too; the parameters are those of `/epcis/events`."""
    _source(kind)
    asked = url_query(request)
    fixed = parse_object({_PARAMETER_OF[kind]: [value]})
    both = asked._replace(terms=asked.terms + fixed.terms, columns=asked.columns + fixed.columns)
    return answer_query(request, caller, service, both)


@router.get(
    "/{kind}/{value:path}",
    summary="What there is of one value (取值的子资源)",
    response_class=Response,
    responses={**_COLLECTION, **answers("epcis_unknown")},
)
def get_epcis_value(
    kind: _Kind, value: Annotated[str, Path()], request: Request, caller: Caller, service: ServiceHere
) -> Response:
    """Its events, if there are any that the caller may see."""
    source = _source(kind)
    normal = word_of(_WORDS[kind], value, str) if kind in _WORDS else id_of(value, str)
    complete_to(service)
    with service.ledger.engine.connect() as reading:
        known = normal in source.always or has_value(reading, source, visible_to(caller.role, caller.org_id), normal)
    if not known:
        raise Refused("epcis_unknown", "no event that you may see has this value")
    return _collection(request, ("events",))


def _source(kind: str) -> Source:
    if kind not in RESOURCES:
        raise Refused("epcis_unknown", "there is nothing of this name under /epcis")
    return RESOURCES[kind]


# --- what all of them do -------------------------------------------------------------------------------------


def url_items(request: Request, *, only_paging: bool = False) -> list[tuple[str, str]]:
    """The parameters of a URL but for the token; raises Refused."""
    if len(request.scope["query_string"]) > _LONGEST_QUERY:
        raise Refused("epcis_uri_too_long", f"the query has more than {_LONGEST_QUERY} bytes; make it a named query")
    items = [(name, value) for name, value in request.query_params.multi_items() if name != PARAMETER]
    other = next((name for name, _ in items if only_paging and name != "perPage"), None)
    if other is not None:
        raise Refused("epcis_query_parameter", f"only perPage and {PARAMETER} are taken here")
    return items


def url_query(request: Request) -> Query:
    """The query in a URL, with the prefixes that GS1-Extensions declares; raises Refused."""
    items = [(name, value) for name, value in url_items(request) if name not in _OF_THE_RESOLVER]
    return parse(items, _declared(request.headers.get("gs1-extensions", "")))


_OF_THE_RESOLVER = ("linkType", "context")
"""Words that GS1 keeps for resolvers, which pass a query on as a whole."""


def parse(items: Iterable[tuple[str, str]], prefixes: Mapping[str, str] | None = None) -> Query:
    """The query that parameters say; raises Refused."""
    try:
        return parse_url_query(items, prefixes)
    except QueryFault as fault:
        raise refusal_of(fault) from None


def parse_object(value: object) -> Query:
    """The query that an object says; raises Refused."""
    try:
        return parse_query_object(value)
    except QueryFault as fault:
        raise refusal_of(fault) from None


def _declared(header: str) -> dict[str, str]:
    """``ex=https://ns.example.org/, …`` → prefixes; what is written otherwise declares nothing."""
    pairs = (part.partition("=") for part in header.split(","))
    return {name.strip(): namespace.strip() for name, sign, namespace in pairs if sign and ":" not in name}


def answer_query(
    request: Request, account: Account, service: Service, query: Query, titled: Titled | None = None
) -> Response:
    """A page of a query's answer; raises Refused."""
    form, now, visible = media_type_of(request), service.clock(), visible_to(account.role, account.org_id)
    pages = Pages(service.keys.master, _question(query), visible.org_id, now)
    turn = turn_of(request, pages)
    complete = complete_to(service)
    with service.ledger.engine.connect() as reading:
        if turn is None:
            turn = Turn(newest_seq(reading), None, query.limit)
            _require_few(reading, query, visible, turn.upto)
        page = _page(reading, query, visible, turn)
    left = None if turn.left is None else turn.left - len(page.events)
    goes_on = page.next is not None and left != 0
    headers = _onward(request, pages, Turn(turn.upto, page.next, left)) if goes_on else {}
    return _document(request, service, page, form, {**complete, **headers}, titled or Titled())


def _page(reading: Connection, query: Query, visible: Visible, turn: Turn) -> Page:
    size = query.per_page if turn.left is None else min(query.per_page, turn.left)
    try:
        return select_page(reading, query, visible, turn.upto, turn.behind, size)
    except QueryFault as fault:
        raise refusal_of(fault) from None


def _require_few(reading: Connection, query: Query, visible: Visible, upto: int) -> None:
    if query.most is None:
        return
    try:
        count = count_upto(reading, query, visible, upto, query.most + 1)
    except QueryFault as fault:
        raise refusal_of(fault) from None
    if count > query.most:
        raise Refused("epcis_query_too_large", f"maxEventCount: the answer has more than {query.most} events")


def _question(query: Query) -> object:
    """What a token belongs to: all of the query but how much is shown at a time."""
    terms = [(one.names, sorted(one.values), one.spans) for one in query.terms]
    columns = [(one.column, sorted(one.values), one.spans) for one in query.columns]
    return [sorted(terms, key=repr), sorted(columns, key=repr), query.order, query.limit]


def turn_of(request: Request, pages: Pages) -> Turn | None:
    """Where the token in a URL leads; None without one. Raises Refused."""
    token = request.query_params.get(PARAMETER)
    return None if token is None else pages.read(token)


def _onward(request: Request, pages: Pages, turn: Turn) -> dict[str, str]:
    return {
        "Link": next_link(request, pages.token_of(turn)),
        "GS1-Next-Page-Token-Expires": format_instant(pages.expires_at),
    }


def complete_to(service: Service) -> dict[str, str]:
    """Wait until what is recorded is among the events, for a while; the header that says to where it is."""
    entries = service.epcis.complete(_PATIENCE_S)
    return {"PingLian-Log-Index": str(entries - 1)} if entries else {}


def _document(
    request: Request, service: Service, page: Page, form: str, headers: Mapping[str, str], titled: Titled
) -> Response:
    write = write_of(epc_format_of(request), service.settings.company_prefixes)
    return _said(document_of(page.events, write, service.clock(), titled), form, headers)


def _collection(request: Request, members: Sequence[str]) -> Response:
    return _said(collection_of(members), media_type_of(request), {})


def _said(body: bytes, form: str, headers: Mapping[str, str]) -> Response:
    return Response(body, headers={**SPOKEN, **headers, "Cache-Control": "private, no-store"}, media_type=form)


# --- HEAD and OPTIONS ----------------------------------------------------------------------------------------


async def _tell_settings(request: Request) -> Response:
    """What is spoken here; anybody may ask."""
    _source(request.path_params.get("kind", "epcs"))
    return discovery(("GET", "HEAD", *(("POST",) if request.url.path == "/epcis/events" else ())))


for _path, _answer in (
    ("/events", query_epcis_events),
    ("/events/{event_id:path}", get_epcis_event),
    ("", list_epcis_resources),
    ("/{kind}", list_epcis_values),
    ("/{kind}/{value:path}/events", query_epcis_events_of),
    ("/{kind}/{value:path}", get_epcis_value),
):
    for _method, _does in (("HEAD", _answer), ("OPTIONS", _tell_settings)):
        router.add_api_route(
            _path, _does, methods=[_method], name=_answer.__name__, include_in_schema=False, response_class=Response
        )
