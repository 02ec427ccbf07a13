"""Large letters (大字): words made of half blocks, as large as their place allows. Drawn by tools/block_letters.py."""

from functools import lru_cache
from importlib import resources

from station_agent.screen.blocks import Block, span

_UPPER, _LOWER, _FULL = "\u2580", "\u2584", "\u2588"  # written by number: the font of labels has no half blocks
_CELLS = {(False, False): " ", (True, False): _UPPER, (False, True): _LOWER, (True, True): _FULL}
_BLANK_PART = 0.35  # of the height
_BETWEEN_PART = 0.08

Bits = tuple[tuple[bool, ...], ...]


@lru_cache(maxsize=1)
def letters() -> dict[int, dict[str, Bits]]:
    """Height in pixels → character or name of a shape → its rows of pixels."""
    file = resources.files("station_agent.screen") / "font" / "letters.txt"
    found: dict[int, dict[str, Bits]] = {}
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("# "):
            continue
        height, name, width, *rows = line.split(" ")
        found.setdefault(int(height), {})[name] = tuple(_pixels(int(row, 16), int(width)) for row in rows)
    return found


def _pixels(bits: int, width: int) -> tuple[bool, ...]:
    return tuple(bool(bits >> (width - 1 - x) & 1) for x in range(width))


@lru_cache(maxsize=256)
def large(parts: tuple[str, ...], width: int, height: int, style: str) -> Block | None:
    """Words and names of shapes, blanks between them, in the largest letters for the place; None if none is small
    enough or a character is not drawn."""
    for size in sorted(letters(), reverse=True):
        if size <= 2 * height and (bits := _set(parts, size)) and len(bits[0]) <= width:
            return _half_blocks(bits, style)
    return None


def _set(parts: tuple[str, ...], size: int) -> Bits | None:
    """The pixels of a line of words."""
    drawn = letters()[size]
    blank: Bits = ((False,) * round(size * _BLANK_PART),) * size
    between: Bits = ((False,) * max(1, round(size * _BETWEEN_PART)),) * size
    line: list[Bits] = []
    for part in parts:
        pieces = [part] if part in drawn else list(part)
        if any(piece not in drawn for piece in pieces):
            return None
        line += [blank] if line else []
        for n, piece in enumerate(pieces):
            line += [between, drawn[piece]] if n and not piece.isascii() else [drawn[piece]]  # Latin brings its own
    return tuple(tuple(pixel for letter in line for pixel in letter[y]) for y in range(size))


def _half_blocks(bits: Bits, style: str) -> Block:
    """Two rows of pixels are one row of cells."""
    pairs = zip(bits[::2], bits[1::2], strict=True)
    return tuple(span("".join(_CELLS[pair] for pair in zip(*rows, strict=True)), style) for rows in pairs)
