"""The checkpoint: origin, size and root of the log as a signed note (C2SP tlog-checkpoint).

    ledger.example/cylinders
    8
    XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=

    — ledger.example/cylinders QkVpJfwwpH78…

The origin is also the key's name, so that every client of such logs recognises it.  We write no extension lines:
a witness cosigns the whole text, and several witnesses refuse a text with more than three lines.
"""

from collections.abc import Sequence

from cylinder_codes.keys import SigningKey, decode_base64, encode_base64
from cylinder_codes.note import NoteError, NoteKey, NoteSignature, format_note, open_note, sign_text, split_note
from cylinder_trace.merkle import HASH_SIZE
from cylinder_trace.values import Count, Frozen


class CheckpointError(ValueError):
    """Not a checkpoint of this log, or not signed by its key."""


class Checkpoint(Frozen):
    """What the log promises: these `size` entries, in this order, have this root."""

    origin: str
    size: Count
    root: bytes


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """The text that is signed."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{encode_base64(checkpoint.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a note's text; extension lines are allowed and ignored. Raises CheckpointError."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not lines[0]:
        raise CheckpointError("a checkpoint has three lines: origin, size, root")
    root = decode_base64(lines[2])
    if not _is_decimal(lines[1]) or root is None or len(root) != HASH_SIZE:
        raise CheckpointError("a checkpoint's size is a decimal number and its root 32 bytes in base64")
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root)


def unverified_checkpoint(note: str) -> Checkpoint:
    """The checkpoint a signed note claims, before anybody has checked it; raises CheckpointError."""
    try:
        return parse_checkpoint(split_note(note)[0])
    except NoteError as error:
        raise CheckpointError(str(error)) from error


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey, others: Sequence[NoteSignature] = ()) -> str:
    """The signed note that publishes `checkpoint`: the line of `key` first, then the `others`.

    The Ed25519 line must be there, and stands first: it is the one every reader of such logs knows.
    """
    text = format_checkpoint(checkpoint)
    return format_note(text, [sign_text(text, key), *others])


def open_checkpoint(note: str, known: Sequence[NoteKey]) -> Checkpoint:
    """The checkpoint in a note that one of the `known` keys of its origin signed; raises CheckpointError.

    A known key whose line is there but fails spoils the note; lines of unknown keys are passed over.
    """
    try:
        opened = open_note(note, known)
    except NoteError as error:
        raise CheckpointError(str(error)) from error
    checkpoint = parse_checkpoint(opened.text)
    if all(key.name != checkpoint.origin for key in opened.verified_by):
        raise CheckpointError(f"the note is signed, but not by the key of {checkpoint.origin}")
    return checkpoint


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 16 and (text == "0" or text[0] != "0")
