"""A QR symbol is, to the last module, the one that the library makes with the same level, version and mask."""

import subprocess
import sys
from itertools import product

import pytest
import qrcode
from drawn import filled, read_by_opencv, read_by_zxing
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from qrcode.util import lost_point

from cylinder_codes.masks import MASKS, penalty
from cylinder_codes.symbols import LEVELS, QUIET_ZONE, Level, Symbol, SymbolError, dark_rows, outlines, qr_symbol

LINK = "HTTPS://ID.LPG.EXAMPLE.CN/8003/09520001123450ZJ33010000017"
TEXTS = [LINK, LINK.lower(), "0123456789" * 9, "瓶链 one bottle, one code", "A", "%" * 300]
_NUMBERS = {"L": 1, "M": 0, "Q": 3, "H": 2}


def of_the_library(text: str, level: Level, mask: int, version: int | None) -> list[list[bool | None]]:
    maker = qrcode.QRCode(version, error_correction=_NUMBERS[level], border=0, mask_pattern=mask)
    maker.add_data(text, optimize=0)
    maker.make(fit=version is None)
    return [[bool(module) for module in row] for row in maker.get_matrix()]


def as_matrix(symbol: Symbol) -> list[list[bool | None]]:
    return [[bool(module) for module in row] for row in symbol.modules]


def as_picture(symbol: Symbol, module_px: int = 6) -> Image.Image:
    small = Image.new("L", (symbol.size + 2 * QUIET_ZONE,) * 2, 255)
    modules = bytes(0 if module else 255 for row in symbol.modules for module in row)
    small.paste(Image.frombytes("L", (symbol.size,) * 2, modules), (QUIET_ZONE, QUIET_ZONE))
    return small.resize((small.width * module_px,) * 2, Image.Resampling.NEAREST)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
@pytest.mark.parametrize("level", LEVELS)
def test_every_mask_gives_the_matrix_of_the_library(text: str, level: Level) -> None:
    for mask in MASKS:
        assert as_matrix(qr_symbol(text, level=level, mask=mask)) == of_the_library(text, level, mask, None)


@pytest.mark.parametrize("version", [*range(5, 11), 14, 21, 27, 32, 40])
@pytest.mark.parametrize("level", LEVELS)
def test_a_larger_version_than_needed_gives_the_matrix_of_the_library(level: Level, version: int) -> None:
    text, mask = LINK[: 40 + version], version % 8
    symbol = qr_symbol(text, level=level, version=version, mask=mask)
    assert (symbol.version, symbol.level, symbol.mask, symbol.size) == (version, level, mask, 17 + 4 * version)
    assert as_matrix(symbol) == of_the_library(text, level, mask, version)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize("level", LEVELS)
def test_every_bit_of_a_small_symbol_is_where_the_library_puts_it(level: Level, version: int) -> None:
    for text in ("1", "Q7", "PL/9", "瓶"):
        assert as_matrix(qr_symbol(text, level=level, version=version, mask=0)) == of_the_library(
            text, level, 0, version
        )


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1, max_size=90), st.sampled_from(LEVELS), st.sampled_from(MASKS))
def test_any_text_gives_the_matrix_of_the_library(text: str, level: Level, mask: int) -> None:
    try:
        expected = of_the_library(text, level, mask, None)
    except ValueError:  # its division fails on a block of noughts: see the test below
        return
    assert as_matrix(qr_symbol(text, level=level, mask=mask)) == expected


def test_the_mask_is_the_one_that_the_library_scores_best() -> None:
    for text, level in product(TEXTS[:3], LEVELS):
        scores = [lost_point(of_the_library(text, level, mask, None)) for mask in MASKS]
        assert scores[qr_symbol(text, level=level).mask] == min(scores)


@settings(max_examples=100, deadline=None)
@given(st.integers(min_value=11, max_value=25), st.data())
def test_the_penalty_of_any_matrix_is_that_of_the_library(size: int, data: st.DataObject) -> None:
    matrix = data.draw(st.integers(min_value=0, max_value=(1 << size * size) - 1))
    rows = f"{matrix:0{size * size}b}"
    modules: list[list[bool | None]] = [[rows[y * size + x] == "1" for x in range(size)] for y in range(size)]
    assert penalty(matrix, size) == lost_point(modules)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("level", LEVELS)
def test_two_foreign_decoders_read_every_level_with_every_mask(level: Level, mask: int) -> None:
    picture = as_picture(qr_symbol(LINK, level=level, mask=mask))
    assert read_by_zxing(picture) == LINK
    assert read_by_opencv(picture) == LINK


@pytest.mark.parametrize(("noughts", "level"), [(34, "H"), (51, "H"), (119, "H")])
def test_a_serial_of_noughts_on_which_the_library_fails_is_drawn_and_read(noughts: int, level: Level) -> None:
    text = "A:" + "0" * noughts
    with pytest.raises(ValueError, match="glog"):
        of_the_library(text, level, 0, None)
    picture = as_picture(qr_symbol(text, level=level))
    assert read_by_zxing(picture) == text
    assert read_by_opencv(picture) == text


@pytest.mark.parametrize(("level", "version"), [("L", 3), ("M", 3), ("Q", 4), ("H", 5)])
def test_the_smallest_version_is_taken(level: Level, version: int) -> None:
    assert qr_symbol(LINK, level=level).version == version
    with pytest.raises(SymbolError, match=f"needs version {version}"):
        qr_symbol(LINK, level=level, version=version - 1)


def test_a_link_in_lower_case_takes_a_larger_symbol() -> None:
    assert (qr_symbol(LINK).size, qr_symbol(LINK.lower()).size) == (29, 33)


def test_what_cannot_be_a_symbol_is_refused_in_one_sentence() -> None:
    with pytest.raises(SymbolError, match="5000 characters fits into no QR symbol of level M"):
        qr_symbol("A" * 5000)
    with pytest.raises(SymbolError, match="no QR version 41: choose 1 to 40"):
        qr_symbol(LINK, version=41)
    with pytest.raises(SymbolError, match="no mask 8: choose 0 to 7"):
        qr_symbol(LINK, mask=8)
    with pytest.raises(SymbolError, match="no error correction level 'X'"):
        qr_symbol(LINK, level="X")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_the_runs_are_the_dark_modules(text: str) -> None:
    symbol = qr_symbol(text)
    painted = [bytearray(symbol.size) for _ in range(symbol.size)]
    for row, first, length in dark_rows(symbol):
        assert not any(painted[row][max(0, first - 1) : first + length + 1])
        painted[row][first : first + length] = b"\1" * length
    assert tuple(map(bytes, painted)) == symbol.modules


@pytest.mark.parametrize("mask", MASKS)
def test_the_outlines_filled_are_the_dark_modules(mask: int) -> None:
    symbol = qr_symbol(LINK, level="Q", mask=mask)
    picture = filled(outlines(symbol), symbol.size, symbol.size)
    assert picture.tobytes() == bytes(0 if module else 255 for row in symbol.modules for module in row)


def test_an_outline_has_corners_only_and_the_dark_side_on_its_right() -> None:
    symbol = qr_symbol(LINK)
    lines = outlines(symbol)
    for line in lines:
        for (x1, y1), (x2, y2), (x3, y3) in zip(line, [*line[1:], line[0]], [*line[2:], *line[:2]], strict=True):
            assert (x1 == x2) != (y1 == y2)
            assert (x1 == x2) != (x2 == x3), "a corner that is none"
            assert (y1 == y2) != (y2 == y3)
    area = sum(
        x1 * y2 - x2 * y1 for line in lines for (x1, y1), (x2, y2) in zip(line, [*line[1:], line[0]], strict=True)
    )
    assert area / 2 == sum(map(sum, symbol.modules))


def test_without_the_extra_the_refusal_names_what_to_install() -> None:
    program = "import sys; sys.modules['qrcode'] = None; from cylinder_codes.symbols import qr_symbol; qr_symbol('A')"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "LabelsUnavailable: drawing labels needs qrcode and Pillow: install cylinder-codes[labels]" in run.stderr
