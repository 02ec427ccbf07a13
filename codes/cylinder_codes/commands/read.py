"""``cylinder-codes read``: what a scanner typed, or what is in a photo (读码)."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cylinder_codes.authenticity import TagKey, issuing_key
from cylinder_codes.commands.common import BAD, GOOD, CannotCheck, add_command, add_hosts, say
from cylinder_codes.commands.issuer import DEFAULT_FOLDER, add_issuer_options, open_issuer
from cylinder_codes.commands.passphrase import PASSPHRASE_VARIABLE, Passphrase, read_secret
from cylinder_codes.identifiers import DEFAULT_HOST, Code, format_code_human
from cylinder_codes.pem import read_tag_key
from cylinder_codes.photos import MAX_BYTES, PhotoFailure, PhotoFailureKind, read_photo
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.schemes import SCHEMES

_LOOKED_AT = frozenset({PhotoFailureKind.NO_SYMBOL, PhotoFailureKind.SEVERAL_CODES})
"""The picture could be looked at; with every other kind there was nothing to check."""

_NOT_OURS = (
    "NOT genuine by the keys at hand: compare it with the text under the symbol, then ask its issuer"
    " (未通过防伪核验：请与码下方的文字核对，再向发码单位查询)"
)


def _read(options: argparse.Namespace) -> int:
    keys = _tag_keys(options)
    hosts = options.host or (DEFAULT_HOST,)
    if options.photo is not None:
        read = _read_picture(options.photo, hosts)
    else:
        read = read_scan(sys.stdin.read() if options.text is None else options.text, hosts)
    if not isinstance(read, Code):
        say(options, f"{read.text_en}\n{read.text_zh}", ok=False, **asdict(read))
        return BAD
    return _say_code(options, read, keys)


def _read_picture(path: Path, hosts: Sequence[str]) -> Code | ReadFailure | PhotoFailure:
    with path.open("rb") as file:
        picture = file.read(MAX_BYTES + 1)
    read = read_photo(picture, hosts)
    if isinstance(read, PhotoFailure) and read.kind not in _LOOKED_AT:
        raise CannotCheck(f"{path}: {read.text_en} ({read.text_zh})")
    return read


def _say_code(options: argparse.Namespace, code: Code, keys: Sequence[TagKey]) -> int:
    scheme = SCHEMES[code.scheme]
    facts: dict[str, Any] = {
        "code": code.text, "human_text": format_code_human(code),
        "scheme": code.scheme, "scheme_en": scheme.name_en, "scheme_zh": scheme.name_zh, "value": code.value,
    }  # fmt: skip
    in_words = f"{scheme.name_en} {scheme.name_zh}: {format_code_human(code)}"
    if not code.tag or not keys:
        why = "give --key or --issuer to check the tag (未验防伪)" if code.tag else "it has no tag (无防伪位)"
        say(options, f"{code.text} (well formed; {why})\n{in_words}", ok=True, **facts)
        return GOOD
    key = issuing_key(code, keys)
    verdict = _NOT_OURS if key is None else f"genuine, made with {key.name} (真码)"
    say(options, f"{code.text} {verdict}\n{in_words}", ok=key is not None, genuine=key is not None, **facts)
    return BAD if key is None else GOOD


def _tag_keys(options: argparse.Namespace) -> list[TagKey]:
    """The key of --key, else all of the issuer's, else none: an issuer's folder that happens to be here is no duty."""
    if options.key is not None:
        return [read_secret(options.key, read_tag_key, Passphrase(options))]
    asked_for = options.issuer != DEFAULT_FOLDER or options.passphrase_file is not None
    if not asked_for and not ((options.issuer / "tag.key").is_file() and _passphrase_at_hand()):
        return []
    return open_issuer(options).tag_keys()


def _passphrase_at_hand() -> bool:
    return bool(os.environ.get(PASSPHRASE_VARIABLE)) or sys.stdin.isatty()


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "read", _read, "read what a scanner typed, or a photo",
        "Prints the code and its scheme, or why there is none (exit 1). Where an issuer's folder and its passphrase "
        "are at hand, or with --key, it says whether the code is genuine (exit 1 when not). "
        "A photo needs cylinder-codes[photos].",
        example="--photo photo.jpg\n  cylinder-codes read 'HTTPS://ID.PINGLIAN.EXAMPLE/C/…' --key tag.key",
    )  # fmt: skip
    what = command.add_mutually_exclusive_group()
    what.add_argument("text", nargs="?", help="what was typed (default: standard input)")
    what.add_argument("--photo", type=Path, metavar="FILE", help="read a picture: PNG, JPEG, WebP, BMP, TIFF or GIF")
    command.add_argument("--key", type=Path, metavar="FILE", help="check the tag with this key instead of the issuer's")
    add_issuer_options(command)
    add_hosts(command)
