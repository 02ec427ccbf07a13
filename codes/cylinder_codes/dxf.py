"""DXF R12 (激光打标, 陶瓷, 搪瓷) of a label: closed lines at a stated module size, for the programs of engravers.

R12 (AC1009) is the oldest form that every such program still reads. It knows no unit: one unit here is one
millimetre, as the first comment in the file says. y points upwards; the label's lower left corner is at 0, 0, and
``$EXTMIN`` and ``$EXTMAX`` enclose the whole label with its quiet zone.

- Layer ``SYMBOL``: closed polylines around all dark areas, holes as lines of their own; fill them by the even-odd rule.
- Layer ``TEXT``: single lines for the tool to follow, no TEXT entities, for which every shop has another font. Hanzi
  are closed outlines to be filled.

Dark means: mark here. On a plate where the mark comes out lighter than the plate the symbol would be
inverted, and many readers refuse that: choose another process.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from cylinder_codes.labels import MODULE_MM, Label, drawn_text
from cylinder_codes.symbols import QUIET_ZONE, outlines

SYMBOL_LAYER, TEXT_LAYER = "SYMBOL", "TEXT"

_CLOSED = 1
_LAYERS = (("0", 7), (SYMBOL_LAYER, 7), (TEXT_LAYER, 1))

Group = tuple[int, object]
"""A group code of the format and its value: two lines in the file."""


def dxf(label: Label, module_mm: float = MODULE_MM) -> str:
    """Return a designed label as the text of a DXF file, its modules ``module_mm`` wide."""
    groups = chain(_header(label, module_mm), _tables(), _entities(label, module_mm), ((0, "EOF"),))
    return "".join(
        f"{code:3d}\n{value:.6f}\n" if isinstance(value, float) else f"{code:3d}\n{value}\n" for code, value in groups
    )


def _header(label: Label, module_mm: float) -> Iterator[Group]:
    size = label.symbol.size
    yield 999, f"1 unit = 1 mm; module {module_mm:g} mm; {size} x {size} modules and a quiet zone of {QUIET_ZONE}"
    yield from ((0, "SECTION"), (2, "HEADER"), (9, "$ACADVER"), (1, "AC1009"))
    yield from ((9, "$EXTMIN"), (10, 0.0), (20, 0.0), (30, 0.0))
    yield from ((9, "$EXTMAX"), (10, label.width * module_mm), (20, label.height * module_mm), (30, 0.0))
    yield 0, "ENDSEC"


def _tables() -> Iterator[Group]:
    yield from ((0, "SECTION"), (2, "TABLES"), (0, "TABLE"), (2, "LTYPE"), (70, 1))
    yield from ((0, "LTYPE"), (2, "CONTINUOUS"), (70, 0), (3, "Solid line"), (72, 65), (73, 0), (40, 0.0))
    yield from ((0, "ENDTAB"), (0, "TABLE"), (2, "LAYER"), (70, len(_LAYERS)))
    for name, colour in _LAYERS:
        yield from ((0, "LAYER"), (2, name), (70, 0), (62, colour), (6, "CONTINUOUS"))
    yield from ((0, "ENDTAB"), (0, "ENDSEC"))


def _entities(label: Label, module_mm: float) -> Iterator[Group]:
    def placed(points: Iterable[tuple[float, float]], moved: int) -> Iterator[tuple[float, float]]:
        return (((x + moved) * module_mm, (label.height - y - moved) * module_mm) for x, y in points)

    yield from ((0, "SECTION"), (2, "ENTITIES"))
    for outline in outlines(label.symbol):
        yield from _polyline(placed(outline, QUIET_ZONE), SYMBOL_LAYER, closed=True)
    for line in drawn_text(label):
        yield from _polyline(placed(line.points, 0), TEXT_LAYER, closed=line.closed)
    yield 0, "ENDSEC"


def _polyline(points: Iterable[tuple[float, float]], layer: str, *, closed: bool) -> Iterator[Group]:
    yield from ((0, "POLYLINE"), (8, layer), (66, 1), (10, 0.0), (20, 0.0), (30, 0.0), (70, _CLOSED if closed else 0))
    for x, y in points:
        yield from ((0, "VERTEX"), (8, layer), (10, x), (20, y), (30, 0.0))
    yield from ((0, "SEQEND"), (8, layer))
