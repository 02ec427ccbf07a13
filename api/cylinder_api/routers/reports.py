"""What a holder reports of a cylinder (送检、丢失、找回), and what an authority registers (使用登记、注销)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cylinder_api.access import Caller
from cylinder_api.acts import reporting
from cylinder_api.acts.districts import in_district
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import CANCELLATION, FINDING, LOSS, SENDING, USE_REGISTRATION
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere
from cylinder_api.stating import state

router = APIRouter(tags=["cylinders"])
_USUAL = ("not_json", "cylinder_unknown", "code_unreadable", "id_conflict", "occurred_in_future", "cannot_follow")


@router.post(
    "/v1/sendings",
    status_code=201,
    summary="A cylinder left for the inspection body (送检)",
    response_model=Recorded,
    responses=documented(*_USUAL, "other_owner"),
    openapi_extra=takes(reporting.Sending, SENDING),
)
async def send_to_inspection(
    caller: Caller, service: ServiceHere, act: Annotated[reporting.Sending, Depends(JsonBody(reporting.Sending))]
) -> Any:
    """By its owner or whoever has it. Until it is inspected or back it is not filled."""
    return await state(service, caller, reporting.report, act)


@router.post(
    "/v1/losses",
    status_code=201,
    summary="Report a cylinder lost or stolen (丢失)",
    response_model=Recorded,
    responses=documented(*_USUAL, "other_owner"),
    openapi_extra=takes(reporting.Loss, LOSS),
)
async def report_lost(
    caller: Caller, service: ServiceHere, act: Annotated[reporting.Loss, Depends(JsonBody(reporting.Loss))]
) -> Any:
    """By its owner or whoever has it: the very next check anywhere refuses it."""
    return await state(service, caller, reporting.report, act)


@router.post(
    "/v1/losses/found",
    status_code=201,
    summary="Report a lost cylinder found (找回)",
    response_model=Recorded,
    responses=documented(*_USUAL, "other_owner"),
    openapi_extra=takes(reporting.Finding, FINDING),
)
async def report_found(
    caller: Caller, service: ServiceHere, act: Annotated[reporting.Finding, Depends(JsonBody(reporting.Finding))]
) -> Any:
    """By whoever reported it lost."""
    return await state(service, caller, reporting.report, act)


@router.post(
    "/v1/use-registrations",
    status_code=201,
    summary="Give a cylinder on file its use registration (使用登记)",
    response_model=Recorded,
    responses=documented(*_USUAL, "other_district"),
    openapi_extra=takes(reporting.UseRegistration, USE_REGISTRATION),
)
async def register_use(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[reporting.UseRegistration, Depends(JsonBody(reporting.UseRegistration))],
) -> Any:
    """One live registration for each cylinder: another number is refused."""
    return await state(service, caller, in_district(caller, reporting.register_use), act)


@router.post(
    "/v1/use-registrations/cancel",
    status_code=201,
    summary="Cancel a use registration for ever (注销)",
    response_model=Recorded,
    responses=documented(*_USUAL, "other_district"),
    openapi_extra=takes(reporting.Cancellation, CANCELLATION),
)
async def cancel_registration(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[reporting.Cancellation, Depends(JsonBody(reporting.Cancellation))],
) -> Any:
    """An end: the cylinder is never filled again."""
    return await state(service, caller, in_district(caller, reporting.register_use), act)
