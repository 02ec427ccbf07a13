"""What an authority states (监管): marks on cylinders, and locks on scales."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cylinder_api.access import Caller
from cylinder_api.acts import supervision
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import FLAG, FLAG_CLEARING, LOCK
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere

router = APIRouter(tags=["supervision"])
_REFUSALS = ("not_json", "id_conflict", "occurred_in_future")
_OF_CYLINDERS = documented(*_REFUSALS, "cylinder_unknown", "code_unreadable")


@router.post(
    "/v1/flags",
    status_code=201,
    summary="Mark a cylinder (标记)",
    response_model=Recorded,
    responses=_OF_CYLINDERS,
    openapi_extra=takes(supervision.FlagAct, FLAG),
)
async def flag_cylinder(
    caller: Caller, service: ServiceHere, act: Annotated[supervision.FlagAct, Depends(JsonBody(supervision.FlagAct))]
) -> Any:
    """Black, refurbished, recalled or lost: the very next check anywhere refuses it."""
    forms = service.settings.forms
    work = partial(supervision.set_flag, act=act, authority_id=caller.org_id, by=caller.account_id, forms=forms)
    return await service.record(work)


@router.post(
    "/v1/flags/clear",
    status_code=201,
    summary="Lift a mark (撤销标记)",
    response_model=Recorded,
    responses=_OF_CYLINDERS,
    openapi_extra=takes(supervision.FlagClearing, FLAG_CLEARING),
)
async def clear_flag(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[supervision.FlagClearing, Depends(JsonBody(supervision.FlagClearing))],
) -> Any:
    """The mark stays in the history; from now on it no longer refuses."""
    forms = service.settings.forms
    work = partial(supervision.set_flag, act=act, authority_id=caller.org_id, by=caller.account_id, forms=forms)
    return await service.record(work)


@router.post(
    "/v1/locks",
    status_code=201,
    summary="Lock or unlock a scale (监管锁秤)",
    response_model=Recorded,
    responses=documented(*_REFUSALS, "station_unknown"),
    openapi_extra=takes(supervision.LockAct, LOCK),
)
async def lock_scale(
    caller: Caller, service: ServiceHere, act: Annotated[supervision.LockAct, Depends(JsonBody(supervision.LockAct))]
) -> Any:
    """Pushed to the station like a mark."""
    work = partial(supervision.lock_scale, act=act, authority_id=caller.org_id, by=caller.account_id)
    return await service.record(work)
