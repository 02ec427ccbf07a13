"""Control sheet of a box (箱单): which codes are in it, who made, checked, received and used them up; and page heads.

Chinese first, English beside it. The sheet goes into the box with the labels or plates; when the box is empty, the
three counts on it must add up to the count printed. A line of 100 mm at its foot shows whether the printer shrank it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cylinder_codes.identifiers import DEFAULT_HOST, Code, format_code_human
from cylinder_codes.pdf import BLACK, GREY, LIGHT, PAGE_HEIGHT_MM, PAGE_WIDTH_MM, PdfPages
from cylinder_codes.symbols import Level

_LEFT, _RIGHT = 20.0, PAGE_WIDTH_MM - 20.0
_VALUES = 78.0
_HEAD_MM, _FOOT_MM = 7.5, PAGE_HEIGHT_MM - 5.5
_FRAME_SIDE_MM = 10.0
_SIGNED_BY = (("制作", "Made by"), ("核对", "Checked by"), ("领用", "Received by"), ("安装", "Applied by"))
_COUNTED = (("已用", "Applied"), ("作废", "Void"), ("剩余", "Left over"))


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One code to print, with what the table said of it: range, holder and the id of the key it was made under."""

    code: Code
    range_name: str = ""
    holder: str = ""
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class SheetMaking:
    """How and when a sheet is made; ``made_at`` in UTC ms."""

    made_at: int
    host: str = DEFAULT_HOST
    level: Level = "M"

    @property
    def made_on(self) -> str:
        """Day and time of making, in words that leave no zone open: ``2026-01-01 08:00 UTC``."""
        return datetime.fromtimestamp(self.made_at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True, slots=True)
class Box:
    """The codes of one box, and its pages; ``first_page`` is the control sheet."""

    lines: Sequence[SheetLine]
    number: int
    of: int
    first_page: int
    last_page: int
    all_pages: int

    @property
    def count(self) -> int:
        """How many codes are in it."""
        return len(self.lines)


def draw_page_frame(pages: PdfPages, box: Box, making: SheetMaking, module_mm: float, page: int) -> None:
    """Write head and foot of a page of labels, within the outermost 11 mm."""
    right = PAGE_WIDTH_MM - _FRAME_SIDE_MM
    holder = f" · {holders(box)}" if holders(box) else ""
    ranges = f" · 号段 Range {range_names(box)}" if range_names(box) else ""
    pages.text(_FRAME_SIDE_MM, _HEAD_MM, f"气瓶码 Cylinder codes{ranges}{holder}", 7.5, shade=GREY, room=125)
    where = f"第 {box.number} 箱 Box {box.number}/{box.of} · 第 {page} 页 Page {page}/{box.all_pages}"
    pages.text(right, _HEAD_MM, where, 7.5, align="right", shade=GREY)
    symbol = f"QR {making.level} · 模块 Module {module_in_words(module_mm)}"
    printing = f"{symbol} · 按 100 % 打印 Print at 100 %, never “fit to page”"
    pages.text(_FRAME_SIDE_MM, _FOOT_MM, printing, 7, shade=GREY, room=130)
    pages.text(right, _FOOT_MM, making.made_on, 7, align="right", shade=GREY)


def draw_control_sheet(pages: PdfPages, box: Box, making: SheetMaking, module_mm: float, version: int) -> None:
    """Draw the control sheet on a page of its own."""
    _draw_title(pages, box)
    y = 52.0
    for zh, en, value in _facts(box, making, module_mm, version):
        _draw_fact(pages, y, zh, en, value)
        y += 11.0
    _draw_counts(pages, y + 5)
    _draw_signatures(pages, y + 30)
    _draw_ruler(pages)
    pages.text(_RIGHT, _FOOT_MM, f"第 {box.first_page} 页 Page {box.first_page}/{box.all_pages}", 7, align="right",
               shade=GREY)  # fmt: skip
    pages.end_page()


def module_in_words(module_mm: float) -> str:
    """Return the size of a module as it is stated: ``0.70 mm``, and ``0.375 mm`` where hundredths would not be true."""
    hundredths = f"{module_mm:.2f}"
    return f"{hundredths if float(hundredths) == module_mm else f'{module_mm:g}'} mm"


def range_names(box: Box) -> str:
    """The ranges in a box in order of appearance, at most three by name."""
    return _listed(line.range_name for line in box.lines)


def holders(box: Box) -> str:
    """Who holds the codes of a box, the same way."""
    return _listed(line.holder for line in box.lines)


def _listed(names: Iterator[str]) -> str:
    different = list(dict.fromkeys(name for name in names if name))
    more = f" … ({len(different)})" if len(different) > 3 else ""
    return ", ".join(different[:3]) + more


def _facts(box: Box, making: SheetMaking, module_mm: float, version: int) -> Iterator[tuple[str, str, str]]:
    yield "首码", "First code", format_code_human(box.lines[0].code)
    yield "末码", "Last code", format_code_human(box.lines[-1].code)
    yield "数量", "Count", f"{box.count:,}"
    yield "标签页", "Label pages", f"{box.first_page + 1} – {box.last_page}"
    yield "号段", "Range", range_names(box) or "–"
    yield "持有单位", "Holder", holders(box) or "–"
    yield "密钥编号", "Key id", _listed(line.key_id for line in box.lines) or "–"
    yield "制作时间", "Made", making.made_on
    symbol = f"QR {17 + 4 * version} × {17 + 4 * version}, {making.level}; 模块 module {module_in_words(module_mm)}"
    yield "二维码", "Symbol", symbol
    yield "链接主机", "Host of the link", making.host.lower()


def _draw_title(pages: PdfPages, box: Box) -> None:
    width = pages.text(_LEFT, 30, "箱单", 24)
    pages.text(_LEFT + width + 4, 30, "Control sheet", 14, shade=GREY)
    width = pages.text(_RIGHT, 30, f"Box {box.number} of {box.of}", 11, align="right", shade=GREY)
    pages.text(_RIGHT - width - 4, 30, f"第 {box.number} 箱 / 共 {box.of} 箱", 14, align="right")
    pages.line(_LEFT, 36, _RIGHT, 36, shade=BLACK, width_pt=0.8)


def _draw_fact(pages: PdfPages, y: float, zh: str, en: str, value: str) -> None:
    width = pages.text(_LEFT, y, zh, 11)
    pages.text(_LEFT + width + 3, y, en, 9, shade=GREY)
    pages.text(_VALUES, y, value, 11, room=_RIGHT - _VALUES)
    pages.line(_LEFT, y + 4, _RIGHT, y + 4, shade=LIGHT)


def _draw_counts(pages: PdfPages, y: float) -> None:
    width = (_RIGHT - _LEFT) / len(_COUNTED)
    for number, (zh, en) in enumerate(_COUNTED):
        x = _LEFT + number * width
        used = pages.text(x, y + 6, zh, 11)
        used += 3 + pages.text(x + used + 3, y + 6, en, 9, shade=GREY)
        pages.line(x + used + 3, y + 7, x + width - 6, y + 7)
    pages.text(_LEFT, y + 15, "用完后三数之和应等于数量。 When the box is empty, the three add up to the count.", 8,
               shade=GREY)  # fmt: skip


def _draw_signatures(pages: PdfPages, y: float) -> None:
    width, height, gap = (_RIGHT - _LEFT - 6) / 2, 24.0, 6.0
    for number, (zh, en) in enumerate(_SIGNED_BY):
        row, column = divmod(number, 2)
        x, top = _LEFT + column * (width + gap), y + row * (height + gap)
        pages.box(x, top, width, height)
        used = pages.text(x + 4, top + 7, zh, 11)
        pages.text(x + 4 + used + 3, top + 7, en, 9, shade=GREY)
        _draw_line_to_fill(pages, x + 4, top + 19, "签名", "Signature", x + width * 0.55)
        _draw_line_to_fill(pages, x + width * 0.55 + 3, top + 19, "日期", "Date", x + width - 4)


def _draw_line_to_fill(pages: PdfPages, x: float, y: float, zh: str, en: str, end: float) -> None:
    used = pages.text(x, y, f"{zh} {en}", 8, shade=GREY)
    pages.line(x + used + 2, y + 1, end, y + 1)


def _draw_ruler(pages: PdfPages) -> None:
    y = PAGE_HEIGHT_MM - 22
    pages.line(_LEFT, y, _LEFT + 100, y, shade=BLACK, width_pt=0.6)
    for mark in range(0, 101, 10):
        pages.line(_LEFT + mark, y - (2.5 if mark % 50 == 0 else 1.5), _LEFT + mark, y, shade=BLACK, width_pt=0.6)
    told = "此线应为 100 mm，否则打印时被缩放。 This line is 100 mm long; if not, the printer has scaled the sheet."
    pages.text(_LEFT, y + 5, told, 8, shade=GREY)
