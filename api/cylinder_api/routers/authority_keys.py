"""The keys with which authorities sign their locks (监管公钥)."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from cylinder_api.access import Caller
from cylinder_api.acts import authority_keys
from cylinder_api.answers import Recorded
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import AUTHORITY_KEY
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere

router = APIRouter(prefix="/v1/authority-keys", tags=["supervision"])


class AuthorityKey(BaseModel):
    """A key and how it stands; `revoked_at` is absent while it is trusted."""

    authority_id: str
    vkey: str
    trusted_at: int
    revoked_at: int | None


class AuthorityKeyList(BaseModel):
    """Every key of every authority."""

    items: list[AuthorityKey]


@router.post(
    "",
    status_code=201,
    summary="Trust or revoke a key of an authority (监管公钥)",
    response_model=Recorded,
    responses=documented("not_json", "id_conflict", "occurred_in_future"),
    openapi_extra=takes(authority_keys.AuthorityKeyAct, AUTHORITY_KEY),
)
async def state_authority_key(
    caller: Caller,
    service: ServiceHere,
    act: Annotated[authority_keys.AuthorityKeyAct, Depends(JsonBody(authority_keys.AuthorityKeyAct))],
) -> Any:
    """The service verifies locks by these keys. A station trusts only those in its own list, whatever stands here."""
    return await service.record(partial(authority_keys.state_authority_key, act=act, by=caller.account_id))


@router.get("", summary="Keys of the authorities", responses=documented())
def list_authority_keys(caller: Caller, service: ServiceHere) -> AuthorityKeyList:
    """To be compared, out of band, with what a station is told to trust."""
    items = authority_keys.list_authority_keys(service.ledger.reader)
    return AuthorityKeyList(items=[AuthorityKey(**item._asdict()) for item in items])
