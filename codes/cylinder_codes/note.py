"""Signed notes (签名文本): a text that people can read, and signature lines below it.

    text, ending in a newline
    (one empty line)
    — name base64(key id || signature)

The signature covers the text's UTF-8 bytes, its last newline included. A note is split at its LAST empty
line, so the text may have empty lines of its own. A signature by a key one does not know is ignored; a known
key whose signature fails makes the whole note bad. A known key is whatever has a name, a key id and ``verify``: the
cosignatures of a log's witnesses, which sign more than the text, bring keys of their own. The dash is U+2014. This
is the form of C2SP ``signed-note`` and of Go's checksum database, so their tools check our notes.

Worked example: with the seed ``00 01 … 1f`` and the name ``ledger.example/cylinders``, ::

    ledger.example/cylinders
    8
    XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=

    — ledger.example/cylinders QkVpJfwwpH78DtUR4Ctzc9SdWjiN…5KpfgLt1Zmzjqgztvxqw4=

where ``QkVpJQ`` is base64 for the key id ``42456925`` and the rest is the signature over the three lines (72
bytes).

The command ``cylinder-codes sign-note`` writes a text in this form. It is for files and paper; the compact statement
that fits into a QR symbol is another form (``cylinder_codes.statement``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cylinder_codes.keys import (
    KEY_ID_BYTES,
    KeyFormatError,
    SigningKey,
    check_key_name,
    decode_base64,
    encode_base64,
)

MAX_SIGNATURES = 100
_DASH = "\N{EM DASH} "
_FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")  # lone surrogates have no UTF-8 to sign


class NoteErrorKind(StrEnum):
    """Why a note was not opened."""

    MALFORMED_TEXT = "malformed_text"
    NO_SIGNATURE_LINES = "no_signature_lines"
    MALFORMED_SIGNATURE = "malformed_signature"
    TOO_MANY_SIGNATURES = "too_many_signatures"
    AMBIGUOUS_KEY = "ambiguous_key"
    WRONG_SIGNATURE = "wrong_signature"
    NO_KNOWN_SIGNATURE = "no_known_signature"


class NoteError(ValueError):
    """A note that is malformed, forged, or signed by nobody we know; ``kind`` says which."""

    def __init__(self, kind: NoteErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class NoteKey(Protocol):
    """A key that can check signature lines; equal keys are one key."""

    @property
    def name(self) -> str:
        """The name its lines carry."""

    @property
    def key_id(self) -> bytes:
        """The four bytes its signatures begin with."""

    def verify(self, signature: bytes, data: bytes, /) -> bool:
        """Say whether ``signature``, without the key id, is this key's over the note's text ``data``."""


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the key it claims, and the bytes behind the key id, as yet unchecked."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note that at least one known key signed.

    ``verified_by`` holds each known key that signed, in the order of its line; ``signatures`` every line, the
    unknown ones too, for signatures of other kinds (cosignatures) that their own module checks.
    """

    text: str
    verified_by: tuple[NoteKey, ...]
    signatures: tuple[NoteSignature, ...]


def sign_note(text: str, key: SigningKey) -> str:
    """Return ``text``, which ends in a newline, signed as a note; NoteError when no note can hold it."""
    return format_note(text, [sign_text(text, key)])


def sign_text(text: str, key: SigningKey) -> NoteSignature:
    """Sign ``text``; one more line for a note that already has some."""
    _check_text(text)
    return NoteSignature(key.name, key.key_id, key.sign(text.encode()))


def format_note(text: str, signatures: Sequence[NoteSignature]) -> str:
    """Put a text and its signatures together; NoteError when the result would not be a note."""
    _check_text(text)
    if not signatures:
        raise NoteError(NoteErrorKind.NO_SIGNATURE_LINES, "a note needs at least one signature")
    if len(signatures) > MAX_SIGNATURES:
        raise NoteError(NoteErrorKind.TOO_MANY_SIGNATURES, f"a note holds at most {MAX_SIGNATURES} signatures")
    return f"{text}\n{format_lines(signatures)}"


def format_lines(signatures: Sequence[NoteSignature]) -> str:
    """Signature lines alone, as a witness answers them; each ends in a newline."""
    return "".join(f"{_DASH}{line.name} {encode_base64(line.key_id + line.signature)}\n" for line in signatures)


def split_note(note: str) -> tuple[str, tuple[NoteSignature, ...]]:
    """Take a note apart without checking any signature; NoteError when it is malformed."""
    head, empty_line, tail = note.rpartition("\n\n")
    if not empty_line or not tail:
        raise NoteError(NoteErrorKind.NO_SIGNATURE_LINES, "not a signed note: no signatures below an empty line")
    text = head + "\n"
    _check_text(text)
    return text, parse_lines(tail)


def parse_lines(lines: str) -> tuple[NoteSignature, ...]:
    """Take signature lines apart, one or more, each ending in a newline; NoteError when one is malformed."""
    if not lines.endswith("\n"):
        raise NoteError(NoteErrorKind.MALFORMED_SIGNATURE, "the last signature line is cut off: no newline at its end")
    split = lines[:-1].split("\n")
    if len(split) > MAX_SIGNATURES:
        raise NoteError(NoteErrorKind.TOO_MANY_SIGNATURES, f"the note has more than {MAX_SIGNATURES} signatures")
    return tuple(_parse_line(line) for line in split)


def open_note(note: str, known: Sequence[NoteKey]) -> OpenedNote:
    """Check a note against the keys one trusts.

    Raises NoteError when the note is malformed, when the signature of a known key fails, or when no known key
    signed.
    """
    text, signatures = split_note(note)
    data = text.encode()
    verified: list[NoteKey] = []
    for line in signatures:
        key = _claimed_key(line, known)
        if key is None or key in verified:
            continue
        if not key.verify(line.signature, data):
            message = f"the signature of {key.name} does not fit the text: one of them was changed"
            raise NoteError(NoteErrorKind.WRONG_SIGNATURE, message)
        verified.append(key)
    if not verified:
        raise NoteError(NoteErrorKind.NO_KNOWN_SIGNATURE, "none of the signatures comes from a known key")
    return OpenedNote(text, tuple(verified), signatures)


def _claimed_key(line: NoteSignature, known: Sequence[NoteKey]) -> NoteKey | None:
    claimed = {key for key in known if key.name == line.name and key.key_id == line.key_id}
    if len(claimed) > 1:
        raise NoteError(NoteErrorKind.AMBIGUOUS_KEY, f"two different known keys are called {line.name} with one key id")
    return claimed.pop() if claimed else None


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise NoteError(NoteErrorKind.MALFORMED_TEXT, "the text of a note ends in a newline")
    if stray := _FORBIDDEN.search(text):
        message = f"the text of a note must not hold the control character U+{ord(stray.group()):04X}"
        raise NoteError(NoteErrorKind.MALFORMED_TEXT, message)


def _parse_line(line: str) -> NoteSignature:
    name, _, text = line.removeprefix(_DASH).partition(" ")
    blob = decode_base64(text)
    try:
        check_key_name(name)
    except KeyFormatError:
        blob = None
    if not line.startswith(_DASH) or blob is None or len(blob) <= KEY_ID_BYTES:
        message = "a signature line must read: em dash, space, key name, space, base64 of key id and signature"
        raise NoteError(NoteErrorKind.MALFORMED_SIGNATURE, message)
    return NoteSignature(name, blob[:KEY_ID_BYTES], blob[KEY_ID_BYTES:])
