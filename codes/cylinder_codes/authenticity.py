"""The keyed tag (防伪标签): why a valid code cannot be guessed or counted up.

A code that we issue carries random characters, its payload, followed by characters that only the holder of the tag key
can compute: 8 of them in our own scheme, 7 in a sealed GS1 code. Somebody who knows a million codes still finds the
next one only by chance: 1 in 2**40 (2**35) for each try.

    tag = the first 40 (35) bits of HMAC-SHA-256(secret, "pinglian-code-v1" 00 payload), in Crockford base32

Worked example, with the secret ``00 01 02 … 1f`` and the payload ``0123456789ABCDEF`` (any HMAC tool repeats
it)::

    printf 'pinglian-code-v1\\0000123456789ABCDEF' |
        openssl dgst -sha256 -mac HMAC -macopt hexkey:000102030405…1f

The first five bytes of that are ``aa ea b6 27 31``; cut into eight groups of five bits they read
``NBNBC9SH``.

Each issuer has keys of its own, one for each range of codes if need be; a key that got out spoils its ranges and no
other. The secrets stay with the issuer and the service. A filling station never holds one, because a stolen station
computer must not be able to make codes; a station looks a code up in its own copy of the register instead.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from cylinder_codes.base32 import encode_base32

TAG_LENGTH = 8
SEALED_TAG_LENGTH = 7
TAG_SECRET_BYTES = 32
_CODE_DOMAIN = b"pinglian-code-v1\0"
_KEY_ID_DOMAIN = b"pinglian-tag-key-v1\0"


@dataclass(frozen=True, slots=True)
class TagKey:
    """The secret behind the tags: a name to call it by, and 32 bytes that ``repr`` never shows.

    Raises ValueError for a secret of any other length.
    """

    name: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != TAG_SECRET_BYTES:
            raise ValueError(f"a tag key's secret has {TAG_SECRET_BYTES} bytes, not {len(self.secret)}")

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys apart; bound to name and secret, and revealing neither."""
        return hmac.digest(self.secret, _KEY_ID_DOMAIN + self.name.encode(), "sha256")[:4]


class TaggedCode(Protocol):
    """What a code must offer so that its tag can be checked, whatever its scheme; an empty tag is never genuine."""

    @property
    def payload(self) -> str: ...

    @property
    def tag(self) -> str: ...


def tag_of(payload: str, key: TagKey, length: int = TAG_LENGTH) -> str:
    """Return the characters, 8 at most, that belong behind ``payload`` under ``key``."""
    mac = hmac.digest(key.secret, _CODE_DOMAIN + payload.encode(), "sha256")
    return encode_base32(int.from_bytes(mac[:5], "big"), TAG_LENGTH)[:length]


def tag_is_genuine(code: TaggedCode, key: TagKey) -> bool:
    """Say whether ``code`` was made with ``key``; takes the same time for right and for wrong tags."""
    tag = code.tag
    return len(tag) >= SEALED_TAG_LENGTH and hmac.compare_digest(tag_of(code.payload, key, len(tag)), tag)


def issuing_key(code: TaggedCode, keys: Iterable[TagKey]) -> TagKey | None:
    """Return the one of an issuer's keys that ``code`` was made with, or None."""
    return next((key for key in keys if tag_is_genuine(code, key)), None)
