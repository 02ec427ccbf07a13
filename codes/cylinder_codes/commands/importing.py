"""``cylinder-codes import``: a table of cylinders, checked before anything is imported."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cylinder_codes.commands.common import BAD, GOOD, CannotCheck, add_command, add_hosts, say
from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_codes.importing import RowError, parse_cylinder_table

_SHOWN_ERRORS = 20


def _import(options: argparse.Namespace) -> int:
    rows, errors = parse_cylinder_table(options.file.read_bytes(), options.file.name, options.host or (DEFAULT_HOST,))
    if errors and errors[0].row_number == 0:
        raise CannotCheck(f"{options.file}: {errors[0].what}: {errors[0].mend}")
    lines = [f"{len(rows)} good rows, {len(errors)} errors", *map(_error_line, errors[:_SHOWN_ERRORS])]
    if len(errors) > _SHOWN_ERRORS:
        lines.append(f"… and {len(errors) - _SHOWN_ERRORS} more (all of them with --json)")
    say(options, "\n".join(lines), ok=not errors, rows=[asdict(row) for row in rows],
         errors=[asdict(error) for error in errors])  # fmt: skip
    return BAD if errors else GOOD


def _error_line(error: RowError) -> str:
    place = f"row {error.row_number}, {error.column}"
    return f"{place}: {error.what}: {error.mend} / {error.what_zh}，{error.mend_zh}"


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "import", _import, "check a table of cylinders (CSV or XLSX) without importing it",
        "Lists every bad cell with row, column and how to mend it. 检查气瓶表格，逐格列出错误。",
        example="cylinders.xlsx",
    )  # fmt: skip
    command.add_argument("file", type=Path, help="the table, with headers in Chinese or English")
    add_hosts(command)
