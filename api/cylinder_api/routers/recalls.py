"""Recalls (召回): look first, open, see who has what, close."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from cylinder_api.access import Account, Caller
from cylinder_api.acts import recalling
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import RECALL, RECALL_CLOSING
from cylinder_api.problems import documented
from cylinder_api.service import Service, ServiceHere
from cylinder_trace.values import Id

router = APIRouter(tags=["supervision"])


class RecallClosedAnswer(BaseModel):
    """The recall is over; from so many cylinders its mark was lifted by this call."""

    recall_id: str
    lifted: int


@router.post(
    "/v1/recalls",
    status_code=201,
    summary="Open a recall and mark every cylinder under it (召回)",
    responses=documented("not_json", "lot_unknown", "id_conflict", "cannot_follow", "occurred_in_future"),
    openapi_extra=takes(recalling.Recall, RECALL),
)
async def open_recall(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[recalling.Recall, Depends(JsonBody(recalling.Recall))],
    dry_run: bool = False,
) -> recalling.RecallFound:
    """By an authority, or by a maker: of what it made by its own record.

    With `dry_run` nothing is recorded: how many cylinders it would be, which, and who had them last.

    The same recall sent again goes on where it was cut off and marks what came since.
    """
    maker_id = caller.org_id if caller.role == "maker" else None
    scope, ledger = recalling.scope_of(act, caller.org_id, maker_id), service.ledger
    if act.lot_id is not None:
        await run_in_threadpool(recalling.station_of_lot, ledger.reader, act.lot_id)
    if not dry_run:
        work = partial(recalling.open_recall, act=act, issuer_id=caller.org_id, by=caller.account_id, maker_id=maker_id)
        await service.commit(work)
    found = await run_in_threadpool(recalling.find_cylinders, ledger.engine, ledger.reader, scope)
    marked = 0 if dry_run else await _mark(service, caller, act, [one.cylinder_id for one in found.cylinders])
    items = await run_in_threadpool(recalling.affected, ledger.reader, found.cylinders[: recalling.LISTED])
    return recalling.RecallFound(
        recall_id=act.id,
        cylinders=len(found.cylinders),
        marked=marked,
        batch_unknown=found.batch_unknown,
        items=items,
    )


async def _mark(service: Service, caller: Account, act: recalling.Recall, cylinder_ids: list[str]) -> int:
    marked = 0
    for some in _some_at_a_time(cylinder_ids):
        work: Any = partial(recalling.mark, recall_id=act.id, cylinder_ids=some, cause=act.cause, by=caller.account_id)
        marked += await service.commit(work, bulk=len(some))
    return marked


def _some_at_a_time(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + recalling.MARKED_AT_ONCE] for start in range(0, len(ids), recalling.MARKED_AT_ONCE)]


@router.get(
    "/v1/recalls/{recall_id}/cylinders",
    summary="The cylinders under a recall and who had them last (召回到户)",
    responses=documented("recall_unknown", "other_authority"),
)
def list_recalled(
    recall_id: Annotated[Id, Path()],
    caller: Caller,
    service: ServiceHere,
    after: Annotated[str, Query(max_length=80)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> recalling.AffectedPage:
    """Ids of customers, delivery points, stations and holders only; whom they mean, their company knows."""
    issuer_id = caller.org_id if caller.role == "maker" else None
    ledger = service.ledger
    return recalling.list_affected(ledger.engine, ledger.reader, recall_id, after, limit, issuer_id)


@router.post(
    "/v1/recalls/{recall_id}/close",
    summary="Close a recall and lift every mark of it (解除召回)",
    responses=documented("not_json", "recall_unknown", "other_authority", "id_conflict", "occurred_in_future"),
    openapi_extra=takes(recalling.Closing, RECALL_CLOSING),
)
async def close_recall(
    recall_id: Annotated[Id, Path()],
    caller: Caller,
    service: ServiceHere,
    act: Annotated[recalling.Closing, Depends(JsonBody(recalling.Closing))],
) -> RecallClosedAnswer:
    """By the authority that opened it. Closing twice changes nothing, and finishes what was cut off."""
    by = caller.account_id
    await service.commit(partial(recalling.close_recall, recall_id=recall_id, act=act, issuer_id=caller.org_id, by=by))
    marked = await run_in_threadpool(lambda: list(recalling.marked_by(service.ledger.engine, recall_id)))
    lifted = 0
    for some in _some_at_a_time([cylinder.cylinder_id for cylinder in marked]):
        work: Any = partial(recalling.lift, recall_id=recall_id, cylinder_ids=some, cause=act.cause, by=by)
        lifted += await service.commit(work, bulk=len(some))
    return RecallClosedAnswer(recall_id=recall_id, lifted=lifted)
