"""Customers' personal data (个人信息): read for a purpose, and erased."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from cylinder_api.access import Caller
from cylinder_api.acts import customers
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import ERASURE, READING
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import ServiceHere
from cylinder_trace.identity import Identity
from cylinder_trace.store.vault import VaultError
from cylinder_trace.values import Id

router = APIRouter(tags=["trade"])
_REFUSALS = (
    "not_json", "customer_unknown", "other_company", "customer_erased", "id_conflict", "occurred_in_future",
)  # fmt: skip


class ReadingAnswer(Recorded):
    """The reading is on record; these are the personal data. They are not to be kept."""

    customer: Identity


@router.post(
    "/v1/customers/{customer_id}/readings",
    status_code=201,
    summary="Read a customer's personal data in plain, for a purpose (个人信息查阅)",
    response_model=ReadingAnswer,
    responses=documented(*_REFUSALS, "reading_over"),
    openapi_extra=takes(customers.Reading, READING),
)
async def read_customer(
    customer_id: Annotated[Id, Path()],
    caller: Caller,
    service: ServiceHere,
    response: Response,
    act: Annotated[customers.Reading, Depends(JsonBody(customers.Reading))],
) -> Any:
    """Who read, when and what for is in the ledger before anything is shown. An answer that was lost is given again
    for ten minutes; afterwards it takes another reading.
    """
    work = partial(customers.read_customer, customer_id=customer_id, act=act, caller=caller)
    recorded = await service.commit(work)
    try:
        identity = service.vault.open(recorded.row)
    except VaultError as error:
        raise Refused("unavailable", "the vault does not open with the service's master key") from error
    response.headers["Cache-Control"] = "no-store"
    return {"receipt": service.ledger.sign(recorded.receipt), "customer": identity}


@router.post(
    "/v1/customers/{customer_id}/erase",
    status_code=201,
    summary="Erase a customer's personal data for good (个人信息删除)",
    response_model=Recorded,
    responses=documented(*_REFUSALS),
    openapi_extra=takes(customers.Erasure, ERASURE),
)
async def erase_customer(
    customer_id: Annotated[Id, Path()],
    caller: Caller,
    service: ServiceHere,
    act: Annotated[customers.Erasure, Depends(JsonBody(customers.Erasure))],
) -> Any:
    """Deletes the person's data key, with which everything that was kept of the person can no longer be read.

    The ledger stays as it is: it never held more than a commitment, and every proof and audit goes on holding.
    """
    return await service.record(partial(customers.erase_customer, customer_id=customer_id, act=act, caller=caller))
