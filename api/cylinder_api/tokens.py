"""Bearer tokens and one-time codes: long, random, and recognisable as ours when found where they should not be.

What is shown once in an answer, and must be the same when the request is sent again, is not drawn but derived: from
the master key and the names of the act. So nothing secret is kept for the second answer.
"""

import base64
import hmac
import secrets

from cylinder_codes.base32 import encode_base32

_CODE_BYTES = 10
_GROUP = 4
_LABEL = "pinglian-shown-once/1"


def new_token() -> str:
    """A bearer token with 256 random bits."""
    return f"pl_{secrets.token_urlsafe(32)}"


def new_enrolment_code() -> str:
    """A one-time code with 80 random bits, in groups that can be read out over the telephone."""
    return _grouped(secrets.token_bytes(_CODE_BYTES))


def derived_token(master: bytes, *names: str) -> str:
    """The bearer token of the act called `names`: 256 bits that nobody can tell without the master key."""
    return f"pl_{base64.urlsafe_b64encode(_derived(master, 'token', names)).rstrip(b'=').decode()}"


def derived_code(master: bytes, *names: str) -> str:
    """The one-time code of the act called `names`, in the form of `new_enrolment_code`."""
    return _grouped(_derived(master, "code", names)[:_CODE_BYTES])


def derived_secret(master: bytes, *names: str) -> bytes:
    """The 32 bytes of the secret of the act called `names`."""
    return _derived(master, "secret", names)


SECOND_FACTOR = "second factor"
"""What the key is derived for that seals second factors."""
MESSAGES = "signing messages"
"""What the key is derived for that seals the secrets which messages to others are signed with."""


def derived_key(master: bytes, use: str) -> bytes:
    """A key of 32 bytes for one use of its own."""
    return _derived(master, "key", (use,))


def _derived(master: bytes, kind: str, names: tuple[str, ...]) -> bytes:
    # The lengths keep ("a", "bc") and ("ab", "c") apart.
    text = "".join(f"{len(name)}:{name}" for name in (_LABEL, kind, *names))
    return hmac.digest(master, text.encode(), "sha256")


def _grouped(data: bytes) -> str:
    text = encode_base32(int.from_bytes(data, "big"), 16)
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))
