"""PDF pages (A4) for sheets of labels and test symbols: text in the font of labels, symbols as areas, thin lines.

Lengths are millimetres from the upper left corner of the page, y downwards; sizes of type are points. The same calls
give the same bytes: the date inside is the one handed in. A symbol is one filled area at its exact size, so that
no printer or viewer rounds its modules. reportlab writes the file.

Needs the extra ``labels``; without it LabelsUnavailable says so.
"""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from cylinder_codes.symbols import LabelsUnavailable, Symbol, dark_rows
from cylinder_codes.typeface import font_bytes, require_drawable

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

PAGE_WIDTH_MM, PAGE_HEIGHT_MM = 210.0, 297.0
POINTS_PER_MM = 72 / 25.4
BLACK, GREY, LIGHT = 0.0, 0.4, 0.75
"""Shades of grey, 0 = black."""

_FONT = "PingLianLabel"
_ELLIPSIS = "…"
_ROUNDING = 0.999  # so that what is made to fit is not found too wide by the last bit


class PdfPages:
    """A PDF in the making: draw on the page, ``end_page``, and ``finish`` for the bytes."""

    def __init__(self, title: str, made_at: int) -> None:
        """``title`` stands in the file's own particulars, with ``made_at`` (UTC ms) as the date of making."""
        self._buffer = io.BytesIO()
        self._canvas = _new_canvas(self._buffer)
        self._canvas.setTitle(title)
        self._canvas.setCreator("cylinder-codes")
        self._canvas.setAuthor("")
        self._canvas.setSubject("")
        date = datetime.fromtimestamp(made_at / 1000, UTC).strftime("D:%Y%m%d%H%M%S+00'00'")
        self._canvas.setDateFormatter(lambda *_: date)

    def text(
        self, x: float, y: float, text: str, size: float, *, align: str = "left", shade: float = BLACK,
        room: float | None = None,
    ) -> float:  # fmt: skip
        """Write one line, its baseline at ``y``, ``x`` its left end, its ``right`` end or its ``middle``.

        A line wider than ``room`` mm is set smaller, down to two thirds, and what is still too long is cut, with an
        ellipsis. Returns the width in mm. Raises MissingGlyph.
        """
        if room is not None:
            text, size = fitted(text, size, room)
        width = text_width(text, size)
        left = x - {"left": 0.0, "middle": width / 2, "right": width}[align]
        self._canvas.setFillGray(shade)
        self._canvas.setFont(_FONT, size)
        self._canvas.drawString(left * POINTS_PER_MM, (PAGE_HEIGHT_MM - y) * POINTS_PER_MM, text)
        return width

    def symbol(self, x: float, y: float, symbol: Symbol, module_mm: float) -> None:
        """Draw a symbol without quiet zone, its upper left corner at (x, y)."""
        runs = (f"{column} {row} {length} 1 re" for row, column, length in dark_rows(symbol))
        self._fill(x, y, module_mm, runs)

    def modules(self, x: float, y: float, rows: Sequence[bytes], module_mm: float) -> None:
        """Draw any matrix of modules, 1 = dark, the same way."""
        cells = (f"{column} {row} 1 1 re" for row, line in enumerate(rows) for column, dark in enumerate(line) if dark)
        self._fill(x, y, module_mm, cells)

    def line(self, x1: float, y1: float, x2: float, y2: float, *, shade: float = GREY, width_pt: float = 0.4) -> None:
        """Draw a straight line."""
        self._canvas.setStrokeGray(shade)
        self._canvas.setLineWidth(width_pt)
        ends = (x1, PAGE_HEIGHT_MM - y1, x2, PAGE_HEIGHT_MM - y2)
        self._canvas.line(*(value * POINTS_PER_MM for value in ends))

    def box(self, x: float, y: float, width: float, height: float, *, shade: float = GREY) -> None:
        """Draw an empty box, its upper left corner at (x, y)."""
        self._canvas.setStrokeGray(shade)
        self._canvas.setLineWidth(0.4)
        sides = (x, PAGE_HEIGHT_MM - y - height, width, height)
        self._canvas.rect(*(value * POINTS_PER_MM for value in sides), fill=0)

    def end_page(self) -> None:
        """Begin the next page."""
        self._canvas.showPage()

    def finish(self) -> bytes:
        """Return the file; nothing can be drawn any more."""
        self._canvas.save()
        return self._buffer.getvalue()

    def _fill(self, x: float, y: float, module_mm: float, rectangles: Any) -> None:
        """Fill rectangles given in modules as one area, so that no light seam runs between neighbours."""
        scale = module_mm * POINTS_PER_MM
        corner = f"{x * POINTS_PER_MM:.5f} {(PAGE_HEIGHT_MM - y) * POINTS_PER_MM:.5f}"
        area = " ".join(rectangles)
        self._canvas.addLiteral(f"q 0 g {scale:.6f} 0 0 {-scale:.6f} {corner} cm {area} f Q")


def text_width(text: str, size: float) -> float:
    """Return how many mm wide a line is at ``size`` points; MissingGlyph for a character that cannot be drawn."""
    require_drawable(text)
    return _text_width(text, size)


def fitted(text: str, size: float, room: float) -> tuple[str, float]:
    """Return the line and its size so that it is at most ``room`` mm wide: set smaller first, then cut."""
    width = text_width(text, size)
    if width <= room:
        return text, size
    size = max(size * room / width * _ROUNDING, size * 2 / 3)
    while len(text) > 1 and _text_width(text, size) > room:
        text = text.removesuffix(_ELLIPSIS)[:-1] + _ELLIPSIS
    return text, size


def _text_width(text: str, size: float) -> float:
    from reportlab.pdfbase import pdfmetrics

    _register_font()
    return float(pdfmetrics.stringWidth(text, _FONT, size)) / POINTS_PER_MM


def _new_canvas(buffer: io.BytesIO) -> "Canvas":
    try:
        from reportlab.pdfgen.canvas import Canvas
    except ImportError as error:
        raise LabelsUnavailable from error
    _register_font()
    size = PAGE_WIDTH_MM * POINTS_PER_MM, PAGE_HEIGHT_MM * POINTS_PER_MM
    return Canvas(buffer, pagesize=size, pageCompression=1, invariant=1)


@cache
def _register_font() -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    pdfmetrics.registerFont(TTFont(_FONT, io.BytesIO(font_bytes())))
