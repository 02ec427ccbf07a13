"""A machine proves who it is (RFC 7523, private_key_jwt): by a statement that it signs with its own key.

The statement is good for five minutes at most, for this service alone, and once: its number is kept in the database,
so that no other process takes it either. A station's device signs with the key that the ledger trusts; every other
system with the one that an admin registered.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.exceptions import PyJWTError
from sqlalchemy import Engine

from cylinder_api.access import scopes_of
from cylinder_api.acts.clients import public_key
from cylinder_codes.keys import parse_vkey
from cylinder_trace.store.accounts import forget_ended, read_row, secret_sha256
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import AccountRow, AssertionRow, ClientRow
from cylinder_trace.store.unit import Unit
from cylinder_trace.subjects import DeviceState

TOKEN_LIFE_MS = 15 * 60_000
LONGEST_MS = 5 * 60_000
"""An assertion lives no longer."""
SLACK_MS = 60_000
"""How far apart the two clocks may be."""
_LONGEST_JTI = 200


class TokenRefused(Exception):
    """No token (RFC 6749 §5.2): `error` is a word of the standard, `description` one sentence."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class Machine(NamedTuple):
    """Who asks: a device or another system, as it is trusted now."""

    client_id: str
    role: str
    org_id: str
    key: str
    """A device's vkey, a system's JWK."""
    district: str | None = None
    scope: str | None = None


class Proof(NamedTuple):
    """A statement that was verified; it has not been looked up yet whether it was shown before."""

    machine: Machine
    assertion_sha256: str
    expires_at: int


class Granted(NamedTuple):
    """What the token is good for."""

    scope: str
    expires_at: int


def named_client(assertion: str) -> str:
    """Who the statement says it is by; nothing of it is verified yet. Raises TokenRefused."""
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except PyJWTError as error:
        raise TokenRefused("invalid_client", "client_assertion is not a signed JWT") from error
    name = claims.get("iss")
    if not isinstance(name, str) or not name or name != claims.get("sub"):
        raise TokenRefused("invalid_client", "iss and sub of the assertion must both be the client's id")
    return name


def find_machine(engine: Engine, reader: Reader, client_id: str) -> Machine | None:
    """The machine of this id, if it is trusted as the database stands now."""
    device = reader.state(f"device/{client_id}")
    client = None if device else read_row(engine, ClientRow, client_id)
    return _machine(device if isinstance(device, DeviceState) else None, client)


def _machine(device: DeviceState | None, client: ClientRow | None) -> Machine | None:
    if device is not None and device.revoked_at is None:
        return Machine(device.device_id, "station", device.station_id, device.vkey)
    if client is not None and client.revoked_at is None:
        return Machine(client.client_id, client.role, client.org_id, client.jwk, client.district, client.scope)
    return None


def verify_assertion(assertion: str, machine: Machine | None, audiences: Sequence[str], now: int) -> Proof:
    """The proof in a statement; raises TokenRefused. `audiences` are the names that the service answers to."""
    if machine is None:
        raise _not_trusted()
    key, algorithm = _key_of(machine)
    claims = _signed_claims(assertion, key, algorithm, machine.client_id)
    said = claims.get("aud")
    if not any(name in audiences for name in (said if isinstance(said, list) else [said])):
        raise TokenRefused("invalid_client", f"aud of the assertion must be one of: {', '.join(audiences)}")
    expires_at = _require_in_time(claims, now)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
        raise TokenRefused("invalid_client", f"jti must be a new text each time, of at most {_LONGEST_JTI} characters")
    shown = sha256(json.dumps([machine.client_id, jti]).encode()).hexdigest()
    return Proof(machine, shown, expires_at)


def _key_of(machine: Machine) -> tuple[Any, str]:
    if machine.role == "station":
        return Ed25519PublicKey.from_public_bytes(parse_vkey(machine.key).public_bytes), "EdDSA"
    return public_key(machine.key)


def _signed_claims(assertion: str, key: Any, algorithm: str, client_id: str) -> dict[str, Any]:
    # The key says the algorithm, never the statement; times are compared below, with the service's own clock.
    try:
        header = jwt.get_unverified_header(assertion)
        claims: dict[str, Any] = jwt.decode(
            assertion, key, [algorithm], _CLAIMS_ARE_READ_HERE, issuer=client_id, subject=client_id
        )
    except (PyJWTError, ValueError) as error:
        raise _not_trusted() from error
    if {"crit", "b64"} & set(header):
        raise TokenRefused("invalid_client", "the assertion's header holds an extension; leave crit and b64 out")
    return claims


_CLAIMS_ARE_READ_HERE: Any = dict.fromkeys(
    ("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_jti"), False
)


def _not_trusted() -> TokenRefused:
    # One sentence for an unknown client, a revoked one and a wrong signature: nobody learns which clients exist.
    return TokenRefused("invalid_client", "the assertion is not signed by a key that is in force for this client")


def _require_in_time(claims: dict[str, Any], now: int) -> int:
    """When the statement ends, UTC ms."""
    ends, begins = _moment(claims, "exp"), _moment(claims, "nbf", "iat")
    if ends is None or ends <= now - SLACK_MS:
        raise TokenRefused("invalid_client", "the assertion has no exp, or it is over; make a new one")
    if ends > now + LONGEST_MS + SLACK_MS:
        raise TokenRefused("invalid_client", "exp must lie at most five minutes ahead; check the clock")
    if begins is not None and begins > now + SLACK_MS:
        raise TokenRefused("invalid_client", "the assertion begins in the future; check the clock")
    return ends


def _moment(claims: dict[str, Any], *names: str) -> int | None:
    """The latest of these claims as UTC ms; raises TokenRefused for what is no number of seconds."""
    said = [claims[name] for name in names if name in claims]
    if any(type(value) not in (int, float) or not 0 <= value < 2**43 for value in said):
        raise TokenRefused("invalid_client", f"{' and '.join(names)} must be seconds since 1970, as a number")
    return max((int(value * 1000) for value in said), default=None)


def grant_token(unit: Unit, proof: Proof, asked_scope: str | None, token: str) -> Granted:
    """Let `token` (fresh and random) speak for the machine for fifteen minutes. Raises TokenRefused."""
    client_id = proof.machine.client_id
    machine = _machine(unit.device(client_id), unit.find(ClientRow, client_id))
    if machine != proof.machine:  # cut off, revoked or changed since the proof was read
        raise _not_trusted()
    if unit.find(AssertionRow, proof.assertion_sha256) is not None:
        raise TokenRefused("invalid_client", "this assertion was shown before; make a new one with another jti")
    scope = _granted_scope(machine, asked_scope)
    forget_ended(unit, client_id)
    unit.put(AssertionRow(assertion_sha256=proof.assertion_sha256, expires_at=proof.expires_at + SLACK_MS))
    expires_at = unit.now + TOKEN_LIFE_MS
    row = AccountRow(
        token_sha256=secret_sha256(token),
        account_id=client_id,
        role=machine.role,
        org_id=machine.org_id,
        district=machine.district,
        scope=scope,
        expires_at=expires_at,
    )
    unit.put(row)
    return Granted(scope, expires_at)


def _granted_scope(machine: Machine, asked: str | None) -> str:
    """What is asked for, if the machine may have all of it; without a wish all that it may have."""
    most = scopes_of(machine.role)
    if machine.scope is not None:
        most &= set(machine.scope.split())
    wanted = most if asked is None else set(asked.split())
    if not wanted or not wanted <= most:
        raise TokenRefused("invalid_scope", f"this client may have: {' '.join(sorted(most))}")
    return " ".join(sorted(wanted))
