"""Taking EPCIS events of others (EPCIS 采集): documents as jobs, single events at once, and what a job has come to.

What is sent is kept as it came.  It is looked through before anything is kept: with `rollback` one fault refuses the
whole, with `proceed` the good events are taken and the faults are told by the job.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Annotated, Literal
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from cylinder_api.access import Account, Caller
from cylinder_api.bodies import read_body
from cylinder_api.catalogue import language_for, title_of
from cylinder_api.epcis.answering import JSON, JSON_LD, media_type_of
from cylinder_api.epcis.exceptions import CAPTURE_LIMITS, MOST_BYTES, MOST_EVENTS, exception_of
from cylinder_api.epcis.negotiation import SPOKEN, answers, discovery, negotiate
from cylinder_api.epcis.paging import PARAMETER, Pages, Turn, next_link
from cylinder_api.refusals import Refused
from cylinder_api.service import Service, ServiceHere
from cylinder_trace.epcis.document import Document, Invalid, read_document, read_event
from cylinder_trace.epcis.faults import Fault
from cylinder_trace.epcis.indexing import format_instant
from cylinder_trace.store.epcis.capturing import Behaviour, Job, Sender
from cylinder_trace.store.epcis.selecting import Mark
from cylinder_trace.values import Id

router = APIRouter(prefix="/epcis", tags=["epcis"], dependencies=[Depends(negotiate)])
_MEDIA_TYPES = (JSON, JSON_LD)
_BEHAVIOURS = ("rollback", "proceed")
_MOST_JOBS = 100
_EXAMPLE_EVENT = {
    "type": "ObjectEvent",
    "eventTime": "2026-04-01T10:10:00.000+08:00",
    "eventTimeZoneOffset": "+08:00",
    "eventID": "urn:uuid:404d95fc-9457-4a51-bd6a-0bba133845a8",
    "action": "OBSERVE",
    "bizStep": "shipping",
    "disposition": "in_transit",
    "epcList": ["https://id.gs1.org/8003/09520001123450ZJ33010000017"],
    "readPoint": {"id": "https://id.gs1.org/414/9520001000010"},
}
_EXAMPLE_CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
_EXAMPLE_DOCUMENT = {
    "@context": [_EXAMPLE_CONTEXT],
    "type": "EPCISDocument",
    "schemaVersion": "2.0",
    "creationDate": "2026-04-01T10:15:00.000+08:00",
    "epcisBody": {"eventList": [_EXAMPLE_EVENT]},
}


class JobError(BaseModel):
    """One thing that was wrong, as a problem (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class CaptureJob(BaseModel):
    """How far a capture job (采集任务) is."""

    captureID: str  # noqa: N815 - GS1's names
    createdAt: str  # noqa: N815
    finishedAt: str | None = None  # noqa: N815
    """Absent while it runs."""
    running: bool
    success: bool
    """Whether every event was good."""
    captureErrorBehaviour: Literal["rollback", "proceed"]  # noqa: N815
    errors: list[JobError]


def _takes(example: object) -> dict[str, object]:
    content = {form: {"schema": {"type": "object"}, "example": example} for form in _MEDIA_TYPES}
    return {"requestBody": {"required": True, "content": content}}


async def _read(request: Request, read: Callable[[bytes], Document]) -> tuple[bytes, Document]:
    """What was sent, and what it says; raises Refused for what is no EPCIS at all."""
    form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if form not in _MEDIA_TYPES:
        raise Refused("epcis_media_type", f"send Content-Type: {JSON} or {JSON_LD}")
    data = await read_body(request, MOST_BYTES)
    slots: asyncio.Semaphore = request.app.state.epcis_slots
    async with slots:
        try:
            return data, await run_in_threadpool(read, data)
        except Invalid as error:
            raise _refusal(error.faults) from None


def _refusal(faults: Sequence[Fault]) -> Refused:
    first = faults[0]
    told = [(fault.pointer, fault.en, fault.zh) for fault in faults]
    return Refused(
        "epcis_invalid",
        f"{first.pointer or '/'}: {first.en}",
        faults=told,
        detail_zh=f"{first.pointer or '/'}：{first.zh}",
    )


async def _require_not_ours(service: Service, document: Document) -> None:
    ours = await run_in_threadpool(service.captures.ours_among, document.events)
    if ours:
        numbers = ", ".join(map(str, ours[:20]))
        raise Refused("epcis_ours", f"only the ledger states what event {numbers} of the list tells; nothing was taken")


@router.post(
    "/capture",
    status_code=202,
    response_class=Response,
    summary="Capture the events of a document (EPCIS 采集)",
    responses=answers("malformed_request", "epcis_invalid", "epcis_ours", "epcis_too_large", "epcis_media_type"),
    openapi_extra=_takes(_EXAMPLE_DOCUMENT),
)
async def capture_epcis(
    request: Request,
    caller: Caller,
    service: ServiceHere,
    behaviour: Annotated[str, Header(alias="GS1-Capture-Error-Behaviour")] = "rollback",
) -> Response:
    """The document is kept durably when this answers; its events are written soon, the same event once."""
    kind = _behaviour_of(behaviour)
    data, document = await _read(request, read_document)
    if document.size > MOST_EVENTS:
        raise Refused("epcis_too_large", f"a document has at most {MOST_EVENTS} events")
    if document.faults and kind == "rollback":
        raise _refusal(document.faults)
    await _require_not_ours(service, document)
    id, errors = _new_id(), orjson.dumps([fault._asdict() for fault in document.faults]).decode()
    await run_in_threadpool(service.captures.take, id, _sender(caller), kind, data, document, errors)
    return Response(status_code=202, headers={**SPOKEN, "Location": f"/epcis/capture/{id}"})


@router.post(
    "/events",
    status_code=201,
    response_class=Response,
    summary="Capture one event at once (单个事件采集)",
    responses=answers("malformed_request", "epcis_invalid", "epcis_ours", "epcis_too_large", "epcis_media_type"),
    openapi_extra=_takes({"@context": [_EXAMPLE_CONTEXT], **_EXAMPLE_EVENT}),
)
async def capture_epcis_event(request: Request, caller: Caller, service: ServiceHere) -> Response:
    """The event is stored and in the ledger when this answers; sent again it is found to be there."""
    data, document = await _read(request, read_event)
    await _require_not_ours(service, document)
    event_id = await run_in_threadpool(service.captures.take_now, _new_id(), _sender(caller), data, document)
    return Response(status_code=201, headers={**SPOKEN, "Location": f"/epcis/events/{quote(event_id, safe='')}"})


@router.get(
    "/capture",
    response_model_exclude_none=True,
    summary="Capture jobs, the newest first (采集任务列表)",
    responses=answers("epcis_invalid", "epcis_query_parameter"),
)
def list_captures(
    request: Request,
    response: Response,
    caller: Caller,
    service: ServiceHere,
    per_page: Annotated[int, Query(alias="perPage", ge=1, le=_MOST_JOBS)] = 30,
    token: Annotated[str | None, Query(alias=PARAMETER)] = None,
) -> list[CaptureJob]:
    """A company sees its own, an authority all."""
    media_type_of(request)
    whose = _whose(caller)
    pages = Pages(service.keys.master, "captures", whose, service.clock())
    behind = pages.read(token).behind if token is not None else None
    jobs = service.captures.jobs(whose, tuple(behind.key) if behind else None, per_page + 1)
    if len(jobs) > per_page:
        last = jobs[per_page - 1]
        onward = pages.token_of(Turn(behind=Mark([last.created_at, last.id], 0)))
        response.headers["Link"] = next_link(request, onward)
        response.headers["GS1-Next-Page-Token-Expires"] = format_instant(pages.expires_at)
    return [_told(job, request) for job in jobs[:per_page]]


@router.get(
    "/capture/{capture_id}",
    response_model_exclude_none=True,
    summary="How far a capture job is (采集任务)",
    responses=answers("epcis_invalid", "epcis_unknown"),
)
def get_capture(
    request: Request, capture_id: Annotated[Id, Path()], caller: Caller, service: ServiceHere
) -> CaptureJob:
    """`success` is false where events were bad; with `proceed` the others were captured all the same."""
    media_type_of(request)
    job = service.captures.job(capture_id, _whose(caller))
    if job is None:
        raise Refused("epcis_unknown", "no capture job that you may see has this id")
    return _told(job, request)


async def _tell_what_capture_takes() -> Response:
    """Versions, limits, and what can be done about errors; anybody may ask."""
    return discovery(("GET", "POST"), **CAPTURE_LIMITS, **{"GS1-Capture-Error-Behaviour": "all"})


async def _tell_settings() -> Response:
    """What is spoken here."""
    return discovery(("GET",))


for _path, _of, _does in (
    ("/capture", list_captures, _tell_what_capture_takes),
    ("/capture/{capture_id}", get_capture, _tell_settings),
):
    router.add_api_route(
        _path, _does, methods=["OPTIONS"], name=_of.__name__, include_in_schema=False, response_class=Response
    )


def _behaviour_of(said: str) -> Behaviour:
    match said.strip().lower():
        case "rollback":
            return "rollback"
        case "proceed":
            return "proceed"
    raise Refused("epcis_invalid", f"GS1-Capture-Error-Behaviour is one of {', '.join(_BEHAVIOURS)}")


def _new_id() -> str:
    return f"cap_{secrets.token_hex(12)}"


def _sender(caller: Account) -> Sender:
    return Sender(caller.org_id, caller.account_id)


def _whose(caller: Account) -> str | None:
    """The organisation whose jobs the caller is confined to."""
    return None if caller.role in ("regulator", "auditor") else caller.org_id


def _told(job: Job, request: Request) -> CaptureJob:
    language = language_for(request.headers.get("accept-language"))
    faults = [Fault(**said) for said in orjson.loads(job.errors)]
    title = title_of("epcis_invalid", language)
    return CaptureJob(
        captureID=job.id,
        createdAt=format_instant(job.created_at),
        finishedAt=None if job.finished_at is None else format_instant(job.finished_at),
        running=job.finished_at is None,
        success=not faults,
        captureErrorBehaviour=_behaviour_of(job.behaviour),
        errors=[
            JobError(
                type=exception_of("epcis_invalid"), title=title, status=400,
                detail=f"{fault.pointer}: {fault.zh if language == 'zh-CN' else fault.en}",
            )
            for fault in faults
        ],
    )  # fmt: skip
