"""Signed notes once more: the log's key and its checkpoints, and what a device signs, taken apart for the audit."""

import base64
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class LogKey(NamedTuple):
    """A verifying key, taken apart here once more: name, Ed25519 public key, key id."""

    name: str
    public_key: Ed25519PublicKey
    key_id: bytes


class Signed(NamedTuple):
    """A checkpoint whose signature holds: the log had this root at this size."""

    size: int
    root: bytes


class NotSigned(ValueError):
    """The text is not a checkpoint signed by the log; the message says why."""


def read_vkey(vkey: str) -> LogKey:
    """The key in a vkey line ``name+id+base64(01 || public key)``; raises ValueError."""
    name, key_id, material = vkey.strip().split("+", 2)
    raw = base64.b64decode(material, validate=True)
    if raw[:1] != b"\x01" or hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() != key_id:
        raise ValueError("not an Ed25519 vkey")
    return LogKey(name, Ed25519PublicKey.from_public_bytes(raw[1:]), bytes.fromhex(key_id))


def open_checkpoint_note(note: str, keys: Sequence[LogKey]) -> Signed:
    """The checkpoint in `note`, signed by one of the log's keys; raises NotSigned."""
    try:
        text, origin, size, root = _split(note)
        if origin not in {key.name for key in keys}:
            raise NotSigned("another origin")
        _require_signature(note, text, keys)
    except NotSigned:
        raise
    except ValueError as error:
        raise NotSigned(str(error) or "not a checkpoint") from error
    return Signed(size, root)


def _require_signature(note: str, text: str, keys: Sequence[LogKey]) -> None:
    for name, raw in signature_lines(note):
        for key in keys:
            if name == key.name and raw[:4] == key.key_id:
                try:
                    key.public_key.verify(raw[4:], text.encode())
                except InvalidSignature:
                    raise NotSigned("the signature does not fit") from None
                return
    raise NotSigned("no signature of the log's key")


def _split(note: str) -> tuple[str, str, int, bytes]:
    head, found, _signatures = note.rpartition("\n\n")
    lines = head.split("\n")
    if not found or len(lines) < 3 or not (lines[1].isascii() and lines[1].isdecimal() and len(lines[1]) < 20):
        raise ValueError("not a checkpoint")
    return head + "\n", lines[0], int(lines[1]), decoded(lines[2])


def decoded(text: str) -> bytes:
    """The bytes of a base64 text; raises ValueError unless it is their one text."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("not the one base64 text of its bytes")
    return raw


def signature_lines(note: str) -> list[tuple[str, bytes]]:
    """The lines below a note: who signed, key id and signature; raises ValueError."""
    *lines, rest = note.rpartition("\n\n")[2].split("\n")
    if rest:
        raise ValueError("the last line is cut off")
    return [signature_line(line) for line in lines]


def signature_line(line: str) -> tuple[str, bytes]:
    """One such line; raises ValueError."""
    dash, name, blob = line.split(" ", 2)
    if dash != "\u2014":
        raise ValueError("not a signature line")
    return name, decoded(blob)


_ROTATION = "pinglian-key-rotation/1\n"


def read_rotations(text: str) -> list[tuple[LogKey, LogKey]]:
    """The old and the new key of each statement of a rotation; raises ValueError unless both signed each."""
    before, *rest = text.split(_ROTATION)
    if before:
        raise ValueError("it does not begin with a statement")
    return [_read_rotation(_ROTATION + one) for one in rest]


def _read_rotation(note: str) -> tuple[LogKey, LogKey]:
    head, _found, _lines = note.rpartition("\n\n")
    _header, origin, old_vkey, new_vkey, at = head.split("\n")
    old, new = read_vkey(old_vkey), read_vkey(new_vkey)
    if {old.name, new.name} != {origin} or is_same(old, new) or not (at.isascii() and at.isdecimal()):
        raise ValueError("not two keys of one log")
    for key in (old, new):
        _require_signature(note, head + "\n", [key])
    return old, new


def is_same(one: LogKey, other: LogKey) -> bool:
    """Whether both are one key."""
    return one.name == other.name and one.public_key.public_bytes_raw() == other.public_key.public_bytes_raw()


def with_rotated(keys: Sequence[LogKey], rotations: Sequence[tuple[LogKey, LogKey]]) -> list[LogKey]:
    """The keys, and every one that followed on them or that they followed on."""
    found, more = list(keys), True
    while more:
        known = list(found)
        for pair in rotations:
            new = [key for key in pair if not any(is_same(key, one) for one in found)]
            if len(new) == 1:
                found += new
        more = len(found) > len(known)
    return found


def is_device_signature(vkey: str, device_id: str, seq: int, head: str, signature: str) -> bool:
    """Whether the device with `vkey` signed that record `seq` of its chain has the hash `head`."""
    text = f"pinglian-device-head/1\n{device_id}\n{seq}\n{head}\n".encode()
    try:
        read_vkey(vkey).public_key.verify(decoded(signature), text)
    except (ValueError, InvalidSignature):
        return False
    return True
