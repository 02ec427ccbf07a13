"""Scanner test sheet (扫码枪检测页): six symbols on a page that show what a scanner is set to, and a page that says
how to mend what they show.

The first page is scanned into ``cylinder-codes scanner check``. The second serves where no computer of ours is at
hand: what arrives in any text window, compared with the text below the symbol, is found in its left column.
"""

from cylinder_codes.elements import GS
from cylinder_codes.pdf import BLACK, GREY, LIGHT, PAGE_HEIGHT_MM, PAGE_WIDTH_MM, PdfPages
from cylinder_codes.scanner_examination import SYMBOLS, SheetSymbol
from cylinder_codes.scanner_faults import REMARKS, WORDS
from cylinder_codes.symbols import qr_symbol

MODULE_MM = 0.6
"""Large enough for every scanner."""

_LEFT, _RIGHT = 18.0, PAGE_WIDTH_MM - 18.0
_COLUMNS = 2
_CARDS_TOP, _CARD_HEIGHT = 60.0, 74.0
_ROW_HEIGHT = 10.6
_MENDS = 82.0
_TEXT_LINE = 30


def scanner_sheet_pdf(made_at: int) -> bytes:
    """Return the sheet, two pages; ``made_at`` (UTC ms) is the date in the file. The same date, the same bytes."""
    pages = PdfPages("扫码枪检测页 Scanner test sheet", made_at)
    _draw_head(pages, "扫码枪检测页", "Scanner test sheet")
    pages.text(_LEFT, 42, "在电脑上运行 cylinder-codes scanner check，按编号逐个扫描，扫一个时遮住旁边的码。", 10)
    told = "Run cylinder-codes scanner check, scan the symbols in the order of their numbers; cover the neighbours."
    pages.text(_LEFT, 48, told, 9, shade=GREY)
    for place, symbol in enumerate(SYMBOLS):
        row, column = divmod(place, _COLUMNS)
        _draw_card(pages, _LEFT + column * (_RIGHT - _LEFT) / _COLUMNS, _CARDS_TOP + row * _CARD_HEIGHT, place, symbol)
    _draw_foot(pages, 1)
    pages.end_page()
    _draw_mends(pages)
    pages.end_page()
    return pages.finish()


def printed_lines(symbol: SheetSymbol) -> list[str]:
    """Return the text below a symbol: what must arrive, at most 30 characters a line; a separator begins one."""
    parts = symbol.text.replace(GS, "\n<GS>").split("\n")
    return [part[start : start + _TEXT_LINE] for part in parts for start in range(0, len(part), _TEXT_LINE)]


def _draw_head(pages: PdfPages, zh: str, en: str) -> None:
    width = pages.text(_LEFT, 28, zh, 22)
    pages.text(_LEFT + width + 4, 28, en, 13, shade=GREY)
    pages.line(_LEFT, 33, _RIGHT, 33, shade=BLACK, width_pt=0.8)


def _draw_foot(pages: PdfPages, page: int) -> None:
    pages.text(_LEFT, PAGE_HEIGHT_MM - 9, f"瓶链 PingLian · 模块 module {MODULE_MM} mm", 7, shade=GREY)
    pages.text(_RIGHT, PAGE_HEIGHT_MM - 9, f"第 {page} 页 Page {page}/2", 7, align="right", shade=GREY)


def _draw_card(pages: PdfPages, x: float, y: float, place: int, symbol: SheetSymbol) -> None:
    pages.line(x, y, x + (_RIGHT - _LEFT) / _COLUMNS - 8, y, shade=LIGHT)
    pages.text(x, y + 9, str(place + 1), 20)
    width = pages.text(x + 10, y + 6, symbol.zh, 11)
    pages.text(x + 10 + width + 2.5, y + 6, symbol.en, 9, shade=GREY)
    pages.text(x + 10, y + 10.8, symbol.shows_zh, 7.5, shade=GREY)
    pages.text(x + 10, y + 14.3, symbol.shows_en, 7.5, shade=GREY)
    modules = symbol.modules or qr_symbol(symbol.text).modules
    pages.modules(x + 10, y + 22, modules, MODULE_MM)
    for number, line in enumerate(printed_lines(symbol)):
        pages.text(x + 10, y + 22 + len(modules) * MODULE_MM + 7 + 4.2 * number, line, 9)


def _draw_mends(pages: PdfPages) -> None:
    _draw_head(pages, "症状与处理", "What arrives, and what to do")
    y = 39.5
    for fault, words in WORDS.items():
        shade = GREY if fault in REMARKS else BLACK
        pages.text(_LEFT, y, words.what_zh, 9, shade=shade, room=_MENDS - _LEFT - 3)
        pages.text(_LEFT, y + 4, words.what_en, 7.5, shade=GREY, room=_MENDS - _LEFT - 3)
        pages.text(_MENDS, y, words.mend_zh, 9, shade=shade, room=_RIGHT - _MENDS)
        pages.text(_MENDS, y + 4, words.mend_en, 7.5, shade=GREY, room=_RIGHT - _MENDS)
        pages.line(_LEFT, y + 6.1, _RIGHT, y + 6.1, shade=LIGHT)
        y += _ROW_HEIGHT
    _draw_foot(pages, 2)
