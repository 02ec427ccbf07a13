"""Enrolling devices (设备入网)."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from cylinder_api.access import Caller
from cylinder_api.acts import enrolment
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import CODE_REQUEST, ENROLMENT
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere
from cylinder_api.tokens import new_enrolment_code, new_token
from cylinder_codes.keys import format_vkey
from cylinder_trace.values import Frozen, Id, Text

router = APIRouter(prefix="/v1/devices", tags=["devices"])


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
    "/codes",
    status_code=201,
    summary="A one-time code for a station's device",
    responses=documented("not_json", "station_unknown"),
    openapi_extra=takes(CodeRequest, CODE_REQUEST),
)
async def issue_enrolment_code(
    caller: Caller, service: ServiceHere, asked: Annotated[CodeRequest, Depends(JsonBody(CodeRequest))]
) -> CodeIssued:
    """Good for one device and one day."""
    code = new_enrolment_code()
    expires_at = await service.commit(partial(enrolment.issue_code, station_id=asked.station_id, code=code))
    return CodeIssued(station_id=asked.station_id, code=code, expires_at=expires_at)


@router.post(
    "/enrol",
    summary="Enrol a device with its one-time code",
    response_model=Enrolled,
    responses=documented("not_json", "enrolment_code_invalid", public=True),
    openapi_extra=takes(Enrolment, ENROLMENT),
)
async def enrol_device(
    asked: Annotated[Enrolment, Depends(JsonBody(Enrolment))], service: ServiceHere
) -> dict[str, Any]:
    """No token is needed: the code stands for it, once."""
    token = new_token()
    act = partial(enrolment.enrol_device, code=asked.code, vkey=asked.vkey, token=token)
    device = await service.commit(act)
    log = service.keys.log
    return {**device._asdict(), "token": token, "log_vkey": format_vkey(log.verifying_key), "origin": log.name}
