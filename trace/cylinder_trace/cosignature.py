"""Cosignatures (共同签名, C2SP tlog-cosignature): what a witness adds to a checkpoint, and a log's ML-DSA-44 line.

    kind 04, Ed25519      "cosignature/v1\\n" "time " seconds "\\n" and the checkpoint's whole text
    kind 06, ML-DSA-44    "subtree/v1\\n" 00 · len name · u64 seconds · len origin · u64 0 · u64 size · root

The line in the note is like every other: name, then base64 of key id, eight bytes of time (UTC seconds, big-endian) and
signature. A log that signs with ML-DSA-44 beside Ed25519 uses kind 06 under its own origin: readers who only know
Ed25519 pass over that line, and records that must hold for decades do not hang on one curve.

Worked example: the seed ``20 21 … 3f`` named ``witness.example/w1`` has the verifying key ::

    witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X

and cosigns a checkpoint of 8 entries at 1790000008 with a line that begins ``— witness.example/w1 IDJKvgAAAABqsTuI``:
key id ``20324abe``, then the time ``000000006ab13b88``.

The functions read no clock: the time is handed in.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from cylinder_codes.keys import (
    ED25519,
    SEED_BYTES,
    KeyFormatError,
    VerifyingKey,
    check_key_name,
    compute_key_id,
    format_key_text,
    parse_key_text,
    parse_vkey,
)
from cylinder_codes.note import NoteSignature
from cylinder_trace.checkpoint import CheckpointError, parse_checkpoint

ED25519_COSIGNATURE = b"\x04"
ML_DSA_44 = b"\x06"
KINDS = (ED25519_COSIGNATURE, ML_DSA_44)
LATEST_TIME_S = 2**63 - 1
_TIME_BYTES = 8
_PUBLIC_BYTES = {ED25519_COSIGNATURE: 32, ML_DSA_44: 1312}
_LONGEST_NAME = 255


@dataclass(frozen=True)
class CosignerKey:
    """The public half of a cosigner's key; KeyFormatError for another kind or length."""

    name: str
    kind: bytes
    public_bytes: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check(self.name, self.kind)
        if len(self.public_bytes) != _PUBLIC_BYTES[self.kind]:
            raise KeyFormatError(f"a public key of kind {self.kind.hex()} has {_PUBLIC_BYTES[self.kind]} bytes")

    @cached_property
    def key_id(self) -> bytes:
        """Four bytes that say which key a cosignature claims to come from."""
        return compute_key_id(self.name, self.kind, self.public_bytes)

    @cached_property
    def _public_key(self) -> Ed25519PublicKey | MLDSA44PublicKey:
        if self.kind == ML_DSA_44:
            return MLDSA44PublicKey.from_public_bytes(self.public_bytes)
        return Ed25519PublicKey.from_public_bytes(self.public_bytes)

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Say whether ``signature`` (time and signature) is this key's over the checkpoint text ``data``."""
        try:
            message = signed_message(self.name, self.kind, signed_at(signature), data.decode())
            self._public_key.verify(signature[_TIME_BYTES:], message)
        except (InvalidSignature, CheckpointError, UnicodeDecodeError, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Cosigner:
    """The private half: a name, a kind and the 32-byte seed, which ``repr`` hides; KeyFormatError otherwise."""

    name: str
    kind: bytes
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check(self.name, self.kind)
        if len(self.seed) != SEED_BYTES:
            raise KeyFormatError(f"a seed has {SEED_BYTES} bytes, not {len(self.seed)}")

    @cached_property
    def _private_key(self) -> Ed25519PrivateKey | MLDSA44PrivateKey:
        if self.kind == ML_DSA_44:
            return MLDSA44PrivateKey.from_seed_bytes(self.seed)
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def verifying_key(self) -> CosignerKey:
        """The public half, to be given to everybody who checks."""
        return CosignerKey(self.name, self.kind, self._private_key.public_key().public_bytes_raw())

    def cosign(self, text: str, time_s: int) -> NoteSignature:
        """The line by which this key stands for the checkpoint `text` at `time_s` (UTC seconds); CheckpointError."""
        message = signed_message(self.name, self.kind, time_s, text)
        signature = time_s.to_bytes(_TIME_BYTES, "big") + self._private_key.sign(message)
        return NoteSignature(self.name, self.verifying_key.key_id, signature)


LogKey = VerifyingKey | CosignerKey
"""Any key whose line may stand below a checkpoint."""


def signed_at(signature: bytes) -> int:
    """The time (UTC seconds) a cosignature states; raises ValueError when it is too short to hold one."""
    if len(signature) <= _TIME_BYTES:
        raise ValueError("a cosignature begins with eight bytes of time")
    return int.from_bytes(signature[:_TIME_BYTES], "big")


def signed_message(name: str, kind: bytes, time_s: int, text: str) -> bytes:
    """The bytes a cosigner of this name and kind signs for the checkpoint `text`; raises CheckpointError.

    >>> signed_message("w", ED25519_COSIGNATURE, 7, "log.example\\n0\\n" + "A" * 43 + "=\\n")[:22]
    b'cosignature/v1\\ntime 7\\n'
    """
    if not 0 <= time_s <= LATEST_TIME_S:
        raise CheckpointError("the time of a cosignature lies between 0 and 2^63 - 1 seconds")
    checkpoint = parse_checkpoint(text)
    if kind == ED25519_COSIGNATURE:
        return f"cosignature/v1\ntime {time_s}\n{text}".encode()
    named, origin = _with_length(name), _with_length(checkpoint.origin)
    span = _u64(0) + _u64(checkpoint.size)
    return b"subtree/v1\n\0" + named + _u64(time_s) + origin + span + checkpoint.root


def parse_cosigner_key(text: str) -> CosignerKey:
    """Read a cosigner's verifying key (kind 04 or 06), or raise KeyFormatError."""
    parts = parse_key_text(text)
    key = CosignerKey(parts.name, parts.kind, parts.material)
    parts.require_key_id(key.key_id)
    return key


def format_cosigner_key(key: CosignerKey) -> str:
    """The public text form, safe to publish."""
    return format_key_text(key.name, key.key_id, key.kind, key.public_bytes)


def parse_cosigner(text: str) -> Cosigner:
    """Read a cosigner's signing key (kind 04 or 06), or raise KeyFormatError, which never repeats the text."""
    parts = parse_key_text(text, private=True)
    cosigner = Cosigner(parts.name, parts.kind, parts.material)
    parts.require_key_id(cosigner.verifying_key.key_id)
    return cosigner


def format_cosigner(cosigner: Cosigner) -> str:
    """The private text form. It IS the secret: keep it in a file only its owner can read."""
    key_id = cosigner.verifying_key.key_id
    return format_key_text(cosigner.name, key_id, cosigner.kind, cosigner.seed, private=True)


def parse_log_key(text: str) -> LogKey:
    """Read a verifying key of kind 01, 04 or 06, or raise KeyFormatError."""
    return parse_vkey(text) if parse_key_text(text).kind == ED25519 else parse_cosigner_key(text)


def parse_log_keys(lines: Iterable[str]) -> list[LogKey]:
    """The keys of a list such as ``log/keys``, a line each; kinds nobody here knows yet are passed over."""
    known = (ED25519, *KINDS)
    return [parse_log_key(line) for line in lines if line.strip() and parse_key_text(line).kind in known]


def _check(name: str, kind: bytes) -> None:
    check_key_name(name)
    if kind not in KINDS:
        raise KeyFormatError("a cosigner's key is of kind 04 (Ed25519) or 06 (ML-DSA-44)")
    if kind == ML_DSA_44 and len(name.encode()) > _LONGEST_NAME:
        raise KeyFormatError(f"the name of an ML-DSA-44 key has at most {_LONGEST_NAME} bytes")


def _with_length(text: str) -> bytes:
    data = text.encode()
    if not 1 <= len(data) <= _LONGEST_NAME:
        raise CheckpointError(f"an origin that ML-DSA-44 signs has 1 to {_LONGEST_NAME} bytes")
    return bytes([len(data)]) + data


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "big")
