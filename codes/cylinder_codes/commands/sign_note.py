"""``cylinder-codes sign-note``: a text, signed as a note."""

import argparse
import sys
from pathlib import Path
from typing import Any

from cylinder_codes.commands.common import GOOD, CannotCheck, add_command, say
from cylinder_codes.commands.files import read_text, write_new
from cylinder_codes.commands.passphrase import Passphrase, add_passphrase_option, read_secret
from cylinder_codes.note import NoteError, sign_note
from cylinder_codes.pem import read_signer


def _sign_note(options: argparse.Namespace) -> int:
    key = read_secret(options.key, read_signer, Passphrase(options))
    try:
        note = sign_note(read_text(options.file), key)
    except NoteError as error:
        raise CannotCheck(f"{options.file}: {error}") from error
    if options.out is None and not options.json:
        sys.stdout.write(note)
        return GOOD
    if options.out is not None:
        write_new(options.out, note, mode=0o644)
    say(options, f"signed by {key.name}: {options.out}", signed_by=key.name, key_id=key.key_id.hex(),
         out=str(options.out) if options.out else None, note=note)  # fmt: skip
    return GOOD


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "sign-note", _sign_note, "sign a text file as a signed note",
        "The text stays readable; the signature is a line below it. A statement about a cylinder is made by sign."
        " 将文本文件签名。",
        example="slip.txt --key signing.key --out slip.note",
    )  # fmt: skip
    command.add_argument("file", type=Path, help="UTF-8 text that ends in a newline and has no other control character")
    command.add_argument("--key", type=Path, required=True, help="file of the signing key (keygen --kind signing)")
    command.add_argument("--out", type=Path, help="file for the signed note (default: standard output)")
    add_passphrase_option(command)
