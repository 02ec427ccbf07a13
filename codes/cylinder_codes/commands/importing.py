"""``cylinder-codes import``: a table of cylinders, checked before anything is imported."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cylinder_codes.commands.common import BAD, GOOD, CannotCheck, add_command, add_hosts, say
from cylinder_codes.commands.files import require_place, write_whole
from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_codes.importing import CylinderTable, RowError, bad_rows, parse_cylinder_table
from cylinder_codes.tables import write_csv, write_xlsx

_SHOWN_ERRORS = 20


def _import(options: argparse.Namespace) -> int:
    if options.bad_rows:
        require_place(options.bad_rows)
    table = parse_cylinder_table(options.file.read_bytes(), options.file.name, options.host or (DEFAULT_HOST,))
    rows, errors = table.rows, table.errors
    if errors and errors[0].row_number == 0:
        raise CannotCheck(f"{options.file}: {errors[0].what}: {errors[0].mend}")
    sheet = f" in sheet {table.source.name!r}" if table.source.name else ""
    lines = [f"{len(rows)} good rows, {len(errors)} errors{sheet}", *map(_error_line, errors[:_SHOWN_ERRORS])]
    if len(errors) > _SHOWN_ERRORS:
        lines.append(f"… and {len(errors) - _SHOWN_ERRORS} more (all of them with --json)")
    if errors and options.bad_rows:
        _write_bad_rows(options.bad_rows, table)
        lines.append(f"{options.bad_rows}: the rows with errors; mend them there and import that file")
    say(options, "\n".join(lines), ok=not errors, sheet=table.source.name, rows=[asdict(row) for row in rows],
         errors=[asdict(error) for error in errors])  # fmt: skip
    return BAD if errors else GOOD


def _write_bad_rows(path: Path, table: CylinderTable) -> None:
    rows = bad_rows(table, table.errors)
    write_whole(path, [write_xlsx(rows) if path.suffix.lower() == ".xlsx" else write_csv(rows)])


def _bad_rows_file(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in (".xlsx", ".csv"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither .xlsx nor .csv: name the file so")
    return path


def _error_line(error: RowError) -> str:
    place = f"row {error.row_number}, {error.column}"
    return f"{place}: {error.what}: {error.mend} / {error.what_zh}，{error.mend_zh}"


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "import", _import, "check a table of cylinders (CSV or XLSX) without importing it",
        "Lists every bad cell with row, column and how to mend it. 检查气瓶表格，逐格列出错误。",
        example="cylinders.xlsx --bad-rows to_mend.xlsx",
    )  # fmt: skip
    command.add_argument("file", type=Path, help="the table, with headers in Chinese or English")
    command.add_argument(
        "--bad-rows",
        type=_bad_rows_file,
        metavar="FILE",
        help="write the rows with errors as .xlsx or .csv, with reason and how to mend; 导出错误行，改正后再导入",
    )
    add_hosts(command)
