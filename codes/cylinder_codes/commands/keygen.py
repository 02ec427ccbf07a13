"""``cylinder-codes keygen``: a new key in a file of its own."""

import argparse
import secrets
from pathlib import Path
from typing import Any

from cylinder_codes.authenticity import TAG_SECRET_BYTES, TagKey
from cylinder_codes.commands.common import GOOD, CannotCheck, add_command, require_free, say, write_new
from cylinder_codes.keys import (
    SEED_BYTES,
    KeyFormatError,
    SigningKey,
    check_key_name,
    format_signer,
    format_tag_key,
    format_vkey,
)


def _keygen(options: argparse.Namespace) -> int:
    try:
        check_key_name(options.key_name)
    except KeyFormatError as error:
        raise CannotCheck(f"--name: {error}") from error
    if options.kind == "tag":
        tag_key = TagKey(options.key_name, secrets.token_bytes(TAG_SECRET_BYTES))
        write_new(options.out, format_tag_key(tag_key), mode=0o600)
        say(options, f"tag key {tag_key.name} ({tag_key.key_id.hex()}) is in {options.out}; keep it secret",
             name=tag_key.name, key_id=tag_key.key_id.hex(), secret_file=str(options.out))  # fmt: skip
        return GOOD
    signer = SigningKey(options.key_name, secrets.token_bytes(SEED_BYTES))
    public_file = Path(f"{options.out}.pub")
    vkey = format_vkey(signer.verifying_key)
    require_free(options.out, public_file)
    write_new(options.out, format_signer(signer), mode=0o600)
    write_new(public_file, vkey, mode=0o644)
    say(options, f"signing key in {options.out}, keep it secret; for those who check, {public_file}: {vkey}",
         name=signer.name, key_id=signer.key_id.hex(), secret_file=str(options.out),
         public_file=str(public_file), vkey=vkey)  # fmt: skip
    return GOOD


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "keygen", _keygen, "make a new key",
        "A tag key makes codes and stays with the issuer; a signing key signs statements and gets a public half in"
        " OUT.pub. Files that exist are never overwritten.",
        example="--kind tag --name works-2026 --out tag.key",
    )  # fmt: skip
    command.add_argument("--kind", choices=("tag", "signing"), required=True, help="what the key is for")
    command.add_argument("--name", dest="key_name", required=True, help="its name, without spaces and '+'")
    command.add_argument("--out", type=Path, required=True, help="file for the secret (made with mode 0600)")
