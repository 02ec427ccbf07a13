"""Who has a cylinder (保管): hand-over with both signatures (交接), seizure (查封扣押)."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from cylinder_api.access import Caller
from cylinder_api.acts import custody
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import ACCEPTANCE, HAND_OVER, SEIZURE, SEIZURE_LIFTING
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere
from cylinder_api.stating import state
from cylinder_trace.values import Id

router = APIRouter(tags=["custody"])
_REFUSALS = ("not_json", "cylinder_unknown", "code_unreadable", "id_conflict", "occurred_in_future", "cannot_follow")


@router.post(
    "/v1/handovers",
    status_code=201,
    summary="Give a cylinder into somebody else's hands (交接)",
    response_model=Recorded,
    responses=documented(*_REFUSALS, "other_holder", "other_owner"),
    openapi_extra=takes(custody.HandOver, HAND_OVER),
)
async def hand_over_cylinder(
    caller: Caller, service: ServiceHere, act: Annotated[custody.HandOver, Depends(JsonBody(custody.HandOver))]
) -> Any:
    """By whoever has it. The other side signs with `/accept`; until then nobody may fill it on this basis."""
    return await state(service, caller, custody.hand_over, act)


@router.post(
    "/v1/handovers/{handover_id}/accept",
    status_code=201,
    summary="Sign a hand-over as the one who takes (交接确认)",
    response_model=Recorded,
    responses=documented(
        "not_json", "handover_unknown", "other_holder", "id_conflict", "occurred_in_future", "cannot_follow"
    ),
    openapi_extra=takes(custody.Acceptance, ACCEPTANCE),
)
async def accept_cylinder(
    handover_id: Annotated[Id, Path()],
    caller: Caller,
    service: ServiceHere,
    act: Annotated[custody.Acceptance, Depends(JsonBody(custody.Acceptance))],
) -> Any:
    """By whom it was given to, as long as it was not handed on since."""
    work = partial(custody.accept, handover_id=handover_id, act=act, holder_id=caller.org_id, by=caller.account_id)
    return await service.record(work)


@router.post(
    "/v1/seizures",
    status_code=201,
    summary="Seal or take away a cylinder (查封扣押)",
    response_model=Recorded,
    responses=documented(*_REFUSALS),
    openapi_extra=takes(custody.Seizure, SEIZURE),
)
async def seize_cylinder(
    caller: Caller, service: ServiceHere, act: Annotated[custody.Seizure, Depends(JsonBody(custody.Seizure))]
) -> Any:
    """From now on only the authority hands it over: to an inspection body, and from there to scrap."""
    return await state(service, caller, custody.seize, act)


@router.post(
    "/v1/seizures/lift",
    status_code=201,
    summary="Lift a seizure (解除查封)",
    response_model=Recorded,
    responses=documented(*_REFUSALS),
    openapi_extra=takes(custody.SeizureLifting, SEIZURE_LIFTING),
)
async def lift_seizure(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[custody.SeizureLifting, Depends(JsonBody(custody.SeizureLifting))],
) -> Any:
    """By the authority that seized it. What speaks against the cylinder beside that goes on speaking."""
    return await state(service, caller, custody.lift_seizure, act)
