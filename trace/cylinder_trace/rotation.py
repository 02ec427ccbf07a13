"""Rotation of the log's key (密钥轮换): a statement signed by the old key and the new one, public beside the log.

    pinglian-key-rotation/1
    ledger.example/cylinders
    <old verifying key>
    <new verifying key>
    1795312800000                  UTC milliseconds

    — ledger.example/cylinders …   by the old key
    — ledger.example/cylinders …   by the new key

Who has pinned the old key follows the statements to the new one; who has the new one trusts older checkpoints the other
way round. Both must sign: the old key alone could name a stranger's as its heir, the new alone could claim a past.
A key that was stolen can be rotated away by the thief too: then no statement helps, only a new key told by other means.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cylinder_codes.keys import KeyFormatError, SigningKey, VerifyingKey, format_vkey, parse_vkey
from cylinder_codes.note import NoteError, format_note, open_note, sign_text, split_note

HEADER = "pinglian-key-rotation/1"


class RotationError(ValueError):
    """Not a statement of a rotation, or not signed by both keys."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """From `at` on (UTC ms) the log of both keys' name is signed by `new`."""

    old: VerifyingKey
    new: VerifyingKey
    at: int


def rotate(old: SigningKey, new: SigningKey, at: int) -> str:
    """The statement that `new` follows on `old`; RotationError when they are not two keys of one log."""
    _require_one_log(old.verifying_key, new.verifying_key)
    lines = [HEADER, old.name, format_vkey(old.verifying_key), format_vkey(new.verifying_key), str(at)]
    text = "\n".join([*lines, ""])
    return format_note(text, [sign_text(text, old), sign_text(text, new)])


def parse_rotation(note: str) -> Rotation:
    """The rotation a note states, both signatures checked; raises RotationError."""
    try:
        lines = split_note(note)[0].split("\n")
        if len(lines) != 6 or lines[0] != HEADER or not (lines[4].isascii() and lines[4].isdecimal()):
            raise RotationError("a rotation has five lines: header, origin, old key, new key, time")
        old, new = parse_vkey(lines[2]), parse_vkey(lines[3])
        signed = open_note(note, [old, new]).verified_by
    except (NoteError, KeyFormatError) as error:
        raise RotationError(str(error)) from error
    _require_one_log(old, new)
    if lines[1] != old.name or len(signed) != 2:
        raise RotationError("a rotation is signed by the old key and the new one, both named as the log")
    return Rotation(old, new, int(lines[4]))


def parse_rotations(text: str) -> list[Rotation]:
    """All statements of a log, as in ``log/rotations``; raises RotationError."""
    return [parse_rotation(note) for note in _notes(text)]


def successors(pinned: VerifyingKey, rotations: list[Rotation]) -> list[VerifyingKey]:
    """The keys that followed on `pinned`, oldest first, `pinned` itself left out."""
    found: list[VerifyingKey] = []
    for rotation in rotations:
        if rotation.old in (pinned, *found) and rotation.new not in (pinned, *found):
            found.append(rotation.new)
    return found


def predecessors(current: VerifyingKey, rotations: list[Rotation]) -> list[VerifyingKey]:
    """The keys that `current` followed on, newest first, `current` itself left out."""
    found: list[VerifyingKey] = []
    for rotation in reversed(rotations):
        if rotation.new in (current, *found) and rotation.old not in (current, *found):
            found.append(rotation.old)
    return found


def _notes(text: str) -> Iterator[str]:
    for part in text.split(f"{HEADER}\n")[1:]:
        yield f"{HEADER}\n{part}"


def _require_one_log(old: VerifyingKey, new: VerifyingKey) -> None:
    if old.name != new.name or old == new:
        raise RotationError("the new key must be another one with the same name, the log's origin")
