"""Every refusal as application/problem+json (RFC 9457) with a stable `code`. One handler per kind of error.

What a caller sent is never repeated in an answer: it may hold personal data.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection

from cylinder_api.catalogue import PAGES, language_for, title_of
from cylinder_api.epcis.exceptions import EPCIS_ONLY, code_here, exception_of, headers_of, type_of
from cylinder_api.refusals import KINDS, Refused
from cylinder_api.sentences import FAULTS_ZH, chinese_of
from cylinder_api.tracing import HEADER, current
from cylinder_trace.canonical import CanonicalError
from cylinder_trace.cylinder import StateError
from cylinder_trace.events import EventError
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.reader import NotPublished
from cylinder_trace.store.unit import CodeTaken, IdConflict

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Fault(BaseModel):
    """One field that does not fit: a JSON pointer into the request, and what is wrong there."""

    pointer: str
    detail: str


class Wrong(NamedTuple):
    """A fault in both languages."""

    pointer: str
    en: str
    zh: str


class Problem(BaseModel):
    """What went wrong, after RFC 9457."""

    type: str
    """Where the catalogue tells of this code: `/problems/` and the code; under /epcis GS1's name of the error."""
    title: str
    status: int
    detail: str
    code: str
    traceId: str  # noqa: N815 - the name that others look for
    """What the service's log lines about this request bear."""
    errors: list[Fault] | None = None


_CODE_OF: dict[type[Exception], str] = {
    IdConflict: "id_conflict",
    CodeTaken: "code_taken",
    StateError: "cannot_follow",
    EventError: "invalid",
    CanonicalError: "invalid",
    NotPublished: "not_published",
    StoreError: "unavailable",
}
_CODE_OF_STATUS = {400: "malformed_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def problem(
    request: HTTPConnection,
    code: str,
    detail: str,
    wrong: Sequence[Wrong] = (),
    headers: Mapping[str, str] | None = None,
    detail_zh: str | None = None,
) -> Response:
    """The answer that says why not, in the reader's language; `detail_zh` where the sentence comes with its Chinese."""
    path = request.scope["path"]
    code = code_here(path, code)
    language = language_for(request.headers.get("accept-language"))
    if language == "zh-CN":
        detail = detail_zh or chinese_of(code, detail) or f"{title_of(code, language)}（{detail}）"
    body: dict[str, Any] = {
        "type": type_of(path, code),
        "title": title_of(code, language),
        "status": KINDS[code].status,
        "detail": detail,
        "code": code,
        "traceId": current.get().trace_id,
    }
    if wrong:
        told = [(one.pointer, one.zh if language == "zh-CN" else one.en) for one in wrong]
        body["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in told]
    said = {"Content-Language": language, "Vary": "Accept-Language", **headers_of(path, code), **(headers or {})}
    return Response(orjson.dumps(body), KINDS[code].status, said, MEDIA_TYPE)


_ALWAYS = ("invalid", "too_large", "too_many", "unavailable")
_WITH_TOKEN = ("unauthenticated", "not_allowed", "scope_missing")


def documented(*codes: str, public: bool = False, always: Sequence[str] = _ALWAYS) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of a route that may refuse with these codes; a `public` one asks for no token."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*codes, *always, *(() if public else _WITH_TOKEN))):
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {status: _documented_status(named) for status, named in sorted(by_status.items())}


def _documented_status(codes: Sequence[str]) -> dict[str, Any]:
    shown = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    return {
        "description": "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": shown}},
    }


def problem_examples() -> dict[str, Any]:
    """Each problem as it is answered, for the OpenAPI document's components."""
    return {code: {"value": _example(code)} for code in KINDS}


def _fault_zh(code: str, detail: str) -> str:
    """One of several faults in Chinese: a sentence of `code`, or of the code that it names first."""
    named, _, rest = detail.partition(": ")
    if named in KINDS:
        return f"{named}: {chinese_of(named, rest) or rest}"
    return chinese_of(code, detail) or chinese_of("cannot_follow", detail) or detail


def _example(code: str) -> dict[str, Any]:
    kind = KINDS[code]
    return {
        "type": exception_of(code) if code in EPCIS_ONLY else f"{PAGES}/{code}",
        "title": title_of(code, "zh-CN"),
        "status": kind.status,
        "detail": title_of(code, "zh-CN"),
        "code": code,
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
    }


def install_handlers(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DBAPIError, _database_down)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    for kind in _CODE_OF:
        app.add_exception_handler(kind, _known_error)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - Starlette hands over what was registered
    headers = {"WWW-Authenticate": "Bearer"} if error.kind.status == 401 else {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    wrong = [Wrong(pointer, en, *(zh or [_fault_zh(error.code, en)])) for pointer, en, *zh in error.faults]
    return problem(request, error.code, error.detail, wrong, headers, error.detail_zh)


async def _known_error(request: Request, error: Exception) -> Response:
    code = next(code for kind, code in _CODE_OF.items() if isinstance(error, kind))
    return problem(request, code, str(error))


async def _database_down(request: Request, error: Exception) -> Response:
    log.error("database: %s", type(error).__name__)
    return problem(request, "unavailable", "the database does not answer; try again")


async def _client_gone(request: Request, _error: Exception) -> Response:
    return problem(request, "malformed_request", "the body broke off")  # nobody is left to read it


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - Starlette hands over what was registered
    wrong = [_wrong(found) for found in error.errors()]
    first = wrong[0]
    detail_zh = f"{first.pointer}：{first.zh}"
    return problem(request, "invalid", f"{first.pointer}: {first.en}", wrong, detail_zh=detail_zh)


def _wrong(found: Mapping[str, Any]) -> Wrong:
    said = found["msg"]
    return Wrong(_pointer(found["loc"]), said, f"{FAULTS_ZH.get(found['type'], '与说明不符')}（{said}）")


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette hands over what was registered
    code = _CODE_OF_STATUS.get(error.status_code, "malformed_request")
    headers = dict(error.headers) if error.headers else None
    return problem(request, code, KINDS[code].title, headers=headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    # The trace goes to the log by its place only: a message may quote what the caller sent.
    log.error("unexpected %s", type(error).__name__, extra={"place": _place(error)})
    detail = "the service failed; it has been logged, and the same request may be sent again"
    return problem(request, "internal", detail, headers={HEADER.decode(): current.get().traceparent})


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""


def _pointer(place: Sequence[int | str]) -> str:
    return "/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in place)
