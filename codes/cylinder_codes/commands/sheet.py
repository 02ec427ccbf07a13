"""``cylinder-codes sheet``: labels on A4 as PDF, with a control sheet for every box (标签页和箱单)."""

import argparse
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from cylinder_codes.book.issue_book import IssueBook
from cylinder_codes.commands.code_file import read_lines
from cylinder_codes.commands.common import (
    GOOD,
    CannotCheck,
    add_command,
    add_host,
    counted,
    is_or_are,
    millimetres,
    now_ms,
    positive,
    say,
)
from cylinder_codes.commands.files import require_place, write_whole
from cylinder_codes.commands.issuer import DEFAULT_FOLDER
from cylinder_codes.commands.pace import progress
from cylinder_codes.control_sheet import SheetLine, SheetMaking, module_in_words
from cylinder_codes.sheets import PRESETS, Grid, SheetError, plain_grid, sheet_pdf
from cylinder_codes.symbols import LEVELS, SymbolError
from cylinder_codes.typeface import MissingGlyph


def _sheet(options: argparse.Namespace) -> int:
    lines = _with_terms(read_lines(options.codes, options.host), options.issuer / "book.sqlite")
    if options.holder is not None:
        lines = [replace(line, holder=options.holder) for line in lines]
    require_place(options.out)
    making = SheetMaking(now_ms(), options.host, options.level)
    grid: Grid = PRESETS[options.preset] if options.preset else options.grid
    with progress("drawn", len(lines)) as show:
        try:
            sheet = sheet_pdf(lines, making, grid, per_box=options.per_box, module_mm=options.module_mm, show=show)
        except (SheetError, SymbolError, MissingGlyph) as error:
            raise CannotCheck(f"{options.codes}: {error}") from error
    write_whole(options.out, [sheet.pdf])
    warning = f"; mind: {sheet.fit.warning}" if sheet.fit.warning else ""
    amount = f"{counted(len(lines), 'label')} in {counted(sheet.boxes, 'box', 'boxes')} on {sheet.pages} pages"
    say(options, f"{amount} {is_or_are(len(lines))} in {options.out},"
        f" {module_in_words(sheet.fit.module_mm)} a module: print at 100 % (请按 100% 打印){warning}",
        labels=len(lines), boxes=sheet.boxes, pages=sheet.pages, module_mm=sheet.fit.module_mm,
        version=sheet.fit.version, warning=sheet.fit.warning, out=str(options.out))  # fmt: skip
    return GOOD


def _with_terms(lines: list[SheetLine], book_path: Path) -> list[SheetLine]:
    """Fill in holder and key id from the issue book, where the table names neither and the book knows the range."""
    silent = {line.range_name: line.code for line in reversed(lines) if not line.holder and not line.key_id}
    if not silent or not book_path.exists():
        return lines
    with closing(IssueBook(str(book_path))) as book:
        found = {name: book.where(code) for name, code in silent.items()}
    terms = {name: place[0].terms for name, place in found.items() if place and place[0].name == name}
    return [
        replace(line, holder=terms[line.range_name].holder, key_id=terms[line.range_name].key_id)
        if line.range_name in terms and not line.holder and not line.key_id
        else line
        for line in lines
    ]


def _grid(text: str) -> Grid:
    columns, times, rows = text.lower().partition("x")
    if not (times and columns.isdecimal() and rows.isdecimal() and len(text) <= len("20x30")):
        raise argparse.ArgumentTypeError(f"{text!r} is not a grid such as 3x8, columns by rows")
    try:
        return plain_grid(int(columns), int(rows))
    except SheetError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "sheet", _sheet, "lay labels out on A4, with a control sheet for every box, as PDF (标签页和箱单)",
        "The columns range, holder and key_id (号段, 持有单位, 密钥编号) of the CSV go onto the control sheet; what it"
        " does not say is taken from the issue book."
        " Needs cylinder-codes[labels].",
        example="codes.csv --out sheet.pdf --per-box 500",
    )  # fmt: skip
    command.add_argument("codes", type=Path, help="CSV file of issue, or one code a line")
    command.add_argument("--out", type=Path, required=True, help="the PDF file")
    grid = command.add_mutually_exclusive_group()
    grid.add_argument(
        "--grid", type=_grid, default=plain_grid(3, 8), help="columns by rows of labels on A4, to be cut (default 3x8)"
    )
    grid.add_argument("--preset", choices=PRESETS, help="ready-cut label sheets, by the size of a label in mm")
    command.add_argument("--per-box", type=positive, help="codes in a box (default: all in one)")
    command.add_argument("--holder", help="holder named on the sheets (持有单位), in place of the CSV's column")
    command.add_argument("--issuer", type=Path, default=DEFAULT_FOLDER, metavar="DIR", help="the issuer's folder")
    command.add_argument("--level", choices=LEVELS, default="M", help="error correction (default M)")
    command.add_argument(
        "--module-mm", type=millimetres, help="exact size of a module (default: the largest that fits)"
    )
    add_host(command)
