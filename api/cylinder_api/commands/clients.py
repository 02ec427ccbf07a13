"""Systems with keys of their own: ``client add``, ``list``, ``revoke``, and ``assert`` to try one out by hand."""

import argparse
import json
import secrets
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from pydantic import ValidationError

from cylinder_api.acts import clients
from cylinder_api.acts.assertions import LONGEST_MS
from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.output import show
from cylinder_api.commands.people import database, in_one_unit
from cylinder_api.service import system_clock
from cylinder_codes.keys import KeyFormatError, parse_signer


def add_client(options: argparse.Namespace) -> int:
    """Let a system in with the public half of its key."""
    facts = {"client_id": options.id, "role": options.role, "org_id": options.org, "jwk": _public_jwk(options.key)}
    extra = {"district": options.district, "scope": options.scope}
    try:
        asked = clients.NewClient.model_validate_json(
            json.dumps({**facts, **{name: value for name, value in extra.items() if value is not None}})
        )
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise CannotDo(f"{place}: {fault['msg']}; see cylinder-api client add --help") from error
    with database(options) as engine:
        item = in_one_unit(engine, lambda unit: clients.register_client(unit, asked))
    show(
        options,
        item.model_dump(),
        f"{item.client_id} may ask for tokens at /oauth/token, as {item.role} for {item.org_id}",
    )
    return 0


def list_clients(options: argparse.Namespace) -> int:
    """Print the registered systems."""
    with database(options) as engine:
        items = clients.list_clients(engine)
    lines = [f"{one.client_id}\t{one.role}\t{one.org_id}\t{'revoked' if one.revoked_at else ''}" for one in items]
    show(options, {"clients": [one.model_dump() for one in items]}, "\n".join(lines) or "no system is registered")
    return 0


def revoke_client(options: argparse.Namespace) -> int:
    """Take a system and all its tokens out of force."""
    with database(options) as engine:
        item = in_one_unit(engine, lambda unit: clients.revoke_client(unit, options.id))
    show(options, item.model_dump(), f"{item.client_id} and every token of it are out of force")
    return 0


def make_assertion(options: argparse.Namespace) -> int:
    """Print an assertion for /oauth/token, signed with a private key; it is good for once, within five minutes."""
    key, algorithm = _private_key(options.key)
    now = system_clock() // 1000
    claims = {"iss": options.id, "sub": options.id, "aud": options.audience, "jti": secrets.token_urlsafe(16)}
    signed = jwt.encode({**claims, "iat": now, "exp": now + LONGEST_MS // 1000}, key, algorithm)
    show(options, {"client_assertion": signed}, signed)
    return 0


def _public_jwk(path: Path) -> dict[str, Any]:
    """The public half in a file: a JSON Web Key or PEM. Raises CannotDo, also for a private key."""
    data = path.read_bytes()
    if data.lstrip()[:1] == b"{":
        try:
            facts: dict[str, Any] = json.loads(data)
        except ValueError as error:
            raise CannotDo(f"{path} is not a JSON Web Key: {error}") from error
        if "d" in facts:
            raise CannotDo(f"{path} holds the private half; give the public one, and keep this to yourself")
        return {name: facts[name] for name in ("kty", "crv", "x", "y") if name in facts}
    if b"PRIVATE KEY" in data:
        raise CannotDo(f"{path} holds the private half; write the public one: openssl pkey -in {path} -pubout")
    try:
        key = load_pem_public_key(data)
    except ValueError as error:
        raise CannotDo(f"{path} is neither a public key in PEM nor a JSON Web Key") from error
    if isinstance(key, Ed25519PublicKey):
        facts = OKPAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, EllipticCurvePublicKey):
        facts = ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        raise CannotDo(f"{path} holds another kind of key; make one with: openssl genpkey -algorithm ed25519")
    return {name: facts[name] for name in ("kty", "crv", "x", "y") if name in facts}


def _private_key(path: Path) -> tuple[Any, str]:
    """The private key in a file (PEM, or a device's own), and how it signs; raises CannotDo."""
    data = path.read_bytes()
    try:
        if data.startswith(b"PRIVATE+KEY+"):
            return Ed25519PrivateKey.from_private_bytes(parse_signer(data.decode()).seed), "EdDSA"
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, KeyFormatError) as error:
        raise CannotDo(
            f"{path} holds no private key that can be read: PEM without a password, or device.key"
        ) from error
    if isinstance(key, Ed25519PrivateKey):
        return key, "EdDSA"
    if isinstance(key, EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
        return key, "ES256"
    raise CannotDo(f"{path} holds another kind of key than Ed25519 or P-256")
