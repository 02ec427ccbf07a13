"""Labels (标签): a code as a QR symbol with its text below, as a picture.

The symbol holds the link in upper case where possible. Below it stands the text for people with its check characters,
as wide as the label, so that it can be read where the symbol is damaged. Nothing else is on a label: it must outlive
owners and software.
"""

import io
from functools import lru_cache
from typing import TYPE_CHECKING

from cylinder_codes.digital_link import format_printed_link
from cylinder_codes.identifiers import DEFAULT_HOST, Code, format_code_human
from cylinder_codes.symbols import QUIET_ZONE, LabelsUnavailable, Level, qr_matrix

if TYPE_CHECKING:
    from PIL import Image, ImageFont

_GROUPS_IN_FIRST_LINE = 4
_TEXT_LINES = 2


def draw_label(code: Code, *, host: str = DEFAULT_HOST, level: Level = "M", module_px: int = 10) -> "Image.Image":
    """Draw a label in grey tones, each module ``module_px`` pixels wide (at least 4, so that the text can be read)."""
    if module_px < QUIET_ZONE:
        raise ValueError(f"a module needs at least {QUIET_ZONE} pixels, not {module_px}")
    matrix = qr_matrix(format_printed_link(code, host), level)
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
