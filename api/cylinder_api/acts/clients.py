"""Systems that ask for tokens with a key of their own (OAuth 2.0 clients): registered, listed, revoked by an admin."""

import json
from typing import Annotated, Any, Literal

from jwt import PyJWK
from jwt.exceptions import PyJWTError
from pydantic import BaseModel, Field
from sqlalchemy import Engine, select

from cylinder_api.access import SystemRole, scopes_of
from cylinder_api.refusals import Refused
from cylinder_trace.store.accounts import revoke_tokens
from cylinder_trace.store.tables import ClientRow
from cylinder_trace.store.unit import IdConflict, Unit
from cylinder_trace.values import Frozen, Id

_client = ClientRow.__table__  # type: ignore[attr-defined]
ALGORITHMS = {("OKP", "Ed25519"): "EdDSA", ("EC", "P-256"): "ES256"}
"""Type and curve of a key → how it signs. No other is taken: none that is shared, none that is weak."""
_PUBLIC = ("kty", "crv", "x", "y")
DEVICE_PREFIX = "dev_"
Coordinate = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
District = Annotated[str, Field(pattern=r"^[0-9]{2,12}$")]


class Jwk(Frozen):
    """The public half of a key (RFC 7517): Ed25519, or P-256."""

    kty: Literal["OKP", "EC"]
    crv: Literal["Ed25519", "P-256"]
    x: Coordinate
    y: Coordinate | None = None


class NewClient(Frozen):
    """A system that is to be let in (登记对接系统)."""

    client_id: Id
    role: SystemRole
    org_id: Id
    """The organisation it speaks for."""
    district: District | None = None
    """For an authority's system: where it acts, the front of an administrative code."""
    scope: Annotated[str, Field(max_length=400)] | None = None
    """What its tokens may do at most, words parted by blanks; absent = all that the role may."""
    jwk: Jwk


class ClientItem(BaseModel):
    """A registered system."""

    client_id: str
    role: str
    org_id: str
    district: str | None
    scope: str | None
    jwk: dict[str, str]
    revoked_at: int | None


def item_of(row: ClientRow) -> ClientItem:
    """The row as it is shown."""
    return ClientItem(**{**row.model_dump(), "jwk": json.loads(row.jwk)})


def public_key(jwk: str) -> tuple[Any, str]:
    """The key in a JWK's text, and the one algorithm it signs by; raises Refused for any other kind of key."""
    try:
        facts = json.loads(jwk)
        algorithm = ALGORITHMS[facts["kty"], facts["crv"]]
        if set(facts) - set(_PUBLIC):
            raise Refused("invalid", "/body/jwk: only kty, crv, x and y of the public half; keep the private one (d)")
        return PyJWK(facts, algorithm).key, algorithm
    except (PyJWTError, ValueError, KeyError, TypeError) as error:
        raise Refused("invalid", "/body/jwk: not a public Ed25519 or P-256 key as a JSON Web Key") from error


def register_client(unit: Unit, asked: NewClient) -> ClientItem:
    """Let a system in; the same again changes nothing. Raises Refused, and IdConflict for an id that is taken."""
    if asked.client_id.startswith(DEVICE_PREFIX):
        raise Refused("invalid", f"/body/client_id: ids in {DEVICE_PREFIX}… are those of stations' devices")
    _require_scopes(asked)
    jwk = json.dumps(asked.jwk.model_dump(exclude_none=True), sort_keys=True)
    public_key(jwk)
    row = ClientRow(**asked.model_dump(exclude={"jwk"}), jwk=jwk)
    known = unit.find(ClientRow, asked.client_id)
    if known is not None and known != row:
        raise IdConflict(f"client {asked.client_id} is registered with other facts, or revoked; take another id")
    unit.put(row)
    return item_of(row)


def _require_scopes(asked: NewClient) -> None:
    words = set(asked.scope.split()) if asked.scope is not None else scopes_of(asked.role)
    if strange := sorted(words - scopes_of(asked.role)):
        raise Refused("invalid", f"/body/scope: the role {asked.role} never has {' '.join(strange)[:100]}")
    if not words:
        raise Refused("invalid", "/body/scope: name at least one scope, or leave it out")


def revoke_client(unit: Unit, client_id: str) -> ClientItem:
    """Take a system's key and all its tokens out of force at once; raises Refused for no such client."""
    row = unit.find(ClientRow, client_id)
    if row is None:
        raise Refused("client_unknown", "no client is registered under this id")
    if row.revoked_at is None:
        row = row.model_copy(update={"revoked_at": unit.now})
        unit.put(row)
    revoke_tokens(unit, client_id)
    return item_of(row)


def list_clients(engine: Engine) -> list[ClientItem]:
    """Every registered system, revoked ones too, by id."""
    with engine.connect() as connection:
        rows = connection.execute(select(_client).order_by(_client.c.client_id))
        return [item_of(ClientRow(**row._mapping)) for row in rows]
