"""Draw the large letters of the station's screen again: `python tools/block_letters.py`.

The screen writes its verdict in letters made of half blocks, so that it is read from three metres, and a station PC has
no font library. So the letters are drawn here, once, from the font of labels (PingLianLabel-Regular.ttf), as rows of
bits in several heights, and shipped as one text file beside the licence of the font. The shapes that say the same as
the colours (tick, cross, …) are drawn in the same heights.

Run it again when the screen gets a verdict with a new character (tests/station_agent/test_block_letters.py says which).
"""

import argparse
import shutil
from collections.abc import Iterator
from math import cos, pi, sin
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from shipped import ROOT

FONT = ROOT / "codes" / "cylinder_codes" / "fonts" / "PingLianLabel-Regular.ttf"
LICENCE = FONT.with_name("OFL.txt")
FOLDER = ROOT / "filling_station_agent" / "station_agent" / "screen" / "font"
HANZI = "请扫码核对中可充装已禁停锁未检合格超抽出"
LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-kg"
HEIGHTS = {12: 1, 16: 2, 20: 3, 24: 3, 32: 4, 40: 5, 48: 6}
"""Pixels → how much bolder the strokes become, in eighths of a pixel at each side."""
_FINE = 8  # drawn so many times larger, then made smaller
_INK = 110  # of 255: from here on a pixel is black
_AIR_BESIDE_LATIN = 2

HEAD = """\
# Large letters of the station's screen, made by tools/block_letters.py from PingLianLabel-Regular.ttf, a part of Noto
# Sans SC, (c) 2014-2021 Adobe, under the SIL Open Font License 1.1 (OFL.txt in this folder).
# A line: height, character or name of a shape, width, then the rows from the top, each in hexadecimal, left bit first.
"""

Picture = Image.Image


def main() -> int:
    """Write the letters and their licence."""
    parser = argparse.ArgumentParser(description="Draw the large letters of the station's screen again.")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder (default {FOLDER.relative_to(ROOT)})")
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    lines = [line for height in HEIGHTS for line in lines_of(height)]
    (folder / "letters.txt").write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    shutil.copyfile(LICENCE, folder / LICENCE.name)
    print(f"{len(lines)} letters in {folder}")
    return 0


def lines_of(height: int) -> Iterator[str]:
    """Yield the lines of one height."""
    for char in dict.fromkeys(HANZI):
        yield line_of(char, drawn(char, height, height))
    for char in LATIN:
        yield line_of(char, drawn(char, height, None))
    for name in SHAPES:
        yield line_of(name, shape(name, height))


def drawn(char: str, height: int, width: int | None) -> Picture:
    """Draw a character in the middle of its field; `width` None for one as wide as its ink, on a common baseline."""
    fine, bolder = height * _FINE, HEIGHTS[height]
    font = ImageFont.truetype(str(FONT), fine)
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = pen.textbbox((0, 0), char, font=font, stroke_width=bolder)
    _, cap_top, _, cap_bottom = pen.textbbox((0, 0), "H", font=font, stroke_width=bolder)
    if width is None:
        field = int(right - left) // _FINE + _AIR_BESIDE_LATIN
        place = ((field * _FINE - (right - left)) / 2 - left, (fine - (cap_bottom - cap_top)) / 2 - cap_top)
    else:
        field, place = width, ((fine - (right - left)) / 2 - left, (fine - (bottom - top)) / 2 - top)
    picture = Image.new("L", (field * _FINE, fine))
    ImageDraw.Draw(picture).text(place, char, font=font, fill=255, stroke_width=bolder)
    return picture.resize((field, height), Image.Resampling.BOX)


def shape(name: str, height: int) -> Picture:
    """Draw a shape that fills its square."""
    fine = height * _FINE
    picture = Image.new("L", (fine, fine))
    pen = ImageDraw.Draw(picture)
    for kind, points in SHAPES[name]:
        corners = [(x * fine, y * fine) for x, y in points]
        if kind == "line":
            pen.line(corners, fill=255, width=round(fine * 0.16), joint="curve")
        elif kind == "ring":
            pen.ellipse((*corners[0], *corners[1]), outline=255, width=round(fine * 0.11))
        else:
            pen.polygon(corners, fill=255 if kind == "area" else 0)
    return picture.resize((height, height), Image.Resampling.BOX)


Points = tuple[tuple[float, float], ...]


def _around(corners: int, radius: float, turned: float = 0.5) -> Points:
    angles = [2 * pi * (n + turned) / corners for n in range(corners)]
    return tuple((0.5 + radius * sin(angle), 0.5 - radius * cos(angle)) for angle in angles)


def _box(left: float, top: float, right: float, bottom: float) -> Points:
    return (left, top), (right, top), (right, bottom), (left, bottom)


_SMALL_TICKS: tuple[Points, ...] = (
    ((0.04, 0.55), (0.26, 0.78), (0.66, 0.22)),
    ((0.50, 0.72), (0.56, 0.78), (0.96, 0.22)),
)
_DOWNWARDS: Points = (
    (0.36, 0.06), (0.64, 0.06), (0.64, 0.50), (0.90, 0.50), (0.50, 0.94), (0.10, 0.50), (0.36, 0.50),
)  # fmt: skip
SHAPES: dict[str, list[tuple[str, Points]]] = {
    "tick": [("line", ((0.10, 0.55), (0.38, 0.82), (0.90, 0.20)))],
    "ticks": [("line", points) for points in _SMALL_TICKS],
    "cross": [("line", ((0.16, 0.16), (0.84, 0.84))), ("line", ((0.84, 0.16), (0.16, 0.84)))],
    "play": [("area", ((0.20, 0.08), (0.92, 0.50), (0.20, 0.92)))],
    "stop": [("area", _around(8, 0.50)), ("hole", _box(0.24, 0.42, 0.76, 0.58))],
    "ring": [("ring", ((0.08, 0.08), (0.92, 0.92)))],
    "dots": [("area", _box(x, 0.42, x + 0.16, 0.58)) for x in (0.08, 0.42, 0.76)],
    "lock": [("ring", ((0.24, 0.06), (0.76, 0.72))), ("area", _box(0.14, 0.46, 0.86, 0.94))],
    "drain": [("area", _DOWNWARDS)],
}
"""Name → areas, holes, lines and rings, in parts of the square."""


def line_of(name: str, picture: Picture) -> str:
    """Return a picture as its line of the file."""
    width, height = picture.size
    rows = []
    for y in range(height):
        bits = "".join("1" if picture.getpixel((x, y)) > _INK else "0" for x in range(width))  # type: ignore[operator]
        rows.append(f"{int(bits, 2):0{(width + 3) // 4}x}")
    return f"{height} {name} {width} {' '.join(rows)}"


if __name__ == "__main__":
    raise SystemExit(main())
