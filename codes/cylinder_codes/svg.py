"""SVG (矢量图) of a label: millimetres, one path for the symbol, the text as lines.

Coordinates are millimetres themselves, without transformations, which cheap engraving programs drop: the width of a
path in the file is its width on the plate. The symbol is one path of closed outlines, filled by the even-odd rule (the
other rule gives the same); edges are drawn crisp. There is no background: that is the plate, which must be light.

Text is paths by default, because a laser shop opens the file without our font. ``text="text"`` writes ``<text>``
elements instead, squeezed into the same width, for programs that shall edit or read them. What the label says
stands in ``<title>`` and ``<desc>`` either way.
"""

from collections.abc import Iterator
from html import escape
from typing import Literal

from cylinder_codes.identifiers import format_code_human
from cylinder_codes.labels import MODULE_MM, PEN, Label, Line, drawn_text, line_starts
from cylinder_codes.symbols import QUIET_ZONE, outlines

TextAs = Literal["paths", "text"]

_DIGITS = 4  # a ten-thousandth of a millimetre


def svg(label: Label, module_mm: float = MODULE_MM, *, text: TextAs = "paths") -> str:
    """Return a designed label as the text of an SVG file, its modules ``module_mm`` wide."""
    width, height = _mm(label.width * module_mm), _mm(label.height * module_mm)
    drawn = _text_elements(label, module_mm) if text == "text" else _text_paths(label, module_mm)
    elements = "\n".join(drawn)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}">
<title>{escape(format_code_human(label.code), quote=False)}</title>
<desc>{escape(label.link, quote=False)}</desc>
<path id="symbol" fill="#000" fill-rule="evenodd" shape-rendering="crispEdges" d="{_symbol_path(label, module_mm)}"/>
{elements}
</svg>
"""


def _symbol_path(label: Label, module_mm: float) -> str:
    moved = (
        tuple(((x + QUIET_ZONE) * module_mm, (y + QUIET_ZONE) * module_mm) for x, y in outline)
        for outline in outlines(label.symbol)
    )
    return "".join(_path(points, closed=True) for points in moved)


def _text_paths(label: Label, module_mm: float) -> Iterator[str]:
    lines = list(drawn_text(label))
    open_lines = _paths([line for line in lines if not line.closed], module_mm)
    areas = _paths([line for line in lines if line.closed], module_mm)
    pen = _mm(PEN * label.advance * module_mm)
    yield (
        f'<path id="text" fill="none" stroke="#000" stroke-width="{pen}" stroke-linecap="round"'
        f' stroke-linejoin="round" d="{open_lines}"/>'
    )
    if areas:
        yield f'<path id="hanzi" fill="#000" fill-rule="evenodd" d="{areas}"/>'


def _text_elements(label: Label, module_mm: float) -> Iterator[str]:
    for line, (x, y, width) in zip(label.lines, line_starts(label), strict=True):
        yield (
            f'<text x="{_mm(x * module_mm)}" y="{_mm((y + label.letter_height) * module_mm)}"'
            f' font-family="monospace" font-size="{_mm(label.letter_height * 1.35 * module_mm)}"'
            f' textLength="{_mm(width * module_mm)}" lengthAdjust="spacingAndGlyphs">{escape(line, quote=False)}</text>'
        )


def _paths(lines: list[Line], module_mm: float) -> str:
    return "".join(
        _path(tuple((x * module_mm, y * module_mm) for x, y in line.points), closed=line.closed) for line in lines
    )


def _path(points: tuple[tuple[float, float], ...], *, closed: bool) -> str:
    corners = "L".join(f"{_mm(x)} {_mm(y)}" for x, y in points)
    return f"M{corners}{'Z' if closed else ''}"


def _mm(value: float) -> str:
    return f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".")
