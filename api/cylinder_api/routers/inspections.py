"""What an inspection body states (检验机构): items, valve, result, evaluation, condemning, destruction."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from cylinder_api.access import Caller
from cylinder_api.acts import inspection, inspection_rack, scrapping
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import CONDEMNATION, DESTRUCTION, EVALUATION, INSPECTION, ITEM_RESULT, RACK, VALVE_CHANGE
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere
from cylinder_api.stating import state
from cylinder_trace.promise import SignedReceipt

router = APIRouter(tags=["inspection"])
_USUAL = ("not_json", "cylinder_unknown", "code_unreadable", "id_conflict", "occurred_in_future", "cannot_follow")
_REFUSALS = documented(*_USUAL)


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
    """Stated by the body that the token speaks for. A passed one without a mandatory item is not recorded (缺项)."""
    return await state(service, caller, inspection.record_verdict, act)


class RackAnswer(BaseModel):
    """Every cylinder of the rack is recorded: the receipts, in the order of `codes`."""

    receipts: list[SignedReceipt]


@router.post(
    "/v1/inspections/racks",
    status_code=201,
    summary="A whole rack inspected at once, exceptions only (整架检验)",
    response_model=RackAnswer,
    responses=documented("not_json", "id_conflict"),
    openapi_extra=takes(inspection_rack.Rack, RACK),
)
async def record_rack(
    caller: Caller,
    service: ServiceHere,
    rack: Annotated[inspection_rack.Rack, Depends(JsonBody(inspection_rack.Rack))],
) -> RackAnswer:
    """All of them or none: what is wrong with a cylinder is told in `errors`, by its place in `codes`."""
    forms = service.settings.forms
    act = partial(inspection_rack.record_rack, rack=rack, body_id=caller.org_id, by=caller.account_id, forms=forms)
    receipts = await service.commit(act)
    return RackAnswer(receipts=[service.ledger.sign(receipt) for receipt in receipts])


@router.post(
    "/v1/inspection-items",
    status_code=201,
    summary="One item of an inspection with its reading (检验项目结果)",
    response_model=Recorded,
    responses=documented(*_USUAL, "same_person"),
    openapi_extra=takes(inspection.ItemResult, ITEM_RESULT),
)
async def record_inspection_item(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[inspection.ItemResult, Depends(JsonBody(inspection.ItemResult))],
) -> Any:
    """Done by one person, reviewed by another."""
    return await state(service, caller, inspection.record_verdict, act)


@router.post(
    "/v1/valves",
    status_code=201,
    summary="The valve was replaced (阀更换)",
    response_model=Recorded,
    responses=_REFUSALS,
    openapi_extra=takes(inspection.ValveChange, VALVE_CHANGE),
)
async def change_valve(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[inspection.ValveChange, Depends(JsonBody(inspection.ValveChange))],
) -> Any:
    """From its making the valve's own life counts."""
    return await state(service, caller, inspection.record_verdict, act)


@router.post(
    "/v1/evaluations",
    status_code=201,
    summary="Safety evaluation at the end of the design life (安全评定)",
    response_model=Recorded,
    responses=_REFUSALS,
    openapi_extra=takes(inspection.Evaluation, EVALUATION),
)
async def evaluate_cylinder(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[inspection.Evaluation, Depends(JsonBody(inspection.Evaluation))],
) -> Any:
    """A passed one says until when it may be used; a failed one takes back what an earlier one gave."""
    return await state(service, caller, inspection.record_verdict, act)


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
    return await state(service, caller, inspection.record_verdict, act)


@router.post(
    "/v1/destructions",
    status_code=201,
    summary="Made unusable (去功能化)",
    response_model=Recorded,
    responses=documented(*_USUAL, "evidence_missing"),
    openapi_extra=takes(inspection.Destruction, DESTRUCTION),
)
async def destroy_cylinder(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[inspection.Destruction, Depends(JsonBody(inspection.Destruction))],
) -> Any:
    """With the hashes of the pictures that show it: at least three, each of another file."""
    return await state(service, caller, inspection.record_verdict, act)


@router.get("/v1/scrapping", summary="Days from condemned to destroyed (报废待毁天数)", responses=documented())
def get_scrapping(caller: Caller, service: ServiceHere) -> scrapping.Scrapping:
    """Of those that were destroyed, and of those that still wait."""
    return scrapping.days_until_destroyed(service.ledger.reader, service.clock())
