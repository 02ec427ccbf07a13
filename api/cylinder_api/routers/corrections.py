"""Corrections (更正): what an entry should have said. The entry itself stays as it is."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cylinder_api.access import Caller
from cylinder_api.acts import correcting
from cylinder_api.acts.districts import in_district
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.etags import IfMatch
from cylinder_api.examples import CORRECTION
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere

router = APIRouter(tags=["supervision"])


@router.post(
    "/v1/corrections",
    status_code=201,
    summary="Correct one field of an earlier entry (更正)",
    response_model=Recorded,
    responses=documented(
        "not_json", "entry_unknown", "same_person", "registered_twice", "id_conflict", "cannot_follow",
        "occurred_in_future", "changed_meanwhile", "other_district",
    ),
    openapi_extra=takes(correcting.Correction, CORRECTION),
)  # fmt: skip
async def correct_entry(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[correcting.Correction, Depends(JsonBody(correcting.Correction))],
    if_match: IfMatch = None,
) -> Any:
    """With evidence and a second person. What a newer fact has replaced meanwhile stays replaced."""
    work = partial(correcting.correct, act=act, authority_id=caller.org_id, by=caller.account_id, if_match=if_match)
    return await service.record(in_district(caller, work))
