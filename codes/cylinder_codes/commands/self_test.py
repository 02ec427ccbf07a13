"""``cylinder-codes self-test``: this installation against published values."""

import argparse
import secrets
from typing import Any

from cylinder_codes.commands.common import BAD, GOOD, add_command, say
from cylinder_codes.self_test import run_self_test


def _self_test(options: argparse.Namespace) -> int:
    checks: dict[str, bool] = {}
    for name, held in run_self_test(secrets.token_bytes):
        checks[name] = held
        if not options.json:
            print(f"{'ok  ' if held else 'FAIL'}  {name}")
    good = all(checks.values())
    say(options, "all checks hold" if good else "do not issue codes on this machine", ok=good, checks=checks)
    return GOOD if good else BAD


def add_to(commands: Any) -> None:
    add_command(
        commands,
        "self-test",
        _self_test,
        "check this installation against published values",
        example="",
    )
