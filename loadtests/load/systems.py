"""Systems of others, let in for a run (对接系统): each registered with a key of its own, each with a token."""

import base64
import secrets
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from load_stations import now_ms
from town_service import Town, ask_token, bearer, log_vkey, post

_GOOD_FOR_S = 120


@dataclass(frozen=True, slots=True)
class System:
    """Whom it speaks for, and as what."""

    role: str
    org_id: str


def token_of(town: Town, system: System, run_id: str) -> str:
    """Register it, have it prove that it holds its key, and take its token. Raises AccessError."""
    key, client_id = Ed25519PrivateKey.generate(), f"{run_id}-{system.role}-{system.org_id}"
    public = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": public}
    asked = {"client_id": client_id, "role": system.role, "org_id": system.org_id, "jwk": jwk}
    post(town, "/v1/clients", bearer(town, "admin"), asked)
    return ask_token(town, jwt.encode(_claims(town, client_id), key, algorithm="EdDSA"))


def _claims(town: Town, client_id: str) -> dict[str, Any]:
    until = now_ms() // 1000 + _GOOD_FOR_S
    return {
        "iss": client_id,
        "sub": client_id,
        "aud": log_vkey(town).partition("+")[0],
        "exp": until,
        "jti": secrets.token_hex(16),
    }
