"""Change of owner (产权变更)."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cylinder_api.access import Caller
from cylinder_api.acts import trade
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import TRANSFER
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere

router = APIRouter(tags=["trade"])


@router.post(
    "/v1/transfers",
    status_code=201,
    summary="The owner hands a cylinder over to another company (产权变更)",
    response_model=Recorded,
    responses=documented(
        "not_json", "cylinder_unknown", "code_unreadable", "other_owner", "id_conflict", "occurred_in_future"
    ),
    openapi_extra=takes(trade.Transfer, TRANSFER),
)
async def transfer_cylinder(
    caller: Caller, service: ServiceHere, act: Annotated[trade.Transfer, Depends(JsonBody(trade.Transfer))]
) -> Any:
    """Only the owner of record may; a cooling time runs before the new owner's stations may fill it."""
    hosts = service.settings.link_hosts
    work = partial(trade.transfer_cylinder, act=act, company_id=caller.org_id, by=caller.account_id, hosts=hosts)
    return {"receipt": await service.commit(work)}
