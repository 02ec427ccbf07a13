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

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import DEFAULT_HOST, Code, stamp_code
from cylinder_codes.import_fields import FIELDS, LEGACY_FIELDS, Cell, Field, Problem, plain_words
from cylinder_codes.tables import Row, Sheet, TableError, read_sheets

BAD_ROW_HEADERS = ("原因 reason", "如何改正 how to mend")
_HEADER_SEARCH_ROWS = 10
_UNIT_AT_END = re.compile(r"[(\[/]?(kg|公斤|千克|克|毫升|升|ml|g|l)[)\]]?$")
_FIELD_OF_HEADER = {header: name for name, field in FIELDS.items() for header in field.headers.split()}
_FIELD_OF_VAGUE_HEADER = {header: name for name, field in FIELDS.items() for header in field.vague_headers.split()}
_NAMING = {"code", *LEGACY_FIELDS.values(), "manufactured_month"}
"""A table needs a column that names a cylinder: with its month of making, a stamp does."""


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
        facts[LEGACY_FIELDS.get(scheme, "serial")] = alias
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
        value = _read_cell(FIELDS[field], Cell(text, unit, hosts))
        if isinstance(value, Problem):
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
    aliases = [values.pop(field) for field in LEGACY_FIELDS.values() if field in values]
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


def _read_cell(field: Field, cell: Cell) -> str | int | Problem | None:
    if cell.text:
        return field.read(cell)
    return _EMPTY if field.required else None


_EMPTY = Problem(
    "the cell is empty", "fill it in; of merged cells only the first counts",
    "单元格为空", "请填写；合并单元格只有第一格有内容",
)  # fmt: skip
_NO_NAME = Problem(
    "there is no code, no number from before and no month of making", "give one of them",
    "没有气瓶码，没有原有编号，也没有制造年月", "请至少填写其中一项",
)  # fmt: skip
_NO_STAMP = Problem(
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
    missing = [name for name, field in FIELDS.items() if field.required and name not in there]
    return missing if there & _NAMING else ["code", *missing]


def _columns_missing(sheet: Sheet, missing: list[str]) -> TableError:
    names = [f"{name} ({FIELDS[name].headers.split()[0]})" for name in missing]
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
        words = plain_words(header)
        unit = None if words in _FIELD_OF_HEADER else _UNIT_AT_END.search(words)
        name = words[: unit.start()] if unit else words
        if name in _FIELD_OF_HEADER:
            columns.append(_Column(_FIELD_OF_HEADER[name], place, header, unit.group(1) if unit else ""))
    return columns + _vague_columns(row, {column.field for column in columns})


def _vague_columns(row: Row, plain: set[str]) -> list[_Column]:
    named = ((place, header, _FIELD_OF_VAGUE_HEADER.get(plain_words(header))) for place, header in enumerate(row))
    return [_Column(field, place, header, "") for place, header, field in named if field and field not in plain]
