"""Disputes (争议): which are open, and how a person ends one."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from cylinder_api.access import Caller
from cylinder_api.acts import disputes
from cylinder_api.acts.districts import in_district
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import RESOLUTION
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere
from cylinder_trace.values import Id

router = APIRouter(tags=["supervision"])


@router.get("/v1/disputes", summary="Disputes that nobody has resolved yet (待处理争议)", responses=documented())
def list_disputes(
    caller: Caller,
    service: ServiceHere,
    kind: Id | None = None,
    after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> disputes.DisputePage:
    """Oldest first; of one kind if given, such as `flag_unconfirmed` (black flags that wait for a second person)."""
    return disputes.open_disputes(service.ledger.reader, kind, after, limit)


@router.post(
    "/v1/disputes/{dispute_id}/resolve",
    status_code=201,
    summary="Say how a dispute ended (争议处理)",
    response_model=Recorded,
    responses=documented(
        "not_json",
        "dispute_unknown",
        "other_authority",
        "other_district",
        "same_person",
        "id_conflict",
        "occurred_in_future",
    ),
    openapi_extra=takes(disputes.Resolution, RESOLUTION),
)
async def resolve_dispute(
    dispute_id: Annotated[Id, Path()],
    caller: Caller,
    service: ServiceHere,
    act: Annotated[disputes.Resolution, Depends(JsonBody(disputes.Resolution))],
) -> Any:
    """Once. `upheld` on a black flag confirms it; to lift it, clear the flag. Both take another person than who set
    it."""
    work = partial(
        disputes.resolve_dispute, dispute_id=dispute_id, act=act, authority_id=caller.org_id, by=caller.account_id
    )
    return await service.record(in_district(caller, work))
