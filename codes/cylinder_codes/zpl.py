"""Labels for Zebra printers (斑马打印机) in ZPL II: symbol and text drawn by the printer, Chinese lines as graphics.

One label is one format, ``^XA … ^XZ``::

    ^BQN,2,4,M,5^FDMA,HTTPS://…^FS  QR model 2, 4 dots a module, level M, mask 5; M = level again, A = automatic mode
    ^A0N,26,0^FB…^FD04HM-ASW9-…^FS  plain text in the printer's own font, in the middle of a block
    ^GFA,288,288,12,00FF…^FS         a line as a picture: bytes in all, twice, bytes a row, hexadecimal, 1 = black

Nothing in a code, a host or a note can become a command: a text is sent as text only when it is made of letters,
digits and a few harmless signs; in a link everything else is sent as ``_5E`` (^FH), and any other line is drawn here
and sent as a picture. Printers have no Chinese font unless one was bought for them; the picture is the same on all.

Needs the extra ``labels``; without it LabelsUnavailable says so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from cylinder_codes.identifiers import DEFAULT_HOST, Code
from cylinder_codes.labels import lay_out
from cylinder_codes.symbols import QUIET_ZONE, SMALLEST_MODULE_MM, LabelsUnavailable, Level
from cylinder_codes.typeface import picture_font, require_drawable

if TYPE_CHECKING:
    from PIL import Image

RESOLUTIONS = (203, 300, 600)
"""Dots per inch of the print heads there are."""

MOST_DOTS_A_MODULE = 10
"""``^BQ`` magnifies 1 to 10 times on every firmware."""

_MM_PER_INCH = 25.4
_DOTS_LOWER = 10  # a printer draws ^BQ this much lower than ^FO says
_FONT_0_HEIGHT = 1.25  # of a letter of the label's design: capitals fill some seven tenths of font 0
_FONT_0_WIDTH = 0.62  # of a letter, in heights, with room to spare
_GOOD_LETTER_MM = 2.5
_LINE = 1.25
_MARGIN_MM = 1.0
_PLAIN_LINE = re.compile(r"[0-9A-Za-z ()#./:+-]+")
_NOT_PLAIN_IN_LINK = re.compile(r"[^0-9A-Za-z:/.%$*+-]")


class ZplError(ValueError):
    """The label cannot be printed as asked; the message is one sentence with what to do."""


@dataclass(frozen=True, slots=True)
class ZplMedia:
    """What the label is printed on and with: resolution of the head, width of the label, size of a module."""

    dpi: int = 203
    width_mm: float = 50.0
    module_mm: float = 0.4
    note_mm: float = 3.0
    """Height of the letters of a note."""

    def __post_init__(self) -> None:
        if self.dpi not in RESOLUTIONS:
            raise ZplError(f"there is no print head of {self.dpi} dpi: choose 203, 300 or 600")
        if self.magnification > MOST_DOTS_A_MODULE:
            most = MOST_DOTS_A_MODULE * _MM_PER_INCH / self.dpi
            raise ZplError(f"at {self.dpi} dpi a module has at most {most:.2f} mm, not {self.module_mm:.2f}")
        if self.module_mm < SMALLEST_MODULE_MM or self.printed_module_mm < SMALLEST_MODULE_MM * 0.95:
            raise ZplError(
                f"a module of {self.module_mm:.2f} mm is below the {SMALLEST_MODULE_MM} mm that can be read"
                " (模块太小): take a larger one"
            )

    @property
    def magnification(self) -> int:
        """Whole dots a module."""
        return round(self.module_mm * self.dpi / _MM_PER_INCH)

    @property
    def printed_module_mm(self) -> float:
        """What the module really becomes: a whole number of dots."""
        return self.magnification * _MM_PER_INCH / self.dpi

    def dots(self, length_mm: float) -> int:
        """Return a length in dots."""
        return round(length_mm * self.dpi / _MM_PER_INCH)


def label_zpl(
    code: Code, media: ZplMedia | None = None, *, host: str = DEFAULT_HOST, level: Level = "M",
    notes: Sequence[str] = (), copies: int = 1,
) -> str:  # fmt: skip
    """Return one label: the symbol, the text with check characters below it, then ``notes`` line by line.

    Raises ZplError when it does not fit the width, SymbolError and MissingGlyph as the design does.
    """
    media = media or ZplMedia()
    label = lay_out(code, host=host, level=level)
    dots = media.magnification
    width, side = media.dots(media.width_mm), label.width * dots
    if side > width:
        raise ZplError(f"a symbol of {side * _MM_PER_INCH / media.dpi:.1f} mm with its quiet zone is wider than a label"
                       f" of {media.width_mm:.1f} mm: take a wider label or a smaller module")  # fmt: skip
    left = (width - side) // 2 + QUIET_ZONE * dots
    symbol = f"^FO{left},{QUIET_ZONE * dots}^BQN,2,{dots},{level},{label.symbol.mask}{_link_field(level, label.link)}"
    letter = _letter_height(label.lines, round(label.letter_height * dots * _FONT_0_HEIGHT), width, media)
    texts = [(line, letter) for line in label.lines] + [(note, media.dots(media.note_mm)) for note in notes]
    lines, bottom = _lines(texts, side + _DOTS_LOWER, width, media)
    height = bottom + media.dots(_MARGIN_MM)
    return "\n".join(
        ("^XA^CI28", f"^PW{width}^LL{height}^LH0,0", symbol, *lines, f"^PQ{copies}", "^XZ", "")
    )  # fmt: skip


def line_picture(text: str, height_px: int) -> "Image.Image":
    """Draw one line in black (1) on white (0), ``height_px`` high, no wider than it needs; MissingGlyph."""
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise LabelsUnavailable from error
    require_drawable(text)
    font = picture_font(round(height_px / _LINE))
    left, _, right, _ = font.getbbox(text)
    picture = Image.new("1", (max(round(right - left), 1), height_px), 0)
    draw = ImageDraw.Draw(picture)
    draw.fontmode = "1"  # a print head knows black and white only
    draw.text((-left, height_px / 2), text, fill=1, font=font, anchor="lm")
    return picture


def _letter_height(lines: Sequence[str], by_design: int, width: int, media: ZplMedia) -> int:
    """As high as the design wants it, and up to 2.5 mm where the label is wider than the symbol."""
    by_width = int(width / (_FONT_0_WIDTH * max(map(len, lines))))
    return max(by_design, min(by_width, media.dots(_GOOD_LETTER_MM)))


def _lines(texts: Sequence[tuple[str, int]], top: int, width: int, media: ZplMedia) -> tuple[list[str], int]:
    """The lines one below the other from ``top`` on, and where they end."""
    commands = []
    for text, letter in texts:
        height = round(letter * _LINE)
        if _PLAIN_LINE.fullmatch(text):
            commands.append(f"^FO0,{top}^A0N,{letter},0^FB{width},1,0,C,0^FD{text}^FS")
        else:
            picture_width, graphic = _graphic(text, height)
            if picture_width > width:
                raise ZplError(f"the line {text!r} is {picture_width * _MM_PER_INCH / media.dpi:.1f} mm wide, the label"
                               f" {media.width_mm:.1f} mm: shorten it, or take a wider label")  # fmt: skip
            commands.append(f"^FO{(width - picture_width) // 2},{top}{graphic}")
        top += height
    return commands, top


@lru_cache(maxsize=64)
def _graphic(text: str, height: int) -> tuple[int, str]:
    picture = line_picture(text, height)
    data = picture.tobytes()  # eight dots a byte, each row filled up with white
    return picture.width, f"^GFA,{len(data)},{len(data)},{len(data) // height},{data.hex().upper()}^FS"


def _link_field(level: Level, link: str) -> str:
    escaped = _NOT_PLAIN_IN_LINK.sub(lambda found: "".join(f"_{byte:02X}" for byte in found.group().encode()), link)
    return f"{'^FH_' if escaped != link else ''}^FD{level}A,{escaped}^FS"
