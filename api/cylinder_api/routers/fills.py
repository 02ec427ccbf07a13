"""May this cylinder be filled here, now (准充)? And: gas went in (充装)."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from cylinder_api.access import AT_STATION, Caller
from cylinder_api.acts import fill, fill_list
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import FILL_REPORT, FILL_REQUEST
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import ServiceHere
from cylinder_api.told import Told, tell
from cylinder_trace.decision import Decision, FillRequest, Outcome
from cylinder_trace.promise import SignedReceipt
from cylinder_trace.values import Id

router = APIRouter(tags=["filling"])


class FillCheckAnswer(BaseModel):
    """The decision, the same in words, and where it is recorded."""

    decision: Decision
    told: list[Told]
    receipt: SignedReceipt


class FillRecorded(Recorded):
    """The fill was recorded; `dispute` names what is wrong with it, if anything."""

    dispute: str | None


@router.post(
    "/v1/fill-checks",
    summary="May this cylinder be filled here, now? (准充)",
    response_model=FillCheckAnswer,
    response_model_exclude_none=True,
    responses=documented("not_json", "other_station", "id_conflict", "rulebook_missing"),
    openapi_extra=takes(FillRequest, FILL_REQUEST),
)
async def check_fill(
    caller: Caller, service: ServiceHere, asked: Annotated[FillRequest, Depends(JsonBody(FillRequest))]
) -> Response:
    """ALLOW, WARN or DENY with all reasons, recorded durably before the answer. A DENY is an answer, not an error.

    `check_id` is made by the station and is the idempotency key: the same check again gets the same answer.
    """
    if asked.station_id != caller.org_id:
        raise Refused("other_station", f"this token speaks for station {caller.org_id}")
    rulebook_id = service.settings.rulebook_id
    request = fill.read_again(asked, service.settings.forms)
    key = service.keys.log
    act = partial(fill.check_fill, request=request, device_id=caller.account_id, rulebook_id=rulebook_id, key=key)
    decision, receipt = await service.commit(act, fill.hints_for(request, rulebook_id))
    answer = FillCheckAnswer(decision=decision, told=tell(decision), receipt=service.ledger.sign(receipt))
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")


@router.get(
    "/v1/fill-checks",
    summary="Recorded fill checks, oldest first",
    responses=documented("other_station"),
)
def list_fill_checks(
    caller: Caller,
    service: ServiceHere,
    station_id: Id | None = None,
    outcome: Outcome | None = None,
    after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> fill_list.FillCheckPage:
    """Decisions of the service and of stations, refusals too. A station and its manager see the station's, a filler and
    a checker their own."""
    if caller.role in AT_STATION:
        if station_id not in (None, caller.org_id):
            raise Refused("other_station", f"this token speaks for station {caller.org_id}")
        station_id = caller.org_id
    worker_id = caller.account_id if caller.role in ("filler", "checker") else None
    return fill_list.list_fill_checks(service.ledger.reader, station_id, outcome, after, limit, worker_id)


@router.post(
    "/v1/fills",
    status_code=201,
    summary="Gas went in (充装记录)",
    response_model=FillRecorded,
    responses=documented("not_json", "id_conflict"),
    openapi_extra=takes(fill.FillReport, FILL_REPORT),
)
async def record_fill(
    caller: Caller, service: ServiceHere, report: Annotated[fill.FillReport, Depends(JsonBody(fill.FillReport))]
) -> Any:
    """For clients without a journal. A fill without a permit, or above its limit, is recorded with a dispute."""
    act = partial(fill.report_fill, report=report, station_id=caller.org_id, device_id=caller.account_id)
    recorded = await service.commit(act)
    return {"receipt": service.ledger.sign(recorded.receipt), "dispute": recorded.dispute}
