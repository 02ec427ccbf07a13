"""Blocks (块): pieces of a screen as rows of text in named styles, put beside and above each other. Pure.

A span is a text and the name of its style; a row is spans; a block is rows that are all equally wide.  Widths are in
cells of the terminal: a Chinese character takes two.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import zip_longest

from rich.cells import cell_len, get_character_cell_size, set_cell_size

Span = tuple[str, str]
"""A text and the name of its style."""
Row = tuple[Span, ...]
Block = tuple[Row, ...]

PLAIN = ""
_NEVER_FIRST = frozenset(",。;:、!?)》”’%,.;:!?)")  # 避头: these end a line and never begin one


def span(text: str, style: str = PLAIN) -> Row:
    """A row of one span."""
    return ((text, style),)


def row_width(row: Row) -> int:
    """Cells that a row takes."""
    return sum(cell_len(text) for text, _ in row)


def block_width(block: Block) -> int:
    """Cells that a block takes."""
    return max((row_width(row) for row in block), default=0)


def fit_row(row: Row, width: int, style: str = PLAIN) -> Row:
    """The row cut or filled up to a width."""
    fitted: list[Span] = []
    left = width
    for text, of in row:
        if left <= 0:
            break
        size = cell_len(text)
        if size:
            fitted.append((text if size <= left else set_cell_size(text, left), of))
        left -= size
    if left > 0:
        fitted.append((" " * left, style))
    return tuple(fitted)


def fit(block: Block, width: int, height: int, style: str = PLAIN) -> Block:
    """The block cut or filled up to a size."""
    rows = [fit_row(row, width, style) for row in block[:height]]
    rows += [span(" " * width, style)] * (height - len(rows))
    return tuple(rows)


def middle_row(row: Row, width: int, style: str = PLAIN) -> Row:
    """The row in the middle of a width."""
    before = max(0, width - row_width(row)) // 2
    return fit_row((*span(" " * before, style), *row), width, style)


def middle(block: Block, width: int, height: int, style: str = PLAIN) -> Block:
    """The block in the middle of a size."""
    above = max(0, height - len(block)) // 2
    rows = [span("", style)] * above + [middle_row(row, width, style) for row in block]
    return fit(tuple(rows), width, height, style)


def beside(*blocks: Block) -> Block:
    """Blocks from left to right; the lower ones are filled up with blanks below."""
    widths = [block_width(block) for block in blocks]
    return tuple(
        tuple(one for part, width in zip(parts, widths, strict=True) for one in fit_row(part, width))
        for parts in zip_longest(*blocks, fillvalue=())
    )


def both_ends(left: Row, right: Row, width: int, style: str = PLAIN) -> Row:
    """A row with something at either end; the left one gives way."""
    space = max(0, width - row_width(right))
    return fit_row((*fit_row(left, space, style), *right), width, style)


def inset(block: Block, width: int, style: str = PLAIN, by: int = 1) -> Block:
    """The block between blanks at either side, `width` in all."""
    blanks = span(" " * by, style)
    return tuple((*blanks, *fit_row(row, max(0, width - 2 * by), style), *blanks) for row in block)


@lru_cache(maxsize=512)
def wrapped(text: str, width: int) -> tuple[str, ...]:
    """A sentence in lines: English breaks at blanks, Chinese anywhere but before its punctuation."""
    lines, line = [], ""
    for word in _words(text):
        if line and cell_len(line + word.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        rest = word
        while cell_len(rest.rstrip()) > width > 1:
            head = set_cell_size(rest, width).rstrip()
            lines.append(head)
            rest = rest[len(head) :]
        line += rest if line else rest.lstrip()
    return (*lines, line.rstrip()) if line.strip() else tuple(lines)


def _words(text: str) -> Iterable[str]:
    """What must stay together."""
    word = ""
    for char in text:
        wide = get_character_cell_size(char) == 2
        if char in _NEVER_FIRST:
            word += char
        elif wide or word.endswith(" ") or (word and get_character_cell_size(word[-1]) == 2):
            yield word
            word = char
        else:
            word += char
    yield word


def paragraph(text: str, width: int, style: str = PLAIN, most: int = 99) -> Block:
    """A sentence as rows, at most so many; what is left out is marked."""
    lines = list(wrapped(text, width))
    if len(lines) > most:
        lines = lines[:most]
        if lines:
            lines[-1] = set_cell_size(lines[-1], max(0, width - 1)).rstrip() + "…"
    return tuple(span(line, style) for line in lines)


def as_text(block: Block) -> str:
    """The block without its styles."""
    return "".join("".join(text for text, _ in row).rstrip() + "\n" for row in block)
