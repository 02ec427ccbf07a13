"""``cylinder-codes sheet``: labels on A4 as PDF, with a control sheet for every box (标签页和箱单)."""

import argparse
import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from cylinder_codes.book.issue_book import IssueBook
from cylinder_codes.commands.common import (
    GOOD,
    CannotCheck,
    add_command,
    add_host,
    counted,
    is_or_are,
    now_ms,
    positive,
    read_text,
    require_free,
    say,
)
from cylinder_codes.commands.issuer import DEFAULT_FOLDER
from cylinder_codes.commands.pace import progress
from cylinder_codes.control_sheet import SheetLine, SheetMaking
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import Code
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.sheets import PRESETS, Grid, SheetError, plain_grid, sheet_pdf
from cylinder_codes.symbols import LEVELS, SymbolError
from cylinder_codes.typeface import MissingGlyph

_COLUMN_NAMES = {
    "code": ("code", "气瓶码", "码"),
    "range_name": ("range", "range_name", "batch_id", "号段", "批次"),
    "holder": ("holder", "company", "持有单位", "领用单位", "单位"),
    "key_id": ("key_id", "key", "key_name", "密钥编号", "密钥"),
}
_MILLIMETRES = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?")


def _sheet(options: argparse.Namespace) -> int:
    lines = _with_terms(list(read_table(options.codes, options.host)), options.issuer / "book.sqlite")
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
    write_whole(options.out, sheet.pdf)
    warning = f"; mind: {sheet.fit.warning}" if sheet.fit.warning else ""
    amount = f"{counted(len(lines), 'label')} in {counted(sheet.boxes, 'box', 'boxes')} on {sheet.pages} pages"
    say(options, f"{amount} {is_or_are(len(lines))} in {options.out},"
        f" {sheet.fit.module_mm:.2f} mm a module: print at 100 % (请按 100% 打印){warning}",
        labels=len(lines), boxes=sheet.boxes, pages=sheet.pages, module_mm=sheet.fit.module_mm,
        version=sheet.fit.version, warning=sheet.fit.warning, out=str(options.out))  # fmt: skip
    return GOOD


def read_table(path: Path, host: str) -> Iterator[SheetLine]:
    """Give the rows of a CSV with a header, or the codes of a file with one a line."""
    rows = csv.reader(io.StringIO(read_text(path).removeprefix("\ufeff"), newline=""))
    columns = {"code": 0}
    empty = True
    for row in _filled_rows(rows, path):
        if empty and (named := _columns(row)):
            columns = named
        else:
            yield _line(row, columns, f"{path}, line {rows.line_num}", host)
        empty = False
    if empty:
        raise CannotCheck(f"{path}: no code in it: name the CSV file of issue, or a file with one code a line")


def _filled_rows(rows: Iterator[list[str]], path: Path) -> Iterator[list[str]]:
    try:
        yield from (row for row in rows if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise CannotCheck(f"{path}: not a table of comma-separated values: {error}") from error


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


def _columns(header: list[str]) -> dict[str, int] | None:
    names = [cell.strip().lower() for cell in header]
    found = {
        field: names.index(name)
        for field, aliases in _COLUMN_NAMES.items()
        for name in reversed(aliases)
        if name in names
    }
    return found if "code" in found else None


def _line(row: list[str], columns: dict[str, int], where: str, host: str) -> SheetLine:
    texts = {field: row[column].strip() if column < len(row) else "" for field, column in columns.items()}
    return SheetLine(_code(texts.pop("code"), where, host), **texts)


def _code(text: str, where: str, host: str) -> Code:
    try:
        return Code(text)
    except CodeError:
        read = read_scan(text, (host,))
    if isinstance(read, ReadFailure):
        raise CannotCheck(f"{where}: {read.text_en}")
    return read


def require_place(out: Path) -> None:
    """Refuse before the work what could not be written after it."""
    if not out.parent.is_dir():
        raise CannotCheck(f"{out.parent} is not a folder: make it first")
    require_free(out)


def write_whole(out: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all: nobody prints half a sheet."""
    unfinished = out.with_name(out.name + ".part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(out)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise CannotCheck(f"{out}: {error.strerror}, and nothing is written: name another folder") from error


def _grid(text: str) -> Grid:
    columns, times, rows = text.lower().partition("x")
    if not (times and columns.isdecimal() and rows.isdecimal() and len(text) <= len("20x30")):
        raise argparse.ArgumentTypeError(f"{text!r} is not a grid such as 3x8, columns by rows")
    try:
        return plain_grid(int(columns), int(rows))
    except SheetError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def millimetres(text: str) -> float:
    if not _MILLIMETRES.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a length in mm such as 0.5")
    return float(text)


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
