"""Tables (表格): the bytes of a CSV or XLSX file as rows of text, exactly as they were typed; and rows as such a file.

CSV may be UTF-8 with or without byte order mark, UTF-16 with one, or GB18030; cells are parted by comma,
semicolon or tab, whichever the file has most of. Of a workbook the visible sheets are read, in their order. Worked
example: the CSV bytes ``EF BB BF 63 6F 64 65 2C 73 65 72 69 61 6C 0A 30 30 37 2C 31`` are ``[("code", "serial"),
("007", "1")]``: the byte order mark is gone, the leading zeros are kept.

Cells that Excel stores as numbers come out as Excel shows them: at most 15 digits, no trailing zeros; dates come out
as ``YYYY-MM-DD``; of merged cells only the first holds the text.

A file comes from anybody, so what it may cost is bounded: bytes packed and unpacked, rows and cells, counted while
they are read. A workbook whose XML declares entities is refused unread, for no spreadsheet program writes any.

A file that we write runs nothing: a cell that begins like a formula (``= + - @``) is text in a workbook, and in CSV has
an apostrophe in front, which is taken off again when the file is read.
"""

import csv
import datetime
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO
from xml.parsers import expat

MAX_FILE_BYTES = 50_000_000
MAX_UNPACKED_BYTES = 100_000_000
MAX_ROWS = 1_048_576
"""As many as a sheet of Excel has, empty ones included."""
MAX_WORKBOOK_CELLS = 1_000_000
"""Reading them takes a quarter to three quarters of a minute."""
MAX_CSV_CELLS = 5_000_000
"""Reading them takes four seconds and about 0.6 GB of memory."""

Row = tuple[str, ...]


class TableError(ValueError):
    """A file that cannot be read as a table: what is wrong with it and how to mend it, in English and Chinese."""

    def __init__(self, what: str, mend: str, what_zh: str, mend_zh: str) -> None:
        super().__init__(f"{what}: {mend}")
        self.what, self.mend, self.what_zh, self.mend_zh = what, mend, what_zh, mend_zh


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook, or a CSV file, which has no name. White space around the cells is taken off."""

    name: str
    rows: list[Row]


def read_sheets(data: bytes, filename: str) -> Iterator[Sheet]:
    """Yield the sheets that a person sees, each when it is asked for.

    Raises TableError for a file that is neither CSV nor XLSX, is damaged, or is too large.
    """
    if len(data) > MAX_FILE_BYTES:
        raise TableError("the file is larger than 50 MB", "split it", "文件超过 50 MB", "请拆分文件")
    if data[:4] == b"PK\x03\x04":
        yield from _read_xlsx(data)
    elif data[:4] == b"\xd0\xcf\x11\xe0" or filename.lower().endswith((".xls", ".xlsx")):
        raise TableError(
            "this is not an .xlsx workbook", "open it and save it as .xlsx", "不是 .xlsx 工作簿", "请另存为 .xlsx"
        )
    else:
        yield Sheet("", _read_csv(_decode(data)))


def _decode(data: bytes) -> str:
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise TableError(
        "the file is not text in UTF-8 or GB18030",
        "save it as CSV UTF-8 or as .xlsx",
        "文件不是 UTF-8 或 GB18030 文本",
        "请另存为 CSV UTF-8 或 .xlsx",
    )


def _read_csv(text: str) -> list[Row]:
    sample = text[:5000]
    delimiter = max(",;\t", key=sample.count)
    if text.count(delimiter) + text.count("\n") > MAX_CSV_CELLS:  # before the reader makes one row of them
        raise TableError(f"the table has more than {MAX_CSV_CELLS:,} cells", "split it", "表格单元格过多", "请拆分文件")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return _bounded(tuple(_unguarded(cell.strip()) for cell in row) for row in reader)
    except csv.Error as error:
        raise TableError(
            f"line {reader.line_num} is not CSV ({error})",
            "check the quotation marks there",
            f"第 {reader.line_num} 行不是 CSV 格式",
            "请检查该行的引号",
        ) from error


def _bounded(rows: Iterable[Row]) -> list[Row]:
    kept: list[Row] = []
    for row in rows:
        if len(kept) == MAX_ROWS:
            raise TableError(f"the table has more than {MAX_ROWS:,} rows", "split it", "表格行数过多", "请拆分文件")
        kept.append(row)
    return kept


def _read_xlsx(data: bytes) -> Iterator[Sheet]:
    try:
        import openpyxl
    except ImportError as error:
        raise TableError(
            "reading .xlsx needs openpyxl",
            "install cylinder-codes[import], or save the table as CSV",
            "读取 .xlsx 需要 openpyxl",
            "请安装 cylinder-codes[import]，或另存为 CSV",
        ) from error
    cells = _CellCount()
    with _damage_named():
        _refuse_bomb(data)
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    for sheet in visible:
        with _damage_named():
            sheet.reset_dimensions()  # some programs write a wrong size into the file
            read = Sheet(sheet.title, _bounded(cells.counted(sheet.iter_rows(values_only=True))))
        yield read


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing styles, validations, footers: nothing of that is a cell
            yield
    except TableError:
        raise
    except _DAMAGE as error:
        raise TableError(
            "the workbook is damaged", "open it and save it anew as .xlsx", "工作簿已损坏", "请打开后重新另存为 .xlsx"
        ) from error


# What openpyxl lets through when parts of a workbook are missing or malformed; ParseError is a SyntaxError
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, SyntaxError,
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, expat.ExpatError,
)  # fmt: skip


class _CellCount:
    """Counts cells over all sheets of a workbook, gaps included: each costs time to read."""

    def __init__(self) -> None:
        self._cells = 0

    def counted(self, rows: Iterable[Sequence[object]]) -> Iterator[Row]:
        for row in rows:
            self._cells += len(row)
            if self._cells > MAX_WORKBOOK_CELLS:
                raise TableError(
                    f"the workbook has more than {MAX_WORKBOOK_CELLS:,} cells",
                    "split it, or save it as CSV",
                    "工作簿单元格过多",
                    "请拆分文件，或另存为 CSV",
                )
            yield tuple(_text(cell) for cell in row)


def _refuse_bomb(data: bytes) -> None:
    """Refuse by the sizes that the archive declares: reading a part stops at its declared size."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED_BYTES:
            megabytes = MAX_UNPACKED_BYTES // 1_000_000
            raise TableError(
                f"the workbook unpacks to more than {megabytes} MB",
                "split it, or save it as CSV",
                "工作簿过大",
                "请拆分文件，或另存为 CSV",
            )
        for part in archive.infolist():
            with archive.open(part) as text:
                _refuse_entities(text)


def _refuse_entities(part: IO[bytes]) -> None:
    """Raise TableError if an XML part declares a document type; what is no XML is looked at no further."""
    seen: list[str] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_declared: seen.append("doctype")
    parser.StartElementHandler = lambda *_element: seen.append("element")
    try:
        while not seen and (chunk := part.read(4096)):
            parser.Parse(chunk)
    except expat.ExpatError:
        pass
    if "doctype" in seen:
        raise TableError(
            "the workbook declares entities, as no spreadsheet program does",
            "open it and save it anew as .xlsx",
            "工作簿含有实体声明，不予读取",
            "请打开后重新另存为 .xlsx",
        )


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat()
    if isinstance(cell, float):
        return f"{cell:.15g}"  # the digits Excel shows; the rest is binary rounding
    return str(cell).strip()


# --- writing ------------------------------------------------------------------------------------------------


def write_csv(rows: Iterable[Row]) -> bytes:
    """Rows as CSV that Excel opens in Chinese: UTF-8 with byte order mark, CR LF."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([_guarded(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode("utf-8-sig")


def write_xlsx(rows: Iterable[Row]) -> bytes:
    """Rows as a workbook of one sheet in which every cell is text, so that leading zeros survive being edited."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("1")
    for row in rows:
        cells = []
        for text in row:
            cell = WriteOnlyCell(sheet, _without_controls(text))
            cell.data_type = "s"  # openpyxl would take "=1+1" for a formula
            cell.number_format = "@"
            cells.append(cell)
        sheet.append(cells)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


_LIKE_A_FORMULA = re.compile(r"'*[=+\-@]")


def _guarded(text: str) -> str:
    return f"'{text}" if _LIKE_A_FORMULA.match(text) else text


def _unguarded(text: str) -> str:
    return text[1:] if text[:1] == "'" and _LIKE_A_FORMULA.match(text) else text


def _without_controls(text: str) -> str:
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", " ", text)  # a workbook cannot hold them
