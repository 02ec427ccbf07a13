"""From the station's gate (出站) to the user's door (实名销售、随瓶安检), and back (空瓶回收)."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cylinder_api.access import Account, Caller
from cylinder_api.acts import trade
from cylinder_api.acts.common import hints_about
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import DEPARTURE, RETURN, SAFETY_CHECK, SALE
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import Service, ServiceHere
from cylinder_api.stating import state
from cylinder_trace.store.unit import Receipt

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
    recorded = await service.commit(act, hints_about(sale, service.settings.forms))
    return {**recorded._asdict(), "receipt": service.ledger.sign(recorded.receipt)}


@router.post(
    "/v1/departures",
    status_code=201,
    summary="The full cylinder leaves the station (出站)",
    response_model=Recorded,
    responses=documented(*_REFUSALS, "other_station", "station_unknown", "cannot_follow"),
    openapi_extra=takes(trade.Departure, DEPARTURE),
)
async def record_departure(
    caller: Caller, service: ServiceHere, act: Annotated[trade.Departure, Depends(JsonBody(trade.Departure))]
) -> Any:
    """A station hands out at its own gate; a delivery worker takes from a station of their company."""
    return await _state_at_station(trade.record_departure, caller, service, act)


@router.post(
    "/v1/safety-checks",
    status_code=201,
    summary="The check at the user's home (随瓶安检)",
    response_model=Recorded,
    responses=documented(*_REFUSALS, "customer_unknown", "other_owner", "cannot_follow"),
    openapi_extra=takes(trade.SafetyCheck, SAFETY_CHECK),
)
async def record_safety_check(
    caller: Caller, service: ServiceHere, act: Annotated[trade.SafetyCheck, Depends(JsonBody(trade.SafetyCheck))]
) -> Any:
    """Item by item. A user who was out or refused is recorded as such, never as passed."""
    return await state(service, caller, trade.record_safety_check, act)


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
    return await _state_at_station(trade.record_return, caller, service, act)


async def _state_at_station(
    work: Callable[..., Receipt], caller: Account, service: Service, act: trade.Return | trade.Departure
) -> Recorded:
    """Record `work` at the gate of a station: the caller's own, or for a delivery worker one of their company."""
    if caller.role == "station" and act.station_id != caller.org_id:
        raise Refused("other_station", f"this token speaks for station {caller.org_id}")
    company_id = caller.org_id if caller.role == "delivery" else None
    forms = service.settings.forms
    stated = partial(work, act=act, company_id=company_id, by=caller.account_id, forms=forms)
    return await service.record(stated, hints_about(act, forms))
