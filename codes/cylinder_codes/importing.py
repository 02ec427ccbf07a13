"""Importing (导入): a station's own table of cylinders as rows of facts, or as errors that say how to mend each cell.

Columns are found by their headers, in Chinese or English, in any order; a title above the headers is skipped
and columns we do not know are left alone. Masses and volumes are turned into grams and millilitres exactly:
the unit is taken from the cell (``16.5kg``), else from the header (``皮重(g)``, ``tare_g``), else it is
kilogram and litre, as on the cylinder. Worked example::

    气瓶条码,出厂编号,制造单位,型号,制造年月,皮重,容积,最大充装量(kg)
    04HM-ASW9-…,00123,…,YSP35.5,2019年3月,16.5,35.5,14.9

gives serial "00123", manufactured_month "2019-03", tare_g 16.5 * 1000 = 16500, water_volume_ml 35500,
max_fill_g 14900. A cell of 16.5004 is an error, because nobody weighs a cylinder to a tenth of a gram: it is
a typing slip.

Nothing here raises for bad content. An error in row 0 concerns the whole file.
"""

import datetime
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.tables import Row, TableError, read_table

MAX_TEXT_LENGTH = 200
_HEADER_SEARCH_ROWS = 10


@dataclass(frozen=True, slots=True)
class CylinderRow:
    """One cylinder of a table. ``row_number`` counts from 1 as the spreadsheet does, headers included.

    Optional facts that the table does not give are None. ``inspected_on`` is a date, or a month where only
    the month is known; ``code`` is canonical.
    """

    row_number: int
    code: str
    maker: str
    serial: str
    model: str
    tare_g: int
    water_volume_ml: int
    max_fill_g: int
    owner_id: str | None = None
    registration_no: str | None = None
    manufactured_month: str | None = None
    inspected_on: str | None = None
    next_due_month: str | None = None
    medium: str = "lpg"


@dataclass(frozen=True, slots=True)
class RowError:
    """One cell that could not be used: where, what is wrong, how to mend it. Row 0 is the whole file."""

    row_number: int
    column: str
    what: str
    mend: str
    what_zh: str
    mend_zh: str


class _Problem(NamedTuple):
    what: str
    mend: str
    what_zh: str
    mend_zh: str


class _Cell(NamedTuple):
    text: str
    unit: str
    """The unit the header names; empty when it names none."""
    hosts: Sequence[str]


class _Field(NamedTuple):
    headers: str
    read: Callable[[_Cell], str | int | _Problem]
    required: bool = False


class _Column(NamedTuple):
    field: str
    place: int
    header: str
    unit: str


def parse_cylinder_table(
    data: bytes, filename: str, hosts: Sequence[str] = (DEFAULT_HOST,)
) -> tuple[list[CylinderRow], list[RowError]]:
    """Return the good rows of a table, and an error for every cell that keeps another row from being one.

    ``filename`` helps to tell a damaged workbook from text; ``hosts`` are those whose links carry our codes.
    """
    try:
        table = read_table(data, filename)
        header_row, columns = _find_columns(table)
    except TableError as error:
        return [], [RowError(0, "", error.what, error.mend, error.what_zh, error.mend_zh)]
    rows: list[CylinderRow] = []
    errors: list[RowError] = []
    for number, cells in enumerate(table[header_row + 1 :], start=header_row + 2):
        if any(cells):
            row, row_errors = _read_row(number, cells, columns, hosts)
            rows += [row] if row else []
            errors += row_errors
    return _without_repeats(rows, errors)


def _without_repeats(rows: list[CylinderRow], errors: list[RowError]) -> tuple[list[CylinderRow], list[RowError]]:
    first_by_fact: dict[tuple[str, ...], int] = {}
    kept = []
    for row in rows:
        facts = {"code": (row.code,), "serial": (row.maker, row.serial)}
        repeats = [(name, first_by_fact[fact]) for name, fact in facts.items() if fact in first_by_fact]
        for fact in facts.values():
            first_by_fact.setdefault(fact, row.row_number)
        if repeats:
            errors += [_repeat(row.row_number, name, first) for name, first in repeats]
        else:
            kept.append(row)
    return kept, sorted(errors, key=lambda error: error.row_number)


def _repeat(row_number: int, column: str, first: int) -> RowError:
    what, what_zh = f"the same cylinder stands in row {first}", f"与第 {first} 行是同一只气瓶"
    return RowError(row_number, column, what, "delete one of the two rows", what_zh, "请删除其中一行")


def _read_row(
    number: int, cells: Row, columns: list[_Column], hosts: Sequence[str]
) -> tuple[CylinderRow | None, list[RowError]]:
    values: dict[str, str | int] = {}
    errors = []
    for field, place, header, unit in columns:
        text = unicodedata.normalize("NFC", cells[place]) if place < len(cells) else ""
        value = _read_cell(_FIELDS[field], _Cell(text, unit, hosts))
        if isinstance(value, _Problem):
            errors.append(RowError(number, header, *value))
        elif value is not None:
            values[field] = value
    return (None, errors) if errors else (CylinderRow(row_number=number, **values), [])  # type: ignore[arg-type]


def _read_cell(field: _Field, cell: _Cell) -> str | int | _Problem | None:
    if cell.text:
        return field.read(cell)
    return _Problem("the cell is empty", "fill it in", "单元格为空", "请填写") if field.required else None


# --- headers ------------------------------------------------------------------------------------------------


def _find_columns(table: list[Row]) -> tuple[int, list[_Column]]:
    found = [(_columns_of(row), index) for index, row in enumerate(table[:_HEADER_SEARCH_ROWS])]
    columns, header_row = max(found, key=lambda pair: len(pair[0]), default=([], 0))
    missing = {name for name, field in _FIELDS.items() if field.required} - {column.field for column in columns}
    if missing:
        names = [f"{name} ({_FIELDS[name].headers.split()[0]})" for name in _FIELDS if name in missing]
        raise TableError(
            f"no column for {', '.join(names)}",
            "name the columns in one of the first rows",
            f"缺少列：{'、'.join(names)}",
            "请在前几行中给出表头",
        )
    return header_row, _require_distinct(columns)


def _require_distinct(columns: list[_Column]) -> list[_Column]:
    by_field: dict[str, str] = {}
    for column in columns:
        if column.field in by_field:
            pair = by_field[column.field], column.header
            raise TableError(
                f"the columns {pair[0]} and {pair[1]} both mean {column.field}",
                "rename or delete one of them",
                f"“{pair[0]}”与“{pair[1]}”两列含义相同",
                "请改名或删除其中一列",
            )
        by_field[column.field] = column.header
    return columns


def _columns_of(row: Row) -> list[_Column]:
    columns = []
    for place, header in enumerate(row):
        words = _plain(header)
        unit = None if words in _FIELD_OF_HEADER else _UNIT_AT_END.search(words)
        name = words[: unit.start()] if unit else words
        if name in _FIELD_OF_HEADER:
            columns.append(_Column(_FIELD_OF_HEADER[name], place, header, unit.group(1) if unit else ""))
    return columns


def _plain(header: str) -> str:
    return re.sub(r"[\s_.:*-]", "", unicodedata.normalize("NFKC", header)).casefold()


# --- cells --------------------------------------------------------------------------------------------------


def _read_text(cell: _Cell) -> str | _Problem:
    if len(cell.text) > MAX_TEXT_LENGTH:
        return _Problem(
            f"more than {MAX_TEXT_LENGTH} characters", "shorten it", f"超过 {MAX_TEXT_LENGTH} 个字符", "请缩短"
        )
    if any(char < " " or char == "\x7f" for char in cell.text):
        return _Problem("a line break or control character", "write it in one line", "含换行或控制字符", "请写成一行")
    if re.fullmatch(r"\d(\.\d+)?[eE]\+\d+", cell.text):
        return _Problem(
            f"the spreadsheet shortened a long number to {cell.text}",
            "format the column as text and enter it again",
            f"长数字被表格显示为 {cell.text}",
            "请将该列设为文本格式后重新输入",
        )
    return cell.text


def _read_code(cell: _Cell) -> str | _Problem:
    read = read_scan(cell.text, cell.hosts)
    if isinstance(read, ReadFailure):
        return _Problem(read.text_en, "take it from the label", read.text_zh, "请按标签填写")
    return read.text


def _read_medium(cell: _Cell) -> str | _Problem:
    if _plain(cell.text) in ("lpg", "液化石油气", "液化气", "石油气"):
        return "lpg"
    return _Problem(
        f"the medium {cell.text!r} is not known", "write LPG or 液化石油气", "介质无法识别", "请填写 LPG 或 液化石油气"
    )


def _read_mass(cell: _Cell) -> int | _Problem:
    return _read_measure(cell, {"kg": 1000, "公斤": 1000, "千克": 1000, "g": 1, "克": 1}, "kg", range(100, 1_000_001))


def _read_volume(cell: _Cell) -> int | _Problem:
    return _read_measure(cell, {"l": 1000, "升": 1000, "ml": 1, "毫升": 1}, "l", range(100, 2_000_001))


def _read_measure(cell: _Cell, units: dict[str, int], usual_unit: str, bounds: range) -> int | _Problem:
    found = _MEASURE.fullmatch(unicodedata.normalize("NFKC", cell.text).casefold())
    unit = (found[2] if found else "") or cell.unit or usual_unit
    if not found or unit not in units:
        return _Problem(
            f"{cell.text!r} is not a number in {' or '.join(units)}",
            "write digits and a decimal point",
            f"“{cell.text}”不是数值",
            "请用数字和小数点填写",
        )
    amount = Decimal(found[1]) * units[unit]
    if amount != int(amount):
        return _Problem(
            f"{cell.text} {unit} is finer than a gram or millilitre",
            "check the digits",
            f"{cell.text} {unit} 小数位过多",
            "请核对数字",
        )
    if int(amount) not in bounds:
        return _Problem(
            f"{cell.text} {unit} cannot be a cylinder's",
            f"check digits and unit; a column without a unit is read as {usual_unit}",
            f"{cell.text} {unit} 超出气瓶的合理范围",
            f"请核对数字和单位；未注明单位时按 {usual_unit} 读取",
        )
    return int(amount)


def _read_month(cell: _Cell) -> str | _Problem:
    found = _read_day_or_month(cell)
    return found if isinstance(found, _Problem) else found[:7]


def _read_day_or_month(cell: _Cell) -> str | _Problem:
    text = unicodedata.normalize("NFKC", cell.text)
    found = _DATE.fullmatch(text) or _COMPACT_DATE.fullmatch(text)
    try:
        if _EXCEL_SERIAL.fullmatch(text):
            return (_EXCEL_EPOCH + datetime.timedelta(days=int(text))).isoformat()
        if found:
            day = datetime.date(int(found[1]), int(found[2]), int(found[3] or 1)).isoformat()
            return day if found[3] else day[:7]
    except ValueError:
        pass  # a month 13 or a 30 February is answered below like any other slip
    return _Problem(
        f"{cell.text!r} is not a date",
        "write it like 2024-03-31 or 2024-03",
        f"“{cell.text}”不是日期",
        "请写成 2024-03-31 或 2024-03",
    )


_MEASURE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z公斤千克升毫]*)")
_UNIT_AT_END = re.compile(r"[(\[/]?(kg|公斤|千克|克|毫升|升|ml|g|l)[)\]]?$")
_DATE = re.compile(r"((?:19|20)\d\d)[-/.年](\d\d?)(?:月|[-/.月](\d\d?)日?(?: 0?0:00(?::00)?)?)?", re.ASCII)
_COMPACT_DATE = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)?", re.ASCII)
_EXCEL_SERIAL = re.compile(r"[2-7]\d{4}", re.ASCII)
_EXCEL_EPOCH = datetime.date(1899, 12, 30)

_FIELDS = {
    "code": _Field("气瓶条码 气瓶码 瓶码 二维码 追溯码 赋码 单位内编号 code barcode cylindercode", _read_code, True),
    "maker": _Field("制造单位 制造单位代号 制造厂 制造商 生产厂家 生产单位 maker manufacturer", _read_text, True),
    "serial": _Field(
        "出厂编号 钢瓶编号 气瓶编号 产品编号 钢印号 serial serialno serialnumber vasecode", _read_text, True
    ),
    "model": _Field("型号 气瓶型号 规格型号 规格 model type", _read_text, True),
    "tare_g": _Field("皮重 瓶重 自重 空瓶重 tare tareweight emptyweight", _read_mass, True),
    "water_volume_ml": _Field("容积 水容积 公称容积 watervolume volume watercapacity", _read_volume, True),
    "max_fill_g": _Field("最大充装量 充装量 最大充装重量 maxfill maximumfill maxfillweight", _read_mass, True),
    "owner_id": _Field("产权单位 产权单位编号 产权单位代码 所属单位 owner ownerid", _read_text),
    "registration_no": _Field(
        "使用登记证编号 使用登记编号 使用登记代码 登记证编号 登记证号 registrationno registration registrationnumber",
        _read_text,
    ),
    "manufactured_month": _Field(
        "制造年月 制造日期 生产日期 出厂日期 manufacturedmonth manufactured manufacturedon manufacturedate",
        _read_month,
    ),
    "inspected_on": _Field(
        "检验日期 上次检验日期 最近检验日期 inspectedon inspected inspectiondate lastinspection", _read_day_or_month
    ),
    "next_due_month": _Field(
        "下次检验日期 下检日期 下次检验年月 检验有效期 nextduemonth nextdue nextinspection nextinspectiondate",
        _read_month,
    ),
    "medium": _Field("充装介质 介质 medium gas", _read_medium),
}
_FIELD_OF_HEADER = {header: name for name, field in _FIELDS.items() for header in field.headers.split()}
