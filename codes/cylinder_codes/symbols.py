"""Symbols and labels (标签): a code as a QR symbol with its text below, as a picture.

The symbol holds the link in upper case, because QR packs ``0-9 A-Z : / .`` into 5.5 bits a character and lower case
into 8. Worked example: ``HTTPS://ID.PINGLIAN.EXAMPLE/C/`` has 30 characters, the code 26, together 56; at level M
version 3 takes up to 61 such characters, so the symbol has 29 by 29 modules, 37 by 37 with the quiet zone of 4.

Below it stands the text for people in two lines, as wide as the label, so that it can be read where the
symbol is damaged. Nothing else is on a label: it must outlive owners and software.

Drawing needs the extra ``labels`` (qrcode and Pillow); without it LabelsUnavailable says so.
"""

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from cylinder_codes.identifiers import DEFAULT_HOST, Code, format_code_human, format_link

if TYPE_CHECKING:
    from PIL import Image, ImageFont

Level = Literal["L", "M", "Q", "H"]
"""How much of the symbol may be damaged and is restored: about 7, 15, 25 and 30 %."""

QUIET_ZONE = 4
"""White modules around the symbol, as ISO/IEC 18004 asks."""

_GROUPS_IN_FIRST_LINE = 4
_TEXT_LINES = 2


class LabelsUnavailable(RuntimeError):
    """The extra ``labels`` is not installed."""

    def __init__(self) -> None:
        super().__init__("drawing labels needs qrcode and Pillow: install cylinder-codes[labels]")


def qr_matrix(text: str, level: Level = "M") -> list[list[bool]]:
    """Return the modules of the smallest QR symbol for ``text``, row by row, True = dark, without the quiet zone."""
    try:
        import qrcode
    except ImportError as error:
        raise LabelsUnavailable from error
    levels = {
        "L": qrcode.ERROR_CORRECT_L,
        "M": qrcode.ERROR_CORRECT_M,
        "Q": qrcode.ERROR_CORRECT_Q,
        "H": qrcode.ERROR_CORRECT_H,
    }
    symbol = qrcode.QRCode(error_correction=levels[level], border=0)
    symbol.add_data(text, optimize=0)
    symbol.make(fit=True)
    return [[bool(module) for module in row] for row in symbol.get_matrix()]


def draw_label(code: Code, *, host: str = DEFAULT_HOST, level: Level = "M", module_px: int = 10) -> "Image.Image":
    """Draw a label in grey tones, each module ``module_px`` pixels wide (at least 4, so that the text can be read)."""
    if module_px < QUIET_ZONE:
        raise ValueError(f"a module needs at least {QUIET_ZONE} pixels, not {module_px}")
    matrix = qr_matrix(format_link(code, host).upper(), level)
    try:
        from PIL import Image
    except ImportError as error:
        raise LabelsUnavailable from error
    quiet_px = QUIET_ZONE * module_px
    width = len(matrix) * module_px + 2 * quiet_px
    line_px = 3 * module_px
    label = Image.new("L", (width, width + _TEXT_LINES * line_px + module_px), 255)
    label.paste(_symbol_picture(matrix, module_px), (quiet_px, quiet_px))
    _write_text(label, code, top=width, line_px=line_px, margin=module_px)
    return label


def label_png(code: Code, *, host: str = DEFAULT_HOST, level: Level = "M", module_px: int = 10) -> bytes:
    """Return the label as the bytes of a PNG file."""
    buffer = io.BytesIO()
    draw_label(code, host=host, level=level, module_px=module_px).save(buffer, "PNG")
    return buffer.getvalue()


def _symbol_picture(matrix: list[list[bool]], module_px: int) -> "Image.Image":
    from PIL import Image

    size = len(matrix)
    pixels = bytes(0 if dark else 255 for row in matrix for dark in row)
    small = Image.frombytes("L", (size, size), pixels)
    return small.resize((size * module_px, size * module_px), Image.Resampling.NEAREST)


def _write_text(label: "Image.Image", code: Code, *, top: int, line_px: int, margin: int) -> None:
    from PIL import ImageDraw

    groups = format_code_human(code).split("-")
    lines = "-".join(groups[:_GROUPS_IN_FIRST_LINE]), "-".join(groups[_GROUPS_IN_FIRST_LINE:])
    draw = ImageDraw.Draw(label)
    font = _font(_font_size(line_px, label.width - 2 * margin))
    for number, line in enumerate(lines):
        middle = label.width / 2, top + number * line_px + line_px / 2
        draw.text(middle, line, fill=0, font=font, anchor="mm")


@lru_cache(maxsize=16)
def _font_size(line_px: int, width_px: int) -> int:
    """The largest size at which even a line of the widest character, W, fits."""
    widest = _font(100).getlength("-".join(["WWWW"] * _GROUPS_IN_FIRST_LINE))
    return min(int(line_px * 0.9), int(100 * width_px / widest))


@lru_cache(maxsize=16)
def _font(size: int) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size)
