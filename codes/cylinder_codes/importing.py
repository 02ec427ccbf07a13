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

A row is named by its code, by the numbers it has from before (省级气瓶编号, 使用登记代码, RFID TID, 制造单位编码),
and by its stamp where the month of making is known; all of them become codes of the cylinder. A table without a column
of codes is taken too: the cylinders can be given their own code later.

Nothing here raises for bad content. An error in row 0 concerns the whole file. ``bad_rows`` gives the rows with errors
back as they were, with the reasons beside them, to be mended and imported again.
"""

import datetime
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import DEFAULT_HOST, Code, legacy_code, stamp_code
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.schemes import Scheme
from cylinder_codes.tables import Row, Sheet, TableError, read_sheets

MAX_TEXT_LENGTH = 200
BAD_ROW_HEADERS = ("原因 reason", "如何改正 how to mend")
_HEADER_SEARCH_ROWS = 10
_LONGEST_LIFE_YEARS = 40


@dataclass(frozen=True, slots=True)
class CylinderRow:
    """One cylinder of a table. ``row_number`` counts from 1 as the spreadsheet does, headers included.

    Optional facts that the table does not give are None. ``inspected_on`` is a date, or a month where only
    the month is known; ``code`` and ``aliases`` are canonical.
    """

    row_number: int
    maker: str
    serial: str
    model: str
    tare_g: int
    water_volume_ml: int
    max_fill_g: int
    code: str | None = None
    aliases: tuple[str, ...] = ()
    """Its other names: numbers from before, and the stamp where the month of making is known."""
    owner_id: str | None = None
    registration_no: str | None = None
    manufactured_month: str | None = None
    inspected_on: str | None = None
    next_due_month: str | None = None
    design_life_months: int | None = None
    medium: str = "lpg"

    @property
    def codes(self) -> tuple[str, ...]:
        """Every code the cylinder is found by; its own first."""
        return (self.code, *self.aliases) if self.code else self.aliases


@dataclass(frozen=True, slots=True)
class RowError:
    """One cell that could not be used: where, what is wrong, how to mend it. Row 0 is the whole file."""

    row_number: int
    column: str
    what: str
    mend: str
    what_zh: str
    mend_zh: str


@dataclass(frozen=True, slots=True)
class CylinderTable:
    """A table as it was read: the good rows, and an error for every cell that keeps another row from being one."""

    rows: list[CylinderRow]
    errors: list[RowError]
    source: Sheet
    """The sheet that was read, as it stands; without rows when the whole file could not be used."""
    header_row: int = 0
    """Index of the headers in `source`."""


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
    vague_headers: str = ""
    """Headers that mean this only where no column says so plainly."""


class _Column(NamedTuple):
    field: str
    place: int
    header: str
    unit: str


def parse_cylinder_table(data: bytes, filename: str, hosts: Sequence[str] = (DEFAULT_HOST,)) -> CylinderTable:
    """Read the first visible sheet that has the headers of cylinders.

    ``filename`` helps to tell a damaged workbook from text; ``hosts`` are those whose links carry our codes.
    """
    try:
        sheet, header_row, columns = _find_sheet(read_sheets(data, filename))
    except TableError as error:
        return CylinderTable([], [RowError(0, "", error.what, error.mend, error.what_zh, error.mend_zh)], Sheet("", []))
    rows: list[CylinderRow] = []
    errors: list[RowError] = []
    for number, cells in enumerate(sheet.rows[header_row + 1 :], start=header_row + 2):
        if any(cells):
            row, row_errors = _read_row(number, cells, columns, hosts)
            rows += [row] if row else []
            errors += row_errors
    return CylinderTable(*_without_repeats(rows, errors), sheet, header_row)


def bad_rows(table: CylinderTable, errors: Sequence[RowError]) -> list[Row]:
    """The rows that `errors` are about, as they stood, under their headers, with two columns more: why, how to mend.

    In both, each cell that is named has a line. Headers alone when no row is named.
    """
    by_row: dict[int, list[RowError]] = {}
    for error in errors:
        by_row.setdefault(error.row_number, []).append(error)
    headers = table.source.rows[table.header_row] if table.source.rows else ()
    own = {place for place, header in enumerate(headers) if header in BAD_ROW_HEADERS}
    width = max((len(table.source.rows[number - 1]) for number in by_row if number), default=0)
    kept = partial(_columns_kept, own=own, width=max(width, len(headers)))
    told = [(*kept(table.source.rows[number - 1]), *_told(by_row[number])) for number in sorted(by_row) if number]
    return [(*kept(headers), *BAD_ROW_HEADERS), *told]


def _columns_kept(row: Row, own: set[int], width: int) -> Row:
    cells = (*row, *[""] * (width - len(row)))
    return tuple(cell for place, cell in enumerate(cells) if place not in own)


def _told(errors: list[RowError]) -> Row:
    return (
        "\n".join(f"{error.column}：{error.what_zh} / {error.what}" for error in errors),
        "\n".join(f"{error.column}：{error.mend_zh} / {error.mend}" for error in errors),
    )


def _without_repeats(rows: list[CylinderRow], errors: list[RowError]) -> tuple[list[CylinderRow], list[RowError]]:
    first_by_fact: dict[str, int] = {}
    kept = []
    for row in rows:
        facts = _naming_facts(row)
        repeats = [(name, first_by_fact[fact]) for name, fact in facts.items() if fact in first_by_fact]
        for fact in facts.values():
            first_by_fact.setdefault(fact, row.row_number)
        if repeats:
            errors += [_repeat(row.row_number, name, first) for name, first in repeats]
        else:
            kept.append(row)
    return kept, sorted(errors, key=lambda error: error.row_number)


def _naming_facts(row: CylinderRow) -> dict[str, str]:
    """What no two cylinders share, by the name of its column."""
    facts = {"code": row.code} if row.code else {}
    facts["serial"] = f"|{row.maker}|{row.serial}"  # of an unknown month of making; a stamp replaces it
    for alias in row.aliases:
        scheme = Code(alias).scheme
        facts[_LEGACY.get(scheme, "serial")] = alias
    return facts


def _repeat(row_number: int, column: str, first: int) -> RowError:
    what, what_zh = f"the same cylinder stands in row {first}", f"与第 {first} 行是同一只气瓶"
    return RowError(row_number, column, what, "delete one of the two rows", what_zh, "请删除其中一行")


def _read_row(
    number: int, cells: Row, columns: list[_Column], hosts: Sequence[str]
) -> tuple[CylinderRow | None, list[RowError]]:
    values: dict[str, Any] = {}
    errors = []
    for field, place, header, unit in columns:
        text = unicodedata.normalize("NFC", cells[place]) if place < len(cells) else ""
        value = _read_cell(_FIELDS[field], _Cell(text, unit, hosts))
        if isinstance(value, _Problem):
            errors.append(RowError(number, header, *value))
        elif value is not None:
            values[field] = value
    if not errors:
        errors = list(_name(number, values, {column.field: column.header for column in columns}))
    return (None, errors) if errors else (CylinderRow(row_number=number, **values), [])


def _name(number: int, values: dict[str, Any], headers: dict[str, str]) -> Iterator[RowError]:
    """Put the row's other names into `values` as `aliases`; yield what is wrong with how it is named."""
    if "registration_code" in values:
        values.setdefault("registration_no", Code(values["registration_code"]).value)
    aliases = [values.pop(field) for field in _LEGACY.values() if field in values]
    if not values.get("code") and not aliases and "code" in headers:
        yield RowError(number, headers["code"], *_EMPTY)
    elif month := values.get("manufactured_month"):
        try:
            aliases.append(stamp_code(values["maker"], month, values["serial"]).text)
        except CodeError:
            yield RowError(number, headers["serial"], *_NO_STAMP)
    elif not values.get("code") and not aliases:
        yield RowError(number, "code", *_NO_NAME)
    values["aliases"] = tuple(aliases)


def _read_cell(field: _Field, cell: _Cell) -> str | int | _Problem | None:
    if cell.text:
        return field.read(cell)
    return _EMPTY if field.required else None


_EMPTY = _Problem(
    "the cell is empty", "fill it in; of merged cells only the first counts",
    "单元格为空", "请填写；合并单元格只有第一格有内容",
)  # fmt: skip
_NO_NAME = _Problem(
    "there is no code, no number from before and no month of making", "give one of them",
    "没有气瓶码，没有原有编号，也没有制造年月", "请至少填写其中一项",
)  # fmt: skip
_NO_STAMP = _Problem(
    "maker and serial cannot be the cylinder's stamp: they hold a | or have too many characters together",
    "write the maker's mark and the number as they are stamped",
    "制造单位与出厂编号含“|”或过长，不能作为钢印", "请按钢印填写制造单位代号和编号",
)  # fmt: skip


# --- headers ------------------------------------------------------------------------------------------------


def _find_sheet(sheets: Iterable[Sheet]) -> tuple[Sheet, int, list[_Column]]:
    """The first sheet with every column we need; raises TableError about the sheet that comes nearest."""
    nearest: tuple[int, TableError] | None = None
    for sheet in sheets:
        header_row, columns = _find_headers(sheet.rows)
        missing = _missing(columns)
        if not missing:
            return sheet, header_row, _require_distinct(columns)
        if nearest is None or len(columns) > nearest[0]:
            nearest = len(columns), _columns_missing(sheet, missing)
    raise nearest[1] if nearest else _columns_missing(Sheet("", []), _missing([]))


def _find_headers(table: list[Row]) -> tuple[int, list[_Column]]:
    found = [(_columns_of(row), index) for index, row in enumerate(table[:_HEADER_SEARCH_ROWS])]
    columns, header_row = max(found, key=lambda pair: len(pair[0]), default=([], 0))
    return header_row, columns


def _missing(columns: list[_Column]) -> list[str]:
    there = {column.field for column in columns}
    missing = [name for name, field in _FIELDS.items() if field.required and name not in there]
    return missing if there & _NAMING else ["code", *missing]


def _columns_missing(sheet: Sheet, missing: list[str]) -> TableError:
    names = [f"{name} ({_FIELDS[name].headers.split()[0]})" for name in missing]
    where, where_zh = (f" in sheet {sheet.name!r}", f"工作表“{sheet.name}”") if sheet.name else ("", "")
    return TableError(
        f"no column for {', '.join(names)}{where}",
        "name the columns in one of the first rows",
        f"{where_zh}缺少列：{'、'.join(names)}",
        "请在前几行中给出表头",
    )


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
    return columns + _vague_columns(row, {column.field for column in columns})


def _vague_columns(row: Row, plain: set[str]) -> list[_Column]:
    named = ((place, header, _FIELD_OF_VAGUE_HEADER.get(_plain(header))) for place, header in enumerate(row))
    return [_Column(field, place, header, "") for place, header, field in named if field and field not in plain]


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


def _read_legacy(cell: _Cell, scheme: Scheme) -> str | _Problem:
    text = _read_text(cell)
    if isinstance(text, _Problem):
        return text
    try:
        return legacy_code(scheme, text).text
    except CodeError as error:
        return _Problem(str(error), "take it from the label or the register", "编号有误", "请按标签或登记表填写")


def _read_years(cell: _Cell) -> int | _Problem:
    found = _YEARS.fullmatch(unicodedata.normalize("NFKC", cell.text).casefold())
    if found and 1 <= int(found[1]) <= _LONGEST_LIFE_YEARS:
        return int(found[1]) * 12
    return _Problem(
        f"{cell.text!r} is not a number of years",
        "write it like 8 or 12",
        f"“{cell.text}”不是年数",
        "请填写年数，如 8 或 12",
    )


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
_YEARS = re.compile(r"(\d{1,2}) ?(?:年|years?)?", re.ASCII)
_EXCEL_SERIAL = re.compile(r"[2-7]\d{4}", re.ASCII)
_EXCEL_EPOCH = datetime.date(1899, 12, 30)

_FIELDS = {
    "code": _Field("气瓶条码 气瓶码 瓶码 二维码 追溯码 赋码 单位内编号 code barcode cylindercode", _read_code),
    "province_code": _Field(
        "省级气瓶编号 省级编号 省平台编号 provincenumber provinceno provincecode",
        partial(_read_legacy, scheme=Scheme.PROVINCE),
    ),
    "registration_code": _Field("使用登记代码 registrationcode", partial(_read_legacy, scheme=Scheme.REGISTRATION)),
    "rfid_tid": _Field("电子标签号 电子标签编号 芯片号 rfidtid tid rfid", partial(_read_legacy, scheme=Scheme.TID)),
    "maker_code": _Field(
        "制造单位编码 制造单位气瓶编码 makercode manufacturercode", partial(_read_legacy, scheme=Scheme.MAKER)
    ),
    "maker": _Field("制造单位 制造单位代号 制造厂 制造商 生产厂家 生产单位 maker manufacturer", _read_text, True),
    "serial": _Field(
        "出厂编号 钢瓶编号 气瓶编号 产品编号 钢印号 serial serialno serialnumber vasecode", _read_text, True, "编号"
    ),
    "model": _Field("型号 气瓶型号 规格型号 规格 model type", _read_text, True),
    "tare_g": _Field("皮重 瓶重 自重 空瓶重 tare tareweight emptyweight", _read_mass, True, "重量"),
    "water_volume_ml": _Field("容积 水容积 公称容积 watervolume volume watercapacity", _read_volume, True),
    "max_fill_g": _Field("最大充装量 充装量 最大充装重量 maxfill maximumfill maxfillweight", _read_mass, True),
    "owner_id": _Field("产权单位 产权单位编号 产权单位代码 所属单位 owner ownerid", _read_text),
    "registration_no": _Field(
        "使用登记证编号 使用登记编号 登记证编号 登记证号 registrationno registration registrationnumber",
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
    "design_life_months": _Field("设计使用年限 设计使用年限(年) 设计年限 designlife designlifeyears", _read_years),
    "medium": _Field("充装介质 介质 medium gas", _read_medium),
}
_FIELD_OF_HEADER = {header: name for name, field in _FIELDS.items() for header in field.headers.split()}
_FIELD_OF_VAGUE_HEADER = {header: name for name, field in _FIELDS.items() for header in field.vague_headers.split()}
_LEGACY = {
    Scheme.PROVINCE: "province_code",
    Scheme.REGISTRATION: "registration_code",
    Scheme.TID: "rfid_tid",
    Scheme.MAKER: "maker_code",
}
"""Schemes of numbers from before that have a column, and its field."""
_NAMING = {"code", *_LEGACY.values(), "manufactured_month"}
"""A table needs a column that names a cylinder: with its month of making, a stamp does."""
