"""Alarms of the stations (报警): what does not fit together at a lane, for whoever goes and looks."""

from typing import Annotated

from fastapi import APIRouter, Query

from cylinder_api.access import Caller
from cylinder_api.acts import alarms
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere
from cylinder_trace.values import Id

router = APIRouter(tags=["supervision"])


@router.get("/v1/alarms", summary="Alarms that stations raised about their lanes (报警)", responses=documented())
def list_alarms(
    caller: Caller,
    service: ServiceHere,
    station: Id | None = None,
    kind: Id | None = None,
    after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> alarms.AlarmPage:
    """In the order in which they were recorded; of one station, and of one kind such as `rise_without_permit`, if
    given. An alarm says what to look at. It is no finding of guilt."""
    return alarms.alarms_told(service.ledger.reader, station, kind, after, limit)
