"""What every command needs: exit codes, one sentence for the user, whole files, progress, arguments."""

import argparse
import json
import os
import re
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cylinder_codes.identifiers import DEFAULT_HOST, Code
from cylinder_codes.keys import KeyFormatError
from cylinder_codes.reading import ReadFailure, read_scan

GOOD, BAD, NOT_CHECKED = 0, 1, 2

Key = TypeVar("Key")

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")
_HELP_WIDTH = 80
_MOST_CODES = 100_000_000


class CannotCheck(Exception):
    """The command could not do its work; the message is one sentence for the user."""


def say(options: argparse.Namespace, text: str, /, **facts: Any) -> None:
    """Print the text, or with --json the facts as one object."""
    print(json.dumps(facts, ensure_ascii=False) if options.json else text)


def counted(number: int, one: str, many: str = "") -> str:
    """Return ``1 label``, ``2 labels``; ``many`` where it is not ``one`` and an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def is_or_are(number: int) -> str:
    return "is" if number == 1 else "are"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")  # not read_text: it would change line ends, and signatures with them
    except UnicodeDecodeError as error:
        raise CannotCheck(f"{path}: not UTF-8 text: save it as UTF-8, or name another file") from error


def read_key(path: Path, parse: Callable[[str], Key]) -> Key:
    try:
        return parse(read_text(path))
    except KeyFormatError as error:
        raise CannotCheck(f"{path}: {error}") from error


def read_codes(path: Path, host: str) -> list[Code]:
    codes = []
    lines = read_text(path).removeprefix("\ufeff").splitlines()
    header = lines[0].split(",") if lines else []
    column = header.index("code") if "code" in header else 0
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (number == 1 and "code" in header):
            continue
        read = read_scan((line.split(",") + [""] * column)[column], (host,))
        if isinstance(read, ReadFailure):
            raise CannotCheck(f"{path}, line {number}: {read.text_en}")
        codes.append(read)
    if not codes:
        raise CannotCheck(f"{path}: no code in it: name the CSV file of issue, or a file with one code a line")
    return codes


def require_free(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise CannotCheck(f"{path} is there already and is not overwritten: name another file")


def write_new(path: Path, text: str, mode: int) -> None:
    require_free(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text if text.endswith("\n") else text + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink()  # half a file would be in the way of the next try
        raise CannotCheck(f"{path}: {error.strerror}; nothing is left of it") from error


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
        epilog=f"example:\n  cylinder-codes {name} {example}".rstrip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    command.set_defaults(command=run)
    return command


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


def positive(text: str) -> int:
    if not text.isdecimal() or len(text) > len(str(_MOST_CODES)) or not 1 <= int(text) <= _MOST_CODES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MOST_CODES}")
    return int(text)


def pixels(text: str) -> int:
    if not text.isdecimal() or not 4 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 4 to 100")
    return int(text)
