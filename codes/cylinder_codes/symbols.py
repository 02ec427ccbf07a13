"""Symbols (二维码): a text as a QR symbol, its level, version and mask under control, and its geometry for cutting.

The library ``qrcode`` packs the text and computes the error correction. What it does module by module in Python, and
eight times over to choose a mask, is done here once for all symbols of a version: where each bit of the data goes
and what stands in the rest depends on version, level and mask alone. It is asked of the library itself, by letting
it place data whose bits count up, so it is the same symbol to the last module, some twenty times sooner.

Worked example: ``HTTPS://ID.PINGLIAN.EXAMPLE/C/`` has 30 characters, the code 26, together 56; in upper case QR packs
two characters into 11 bits (lower case takes 16), at level M version 3 takes up to 61 such characters, and the
symbol has 29 by 29 modules, 37 by 37 with the quiet zone of 4.

Needs the extra ``labels`` (qrcode and Pillow); without it LabelsUnavailable says so.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import compress, groupby
from operator import itemgetter, xor
from typing import Any, Literal

from cylinder_codes.masks import MASKS, penalty

Level = Literal["L", "M", "Q", "H"]
"""How much of the symbol may be damaged and is restored: about 7, 15, 25 and 30 %."""

LEVELS: tuple[Level, ...] = ("L", "M", "Q", "H")
VERSIONS = range(1, 41)
QUIET_ZONE = 4
"""White modules around the symbol, as ISO/IEC 18004 asks."""
SMALLEST_MODULE_MM = 0.25
"""Below this office printers and phones fail; it is refused."""

Outline = tuple[tuple[int, int], ...]
"""Corners of a closed line, (x, y) in modules from the upper left corner, y downwards; the first is not repeated."""

_BIT_TO_MODULE = bytes.maketrans(b"01", b"\0\1")


class LabelsUnavailable(RuntimeError):
    """The extra ``labels`` is not installed."""

    def __init__(self) -> None:
        super().__init__("drawing labels needs qrcode and Pillow: install cylinder-codes[labels]")


class SymbolError(ValueError):
    """A symbol that cannot be made as asked; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A QR symbol without its quiet zone: rows of modules, 1 = dark."""

    modules: tuple[bytes, ...]
    version: int
    level: Level
    mask: int

    @property
    def size(self) -> int:
        """Modules a side: 17 + 4 * version."""
        return len(self.modules)


def qr_symbol(text: str, *, level: Level = "M", version: int | None = None, mask: int | None = None) -> Symbol:
    """Return the QR symbol that holds ``text``; SymbolError when it does not fit or there is no such symbol.

    ``version`` 1 to 40 (None: the smallest that holds it), ``mask`` 0 to 7 (None: the one that ISO/IEC 18004 prefers).
    """
    _check_asked(level, version, mask)
    found, packed = _packed(text, level, version)
    size = 17 + 4 * found
    data = _placed_data(packed, found, level)
    best = min(MASKS, key=lambda each: penalty(data ^ _frame(found, level, each), size)) if mask is None else mask
    bits = f"{data ^ _frame(found, level, best):0{size * size}b}".encode().translate(_BIT_TO_MODULE)
    return Symbol(tuple(bits[start : start + size] for start in range(0, len(bits), size)), found, level, best)


def dark_rows(symbol: Symbol) -> Iterator[tuple[int, int, int]]:
    """Give every horizontal run of dark modules as (row, first column, length), from top to bottom."""
    for row, modules in enumerate(symbol.modules):
        column = 0
        for dark, run in groupby(modules):
            length = len(list(run))
            if dark:
                yield row, column, length
            column += length


def outlines(symbol: Symbol) -> list[Outline]:
    """Return the closed lines around all dark areas, holes included, filled alike by either fill rule.

    A line runs with the dark side on its right: clockwise around an area, anticlockwise around a hole. Two
    dark modules that touch at a corner only belong to two areas, so no line crosses itself.
    """
    return outlines_of(symbol.modules)


def outlines_of(rows: Sequence[bytes]) -> list[Outline]:
    """Return the closed lines around the dark areas of any picture, rows of 0 and 1 of equal length."""
    edges = dict.fromkeys(_edges(rows))
    waiting = dict(edges)
    lines = []
    while waiting:
        line = list(_walk(edges, next(iter(waiting))))
        for edge in line:
            del waiting[edge]
        lines.append(_corners(line))
    return lines


def _check_asked(level: str, version: int | None, mask: int | None) -> None:
    if level not in LEVELS:
        raise SymbolError(f"there is no error correction level {level!r}: choose L, M, Q or H")
    if version is not None and version not in VERSIONS:
        raise SymbolError(f"there is no QR version {version}: choose 1 to 40")
    if mask is not None and mask not in MASKS:
        raise SymbolError(f"there is no mask {mask}: choose 0 to 7")


class _Bits:
    """What the library writes bits into, as one number instead of one by one."""

    def __init__(self) -> None:
        self.value = 0
        self.length = 0

    def put(self, value: int, length: int) -> None:
        self.value = self.value << length | value
        self.length += length


def _packed(text: str, level: Level, asked: int | None) -> tuple[int, bytes]:
    """The version that holds ``text``, and the text as its data codewords, padded as ISO/IEC 18004 says."""
    try:
        from qrcode.util import BIT_LIMIT_TABLE, QRData, length_in_bits
    except ImportError as error:
        raise LabelsUnavailable from error
    packed: Any = QRData(text)
    bits: Any = _Bits()
    packed.write(bits)
    limits = BIT_LIMIT_TABLE[_LEVEL_NUMBERS[level]]
    for version in VERSIONS:
        counted = length_in_bits(packed.mode, version)
        if 4 + counted + bits.length <= limits[version] and version >= (asked or 1):
            break
    else:
        raise SymbolError(f"a text of {len(text)} characters fits into no QR symbol of level {level}")
    if asked not in (None, version):
        raise SymbolError(f"a text of {len(text)} characters needs version {version} at level {level}, not {asked}")
    head = (packed.mode << counted | len(packed)) << bits.length | bits.value
    return version, _padded(head, 4 + counted + bits.length, limits[version])


def _padded(value: int, length: int, limit: int) -> bytes:
    """Up to four noughts end the data, more fill the byte, then EC and 11 take turns."""
    end = min(length + 4, limit)
    whole = (end + 7) // 8
    filled = value << (8 * whole - length)
    return filled.to_bytes(whole) + (b"\xec\x11" * (limit // 16 + 1))[: limit // 8 - whole]


_LEVEL_NUMBERS: dict[Level, int] = {"L": 1, "M": 0, "Q": 3, "H": 2}
"""As they stand in the format information of a symbol, and in the library."""


def _placed_data(packed: bytes, version: int, level: Level) -> int:
    """The modules of data and error correction before masking, all others light."""
    if version not in _SMALL:
        return _placed_by_library(packed, version, level)
    bits = f"{int.from_bytes(packed):0{8 * len(packed)}b}".encode().translate(_BIT_TO_MODULE)
    return reduce(xor, compress(_shares(version, level), bits), 0)


_SMALL = range(1, 5)
"""Symbols of plates, made by the thousand: a tenth of a second to prepare saves a third of a millisecond on each."""


@lru_cache(maxsize=len(_SMALL) * len(LEVELS))
def _shares(version: int, level: Level) -> tuple[int, ...]:
    """For each bit of the data the modules that it alone makes dark.

    Error correction and placing are linear: what several bits make is the exclusive or of what each makes.
    """
    from qrcode.util import BIT_LIMIT_TABLE

    count = BIT_LIMIT_TABLE[_LEVEL_NUMBERS[level]][version]
    units = ((1 << place).to_bytes(count // 8) for place in reversed(range(count)))
    return tuple(_placed_by_library(unit, version, level) for unit in units)


def _placed_by_library(packed: bytes, version: int, level: Level) -> int:
    try:
        return _coded(packed, version, level)
    except ValueError:
        # it cannot divide a block of noughts, as a serial of many noughts makes it: a sum of two others is the same
        other = bytes(byte ^ _ANY_BYTE for byte in packed)
        return _coded(other, version, level) ^ _coded(bytes([_ANY_BYTE]) * len(packed), version, level)


_ANY_BYTE = 0x5A


def _coded(packed: bytes, version: int, level: Level) -> int:
    from qrcode.base import rs_blocks
    from qrcode.util import BitBuffer, create_bytes

    buffer = BitBuffer()
    buffer.buffer = list(packed)
    codewords = bytes(create_bytes(buffer, rs_blocks(version, _LEVEL_NUMBERS[level])))
    bits = f"{int.from_bytes(codewords):0{8 * len(codewords)}b}0"
    return int("".join(_order(version)(bits)), 2)


@lru_cache(maxsize=len(VERSIONS))
def _order(version: int) -> Callable[[str], tuple[str, ...]]:
    """For every module the place of its bit in the data; those without one take the last, a light one."""
    count = _codewords(version)
    places = [0] * (17 + 4 * version) ** 2
    blank = _placed(version, "L", 0, bytes(count))
    for plane in range((8 * count).bit_length()):
        bits = "".join("1" if place + 1 >> plane & 1 else "0" for place in range(8 * count))
        numbered = _placed(version, "L", 0, int(bits, 2).to_bytes(count)) ^ blank
        for module, bit in enumerate(f"{numbered:0{len(places)}b}"):
            places[module] |= int(bit) << plane
    return itemgetter(*(place - 1 if place else 8 * count for place in places))


@lru_cache(maxsize=256)
def _frame(version: int, level: Level, mask: int) -> int:
    """What stands in the symbol when all data are 0: the patterns that all symbols share, format, and the mask."""
    return _placed(version, level, mask, bytes(_codewords(version)))


def _placed(version: int, level: Level, mask: int, codewords: bytes) -> int:
    import qrcode

    maker: qrcode.QRCode[Any] = qrcode.QRCode(
        version, error_correction=_LEVEL_NUMBERS[level], border=0, mask_pattern=mask
    )
    maker.data_cache = list(codewords)
    maker.makeImpl(False, mask)
    return int("".join("1" if module else "0" for row in maker.modules for module in row), 2)


def _codewords(version: int) -> int:
    from qrcode.base import rs_blocks

    return sum(block.total_count for block in rs_blocks(version, _LEVEL_NUMBERS["L"]))


_Edge = tuple[int, int, int, int]
"""One side of a dark module: x and y of its start, then the step to its end, the dark module on its right."""


def _edges(rows: Sequence[bytes]) -> Iterator[_Edge]:
    light_row = bytes(len(rows[0]))
    framed = (light_row, *rows, light_row)
    for y, (above, row, below) in enumerate(zip(framed, framed[1:], framed[2:], strict=False)):
        for x, dark in enumerate(row):
            if not dark:
                continue
            if not above[x]:
                yield x, y, 1, 0
            if not row[x + 1 : x + 2].strip(b"\0"):
                yield x + 1, y, 0, 1
            if not below[x]:
                yield x + 1, y + 1, -1, 0
            if not x or not row[x - 1]:
                yield x, y + 1, 0, -1


def _walk(edges: Container[_Edge], first: _Edge) -> Iterator[_Edge]:
    """Follow one line back to its start; where two lines touch, turn right, around the same module."""
    edge = first
    while True:
        yield edge
        x, y, dx, dy = edge
        turns = ((x + dx, y + dy, *step) for step in ((-dy, dx), (dx, dy), (dy, -dx)))
        edge = next(turn for turn in turns if turn in edges)
        if edge == first:
            return


def _corners(line: list[_Edge]) -> Outline:
    return tuple(
        (edge[0], edge[1]) for before, edge in zip(line[-1:] + line[:-1], line, strict=True) if before[2:] != edge[2:]
    )
