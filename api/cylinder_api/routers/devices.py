"""Stations' devices (站端设备): let in (入网), listed, cut off (停用)."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel

from cylinder_api.access import Caller
from cylinder_api.acts import enrolment
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import CODE_REQUEST, CUT_OFF, ENROLMENT
from cylinder_api.idempotency import act_key
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere
from cylinder_api.tokens import derived_code, derived_token
from cylinder_codes.keys import format_vkey
from cylinder_trace.values import Frozen, Id, Text

router = APIRouter(prefix="/v1", tags=["devices"])


class CodeRequest(Frozen):
    """For which station a device is to be enrolled."""

    station_id: Id


class CodeIssued(BaseModel):
    """A one-time code, shown once."""

    station_id: str
    code: str
    expires_at: int


class Enrolment(Frozen):
    """A device's one-time code and the public half of the key that it made for itself."""

    code: Text
    vkey: Text


class Enrolled(BaseModel):
    """The device is trusted from now on. The token is shown once."""

    device_id: str
    station_id: str
    token: str
    log_vkey: str
    origin: str


@router.post(
    "/devices/codes",
    status_code=201,
    summary="A one-time code for a station's device",
    responses=documented("not_json", "station_unknown", "other_station"),
    openapi_extra=takes(CodeRequest, CODE_REQUEST),
)
async def issue_enrolment_code(
    request: Request,
    caller: Caller,
    service: ServiceHere,
    asked: Annotated[CodeRequest, Depends(JsonBody(CodeRequest))],
) -> CodeIssued:
    """Good for one device and one day. By an admin, or the station's manager."""
    code = derived_code(service.keys.master, "enrol", caller.account_id, asked.station_id, act_key(request))
    work = partial(enrolment.issue_code, station_id=asked.station_id, code=code, caller=caller)
    expires_at = await service.commit(work)
    return CodeIssued(station_id=asked.station_id, code=code, expires_at=expires_at)


@router.post(
    "/devices/enrol",
    summary="Enrol a device with its one-time code",
    response_model=Enrolled,
    responses=documented("not_json", "enrolment_code_invalid", public=True),
    openapi_extra=takes(Enrolment, ENROLMENT),
)
async def enrol_device(
    request: Request, asked: Annotated[Enrolment, Depends(JsonBody(Enrolment))], service: ServiceHere
) -> dict[str, Any]:
    """No token is needed: the code stands for it, once. The same code, key and Idempotency-Key get the same answer
    while the code lives."""
    token = derived_token(service.keys.master, "enrolled", asked.code, asked.vkey, act_key(request))
    act = partial(enrolment.enrol_device, code=asked.code, vkey=asked.vkey, token=token)
    device = await service.commit(act)
    log = service.keys.log
    return {**device._asdict(), "token": token, "log_vkey": format_vkey(log.verifying_key), "origin": log.name}


class DeviceList(BaseModel):
    """A station's devices, in the order in which they came."""

    items: list[enrolment.DeviceItem]


@router.post(
    "/devices/{device_id}/cut-off",
    summary="Cut a device off at once (停用设备)",
    response_model=Recorded,
    responses=documented("not_json", "device_unknown", "station_unknown", "other_station", "other_district"),
    openapi_extra=takes(enrolment.CutOff, CUT_OFF),
)
async def cut_off_device(
    device_id: Annotated[Id, Path()],
    caller: Caller,
    service: ServiceHere,
    act: Annotated[enrolment.CutOff, Depends(JsonBody(enrolment.CutOff))],
) -> Any:
    """A stolen or broken one: its tokens and key open nothing from now on, its streams end, what it signed before
    stands. By an admin, the station's manager or company, the authority of its district."""
    return await service.record(partial(enrolment.cut_off, device_id=device_id, cause=act.cause, caller=caller))


@router.get(
    "/stations/{station_id}/devices",
    summary="A station's devices",
    responses=documented("station_unknown", "other_station"),
)
def list_devices(station_id: Annotated[Id, Path()], caller: Caller, service: ServiceHere) -> DeviceList:
    """Cut-off ones too, with since when."""
    return DeviceList(items=enrolment.list_devices(service.ledger.reader, station_id, caller))
