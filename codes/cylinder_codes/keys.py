"""Keys as text: Ed25519 keys in the forms of the signed note, and tag keys in a form like them.

    verifying key   name "+" hex(key id) "+" base64(01 || public key)
    signing key     "PRIVATE+KEY+" name "+" hex(key id) "+" base64(01 || 32-byte seed)
    tag key         "TAG+KEY+" name "+" hex(key id) "+" base64(32-byte secret)

The 01 is the key's kind, Ed25519; other kinds (04 and 06, of those who cosign a log) have the same text form, and
``parse_key_text`` reads it for the modules that know them. The key id is the first four bytes of SHA-256(name ||
0A || kind || public key), so a name cannot be moved to another key, nor a key to another use, unnoticed.

Worked example: the seed ``00 01 02 … 1f`` has the public key ``03a107bf…531b8``; named
``ledger.example/cylinders``, SHA-256 over ``6c656467…657273 0a 01 03a107bf…531b8`` begins ``42456925``, and
the verifying key reads ::

    ledger.example/cylinders+42456925+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4

Nothing here draws random numbers: a new key is ``SigningKey(name, seed)`` with a seed from the caller.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cylinder_codes.authenticity import TAG_SECRET_BYTES, TagKey

ED25519 = b"\x01"
SEED_BYTES = 32
KEY_ID_BYTES = 4
_SIGNER_PREFIX = "PRIVATE+KEY+"
_TAG_PREFIX = "TAG+KEY+"


class KeyFormatError(ValueError):
    """Not a key, or no name for one. The message never repeats the text: it may be a secret."""


@dataclass(frozen=True)
class VerifyingKey:
    """The public half: a name and the 32 bytes of an Ed25519 public key; KeyFormatError otherwise."""

    name: str
    public_bytes: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if len(self.public_bytes) != SEED_BYTES:
            raise KeyFormatError(f"a public key has {SEED_BYTES} bytes, not {len(self.public_bytes)}")

    @cached_property
    def key_id(self) -> bytes:
        """Four bytes that say which key a signature claims to come from."""
        return compute_key_id(self.name, ED25519, self.public_bytes)

    @cached_property
    def _public_key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.public_bytes)

    def verify(self, signature: bytes, data: bytes | bytearray) -> bool:
        """Say whether ``signature`` is this key's over exactly ``data``."""
        try:
            self._public_key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class SigningKey:
    """The private half: a name and the 32-byte seed, which ``repr`` hides; KeyFormatError otherwise."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if len(self.seed) != SEED_BYTES:
            raise KeyFormatError(f"an Ed25519 seed has {SEED_BYTES} bytes, not {len(self.seed)}")

    @cached_property
    def _private_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def verifying_key(self) -> VerifyingKey:
        """The public half, to be given to everybody who checks."""
        return VerifyingKey(self.name, self._private_key.public_key().public_bytes_raw())

    @property
    def key_id(self) -> bytes:
        """The key id of the public half."""
        return self.verifying_key.key_id

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature over ``data``."""
        return self._private_key.sign(data)


def check_key_name(name: str) -> None:
    """Raise KeyFormatError for an empty name or one with white space, a control character or ``+``."""
    if not name:
        raise KeyFormatError("a key name must not be empty")
    if "+" in name or any(char.isspace() or char < " " or "\ud800" <= char <= "\udfff" for char in name):
        raise KeyFormatError("a key name must not hold white space, control characters or '+'")


def compute_key_id(name: str, kind: bytes, public_bytes: bytes) -> bytes:
    """Four bytes that tie a public key of one kind (one byte) to its name."""
    return hashlib.sha256(name.encode() + b"\n" + kind + public_bytes).digest()[:KEY_ID_BYTES]


@dataclass(frozen=True)
class KeyText:
    """A key's text form taken apart; ``material`` may be a secret. Whether the key id is right is yet to be checked."""

    name: str
    key_id: str
    kind: bytes
    material: bytes = field(repr=False)

    def require_key_id(self, key_id: bytes) -> None:
        """Raise KeyFormatError unless the text carries this key id."""
        require_key_id("key", self.key_id, key_id)


def parse_key_text(text: str, *, private: bool = False) -> KeyText:
    """Take apart a verifying key (or a signing key) of any kind; raises KeyFormatError."""
    what, prefix = ("signing key", _SIGNER_PREFIX) if private else ("verifying key", "")
    name, key_id, material = _split(what, prefix, text)
    return KeyText(name, key_id, material[:1], material[1:])


def format_key_text(name: str, key_id: bytes, kind: bytes, material: bytes, *, private: bool = False) -> str:
    """Return the text form of a key of any kind. With ``private`` it IS the secret."""
    return f"{_SIGNER_PREFIX if private else ''}{name}+{key_id.hex()}+{encode_base64(kind + material)}"


def format_vkey(key: VerifyingKey) -> str:
    """Return the public text form, safe to publish."""
    return format_key_text(key.name, key.key_id, ED25519, key.public_bytes)


def parse_vkey(text: str) -> VerifyingKey:
    """Read a verifying key, or raise KeyFormatError. White space around the text is no part of it."""
    name, key_id, material = _split("verifying key", "", text)
    key = VerifyingKey(name, _ed25519_bytes(material))
    require_key_id("verifying key", key_id, key.key_id)
    return key


def format_signer(key: SigningKey) -> str:
    """Return the private text form. It IS the secret: keep it in a file only its owner can read."""
    return format_key_text(key.name, key.key_id, ED25519, key.seed, private=True)


def parse_signer(text: str) -> SigningKey:
    """Read a signing key, or raise KeyFormatError. White space around the text is no part of it."""
    name, key_id, material = _split("signing key", _SIGNER_PREFIX, text)
    key = SigningKey(name, _ed25519_bytes(material))
    require_key_id("signing key", key_id, key.key_id)
    return key


def format_tag_key(key: TagKey) -> str:
    """Return the text form of a tag key. It IS the secret: keep it in a file only its owner can read."""
    check_key_name(key.name)
    return f"{_TAG_PREFIX}{key.name}+{key.key_id.hex()}+{encode_base64(key.secret)}"


def parse_tag_key(text: str) -> TagKey:
    """Read a tag key, or raise KeyFormatError. White space around the text is no part of it."""
    name, key_id, secret = _split("tag key", _TAG_PREFIX, text)
    if len(secret) != TAG_SECRET_BYTES:
        raise KeyFormatError(f"a tag key's secret has {TAG_SECRET_BYTES} bytes, not {len(secret)}")
    key = TagKey(name, secret)
    require_key_id("tag key", key_id, key.key_id)
    return key


def encode_base64(data: bytes) -> str:
    """Encode as standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes | None:
    """Decode standard base64 with padding; None for anything else, spare bits set at the end included."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if encode_base64(data) == text else None


def _split(what: str, prefix: str, text: str) -> tuple[str, str, bytes]:
    text = text.strip()
    parts = text.removeprefix(prefix).split("+", 2)
    if not text.startswith(prefix) or len(parts) != 3:
        raise KeyFormatError(f"not a {what}: it reads {prefix}<name>+<8 hex digits>+<base64>")
    material = decode_base64(parts[2])
    if material is None:
        raise KeyFormatError(f"the {what} is damaged: its last part is not base64")
    check_key_name(parts[0])
    return parts[0], parts[1], material


def _ed25519_bytes(material: bytes) -> bytes:
    if material[:1] != ED25519:
        raise KeyFormatError("the key is not an Ed25519 key (type 01)")
    return material[1:]


def require_key_id(what: str, written: str, computed: bytes) -> None:
    """Raise KeyFormatError about ``what`` unless the key id ``written`` in it is the one ``computed`` from its key."""
    if written != computed.hex():
        raise KeyFormatError(f"the {what} is damaged: its key id does not belong to its name and key")
