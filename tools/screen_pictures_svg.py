"""Draw the station's screen for the documents: `python tools/screen_pictures_svg.py` writes docs/pictures/*.svg.

The pictures are main states that the tests compare too (tests/station_agent/screen_pictures.py), in the colours of a
theme.  Half blocks become areas, so that no viewer needs a font that has them; the rest is text.
"""

import sys
from collections.abc import Iterator
from html import escape
from itertools import groupby

from rich.cells import cell_len, get_character_cell_size
from rich.style import Style

from shipped import ROOT
from station_agent.screen.blocks import Block
from station_agent.screen.themes import DAY, NIGHT, Theme

sys.path[:0] = [str(ROOT / "tests" / "station_agent")]

FOLDER = ROOT / "docs" / "pictures"
PICTURES: dict[str, tuple[str, Theme]] = {
    "station-screen-refused": ("refused", NIGHT),
    "station-screen-eight-lanes": ("eight_lanes_another_grown", DAY),
}
WIDE, HIGH = 8, 16  # of a cell
FONTS = "ui-monospace, 'DejaVu Sans Mono', Consolas, 'Noto Sans Mono CJK SC', 'Microsoft YaHei', monospace"
_BLOCKS = {"\u2580": (0, 1), "\u2584": (1, 1), "\u2588": (0, 2)}  # upper, lower, full: first half row, how many


def main() -> int:
    """Write the pictures."""
    import screen_pictures

    FOLDER.mkdir(exist_ok=True)
    for name, (state, theme) in PICTURES.items():
        text = svg(screen_pictures.PICTURES[state].drawn(), theme)
        (FOLDER / f"{name}.svg").write_text(text, encoding="utf-8")
        print(f"{name}.svg {len(text):,} bytes")
    return 0


def svg(block: Block, theme: Theme) -> str:
    """The screen as SVG."""
    width = sum(cell_len(text) for text, _ in block[0]) * WIDE
    height = len(block) * HIGH
    shapes = [shape for y, row in enumerate(block) for shape in _row(y, row, theme)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="{FONTS}"'
    ground = f'<rect width="{width}" height="{height}" fill="{_ground(theme[""])}"/>\n'
    return f'{head} font-size="13">\n{ground}{"".join(shapes)}</svg>\n'


def _row(y: int, row: tuple[tuple[str, str], ...], theme: Theme) -> Iterator[str]:
    x = 0
    for text, name in row:
        style, wide = theme[name], cell_len(text)
        if _ground(style) != _ground(theme[""]):
            yield _rect(x, 2 * y, wide, 2, _ground(style))
        yield from _pieces(x, y, text, style)
        x += wide


def _pieces(x: int, y: int, text: str, style: Style) -> Iterator[str]:
    """Runs of one kind of block are areas, words are text."""
    for kind, run in groupby(text, lambda char: char if char in _BLOCKS else ""):
        piece = "".join(run)
        if kind:
            first, rows = _BLOCKS[kind]
            yield _rect(x, 2 * y + first, len(piece), rows, _ink(style))
            x += len(piece)
        else:
            yield from _words(x, y, piece, style)
            x += cell_len(piece)


def _words(x: int, y: int, text: str, style: Style) -> Iterator[str]:
    """Each run of narrow or of wide characters is set to the width of its cells."""
    bold = ' font-weight="bold"' if style.bold else ""
    for _, run in groupby(text, get_character_cell_size):
        piece = "".join(run)
        wide, words = cell_len(piece), piece.strip()
        if words:
            start = x + cell_len(piece) - cell_len(piece.lstrip())
            yield (
                f'<text x="{start * WIDE}" y="{y * HIGH + 12}" textLength="{cell_len(words) * WIDE}"'
                f' fill="{_ink(style)}"{bold} xml:space="preserve">{escape(words)}</text>\n'
            )
        x += wide


def _rect(x: int, half_row: int, wide: int, half_rows: int, colour: str) -> str:
    high = HIGH // 2
    return (
        f'<rect x="{x * WIDE}" y="{half_row * high}" width="{wide * WIDE}" height="{half_rows * high}"'
        f' fill="{colour}"/>\n'
    )


def _ink(style: Style) -> str:
    return style.color.get_truecolor().hex if style.color else "#000000"


def _ground(style: Style) -> str:
    return style.bgcolor.get_truecolor().hex if style.bgcolor else "#ffffff"


if __name__ == "__main__":
    raise SystemExit(main())
