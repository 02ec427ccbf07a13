"""Codes as users hand them in and get them: one as text, or a table of them (码表), CSV with a header or one a line."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

from cylinder_codes.book.values import IssuedCode
from cylinder_codes.commands.common import CannotCheck
from cylinder_codes.commands.files import read_text, write_whole
from cylinder_codes.control_sheet import SheetLine
from cylinder_codes.digital_link import format_printed_link
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import Code, format_code_human
from cylinder_codes.reading import ReadFailure, read_scan

_COLUMNS_WRITTEN = ("number", "code", "human_text", "link", "range", "issued_at")
_COLUMN_NAMES = {
    "code": ("code", "气瓶码", "码"),
    "range_name": ("range", "range_name", "batch_id", "号段", "批次"),
    "holder": ("holder", "company", "持有单位", "领用单位", "单位"),
    "key_id": ("key_id", "key", "key_name", "密钥编号", "密钥"),
}


def read_code(text: str, host: str, where: str) -> Code:
    """Return the code that ``text`` is, as issued or as a scanner sent it; else CannotCheck, ``where`` in front."""
    try:
        return Code(text)  # what issue wrote is known at once; reading a scan takes longer
    except CodeError:
        read = read_scan(text, (host,))
    if isinstance(read, ReadFailure):
        raise CannotCheck(f"{where}: {read.text_en}")
    return read


def read_codes(path: Path, host: str) -> list[Code]:
    """Return the codes of a file; CannotCheck names the first line that is none."""
    return [line.code for line in read_lines(path, host)]


def read_lines(path: Path, host: str) -> list[SheetLine]:
    """Return the rows of a CSV with a header, or the codes of a file with one a line; CannotCheck like read_codes."""
    table = csv.reader(io.StringIO(read_text(path).removeprefix("\ufeff"), newline=""))
    try:
        rows = [(f"{path}, line {table.line_num}", row) for row in table if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise CannotCheck(f"{path}: not a table of comma-separated values: {error}") from error
    header = _columns(rows[0][1]) if rows else None
    lines = [_line(row, header or {"code": 0}, where, host) for where, row in (rows[1:] if header else rows)]
    if not lines:
        raise CannotCheck(f"{path}: no code in it: name the CSV file of issue, or a file with one code a line")
    return lines


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
    return SheetLine(read_code(texts.pop("code"), host, where), **texts)


def write_codes(
    out: Path, codes: Iterable[IssuedCode], host: str, show: Callable[[int], None] = lambda _: None
) -> None:
    """Write the CSV of ``codes``; ``show`` is told how many are written."""

    def parts() -> Iterator[bytes]:
        for count, row in enumerate(_rows_of(codes, host)):
            yield row
            show(count)

    write_whole(out, parts())


def holds_codes(out: Path, codes: Iterable[IssuedCode], host: str) -> bool:
    """Say whether ``out`` is, to the last byte, the file that ``write_codes`` makes of ``codes``."""
    with out.open("rb") as file:
        return all(there == row for there, row in zip_longest(file, _rows_of(codes, host)))


def _rows_of(codes: Iterable[IssuedCode], host: str) -> Iterator[bytes]:
    buffer = io.StringIO()
    table = csv.writer(buffer)
    table.writerow(_COLUMNS_WRITTEN)
    yield buffer.getvalue().encode()
    for line in codes:
        buffer.seek(0)
        buffer.truncate()
        link = format_printed_link(line.code, host)
        human_text = format_code_human(line.code)
        table.writerow((line.number, line.code.text, human_text, link, line.range_name, line.issued_at))
        yield buffer.getvalue().encode()
