"""What every command needs: exit codes, one sentence for the user, the time, arguments."""

import argparse
import json
import re
import textwrap
import time
import unicodedata
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from cylinder_codes.identifiers import DEFAULT_HOST

GOOD, BAD, NOT_CHECKED = 0, 1, 2

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")
_HELP_WIDTH = 80
_LEAST_MM, _MOST_MM = 0.1, 300
_LONGEST_NAME = 80
_SHOWN = 20


class CannotCheck(Exception):
    """The command could not do its work; the message is one sentence for the user."""


def say(options: argparse.Namespace, text: str, /, **facts: Any) -> None:
    """Print the text, or with --json the facts as one object."""
    print(json.dumps(facts, ensure_ascii=False) if options.json else text)


def require_statements() -> None:
    """Refuse to sign or verify where what ``cylinder_codes.statement`` imports is not installed."""
    if find_spec("cbor2") is None or find_spec("base45") is None:
        raise CannotCheck("signed statements need cbor2 and base45: install cylinder-codes[statements]")


def counted(number: int, one: str, many: str = "") -> str:
    """Return ``1 label``, ``2 labels``; ``many`` where it is not ``one`` and an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def is_or_are(number: int) -> str:
    return "is" if number == 1 else "are"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def add_command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    more: str = "",
    *,
    example: str,
) -> Any:
    command = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(f"{summary}. {more}".strip(), _HELP_WIDTH),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.epilog = f"example:\n  {command.prog} {example}".rstrip()
    command.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    command.set_defaults(command=run)
    return command


def add_group(commands: Any, name: str, summary: str, about: str, *, examples: Sequence[str]) -> Any:
    """Add a command that consists of commands, and return the place for those."""
    group = commands.add_parser(
        name, help=summary, description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    group.epilog = "\n".join(["example:", *(f"  {group.prog} {example}" for example in examples)])
    return group.add_subparsers(title="what to do", required=True, metavar="WHAT")


def add_host(command: Any) -> None:
    command.add_argument("--host", type=host, default=DEFAULT_HOST, help=f"host in the link (default {DEFAULT_HOST})")


def add_hosts(command: Any) -> None:
    command.add_argument(
        "--host",
        type=host,
        action="append",
        help=f"host whose links carry codes, may be repeated (default {DEFAULT_HOST})",
    )


def host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a host name such as {DEFAULT_HOST}")
    return text


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number from ``least`` to ``most`` for argparse."""

    def read(text: str) -> int:
        if not text.isdecimal() or len(text) > len(str(most)) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return read


positive = whole_number(1, 100_000_000)


def line_of_text(text: str) -> str:
    """Return a name of 1 to 80 characters in NFC, or a note; argparse's error for one that no line can hold."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"{_beginning(name)} has not 1 to {_LONGEST_NAME} characters")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name):
        raise argparse.ArgumentTypeError(f"{_beginning(name)} has a control character in it")
    return name


def _beginning(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")


def millimetres(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not _LEAST_MM <= value <= _MOST_MM:
        raise argparse.ArgumentTypeError(f"{text!r} is not a length in mm from {_LEAST_MM} to {_MOST_MM}")
    return value
