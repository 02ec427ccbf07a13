"""Gas lots (气质批次): received, tested, released, blocked."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from cylinder_api.access import Account, Caller
from cylinder_api.acts import lots
from cylinder_api.acts.districts import in_district
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import LOT_ARRIVAL, LOT_BLOCK, LOT_RELEASE, LOT_TESTING
from cylinder_api.problems import documented
from cylinder_api.service import Service, ServiceHere
from cylinder_trace.values import Id

router = APIRouter(prefix="/v1/gas-lots", tags=["gas lots"])
_USUAL = ("not_json", "other_station", "id_conflict", "occurred_in_future")
LotId = Annotated[Id, Path()]


@router.post(
    "",
    status_code=201,
    summary="A gas lot came into a station's tank (气质批次到货)",
    response_model=Recorded,
    responses=documented(*_USUAL, "station_unknown", "cannot_follow"),
    openapi_extra=takes(lots.LotArrival, LOT_ARRIVAL),
)
async def receive_lot(
    caller: Caller, service: ServiceHere, act: Annotated[lots.LotArrival, Depends(JsonBody(lots.LotArrival))]
) -> Any:
    """By the station's company, once for each lot. Until it is released it is not filled, where the rulebook asks."""
    return await service.record(partial(lots.receive_lot, act=act, company_id=caller.org_id, by=caller.account_id))


@router.post(
    "/{lot_id}/tests",
    status_code=201,
    summary="What a laboratory found in a gas lot (气质检测)",
    response_model=Recorded,
    responses=documented(*_USUAL, "lot_unknown", "other_district"),
    openapi_extra=takes(lots.LotTesting, LOT_TESTING),
)
async def test_lot(
    lot_id: LotId,
    caller: Caller,
    service: ServiceHere,
    act: Annotated[lots.LotTesting, Depends(JsonBody(lots.LotTesting))],
) -> Any:
    """The last test counts."""
    return await _state(service, caller, act, lot_id)


@router.post(
    "/{lot_id}/release",
    status_code=201,
    summary="Release a gas lot for filling (气质批次放行)",
    response_model=Recorded,
    responses=documented(*_USUAL, "lot_unknown", "other_district", "other_authority", "cannot_follow"),
    openapi_extra=takes(lots.LotRelease, LOT_RELEASE),
)
async def release_lot(
    lot_id: LotId,
    caller: Caller,
    service: ServiceHere,
    act: Annotated[lots.LotRelease, Depends(JsonBody(lots.LotRelease))],
) -> Any:
    """On a passed test, and never over somebody else's block."""
    return await _state(service, caller, act, lot_id)


@router.post(
    "/{lot_id}/block",
    status_code=201,
    summary="Block a gas lot (气质批次停用)",
    response_model=Recorded,
    responses=documented(*_USUAL, "lot_unknown", "other_district"),
    openapi_extra=takes(lots.LotBlock, LOT_BLOCK),
)
async def block_lot(
    lot_id: LotId,
    caller: Caller,
    service: ServiceHere,
    act: Annotated[lots.LotBlock, Depends(JsonBody(lots.LotBlock))],
) -> Any:
    """The next check that names the lot is refused. What was filled from it, a recall of the lot calls back."""
    return await _state(service, caller, act, lot_id)


async def _state(
    service: Service, caller: Account, act: lots.LotTesting | lots.LotRelease | lots.LotBlock, lot_id: str
) -> Recorded:
    work = partial(
        lots.state_about_lot, act=act, lot_id=lot_id, org_id=caller.org_id, by=caller.account_id, role=caller.role
    )
    return await service.record(in_district(caller, work))
