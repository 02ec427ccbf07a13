"""``cylinder-codes keygen``: a new key in a file of its own."""

import argparse
from pathlib import Path
from typing import Any

from cylinder_codes.commands.common import GOOD, add_command, say
from cylinder_codes.commands.files import require_free, write_new
from cylinder_codes.commands.issuer import new_signing_key, new_tag_key
from cylinder_codes.commands.passphrase import Passphrase, add_passphrase_option
from cylinder_codes.keys import format_signer, format_tag_key, format_vkey
from cylinder_codes.pem import encrypt_signer, encrypt_tag_key


def _keygen(options: argparse.Namespace) -> int:
    return _tag_key(options) if options.kind == "tag" else _signing_key(options)


def _tag_key(options: argparse.Namespace) -> int:
    key = new_tag_key(options.key_name)
    require_free(options.out)
    secret = format_tag_key(key) if options.plain else encrypt_tag_key(key, Passphrase(options).new())
    write_new(options.out, secret, mode=0o600)
    say(options, f"tag key {key.name} ({key.key_id.hex()}) is in {options.out}; keep it secret",
         name=key.name, key_id=key.key_id.hex(), secret_file=str(options.out), encrypted=not options.plain)  # fmt: skip
    return GOOD


def _signing_key(options: argparse.Namespace) -> int:
    key = new_signing_key(options.key_name)
    public_file = Path(f"{options.out}.pub")
    vkey = format_vkey(key.verifying_key)
    require_free(options.out, public_file)
    secret = format_signer(key) if options.plain else encrypt_signer(key, Passphrase(options).new())
    write_new(options.out, secret, mode=0o600)
    write_new(public_file, vkey, mode=0o644)
    say(options, f"signing key in {options.out}, keep it secret; for those who check, {public_file}: {vkey}",
         name=key.name, key_id=key.key_id.hex(), secret_file=str(options.out), encrypted=not options.plain,
         public_file=str(public_file), vkey=vkey)  # fmt: skip
    return GOOD


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "keygen", _keygen, "make a new key",
        "A tag key makes codes and stays with the issuer; a signing key signs statements and notes and gets a public"
        " half in OUT.pub. The file is encrypted with a passphrase, or plain text with --plain. Files that exist are"
        " never overwritten. 生成密钥；密钥文件默认用口令加密。",
        example="--kind signing --name works.example/signing-1 --out signing.key",
    )  # fmt: skip
    command.add_argument("--kind", choices=("tag", "signing"), required=True, help="what the key is for")
    command.add_argument("--name", dest="key_name", required=True, help="its name, without spaces and '+'")
    command.add_argument("--out", type=Path, required=True, help="file for the secret (made with mode 0600)")
    command.add_argument("--plain", action="store_true", help="do not encrypt, for a service that starts unattended")
    add_passphrase_option(command)
