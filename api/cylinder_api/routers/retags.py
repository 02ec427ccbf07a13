"""A new tag for a cylinder (换标): asked for, granted, refused."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from cylinder_api.access import Caller
from cylinder_api.acts import retagging
from cylinder_api.acts.districts import in_district
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import RETAG_DENIAL, RETAG_GRANT, RETAG_REQUEST
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere
from cylinder_api.stating import state
from cylinder_trace.values import Id

router = APIRouter(tags=["codes"])
_ANSWERS = (
    "not_json",
    "request_unknown",
    "other_district",
    "same_person",
    "cannot_follow",
    "id_conflict",
    "occurred_in_future",
)


@router.post(
    "/v1/retags",
    status_code=201,
    summary="Ask for a new tag (换标申请)",
    response_model=Recorded,
    responses=documented(
        "not_json", "cylinder_unknown", "code_unreadable", "other_owner", "code_not_its_own", "id_conflict",
        "occurred_in_future", "cannot_follow",
    ),
    openapi_extra=takes(retagging.RetagRequest, RETAG_REQUEST),
)  # fmt: skip
async def request_tag(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[retagging.RetagRequest, Depends(JsonBody(retagging.RetagRequest))],
) -> Any:
    """With the serial read from the steel and a picture of it. Until it is answered the old code is not filled."""
    return await state(service, caller, retagging.request_tag, act)


@router.post(
    "/v1/retags/{request_id}/grant",
    status_code=201,
    summary="Grant a new tag (换标批准)",
    response_model=Recorded,
    responses=documented(*_ANSWERS, "serial_differs", "code_unreadable", "code_taken", "code_not_its_own"),
    openapi_extra=takes(retagging.Grant, RETAG_GRANT),
)
async def grant_tag(
    request_id: Annotated[Id, Path()],
    caller: Caller,
    service: ServiceHere,
    act: Annotated[retagging.Grant, Depends(JsonBody(retagging.Grant))],
) -> Any:
    """By another person than who asked: the old code is dead for ever, the new one bound in the same act."""
    work = partial(
        retagging.grant_tag, request_id=request_id, act=act, approver_id=caller.account_id,
        tag_key=service.keys.tag, forms=service.settings.forms,
    )  # fmt: skip
    return await service.record(in_district(caller, work))


@router.post(
    "/v1/retags/{request_id}/refuse",
    status_code=201,
    summary="Refuse a new tag (换标不予批准)",
    response_model=Recorded,
    responses=documented(*_ANSWERS),
    openapi_extra=takes(retagging.Denial, RETAG_DENIAL),
)
async def refuse_tag(
    request_id: Annotated[Id, Path()],
    caller: Caller,
    service: ServiceHere,
    act: Annotated[retagging.Denial, Depends(JsonBody(retagging.Denial))],
) -> Any:
    """The old code stays what it was."""
    work = partial(retagging.deny_tag, request_id=request_id, act=act, approver_id=caller.account_id)
    return await service.record(in_district(caller, work))
