"""Passphrases (口令): where they come from, and key files opened with them."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from cylinder_codes.commands.common import CannotCheck
from cylinder_codes.commands.files import read_key, read_text
from cylinder_codes.keys import KeyFormatError
from cylinder_codes.pem import Ask, check_passphrase

PASSPHRASE_VARIABLE = "CYLINDER_CODES_PASSPHRASE"  # noqa: S105 (its name, not its content)

Secret = TypeVar("Secret")


class Passphrase:
    """The environment, a file, or whoever sits at the terminal, in this order; asked for once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._file: Path | None = options.passphrase_file
        self._typed = ""

    def old(self) -> str:
        """Return the passphrase of keys that exist."""
        if not self._given and not self._typed:
            self._typed = _ask("passphrase of the keys (密钥口令): ")
        return self._given or self._typed

    def new(self) -> str:
        """Return the passphrase for keys to be made, which is asked for twice at a terminal."""
        if not self._given and not self._typed:
            self._typed = _ask("passphrase for the new keys (新密钥口令): ")
            if _ask("once more (再输入一次): ") != self._typed:
                raise CannotCheck("the two passphrases differ: start again")
        try:
            check_passphrase(self._given or self._typed)
        except KeyFormatError as error:
            raise CannotCheck(str(error)) from error
        return self._given or self._typed

    @cached_property
    def _given(self) -> str:
        if from_environment := os.environ.get(PASSPHRASE_VARIABLE, ""):
            return from_environment
        if self._file is None:
            return ""
        first_line = read_text(self._file).split("\n")[0].removesuffix("\r")
        if not first_line:
            raise CannotCheck(f"{self._file}: no passphrase in its first line")
        return first_line


def add_passphrase_option(command: Any) -> None:
    command.add_argument(
        "--passphrase-file", type=Path, metavar="FILE",
        help=f"its first line is the passphrase (default: the variable {PASSPHRASE_VARIABLE}, or asked for)",
    )  # fmt: skip


def read_secret(path: Path, parse: Callable[[str, Ask], Secret], passphrase: Passphrase) -> Secret:
    """Read a key file, encrypted or plain, with ``read_signer`` or ``read_tag_key``; CannotCheck when it is none."""

    def ask() -> str:
        try:
            return passphrase.old()
        except CannotCheck as error:
            raise CannotCheck(f"{path}: {error}") from error

    return read_key(path, lambda text: parse(text, ask))


def _ask(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise CannotCheck(
            f"a passphrase is needed: set {PASSPHRASE_VARIABLE}, name a file with --passphrase-file, or use a terminal"
        )
    return getpass.getpass(prompt, sys.stderr)
