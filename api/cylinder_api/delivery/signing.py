"""How a message is signed (Standard Webhooks): HMAC-SHA256 over its id, the moment of sending and its bytes.

While a secret is exchanged (轮换) a message bears a signature of each, so that the receiver may change over when it
likes.  https://www.standardwebhooks.com
"""

import base64
import binascii
import hmac
from collections.abc import Sequence

SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret begins with
SECRET_BYTES = 32
_FEWEST, _MOST = 24, 64
_MS = 1000


def format_secret(secret: bytes) -> str:
    """A secret as its receiver keeps it: ``whsec_…``."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def parse_secret(text: str) -> bytes | None:
    """The bytes of a ``whsec_…``, 24 to 64 of them; None where it is not one."""
    if not text.startswith(SECRET_PREFIX):
        return None
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        return None
    return secret if _FEWEST <= len(secret) <= _MOST else None


def signature_of(secret: bytes, message_id: str, sent_at: int, body: bytes) -> str:
    """The signature ``v1,…`` of a message that is sent at `sent_at`, UTC ms; the receiver sees whole seconds."""
    signed = f"{message_id}.{sent_at // _MS}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


def signed_headers(message_id: str, sent_at: int, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """The headers of a message: a signature for each secret, none at all without one."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(sent_at // _MS)}
    if secrets:
        headers["webhook-signature"] = " ".join(signature_of(one, message_id, sent_at, body) for one in secrets)
    return headers
