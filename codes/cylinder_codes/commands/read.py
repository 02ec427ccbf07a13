"""``cylinder-codes read``: what a scanner typed."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cylinder_codes.authenticity import tag_is_genuine
from cylinder_codes.commands.common import BAD, GOOD, add_command, add_hosts, read_key, say
from cylinder_codes.identifiers import DEFAULT_HOST, format_code_human
from cylinder_codes.keys import parse_tag_key
from cylinder_codes.reading import ReadFailure, read_scan


def _read(options: argparse.Namespace) -> int:
    key = read_key(options.key, parse_tag_key) if options.key else None
    raw = sys.stdin.read() if options.text is None else options.text
    read = read_scan(raw, options.host or (DEFAULT_HOST,))
    if isinstance(read, ReadFailure):
        say(options, f"{read.text_en}\n{read.text_zh}", ok=False, **asdict(read))
        return BAD
    facts: dict[str, Any] = {"code": read.text, "human_text": format_code_human(read)}
    if key is None:
        say(options, f"{read.text} (check digits right; give --key to check the tag)", ok=True, **facts)
        return GOOD
    genuine = tag_is_genuine(read, key)
    verdict = "genuine" if genuine else "NOT genuine: this code was not made with that key"
    say(options, f"{read.text} {verdict}", ok=genuine, genuine=genuine, **facts)
    return GOOD if genuine else BAD


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "read", _read, "read what a scanner typed",
        "Prints the code, or why there is none (exit 1).",
        example="'HTTPS://ID.PINGLIAN.EXAMPLE/C/…' --key tag.key",
    )  # fmt: skip
    command.add_argument("text", nargs="?", help="what was typed (default: standard input)")
    command.add_argument("--key", type=Path, help="file of the tag key: check the tag too")
    add_hosts(command)
