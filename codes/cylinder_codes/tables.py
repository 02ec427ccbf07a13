"""Tables (表格): the bytes of a CSV or XLSX file as rows of text, exactly as they were typed.

CSV may be UTF-8 with or without byte order mark, UTF-16 with one, or GB18030; cells are parted by comma,
semicolon or tab, whichever the file has most of. XLSX is read from its first sheet. Worked example: the CSV
bytes ``EF BB BF 63 6F 64 65 2C 73 65 72 69 61 6C 0A 30 30 37 2C 31`` are ``[("code", "serial"), ("007",
"1")]``: the byte order mark is gone, the leading zeros are kept.

Cells that Excel stores as numbers come out as Excel shows them: at most 15 digits, no trailing zeros; dates
come out as ``YYYY-MM-DD``.
"""

import csv
import datetime
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterable

MAX_FILE_BYTES = 50_000_000
MAX_UNPACKED_BYTES = 500_000_000

Row = tuple[str, ...]


class TableError(ValueError):
    """A file that cannot be read as a table: what is wrong with it and how to mend it, in English and Chinese."""

    def __init__(self, what: str, mend: str, what_zh: str, mend_zh: str) -> None:
        super().__init__(f"{what}: {mend}")
        self.what, self.mend, self.what_zh, self.mend_zh = what, mend, what_zh, mend_zh


def read_table(data: bytes, filename: str) -> list[Row]:
    """Return every row, the headers among them, with white space around the cells taken off.

    Raises TableError for a file that is neither CSV nor XLSX, is damaged, or is too large.
    """
    if len(data) > MAX_FILE_BYTES:
        raise TableError("the file is larger than 50 MB", "split it", "文件超过 50 MB", "请拆分文件")
    if data[:4] == b"PK\x03\x04":
        return _read_xlsx(data)
    if data[:4] == b"\xd0\xcf\x11\xe0" or filename.lower().endswith((".xls", ".xlsx")):
        raise TableError(
            "this is not an .xlsx workbook", "open it and save it as .xlsx", "不是 .xlsx 工作簿", "请另存为 .xlsx"
        )
    return _read_csv(_decode(data))


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
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [tuple(cell.strip() for cell in row) for row in reader]
    except csv.Error as error:
        raise TableError(
            f"line {reader.line_num} is not CSV ({error})",
            "check the quotation marks there",
            f"第 {reader.line_num} 行不是 CSV 格式",
            "请检查该行的引号",
        ) from error


def _read_xlsx(data: bytes) -> list[Row]:
    try:
        import openpyxl
    except ImportError as error:
        raise TableError(
            "reading .xlsx needs openpyxl",
            "install cylinder-codes[import], or save the table as CSV",
            "读取 .xlsx 需要 openpyxl",
            "请安装 cylinder-codes[import]，或另存为 CSV",
        ) from error
    try:
        _refuse_bomb(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing styles, validations, footers: nothing of that is a cell
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # some programs write a wrong size into the file
            return [_texts(row) for row in sheet.iter_rows(values_only=True)]
    except TableError:
        raise
    except _DAMAGE as error:
        raise TableError(
            "the workbook is damaged", "open it and save it anew as .xlsx", "工作簿已损坏", "请打开后重新另存为 .xlsx"
        ) from error


# What openpyxl lets through when parts of a workbook are missing or malformed; ParseError is a SyntaxError
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, SyntaxError,
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError,
)  # fmt: skip


def _refuse_bomb(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > MAX_UNPACKED_BYTES:
        raise TableError("the workbook unpacks to more than 500 MB", "split it", "工作簿过大", "请拆分文件")


def _texts(row: Iterable[object]) -> Row:
    return tuple(_text(cell) for cell in row)


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat()
    if isinstance(cell, float):
        return f"{cell:.15g}"  # the digits Excel shows; the rest is binary rounding
    return str(cell).strip()
