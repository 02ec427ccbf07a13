"""Systems that ask for tokens with a key of their own (对接系统): registered, listed, revoked."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from cylinder_api.access import Caller
from cylinder_api.acts import clients
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.examples import CLIENT
from cylinder_api.idempotency import ActKey
from cylinder_api.problems import documented
from cylinder_api.service import ServiceHere
from cylinder_trace.values import Id

router = APIRouter(prefix="/v1/clients", tags=["access"])


class ClientList(BaseModel):
    """Every registered system, by id."""

    items: list[clients.ClientItem]


@router.post(
    "",
    status_code=201,
    summary="Register a system with its public key (登记对接系统)",
    responses=documented("not_json", "id_conflict"),
    openapi_extra=takes(clients.NewClient, CLIENT),
)
async def register_client(
    caller: Caller, service: ServiceHere, asked: Annotated[clients.NewClient, Depends(JsonBody(clients.NewClient))]
) -> clients.ClientItem:
    """From now on it gets tokens at `/oauth/token`. Its private key never comes here."""
    return await service.commit(partial(clients.register_client, asked=asked))


@router.get("", summary="Registered systems", responses=documented())
def list_clients(caller: Caller, service: ServiceHere) -> ClientList:
    """Revoked ones too."""
    return ClientList(items=clients.list_clients(service.ledger.engine))


@router.delete(
    "/{client_id}",
    summary="Take a system out of force at once (停用对接系统)",
    responses=documented("client_unknown"),
)
async def revoke_client(
    client_id: Annotated[Id, Path()], caller: Caller, service: ServiceHere, _key: ActKey
) -> clients.ClientItem:
    """Its key and every token it has. Revoking twice changes nothing."""
    return await service.commit(partial(clients.revoke_client, client_id=client_id))
