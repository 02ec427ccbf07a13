"""``cylinder-codes verify``: a signed note, checked."""

import argparse
from pathlib import Path
from typing import Any

from cylinder_codes.commands.common import BAD, GOOD, add_command, read_key, read_text, say
from cylinder_codes.keys import parse_vkey
from cylinder_codes.note import NoteError, NoteErrorKind, open_note


def _verify(options: argparse.Namespace) -> int:
    known = [read_key(path, parse_vkey) for path in options.key]
    try:
        opened = open_note(read_text(options.file), known)
    except NoteError as error:
        kind = NoteErrorKind(error.kind).value
        say(options, f"{options.file}: NOT verified: {error}", ok=False, kind=kind, message=str(error))
        return BAD
    names = [key.name for key in opened.verified_by]
    say(options, f"signed by {', '.join(names)}:\n{opened.text}", ok=True, verified_by=names, text=opened.text)
    return GOOD


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "verify", _verify, "check a signed note and print its text", example="slip.note --key signing.key.pub"
    )
    command.add_argument("file", type=Path, help="the signed note")
    command.add_argument(
        "--key", type=Path, required=True, action="append", help="file of a public key one trusts (may be repeated)"
    )
