"""Sale at the door with real name (实名销售), and the empty cylinder back (空瓶回收)."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cylinder_api.access import Caller
from cylinder_api.acts import trade
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import RETURN, SALE
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import ServiceHere

router = APIRouter(tags=["trade"])
_REFUSALS = ("not_json", "cylinder_unknown", "code_unreadable", "id_conflict", "occurred_in_future")


class SaleAnswer(Recorded):
    """The sale was recorded; the customer is kept under this id from now on."""

    customer_id: str


@router.post(
    "/v1/sales",
    status_code=201,
    summary="Sale at the door with real name (实名销售)",
    response_model=SaleAnswer,
    responses=documented(*_REFUSALS, "customer_unknown", "customer_erased", "other_owner"),
    openapi_extra=takes(trade.Sale, SALE),
)
async def record_sale(
    caller: Caller, service: ServiceHere, sale: Annotated[trade.Sale, Depends(JsonBody(trade.Sale))]
) -> Any:
    """The buyer's identity goes into the vault, encrypted; the ledger holds a salted commitment to it."""
    act = partial(
        trade.record_sale,
        sale=sale,
        vault=service.vault,
        company_id=caller.org_id,
        by=caller.account_id,
        forms=service.settings.forms,
    )
    recorded = await service.commit(act)
    return {**recorded._asdict(), "receipt": service.ledger.sign(recorded.receipt)}


@router.post(
    "/v1/returns",
    status_code=201,
    summary="The empty cylinder came back (空瓶回收)",
    response_model=Recorded,
    responses=documented(*_REFUSALS, "other_station", "station_unknown"),
    openapi_extra=takes(trade.Return, RETURN),
)
async def record_return(
    caller: Caller, service: ServiceHere, act: Annotated[trade.Return, Depends(JsonBody(trade.Return))]
) -> Any:
    """A station takes back at its own counter; a delivery worker brings back to a station of their company."""
    if caller.role == "station" and act.station_id != caller.org_id:
        raise Refused("other_station", f"this token speaks for station {caller.org_id}")
    company_id = caller.org_id if caller.role == "delivery" else None
    forms = service.settings.forms
    work = partial(trade.record_return, act=act, company_id=company_id, by=caller.account_id, forms=forms)
    return await service.record(work)
