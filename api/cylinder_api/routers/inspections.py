"""What an inspection body states (检验机构): inspection, condemning, destruction."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cylinder_api.access import Account, Caller
from cylinder_api.acts import inspection
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import CONDEMNATION, DESTRUCTION, INSPECTION
from cylinder_api.problems import documented
from cylinder_api.service import Service, ServiceHere

router = APIRouter(tags=["inspection"])
_REFUSALS = documented("not_json", "cylinder_unknown", "code_unreadable", "id_conflict", "occurred_in_future")


@router.post(
    "/v1/inspections",
    status_code=201,
    summary="Result of a periodic inspection (定期检验)",
    response_model=Recorded,
    responses=_REFUSALS,
    openapi_extra=takes(inspection.Inspection, INSPECTION),
)
async def record_inspection(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[inspection.Inspection, Depends(JsonBody(inspection.Inspection))],
) -> Any:
    """Stated by the inspection body that the token speaks for."""
    return await _record(service, caller, act)


@router.post(
    "/v1/condemnations",
    status_code=201,
    summary="Judged fit for scrapping only (报废判定)",
    response_model=Recorded,
    responses=_REFUSALS,
    openapi_extra=takes(inspection.Condemnation, CONDEMNATION),
)
async def condemn_cylinder(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[inspection.Condemnation, Depends(JsonBody(inspection.Condemnation))],
) -> Any:
    """For good: a condemned cylinder is never filled again."""
    return await _record(service, caller, act)


@router.post(
    "/v1/destructions",
    status_code=201,
    summary="Made unusable (去功能化)",
    response_model=Recorded,
    responses=_REFUSALS,
    openapi_extra=takes(inspection.Destruction, DESTRUCTION),
)
async def destroy_cylinder(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[inspection.Destruction, Depends(JsonBody(inspection.Destruction))],
) -> Any:
    """With the hashes of the pictures that show it."""
    return await _record(service, caller, act)


async def _record(
    service: Service,
    caller: Account,
    act: inspection.Inspection | inspection.Condemnation | inspection.Destruction,
) -> Recorded:
    forms = service.settings.forms
    work = partial(inspection.record_verdict, act=act, body_id=caller.org_id, by=caller.account_id, forms=forms)
    return await service.record(work)
