"""The resolver (解析服务): where a code on a label leads, and the public answers at the other end.

A phone that scans a label asks ``/8003/…``, ``/8004/…`` or ``/c/…`` and is sent on to ``/about/…``; a program asks the
same address for all links and takes the one it wants.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response

from cylinder_api.etags import names
from cylinder_api.problems import documented
from cylinder_api.resolving.answer import PublicAnswer, public_answer
from cylinder_api.resolving.asking import Label, Wish, base_of, best_of, read_label, read_wish
from cylinder_api.resolving.doors import ANY_ORIGIN, HTML, JSON, OPEN, VARY, Door, find, public_door
from cylinder_api.resolving.finding import Found
from cylinder_api.resolving.history import CERTIFIED, PUBLIC, PublicHistory, public_history
from cylinder_api.resolving.keeping import Kept
from cylinder_api.resolving.links import (
    CONTEXT,
    LINKSET_TYPE,
    VOCABULARY,
    WHOLE_SET,
    choose,
    default_path,
    linkset,
    targets_of,
    type_named,
    with_query,
)
from cylinder_api.resolving.messages import (
    Connectivity,
    Namespace,
    ResolverDescription,
    Verification,
    VerificationData,
)
from cylinder_api.resolving.pages import answer_page, at_minute, history_page, linkset_page, safety_page
from cylinder_api.resolving.sheet import HEADERS, STYLE_VERSION
from cylinder_api.resolving.words import Words
from cylinder_api.service import Service
from cylinder_codes.identifiers import format_code_human
from cylinder_trace.dates import local_day
from cylinder_trace.values import Frozen

router = APIRouter(tags=["resolver"])
_LD_JSON = "application/ld+json"
_CONTEXT_LINK = f'<{CONTEXT}>; rel="http://www.w3.org/ns/json-ld#context"; type="{_LD_JSON}"'
_A_MOMENT = "public, max-age=10, must-revalidate"
"""A wave of phones over one picture of a label is answered by caches; what an authority marks shows 10 s later."""

# --- the documents ----------------------------------------------------------------------------------------------

_REFUSALS = documented("link_invalid", "cylinder_unknown", "link_type_absent", public=True)
_AS_PAGE = {HTML: {"schema": {"type": "string"}, "example": '<!doctype html><html lang="zh-CN">…'}}
for _status in (400, 404):
    _REFUSALS[_status]["content"].update(_AS_PAGE)


def _in_path(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": description}


def _in_query(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string"}, "description": description}


_LANGUAGE = _in_query("lang", "`zh-CN` or `en`, above Accept-Language.")
_FORM = _in_query("format", "`html` or `json`, above Accept.")
_LINK_TYPE = _in_query("linkType", "A type of GS1's vocabulary; `linkset` lists all. Absent = the default link.")
_LINK = _in_path("link", "The path of the label's link: `c/…`, `8003/…` or `8004/…`.")
_LINKSET = {200: {"description": "All links, after RFC 9264.", "content": {
    LINKSET_TYPE: {"schema": {"type": "object"}}, JSON: {"schema": {"type": "object"}},
    _LD_JSON: {"schema": {"type": "object"}}, **_AS_PAGE,
}}}  # fmt: skip
_SENT_ON = {307: {"description": "The link that was asked for, or the default one.", "headers": {
    "Location": {"schema": {"type": "string"}}, "Link": {"schema": {"type": "string"}},
}}}  # fmt: skip


def _public(path: str, name: str, door: Door, parameters: list[dict[str, Any]], **documents: Any) -> None:
    """Offer GET, HEAD and OPTIONS at a path; the document shows the first."""
    served = public_door(door)
    router.add_api_route(
        path, served, methods=["GET"], name=name, response_class=Response,
        openapi_extra={"parameters": parameters} if parameters else None, **documents,
    )  # fmt: skip
    router.add_api_route(
        path, served, methods=["HEAD", "OPTIONS"], name=name, response_class=Response, include_in_schema=False
    )


# --- from a label to its links ----------------------------------------------------------------------------------


async def resolve(request: Request) -> Response:
    """Send on to the link that is asked for, else to the default one, with the whole query; or list all links."""
    label, wish = read_label(request), read_wish(request)
    found, base = await find(request, label), base_of(request)
    if _wants_all(wish):
        return _all_links(label, found, wish, base)
    path = default_path(label)
    if wish.link_type is not None:
        word = type_named(wish.link_type) or wish.link_type
        path = choose(targets_of(label, found.cylinder), word, wish).path
    query: str = request.scope["query_string"].decode("latin-1")
    all_links = f'<{base}{label.path}?linkType=linkset>; rel="linkset"; type="{LINKSET_TYPE}"'
    headers = {"Location": with_query(base + path, query), "Link": all_links, "Vary": VARY, "Cache-Control": _A_MOMENT}
    return Response(status_code=307, headers=headers | OPEN)


def _wants_all(wish: Wish) -> bool:
    if wish.link_type is not None:
        return wish.link_type in WHOLE_SET
    return best_of((HTML, LINKSET_TYPE, JSON, _LD_JSON), wish.accept) in (LINKSET_TYPE, JSON, _LD_JSON)


def _all_links(label: Label, found: Found, wish: Wish, base: str) -> Response:
    targets = targets_of(label, found.cylinder)
    form = best_of((LINKSET_TYPE, JSON, _LD_JSON, HTML), wish.accept) or LINKSET_TYPE
    headers = {"Link": _CONTEXT_LINK, "Vary": VARY, "Cache-Control": _A_MOMENT} | OPEN
    if form == HTML:
        return Response(linkset_page(label, targets, wish.language), headers=headers | HEADERS, media_type=HTML)
    listed = linkset(base, label, f"液化石油气瓶 LPG cylinder {found.cylinder.stamp.model}", targets)
    if form == _LD_JSON:  # the one form that carries its context in itself
        listed = {"@context": CONTEXT, **listed}
    return Response(orjson.dumps(listed), headers=headers, media_type=form)


for _path, _name, _parameter in (
    ("/8003/{grai:path}", "resolve_grai", _in_path("grai", "A GRAI: filler 0, 12 digits, check digit, serial.")),
    ("/8004/{giai:path}", "resolve_giai", _in_path("giai", "A GIAI; `/7040/…` may stand behind it.")),
    ("/c/{code:path}", "resolve_code", _in_path("code", "A code of our own, or an alias: `province:…`, `tid:…`.")),
):
    _public(
        _path, _name, resolve, [_parameter, _LINK_TYPE, _in_query("context", "Sent on; no link depends on it.")],
        summary="Where a label's code leads", responses={**_LINKSET, **_SENT_ON, **_REFUSALS},
    )  # fmt: skip
# As small plates bear it: the letter of our own path in upper case too.
router.add_api_route(
    "/C/{code:path}", public_door(resolve), methods=["GET", "HEAD", "OPTIONS"], name="resolve_code",
    include_in_schema=False, response_class=Response,
)  # fmt: skip


# --- at the other end -------------------------------------------------------------------------------------------


async def get_public_answer(request: Request) -> Response:
    """Verdict, one sentence, one next step, and the facts to compare with the steel. No personal data."""
    label, wish = read_label(request, "/about"), read_wish(request)
    found, now = await find(request, label), _service(request).clock()
    headers = _headers(found, wish, now)
    if names(request.headers.get("if-none-match"), headers["ETag"].removeprefix("W/")):
        return Response(status_code=304, headers=headers)
    if _wants_json(wish):
        return Response(public_answer(label, found, now).model_dump_json(), headers=headers, media_type=JSON)
    page = _KEPT.get(
        (label.path, headers["ETag"]), lambda: answer_page(label, public_answer(label, found, now), wish.language)
    )
    return _page(at_minute(page, now), wish, headers)


_KEPT = Kept()


def _headers(found: Found, wish: Wish, now: int) -> dict[str, str]:
    """The tag names all that the answer is made of, so that what is cached need not be made to be compared."""
    book = found.book.name if found.book else "-"
    form = "json" if _wants_json(wish) else wish.language
    tag = f'W/"{found.head.n}-{found.head.hash[:16]}-{local_day(now)}-{book}-{form}-{STYLE_VERSION}"'
    return {"ETag": tag, "Vary": VARY, "Cache-Control": _A_MOMENT} | ANY_ORIGIN


def _wants_json(wish: Wish) -> bool:
    return wish.form == "json" or (wish.form != "html" and best_of((HTML, JSON), wish.accept) == JSON)


def _page(text: str, wish: Wish, headers: dict[str, str]) -> Response:
    return Response(text, headers=headers | HEADERS | {"Content-Language": wish.language}, media_type=HTML)


async def get_public_history(request: Request) -> Response:
    """Months and kinds of what happened to the cylinder; no person, no door, no delivery."""
    return await _history(request, "/history", tuple(PUBLIC), Words("公开履历", "Public history"))


async def get_public_certificates(request: Request) -> Response:
    """The inspections and evaluations on record, with the bodies and report numbers that answer for them."""
    return await _history(request, "/certificates", CERTIFIED, Words("检验记录", "Inspections on record"))


async def _history(request: Request, door: str, kinds: tuple[str, ...], title: Words) -> Response:
    label, wish = read_label(request, door), read_wish(request)
    found, service = await find(request, label), _service(request)
    headers = _headers(found, wish, service.clock())
    if names(request.headers.get("if-none-match"), headers["ETag"].removeprefix("W/")):
        return Response(status_code=304, headers=headers)
    subject = f"cylinder/{found.cylinder.cylinder_id}"
    entries = await asyncio.to_thread(service.ledger.reader.history, subject)
    history = public_history(format_code_human(label.code), entries, kinds)
    if _wants_json(wish):
        return Response(history.model_dump_json(exclude_none=True), headers=headers, media_type=JSON)
    return _page(history_page(label, history, title, wish.language), wish, headers)


async def verify_code(request: Request) -> Response:
    """Whether the register knows the code and it is in force; a code that is not on file is answered 404."""
    label = read_label(request, "/verify")
    found, now = await find(request, label), _service(request).clock()
    answer, is_void = public_answer(label, found, now), label.code.text in found.cylinder.voided_codes
    data = VerificationData(
        verified=not is_void,
        verificationFailureReason="code_voided" if is_void else None,
        additionalInfo="recalled" if answer.recalled else None,
    )
    told = Verification(
        verificationTimestamp=_iso(now), corrUUID=_uuid(request.query_params.get("corrUUID")), data=data,
        verdict=answer.verdict,
    )  # fmt: skip
    return Response(
        told.model_dump_json(exclude_none=True), headers={"Cache-Control": "no-store"} | ANY_ORIGIN, media_type=JSON
    )


async def check_connectivity(request: Request) -> Response:
    """That questions arrive here, before any is asked."""
    told = Connectivity(timestamp=_iso(_service(request).clock()))
    return Response(told.model_dump_json(), headers={"Cache-Control": "no-store"} | ANY_ORIGIN, media_type=JSON)


async def get_resolver_description(request: Request) -> Response:
    """The description file that GS1 asks every resolver for."""
    told = ResolverDescription(
        name="PingLian 瓶链",
        resolverRoot=base_of(request),
        supportedPrimaryKeys=("8003", "8004"),
        supportedLinkType=(Namespace(namespace=VOCABULARY, prefix="gs1:"),),
        linkTypeDefaultCanBeLinkset=False,
        jsonLdContextLocation=CONTEXT,
    )
    return Response(
        told.model_dump_json(), headers={"Cache-Control": "public, max-age=3600"} | ANY_ORIGIN, media_type=JSON
    )


async def get_safety_advice(request: Request) -> Response:
    """General advice about gas at home."""
    wish = read_wish(request)
    return _page(safety_page(wish.language), wish, {"Vary": VARY, "Cache-Control": "public, max-age=3600"} | ANY_ORIGIN)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _uuid(sent: str | None) -> str | None:
    try:
        return str(UUID(sent)) if sent else None
    except ValueError:
        return None


def _with_page(model: type[Frozen]) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "content": _AS_PAGE}, 304: {"description": "Nothing of it changed."}}


_public(
    "/about/{link:path}", "get_public_answer", get_public_answer, [_LINK, _LANGUAGE, _FORM],
    summary="What anybody may know who scans the label", responses={**_with_page(PublicAnswer), **_REFUSALS},
)  # fmt: skip
_public(
    "/history/{link:path}", "get_public_history", get_public_history, [_LINK, _LANGUAGE, _FORM],
    summary="The history as far as it is public", responses={**_with_page(PublicHistory), **_REFUSALS},
)  # fmt: skip
_public(
    "/certificates/{link:path}", "get_public_certificates", get_public_certificates, [_LINK, _LANGUAGE, _FORM],
    summary="The inspections on record", responses={**_with_page(PublicHistory), **_REFUSALS},
)  # fmt: skip
_public(
    "/verify/checkConnectivity", "check_connectivity", check_connectivity, [],
    summary="Whether the verification service can be reached",
    responses={200: {"model": Connectivity}, **documented(public=True)},
)  # fmt: skip
_public(
    "/verify/{link:path}", "verify_code", verify_code,
    [_LINK, _in_query("corrUUID", "Comes back in the answer, so that the caller knows it again.")],
    summary="Whether a code is one of the register's", responses={200: {"model": Verification}, **_REFUSALS},
)  # fmt: skip
_public(
    "/.well-known/gs1resolver", "get_resolver_description", get_resolver_description, [],
    summary="What the resolver can do", responses={200: {"model": ResolverDescription}, **documented(public=True)},
)  # fmt: skip
_public(
    "/safety", "get_safety_advice", get_safety_advice, [_LANGUAGE], summary="Using gas safely",
    responses={200: {"content": _AS_PAGE}, **documented(public=True)},
)  # fmt: skip
