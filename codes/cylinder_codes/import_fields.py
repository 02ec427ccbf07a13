"""Fields of a table of cylinders (导入字段): by which headers each is found, and how its cells are read.

A cell becomes a value in our own units, grams, millilitres, months and canonical codes, or a problem that says how to
mend it. Worked example: ``16.5`` under 皮重 is 16500; ``16.5004`` is a problem, because nobody weighs a cylinder to a
tenth of a gram.
"""

import datetime
import re
import unicodedata
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import legacy_code
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.schemes import Scheme

MAX_TEXT_LENGTH = 200
_LONGEST_LIFE_YEARS = 40


class Problem(NamedTuple):
    """What is wrong with a cell and how to mend it, in both languages."""

    what: str
    mend: str
    what_zh: str
    mend_zh: str


class Cell(NamedTuple):
    """What a cell is read from."""

    text: str
    unit: str
    """The unit the header names; empty when it names none."""
    hosts: Sequence[str]


class Field(NamedTuple):
    """A fact that a column may give."""

    headers: str
    """Parted by blanks; in messages the first one stands for all."""
    read: Callable[[Cell], str | int | Problem]
    required: bool = False
    vague_headers: str = ""
    """Headers that mean this only where no column says so plainly."""


def plain_words(text: str) -> str:
    """Return a text as headers are compared: without case, width, blanks and marks."""
    return re.sub(r"[\s_.:*-]", "", unicodedata.normalize("NFKC", text)).casefold()


def _read_text(cell: Cell) -> str | Problem:
    if len(cell.text) > MAX_TEXT_LENGTH:
        return Problem(
            f"more than {MAX_TEXT_LENGTH} characters", "shorten it", f"超过 {MAX_TEXT_LENGTH} 个字符", "请缩短"
        )
    if any(char < " " or char == "\x7f" for char in cell.text):
        return Problem("a line break or control character", "write it in one line", "含换行或控制字符", "请写成一行")
    if re.fullmatch(r"\d(\.\d+)?[eE]\+\d+", cell.text):
        return Problem(
            f"the spreadsheet shortened a long number to {cell.text}",
            "format the column as text and enter it again",
            f"长数字被表格显示为 {cell.text}",
            "请将该列设为文本格式后重新输入",
        )
    return cell.text


def _read_code(cell: Cell) -> str | Problem:
    read = read_scan(cell.text, cell.hosts)
    if isinstance(read, ReadFailure):
        return Problem(read.text_en, "take it from the label", read.text_zh, "请按标签填写")
    return read.text


def _read_legacy(cell: Cell, scheme: Scheme) -> str | Problem:
    text = _read_text(cell)
    if isinstance(text, Problem):
        return text
    try:
        return legacy_code(scheme, text).text
    except CodeError as error:
        return Problem(str(error), "take it from the label or the register", "编号有误", "请按标签或登记表填写")


def _read_years(cell: Cell) -> int | Problem:
    found = _YEARS.fullmatch(unicodedata.normalize("NFKC", cell.text).casefold())
    if found and 1 <= int(found[1]) <= _LONGEST_LIFE_YEARS:
        return int(found[1]) * 12
    return Problem(
        f"{cell.text!r} is not a number of years",
        "write it like 8 or 12",
        f"“{cell.text}”不是年数",
        "请填写年数，如 8 或 12",
    )


def _read_medium(cell: Cell) -> str | Problem:
    if plain_words(cell.text) in ("lpg", "液化石油气", "液化气", "石油气"):
        return "lpg"
    return Problem(
        f"the medium {cell.text!r} is not known", "write LPG or 液化石油气", "介质无法识别", "请填写 LPG 或 液化石油气"
    )


def _read_mass(cell: Cell) -> int | Problem:
    return _read_measure(cell, {"kg": 1000, "公斤": 1000, "千克": 1000, "g": 1, "克": 1}, "kg", range(100, 1_000_001))


def _read_volume(cell: Cell) -> int | Problem:
    return _read_measure(cell, {"l": 1000, "升": 1000, "ml": 1, "毫升": 1}, "l", range(100, 2_000_001))


def _read_measure(cell: Cell, units: dict[str, int], usual_unit: str, bounds: range) -> int | Problem:
    found = _MEASURE.fullmatch(unicodedata.normalize("NFKC", cell.text).casefold())
    unit = (found[2] if found else "") or cell.unit or usual_unit
    if not found or unit not in units:
        return Problem(
            f"{cell.text!r} is not a number in {' or '.join(units)}",
            "write digits and a decimal point",
            f"“{cell.text}”不是数值",
            "请用数字和小数点填写",
        )
    amount = Decimal(found[1]) * units[unit]
    if amount != int(amount) or int(amount) not in bounds:
        return _impossible(f"{cell.text} {unit}", usual_unit, too_fine=amount != int(amount))
    return int(amount)


def _impossible(measure: str, usual_unit: str, *, too_fine: bool) -> Problem:
    if too_fine:
        what, what_zh = f"{measure} is finer than a gram or millilitre", f"{measure} 小数位过多"
        return Problem(what, "check the digits", what_zh, "请核对数字")
    return Problem(
        f"{measure} cannot be a cylinder's",
        f"check digits and unit; a column without a unit is read as {usual_unit}",
        f"{measure} 超出气瓶的合理范围",
        f"请核对数字和单位；未注明单位时按 {usual_unit} 读取",
    )


def _read_month(cell: Cell) -> str | Problem:
    found = _read_day_or_month(cell)
    return found if isinstance(found, Problem) else found[:7]


def _read_day_or_month(cell: Cell) -> str | Problem:
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
    return Problem(
        f"{cell.text!r} is not a date",
        "write it like 2024-03-31 or 2024-03",
        f"“{cell.text}”不是日期",
        "请写成 2024-03-31 或 2024-03",
    )


_MEASURE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z公斤千克升毫]*)")
_DATE = re.compile(r"((?:19|20)\d\d)[-/.年](\d\d?)(?:月|[-/.月](\d\d?)日?(?: 0?0:00(?::00)?)?)?", re.ASCII)
_COMPACT_DATE = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)?", re.ASCII)
_YEARS = re.compile(r"(\d{1,2}) ?(?:年|years?)?", re.ASCII)
_EXCEL_SERIAL = re.compile(r"[2-7]\d{4}", re.ASCII)
_EXCEL_EPOCH = datetime.date(1899, 12, 30)

FIELDS = {
    "code": Field("气瓶条码 气瓶码 瓶码 二维码 追溯码 赋码 单位内编号 code barcode cylindercode", _read_code),
    "province_code": Field(
        "省级气瓶编号 省级编号 省平台编号 provincenumber provinceno provincecode",
        partial(_read_legacy, scheme=Scheme.PROVINCE),
    ),
    "registration_code": Field("使用登记代码 registrationcode", partial(_read_legacy, scheme=Scheme.REGISTRATION)),
    "rfid_tid": Field("电子标签号 电子标签编号 芯片号 rfidtid tid rfid", partial(_read_legacy, scheme=Scheme.TID)),
    "maker_code": Field(
        "制造单位编码 制造单位气瓶编码 makercode manufacturercode", partial(_read_legacy, scheme=Scheme.MAKER)
    ),
    "maker": Field("制造单位 制造单位代号 制造厂 制造商 生产厂家 生产单位 maker manufacturer", _read_text, True),
    "serial": Field(
        "出厂编号 钢瓶编号 气瓶编号 产品编号 钢印号 serial serialno serialnumber vasecode", _read_text, True, "编号"
    ),
    "model": Field("型号 气瓶型号 规格型号 规格 model type", _read_text, True),
    "tare_g": Field("皮重 瓶重 自重 空瓶重 tare tareweight emptyweight", _read_mass, True, "重量"),
    "water_volume_ml": Field("容积 水容积 公称容积 watervolume volume watercapacity", _read_volume, True),
    "max_fill_g": Field("最大充装量 充装量 最大充装重量 maxfill maximumfill maxfillweight", _read_mass, True),
    "owner_id": Field("产权单位 产权单位编号 产权单位代码 所属单位 owner ownerid", _read_text),
    "registration_no": Field(
        "使用登记证编号 使用登记编号 登记证编号 登记证号 registrationno registration registrationnumber",
        _read_text,
    ),
    "manufactured_month": Field(
        "制造年月 制造日期 生产日期 出厂日期 manufacturedmonth manufactured manufacturedon manufacturedate",
        _read_month,
    ),
    "inspected_on": Field(
        "检验日期 上次检验日期 最近检验日期 inspectedon inspected inspectiondate lastinspection", _read_day_or_month
    ),
    "next_due_month": Field(
        "下次检验日期 下检日期 下次检验年月 检验有效期 nextduemonth nextdue nextinspection nextinspectiondate",
        _read_month,
    ),
    "design_life_months": Field("设计使用年限 设计使用年限(年) 设计年限 designlife designlifeyears", _read_years),
    "medium": Field("充装介质 介质 medium gas", _read_medium),
}
LEGACY_FIELDS = {
    Scheme.PROVINCE: "province_code",
    Scheme.REGISTRATION: "registration_code",
    Scheme.TID: "rfid_tid",
    Scheme.MAKER: "maker_code",
}
"""Schemes of numbers from before that have a column, and its field."""
