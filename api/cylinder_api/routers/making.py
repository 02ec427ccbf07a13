"""What a maker states (制造单位): the cylinder left the works with this stamp and this label."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cylinder_api.access import Caller
from cylinder_api.acts import making
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import MAKING
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere

router = APIRouter(tags=["making"])


@router.post(
    "/v1/makings",
    status_code=201,
    summary="The maker's record of a cylinder (制造登记)",
    response_model=Recorded,
    responses=documented(
        "not_json", "code_unreadable", "code_taken", "serial_differs", "registered_twice", "id_conflict",
        "cannot_follow", "occurred_in_future",
    ),
    openapi_extra=takes(making.Making, MAKING),
)  # fmt: skip
async def record_making(
    caller: Caller, service: ServiceHere, act: Annotated[making.Making, Depends(JsonBody(making.Making))]
) -> Any:
    """Before the cylinder is put on file, or of one on file with the same stamp. A recall of its batch marks it."""
    work = partial(
        making.record_making, act=act, maker_id=caller.org_id, by=caller.account_id, tag_key=service.keys.tag,
        forms=service.settings.forms,
    )  # fmt: skip
    return await service.record(work)
