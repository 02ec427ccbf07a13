"""The font (字体) of labels, sheets and printers: Latin letters and Chinese, the same wherever it is drawn.

It is a part of Noto Sans SC under the SIL Open Font License (fonts/OFL.txt): ASCII, punctuation, full-width
forms, the 6,763 hanzi of GB 2312 and every character this product itself prints. ``tools/cjk_font.py`` makes it.

A character that it lacks is refused by name, because the empty box that a printer would put in its place is
noticed on steel only. Worked example: ``require_drawable("气瓶 A1")`` is silent; the same with U+6C17, the Japanese
form of 气, raises MissingGlyph: character 1, … (U+6C17), is not in the font of labels.
"""

import io
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont

FONT_FILE = "PingLianLabel-Regular.ttf"
CHARACTERS_FILE = "characters.txt"
LICENCE_FILE = "OFL.txt"


class MissingGlyph(ValueError):
    """A text holds a character that the font cannot draw.

    ``character`` says which, ``position`` where, counted from 1.
    """

    def __init__(self, text: str, position: int) -> None:
        self.character = text[position - 1]
        self.position = position
        shown = self.character if self.character.isprintable() else "a control character"
        super().__init__(
            f"character {position}, {shown} (U+{ord(self.character):04X}), is not in the font of labels"
            f" (字库中没有第 {position} 个字符): write it in another way"
        )


def require_drawable(text: str) -> None:
    """Raise MissingGlyph for the first character of ``text`` that the font lacks; line ends are lacking too."""
    drawable = characters()
    for position, character in enumerate(text, start=1):
        if character not in drawable:
            raise MissingGlyph(text, position)


@cache
def characters() -> frozenset[str]:
    """Return every character that the font can draw."""
    lines = (files("cylinder_codes") / "fonts" / CHARACTERS_FILE).read_text("utf-8").split("\n")
    return frozenset("".join(lines))


@cache
def font_bytes() -> bytes:
    """Return the font as the bytes of a TrueType file."""
    return (files("cylinder_codes") / "fonts" / FONT_FILE).read_bytes()


@lru_cache(maxsize=16)
def picture_font(size_px: int) -> "ImageFont.FreeTypeFont":
    """Return the font for drawing on a Pillow picture, ``size_px`` pixels an em; ImportError without Pillow."""
    from PIL import ImageFont

    return ImageFont.truetype(io.BytesIO(font_bytes()), size_px)
