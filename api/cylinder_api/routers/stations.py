"""What a station's device asks: take over its journal, give it its replica, tell it of changes."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from cylinder_api.access import Account, Caller
from cylinder_api.acts import journal
from cylinder_api.acts.handing_in import HandedIn, hand_in
from cylinder_api.acts.replica import make_replica
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import UPLOAD
from cylinder_api.live import Touched
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import Service, ServiceHere
from cylinder_trace.canonical import canonical_json
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.lots import LotState
from cylinder_trace.station import StationState
from cylinder_trace.values import Frozen, Id

router = APIRouter(prefix="/v1/stations", tags=["stations"])
_MOST_RECORDS = 5000
_UPLOAD_BYTES = 64 * 2**20


class Upload(Frozen):
    """Records of the device's own chain, in order, each as its canonical text, and the signed end of them."""

    device_id: Id
    records: Annotated[tuple[str, ...], Field(min_length=1, max_length=_MOST_RECORDS)]
    head: journal.SignedHead


class RecordAnswer(BaseModel):
    """What became of one record; `index` is that of the ledger entry it is, or links to."""

    seq: int
    id: str
    status: journal.Status
    index: int


class UploadProblem(BaseModel):
    """The first record that was not taken, and why."""

    seq: int
    code: str
    detail: str


class UploadAnswer(BaseModel):
    """What became of an upload; send from `next_seq` on next."""

    answers: list[RecordAnswer]
    next_seq: int
    problem: UploadProblem | None


class Replica(BaseModel):
    """What the station must know to decide alone. `since` is the version that this answer builds on; 0 = whole."""

    station_id: str
    version: int
    since: int
    as_of: int
    rulebook: str
    rulebook_name: str
    station: StationState
    cylinders: list[CylinderState]
    gone: list[str]
    lots: list[LotState] = []
    """The station's gas lots; absent where there are none."""
    rulebooks_to_come: list[str] = []
    """Versions published ahead, whole, the next one first: the station changes over by its own trusted clock."""
    signature: str
    """Base64 Ed25519 by the log's key over the canonical JSON of everything else."""
    vkey: str


class DeadCodesAnswer(BaseModel):
    """A Bloom filter over codes, or with `since` above 0 what is to be added to the one of that version."""

    kind: str
    version: int
    since: int
    as_of: int
    count: int
    """Codes on the list; one that was put there twice may count twice."""
    bits: str | None = None
    """The whole filter, base64; absent where `since` is above 0."""
    digests: str
    """Digests of 16 bytes each to be added, base64."""
    vkey: str
    signature: str
    """Base64 Ed25519 by the log's key over the canonical JSON of everything else."""


def own_station(caller: Caller, station_id: Annotated[Id, Path()]) -> Account:
    """The caller, if the path names its own station; raises Refused."""
    if station_id != caller.org_id:
        raise Refused("other_station", f"this token speaks for station {caller.org_id}")
    return caller


OwnStation = Annotated[Account, Depends(own_station)]


@router.post(
    "/{station_id}/entries",
    summary="Take over a device's journal (补传)",
    response_model=UploadAnswer,
    responses=documented("not_json", "other_station", "other_device"),
    openapi_extra=takes(Upload, UPLOAD),
)
async def upload_entries(
    caller: OwnStation, service: ServiceHere, upload: Annotated[Upload, Depends(JsonBody(Upload, _UPLOAD_BYTES))]
) -> dict[str, Any]:
    """Good records stand; from the first bad one on nothing is taken. The same upload again changes nothing."""
    if upload.device_id != caller.account_id:
        raise Refused("other_device", f"this token speaks for device {caller.account_id}")
    lines, trouble = await run_in_threadpool(journal.read_lines, upload.records, upload.device_id, upload.head)
    act = partial(journal.take_records, device_id=upload.device_id, lines=lines, trouble=trouble, head=upload.head)
    return _told(await service.commit(act, bulk=len(lines)))


@router.post(
    "/{station_id}/entries/handed-in",
    summary="Hand in the journal of a device that was cut off (停用设备日志补交)",
    response_model=UploadAnswer,
    responses=documented("not_json", "other_station", "device_unknown", "cannot_follow"),
    openapi_extra=takes(Upload, UPLOAD),
)
async def hand_in_entries(
    station_id: Annotated[Id, Path()],
    caller: Caller,
    service: ServiceHere,
    upload: Annotated[Upload, Depends(JsonBody(Upload, _UPLOAD_BYTES))],
) -> dict[str, Any]:
    """What it recorded and never uploaded, also of its second branch, as its own key signed it. It is kept as evidence
    and told in each cylinder's history by a dispute; nothing follows from it by itself, because whoever has the device
    has its key. By the station, its manager or an auditor."""
    lines, trouble = await run_in_threadpool(journal.read_lines, upload.records, upload.device_id, upload.head)
    evidence = HandedIn(station_id, upload.device_id, lines, trouble, upload.head)
    return _told(await service.commit(partial(hand_in, evidence=evidence, caller=caller), bulk=len(lines)))


def _told(taken: journal.Taken) -> dict[str, Any]:
    return {
        "answers": taken.answers,
        "next_seq": taken.next_seq,
        "problem": taken.problem._asdict() if taken.problem else None,
    }


@router.get(
    "/{station_id}/replica",
    summary="What the station must know to decide alone",
    response_model=Replica,
    responses=documented("other_station", "station_unknown", "rulebook_missing"),
)
def get_replica(caller: OwnStation, service: ServiceHere, since: Annotated[int, Query(ge=0, le=2**53)] = 0) -> Response:
    """Signed. With `since`, only what changed from that version on; `gone`: not its company's, nor entrusted to it."""
    as_of = service.clock()
    book = service.settings.rulebook_id
    replica = make_replica(service.ledger.reader, service.keys.log, caller.org_id, since, book, as_of)
    return Response(canonical_json(replica), media_type="application/json")


@router.get(
    "/{station_id}/dead-codes",
    summary="The list of dead and black codes in the land (报废、注销、黑气瓶名单)",
    response_model=DeadCodesAnswer,
    responses=documented("other_station"),
)
def get_dead_codes(
    caller: OwnStation, service: ServiceHere, since: Annotated[int, Query(ge=0, le=2**53)] = 0
) -> Response:
    """Signed. A list that may also name a code that is not on it, so it decides nothing: it changes what is said of a
    cylinder that the station does not know. With `since`, only what came onto it."""
    answer = service.dead_codes.answer(since, service.clock(), service.keys.log)
    return Response(canonical_json(answer), media_type="application/json")


@router.get(
    "/{station_id}/changes",
    summary="A stream of what changes for the station",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **documented("other_station")},
)
async def stream_changes(
    caller: OwnStation,
    service: ServiceHere,
    last_event_id: Annotated[int | None, Header(ge=0, le=2**53)] = None,
    unsent_records: Annotated[int | None, Header(ge=0, le=2**53)] = None,
) -> StreamingResponse:
    """Server-sent events: `change` with version and subjects, and a `heartbeat` each second with the newest version
    read from the database and when it was read, signed by the log's key. Send Last-Event-ID to go on where you were."""
    wants = await run_in_threadpool(_wanted_by, service, caller.org_id)
    changes = service.feed.changes(caller.org_id, last_event_id, wants)
    told = service.presence.while_present(caller.account_id, caller.org_id, unsent_records, changes)
    stream = service.streams.while_in_force(caller.token_sha256, told)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _wanted_by(service: Service, station_id: str) -> Callable[[Touched], bool]:
    """What concerns the station: itself, the rulebook, its gas lots, cylinders that its company may or might fill."""
    station, rulebook = f"station/{station_id}", f"rulebook/{service.settings.rulebook_id}"
    company_id = _company_of(service, station)

    def wanted(item: Touched) -> bool:
        nonlocal company_id
        if item.subject == station:  # it may have been licensed to another company
            company_id = _company_of(service, station)
        if item.subject.startswith("lot/"):
            lot = service.ledger.reader.state(item.subject)
            return isinstance(lot, LotState) and lot.station_id == station_id
        return item.subject in (station, rulebook) or company_id in item.concerned

    return wanted


def _company_of(service: Service, station: str) -> str | None:
    state = service.ledger.reader.state(station)
    return state.company_id if isinstance(state, StationState) else None
