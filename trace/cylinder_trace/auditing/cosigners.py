"""Further signature lines below a checkpoint, once more: witnesses' cosignatures, and the log's own ML-DSA-44 line.

    kind 04, Ed25519      "cosignature/v1\\n" "time " seconds "\\n" and the checkpoint's text
    kind 06, ML-DSA-44    "subtree/v1\\n" 00 · len name · u64 seconds · len origin · u64 0 · u64 size · root

Before each signature stand eight bytes of time.  Lines of keys that nobody handed in are counted, never judged.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from cylinder_trace.auditing.notes import LogKey, decoded, signature_line, signature_lines
from cylinder_trace.auditing.stored import Fault, NotExcluded

_WITNESS, _ML_DSA_44 = b"\x04", b"\x06"
_TIME = 8


class Cosigner(NamedTuple):
    """A key that signs more than a note's text."""

    name: str
    key_id: bytes
    public_key: Ed25519PublicKey | MLDSA44PublicKey


def read_cosigner(vkey: str) -> Cosigner:
    """The key in a vkey line ``name+id+base64(04 or 06 || public key)``; raises ValueError."""
    name, key_id, material = vkey.strip().split("+", 2)
    raw = base64.b64decode(material, validate=True)
    if hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() != key_id:
        raise ValueError("the key does not fit its id")
    if raw[:1] == _ML_DSA_44:
        return Cosigner(name, bytes.fromhex(key_id), MLDSA44PublicKey.from_public_bytes(raw[1:]))
    if raw[:1] == _WITNESS:
        return Cosigner(name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(raw[1:]))
    raise ValueError("not a cosigner's vkey")


class Lines:
    """The signature lines below checkpoints, each held against the key it names."""

    def __init__(self, keys: Sequence[LogKey | Cosigner]) -> None:
        self._keys = {(key.name, key.key_id): key for key in keys}
        self._texts: dict[int, str] = {}
        self.faults: list[Fault] = []
        self.unchecked = 0
        """Lines of keys that are not known."""

    def check_note(self, note: str, size: int) -> None:
        """Check the lines that stand in a checkpoint that the log signed."""
        text = note.rpartition("\n\n")[0] + "\n"
        self._texts[size] = text
        lines = signature_lines(note)
        # By the first line of a key of the log the note was opened: that one has been checked.
        first = next((line for line in lines if isinstance(self._keys.get((line[0], line[1][:4])), LogKey)), None)
        for name, raw in lines:
            if (name, raw) != first:
                self._check(name, raw, text, size)

    def check_rows(self, rows: Iterable[tuple[int, str]]) -> None:
        """Check lines kept beside the checkpoints: the size of the checkpoint, and the line."""
        for size, line in rows:
            try:
                name, raw = signature_line(line.removesuffix("\n"))
            except ValueError:
                self._blame(size, "a line below it is no signature line")
                continue
            if size in self._texts:
                self._check(name, raw, self._texts[size], size)
            else:
                self._blame(size, f"{name} cosigned it, and it is not stored as the log signed it")

    def _check(self, name: str, raw: bytes, text: str, size: int) -> None:
        key = self._keys.get((name, raw[:4]))
        if key is None:
            self.unchecked += 1
        elif not _fits(key, raw[4:], text):
            self._blame(size, f"the line of {name} is not a signature of it")

    def _blame(self, size: int, message: str) -> None:
        place = f"checkpoint of {size} entries: {message}"
        self.faults.append(Fault("forged_author", "", size - 1, "cosignature", place))

    def not_excluded(self) -> list[NotExcluded]:
        """What could not be looked at."""
        if not self.unchecked:
            return []
        message = f"{self.unchecked} cosignatures of keys that are not known were not checked: hand in their keys"
        return [NotExcluded("forged_author", f"{message} (--policy)")]


def _fits(key: LogKey | Cosigner, signature: bytes, text: str) -> bool:
    try:
        if isinstance(key, LogKey):
            key.public_key.verify(signature, text.encode())
        elif isinstance(key.public_key, Ed25519PublicKey):
            seconds = int.from_bytes(signature[:_TIME], "big")
            key.public_key.verify(signature[_TIME:], f"cosignature/v1\ntime {seconds}\n{text}".encode())
        else:
            key.public_key.verify(signature[_TIME:], _subtree(key.name, signature[:_TIME], text))
    except (InvalidSignature, ValueError, OverflowError):
        return False
    return True


def _subtree(name: str, time: bytes, text: str) -> bytes:
    origin, size, root = text.split("\n")[:3]
    span = bytes(8) + int(size).to_bytes(8, "big")
    return b"subtree/v1\n\0" + _with_length(name) + time + _with_length(origin) + span + decoded(root)


def _with_length(text: str) -> bytes:
    data = text.encode()
    return bytes([len(data)]) + data
