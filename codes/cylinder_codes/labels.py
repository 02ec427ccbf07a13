"""Labels (标签): a code as a QR symbol with its text below, first as a design, then as a picture.

The symbol holds the link, in upper case where possible. Below it stands the text for people with its check characters,
so that it can be read and typed where the symbol is damaged. Nothing else is on a label: it must outlive owners
and software.

A design counts in modules, whatever a module is to be in mm or pixels: the same lines come out as PNG
(here), SVG (``cylinder_codes.svg``) and DXF (``cylinder_codes.dxf``). Worked example: a code of ours at level M has
29 modules, 37 with the quiet zone; its text takes two lines of at most 19 letters, each letter 35 / 19 = 1.84 modules
wide and 2.4 high, which is 1.2 mm on a plate of 0.5 mm a module. No text is smaller than 2 modules: it gets more lines.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cylinder_codes.digital_link import format_printed_link
from cylinder_codes.identifiers import DEFAULT_HOST, Code, format_code_human
from cylinder_codes.schemes import Scheme
from cylinder_codes.strokes import HEIGHT, WIDTH, has_strokes, strokes
from cylinder_codes.symbols import QUIET_ZONE, LabelsUnavailable, Level, Symbol, outlines_of, qr_symbol
from cylinder_codes.typeface import picture_font, require_drawable

if TYPE_CHECKING:
    from PIL import Image

MODULE_MM = 0.5
"""The usual module: 0.5 mm, a symbol of 29 modules is 14.5 mm wide."""

MODULE_PX = 10
LEAST_MODULE_PX = 4
"""Below this the text cannot be read."""

LETTER_HEIGHT = 1.3
"""Height of a letter and its distance to the next, in advances: 1.3 and 1."""

PEN = 0.15
"""Width of a letter's stroke, in advances."""

LEAST_LETTER_HEIGHT = 2
"""In modules: the text is broken into more lines before it gets smaller."""

_MOST_ADVANCE = 2.2
_LETTER_WIDTH = 0.7
_LINE = 1.5  # distance of lines, in heights of a letter
_MARGIN = 1
_GAP = 0.5  # between quiet zone and text
_HANZI_CELLS = 2
_HANZI_EM = 0.85  # of its two cells
_HANZI_PX = 40  # a hanzi is cut along the pixels of a picture of this size
_FINER = 8


@dataclass(frozen=True, slots=True)
class Label:
    """A designed label. All lengths are in modules, from the upper left corner, y downwards."""

    code: Code
    link: str
    symbol: Symbol
    lines: tuple[str, ...]
    advance: float
    """From one letter to the next; a hanzi takes two."""

    @property
    def width(self) -> int:
        """Symbol and quiet zone."""
        return self.symbol.size + 2 * QUIET_ZONE

    @property
    def height(self) -> float:
        """Symbol, quiet zone, and below them the lines of text."""
        return self.width + _GAP + len(self.lines) * self.line_height + _MARGIN

    @property
    def line_height(self) -> float:
        return self.letter_height * _LINE

    @property
    def letter_height(self) -> float:
        return self.advance * LETTER_HEIGHT


class Line(NamedTuple):
    """A drawn line of a text, in modules; a closed one is the edge of an area, an open one the path of a pen."""

    points: tuple[tuple[float, float], ...]
    closed: bool


def lay_out(
    code: Code, *, host: str = DEFAULT_HOST, level: Level = "M", version: int | None = None, mask: int | None = None
) -> Label:
    """Design the label of a code; SymbolError when the link does not fit, MissingGlyph when the font lacks a letter."""
    link = format_printed_link(code, host)
    symbol = qr_symbol(link, level=level, version=version, mask=mask)
    require_drawable(format_code_human(code))
    room = symbol.size + 2 * (QUIET_ZONE - _MARGIN)
    lines = _broken(*_words(code), int(room * LETTER_HEIGHT / LEAST_LETTER_HEIGHT))
    advance = min(_MOST_ADVANCE, room / max(map(_cells, lines)))
    return Label(code, link, symbol, lines, advance)


def label_png(
    code: Code,
    *,
    host: str = DEFAULT_HOST,
    level: Level = "M",
    version: int | None = None,
    mask: int | None = None,
    module_px: int = MODULE_PX,
    module_mm: float = MODULE_MM,
) -> bytes:
    """Return the label as the bytes of a PNG file that says how large it is to be printed."""
    return png(lay_out(code, host=host, level=level, version=version, mask=mask), module_px, module_mm)


def png(label: Label, module_px: int = MODULE_PX, module_mm: float = MODULE_MM) -> bytes:
    """Return a designed label as PNG: one bit a pixel, with the resolution at which a module is ``module_mm`` wide.

    The file is written here: Pillow takes longer to pack the bits than all the drawing takes. ValueError for modules
    of fewer than 4 pixels.
    """
    width, lines = _pixels(label, module_px)
    per_metre = round(1000 * module_px / module_mm)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(lines), 1, 0, 0, 0, 0)),
            _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)),
            _chunk(b"IDAT", zlib.compress(b"\0" + b"\0".join(lines), 1)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _pixels(label: Label, module_px: int) -> tuple[int, list[bytes]]:
    """The width in pixels, and every line of pixels, eight to the byte, 1 = light."""
    if module_px < LEAST_MODULE_PX:
        raise ValueError(f"a module needs at least {LEAST_MODULE_PX} pixels, not {module_px}")
    width = label.width * module_px
    light = [_packed("1" * width)]
    quiet = "1" * (QUIET_ZONE * module_px)
    lines = light * len(quiet)
    for row in label.symbol.modules:
        modules = row.translate(_MODULE_TO_LETTER).decode()
        pixels = modules.replace("L", "1" * module_px).replace("D", "0" * module_px)
        lines += [_packed(quiet + pixels + quiet)] * module_px
    return width, lines + light * len(quiet) + _text_pixels(label, module_px)


_MODULE_TO_LETTER = bytes.maketrans(b"\0\1", b"LD")


def _packed(pixels: str) -> bytes:
    missing = -len(pixels) % 8
    return (int(pixels, 2) << missing).to_bytes((len(pixels) + missing) // 8)


def _text_pixels(label: Label, module_px: int) -> list[bytes]:
    """The lines of pixels below the symbol and its quiet zone."""
    try:
        from PIL import Image
    except ImportError as error:
        raise LabelsUnavailable from error
    height = round(label.height * module_px) - label.width * module_px
    drawn = Image.new("1", (label.width * module_px, height), 1)
    for letter, x, y in _letters(label):
        place = int(x * module_px), int((y - label.width) * module_px)
        drawn.paste(0, place, _letter_picture(letter, label.advance * module_px))
    pixels, stride = drawn.tobytes(), (drawn.width + 7) // 8
    return [pixels[start : start + stride] for start in range(0, len(pixels), stride)]


def drawn_text(label: Label) -> Iterator[Line]:
    """Give the text as lines: strokes for the letters that have some, the edges of the others."""
    for letter, x, y in _letters(label):
        if has_strokes(letter):
            across, down = label.advance * _LETTER_WIDTH / WIDTH, label.letter_height / HEIGHT
            for stroke in strokes(letter):
                yield Line(tuple((x + across * px, y + down * py) for px, py in stroke), closed=False)
        else:
            unit = _HANZI_CELLS * label.advance / _HANZI_PX
            for outline in _hanzi_outlines(letter):
                yield Line(tuple((x + unit * px, y + unit * py) for px, py in outline), closed=True)


def line_starts(label: Label) -> Iterator[tuple[float, float, float]]:
    """Give the upper left corner and the width of every line of text; each stands in the middle."""
    for number, line in enumerate(label.lines):
        width = (_cells(line) - 1 + _LETTER_WIDTH) * label.advance
        yield (label.width - width) / 2, label.width + _GAP + number * label.line_height, width


def _letters(label: Label) -> Iterator[tuple[str, float, float]]:
    """Every visible letter with the upper left corner of its grid."""
    for line, (left, top, _) in zip(label.lines, line_starts(label), strict=True):
        x = left
        for letter in line:
            # the square of a hanzi is higher than a letter: as much above as below
            y = top if has_strokes(letter) else top + (label.letter_height - _HANZI_CELLS * label.advance) / 2
            if letter != " ":
                yield letter, x, y
            x += _cells(letter) * label.advance


def _cells(text: str) -> int:
    if has_strokes(text):
        return len(text)
    return sum(1 if has_strokes(char) else _HANZI_CELLS for char in text)


def _words(code: Code) -> tuple[list[str], str]:
    """The parts of a code's text that stay together, and what stands between two of them in one line."""
    text = format_code_human(code)
    if code.scheme == Scheme.OWN:
        return text.split("-"), "-"
    if code.scheme == Scheme.STAMP:
        return re.findall(r"[^|]*\|?", text)[:-1], ""
    return text.split(" "), " "


def _broken(words: list[str], between: str, cells: int) -> tuple[str, ...]:
    """Break words into the fewest lines of at most ``cells``, and those as even as possible."""
    lines = _filled(words, between, cells)
    for narrower in range(cells - 1, max(map(_cells, words)) - 1, -1):
        other = _filled(words, between, narrower)
        if len(other) > len(lines):
            break
        lines = other
    return tuple(lines)


def _filled(words: list[str], between: str, cells: int) -> list[str]:
    """Fill line after line; a word that is longer than a line goes on in the next."""
    lines = [""]
    for piece in (piece for word in words for piece in _pieces(word, cells)):
        longer = f"{lines[-1]}{between}{piece}" if lines[-1] else piece
        if _cells(longer) <= cells:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines


def _pieces(word: str, cells: int) -> Iterator[str]:
    if _cells(word) <= cells:
        yield word
        return
    piece = ""
    for char in word:
        if piece and _cells(piece + char) > cells:
            yield piece
            piece = ""
        piece += char
    yield piece


@lru_cache(maxsize=1024)
def _letter_picture(letter: str, advance_px: float) -> "Image.Image":
    """One letter as a stencil: the pixels that take ink. Drawn eight times as large, then made small."""
    from PIL import Image

    if not has_strokes(letter):
        return _hanzi_picture(letter, int(_HANZI_CELLS * advance_px))
    size = round(advance_px), round(advance_px * (LETTER_HEIGHT + PEN))
    large = _stroked(letter, size[0] * _FINER, advance_px * _FINER)
    return large.resize(size, Image.Resampling.BOX).point(lambda ink: 255 if ink > 110 else 0, "1")


def _stroked(letter: str, width_px: int, advance_px: float) -> "Image.Image":
    from PIL import Image, ImageDraw

    pen = max(PEN * advance_px, _FINER)
    large = Image.new("L", (width_px, round(width_px * (LETTER_HEIGHT + PEN))))
    draw = ImageDraw.Draw(large)
    across, down = advance_px * _LETTER_WIDTH / WIDTH, advance_px * LETTER_HEIGHT / HEIGHT
    for stroke in strokes(letter):
        points = [(pen / 2 + across * x, pen / 2 + down * y) for x, y in stroke]
        draw.line(points, fill=255, width=round(pen), joint="curve")
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)
    return large


def _hanzi_picture(char: str, size_px: int) -> "Image.Image":
    from PIL import Image, ImageDraw

    stencil = Image.new("1", (size_px, size_px))
    font = picture_font(int(size_px * _HANZI_EM))
    ImageDraw.Draw(stencil).text((size_px / 2, size_px / 2), char, fill=1, font=font, anchor="mm")
    return stencil


@lru_cache(maxsize=1024)
def _hanzi_outlines(char: str) -> tuple[tuple[tuple[int, int], ...], ...]:
    pixels = _hanzi_picture(char, _HANZI_PX).convert("L").point(lambda ink: 1 if ink else 0).tobytes()
    rows = tuple(pixels[start : start + _HANZI_PX] for start in range(0, len(pixels), _HANZI_PX))
    return tuple(outlines_of(rows))
