"""What an authority states (监管): marks on cylinders, locks on scales, licences."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cylinder_api.access import Caller
from cylinder_api.acts import flagging, supervision
from cylinder_api.acts.districts import in_district
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import FLAG, FLAG_CLEARING, LICENCE, LOCK
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere
from cylinder_api.stating import state

router = APIRouter(tags=["supervision"])
_REFUSALS = ("not_json", "id_conflict", "occurred_in_future")


@router.post(
    "/v1/flags",
    status_code=201,
    summary="Mark a cylinder (标记)",
    response_model=Recorded,
    responses=documented(*_REFUSALS, "cylinder_unknown", "code_unreadable", "evidence_missing", "second_person_needed"),
    openapi_extra=takes(flagging.FlagAct, FLAG),
)
async def flag_cylinder(
    caller: Caller, service: ServiceHere, act: Annotated[flagging.FlagAct, Depends(JsonBody(flagging.FlagAct))]
) -> Any:
    """The very next check anywhere refuses it. A black flag needs evidence, and a second person to confirm it."""
    work = partial(
        flagging.flag_cylinder, act=act, authority_id=caller.org_id, by=caller.account_id,
        forms=service.settings.forms, flags_per_hour=service.settings.flags_per_hour,
    )  # fmt: skip
    return await service.record(work)


@router.post(
    "/v1/flags/clear",
    status_code=201,
    summary="Lift a mark (撤销标记)",
    response_model=Recorded,
    responses=documented(*_REFUSALS, "cylinder_unknown", "code_unreadable", "other_authority", "same_person"),
    openapi_extra=takes(flagging.FlagClearing, FLAG_CLEARING),
)
async def clear_flag(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[flagging.FlagClearing, Depends(JsonBody(flagging.FlagClearing))],
) -> Any:
    """The mark stays in the history; from now on it no longer refuses. A black flag is lifted by another person of its
    authority than who set it."""
    return await state(service, caller, flagging.clear_flag, act)


@router.post(
    "/v1/locks",
    status_code=201,
    summary="Lock or unlock a scale, a lane or a station (监管锁停)",
    response_model=Recorded,
    responses=documented(*_REFUSALS, "station_unknown", "other_district", "other_authority", "signature_unverified"),
    openapi_extra=takes(supervision.LockAct, LOCK),
)
async def lock_filling(
    caller: Caller, service: ServiceHere, act: Annotated[supervision.LockAct, Depends(JsonBody(supervision.LockAct))]
) -> Any:
    """Pushed to the station like a mark; what is being filled there is stopped. A lock counts at once, whoever signed
    it; an unlocking only under a key of the authority, and at the station only under one that the station trusts."""
    work = partial(supervision.lock_filling, act=act, authority_id=caller.org_id, by=caller.account_id)
    return await service.record(in_district(caller, work))


@router.post(
    "/v1/licences",
    status_code=201,
    summary="A company's licence as given, changed, suspended or revoked (许可变更)",
    response_model=Recorded,
    responses=documented(*_REFUSALS, "other_district"),
    openapi_extra=takes(supervision.LicenceAct, LICENCE),
)
async def record_licence(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[supervision.LicenceAct, Depends(JsonBody(supervision.LicenceAct))],
) -> Any:
    """What the register says of an inspection body is written into every inspection that it states."""
    work = partial(supervision.record_licence, act=act, authority_id=caller.org_id, by=caller.account_id)
    return await service.record(in_district(caller, work))
