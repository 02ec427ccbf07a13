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
    for name, raw in _signatures(note):
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
    return head + "\n", lines[0], int(lines[1]), _decoded(lines[2])


def _decoded(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("not the one base64 text of its bytes")
    return raw


def _signatures(note: str) -> list[tuple[str, bytes]]:
    *lines, rest = note.rpartition("\n\n")[2].split("\n")
    if rest:
        raise ValueError("the last line is cut off")
    found = []
    for line in lines:
        dash, name, blob = line.split(" ", 2)
        if dash != "\u2014":
            raise ValueError("not a signature line")
        found.append((name, _decoded(blob)))
    return found


def is_device_signature(vkey: str, device_id: str, seq: int, head: str, signature: str) -> bool:
    """Whether the device with `vkey` signed that record `seq` of its chain has the hash `head`."""
    text = f"pinglian-device-head/1\n{device_id}\n{seq}\n{head}\n".encode()
    try:
        read_vkey(vkey).public_key.verify(_decoded(signature), text)
    except (ValueError, InvalidSignature):
        return False
    return True
