"""What an owner states of a cylinder: on file (建档), change of owner (产权变更), one more code (赋码)."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cylinder_api.access import Caller
from cylinder_api.acts import binding, registering, trade
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import BINDING, REGISTRATION, TRANSFER
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere
from cylinder_api.stating import state

router = APIRouter(tags=["trade"])


@router.post(
    "/v1/cylinders",
    status_code=201,
    summary="Put one cylinder on file (建档)",
    response_model=Recorded,
    responses=documented(
        "not_json", "code_unreadable", "code_taken", "registered_twice", "head_mark_foreign", "id_conflict",
        "occurred_in_future", "rulebook_missing",
    ),
    openapi_extra=takes(registering.Registration, REGISTRATION),
)  # fmt: skip
async def register_cylinder(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[registering.Registration, Depends(JsonBody(registering.Registration))],
) -> Any:
    """Maker, serial number and year of making are on file once: the second is refused and told the first."""
    work = partial(
        registering.register_cylinder, act=act, company_id=caller.org_id, by=caller.account_id,
        tag_key=service.keys.tag, forms=service.settings.forms, rulebook_id=service.settings.rulebook_id,
    )  # fmt: skip
    return await service.record(work)


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
    return await state(service, caller, trade.transfer_cylinder, act)


@router.post(
    "/v1/codes",
    status_code=201,
    summary="The owner gives a cylinder one more code (赋码)",
    response_model=Recorded,
    responses=documented(
        "not_json", "cylinder_unknown", "code_unreadable", "other_owner", "code_taken", "id_conflict",
        "cannot_follow", "occurred_in_future",
    ),
    openapi_extra=takes(binding.Binding, BINDING),
)  # fmt: skip
async def bind_code(
    caller: Caller, service: ServiceHere, act: Annotated[binding.Binding, Depends(JsonBody(binding.Binding))]
) -> Any:
    """One cylinder, many codes; a code leads to one cylinder, and a dead one to none ever again."""
    work = partial(
        binding.bind_code, act=act, company_id=caller.org_id, by=caller.account_id, tag_key=service.keys.tag,
        forms=service.settings.forms,
    )  # fmt: skip
    return await service.record(work)
