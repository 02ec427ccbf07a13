"""New bearer tokens and one-time codes: long, random, and recognisable as ours when found where they should not be."""

import secrets

from cylinder_codes.base32 import encode_base32

_CODE_BYTES = 10
_GROUP = 4


def new_token() -> str:
    """A bearer token with 256 random bits."""
    return f"pl_{secrets.token_urlsafe(32)}"


def new_enrolment_code() -> str:
    """A one-time code with 80 random bits, in groups that can be read out over the telephone."""
    text = encode_base32(int.from_bytes(secrets.token_bytes(_CODE_BYTES), "big"), 16)
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))
