"""The keys with which authorities sign their locks (监管公钥): facts of the ledger; stations pin their own."""

from typing import NamedTuple, Self

from pydantic import model_validator

from cylinder_api.acts.common import require_not_future
from cylinder_api.refusals import Refused
from cylinder_codes.keys import KeyFormatError, parse_vkey
from cylinder_trace.authority import AuthorityState
from cylinder_trace.events import AuthorityKeyRevoked, AuthorityKeyTrusted, state_event
from cylinder_trace.locks import speaks_for
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Frozen, Id, Instant, Text


class AuthorityKeyAct(Frozen):
    """A key signs for an authority from now on, or no more."""

    id: Id
    authority_id: Id
    vkey: Text
    """The verifying key (`cylinder-codes` writes it); its name is the authority's id, or begins with it and a "/"."""
    trusted: bool = True
    cause: Text | None = None
    """Why it signs no more."""
    occurred_at: Instant

    @model_validator(mode="after")
    def _says_why_it_ends(self) -> Self:
        if self.trusted == (self.cause is not None):
            raise ValueError("cause says why a key signs no more, and belongs to nothing else")
        return self


class AuthorityKeyItem(NamedTuple):
    """A key and how it stands."""

    authority_id: str
    vkey: str
    trusted_at: int
    revoked_at: int | None


def state_authority_key(unit: Unit, act: AuthorityKeyAct, by: str) -> Receipt:
    """Record it; raises Refused for what is no key of the authority."""
    require_not_future(unit, act.occurred_at)
    try:
        key = parse_vkey(act.vkey)
    except KeyFormatError as error:
        raise Refused("invalid", f"/body/vkey: {error}") from error
    if not speaks_for(key, act.authority_id):
        raise Refused("invalid", f"/body/vkey: the key's name is {act.authority_id}, or begins with it and a slash")
    trusted, revoked = AuthorityKeyTrusted(vkey=act.vkey), AuthorityKeyRevoked(vkey=act.vkey, cause=act.cause or "-")
    subject = f"authority/{act.authority_id}"
    event = trusted if act.trusted else revoked
    return unit.append(state_event(event, id=act.id, subject=subject, occurred_at=act.occurred_at, by=by))


def list_authority_keys(reader: Reader) -> list[AuthorityKeyItem]:
    """Every key of every authority, the revoked ones too."""
    states = [state for state in reader.states("authority") if isinstance(state, AuthorityState)]
    return [
        AuthorityKeyItem(state.authority_id, vkey, key.trusted_at, key.revoked_at)
        for state in sorted(states, key=lambda one: one.authority_id)
        for vkey, key in state.keys.items()
    ]
