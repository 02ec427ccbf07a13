"""A label is read back by a decoder that is not ours, as drawn, turned, shrunk and by its text alone."""

import io
import subprocess
import sys

import pytest
import zxingcpp
from PIL import Image

from cylinder_codes.authenticity import TagKey
from cylinder_codes.digital_link import format_link
from cylinder_codes.identifiers import Code, make_code
from cylinder_codes.labels import draw_label, label_png
from cylinder_codes.reading import read_scan
from cylinder_codes.symbols import Level, qr_matrix

KEY = TagKey("example", bytes(range(32)))
CODES = [make_code(bytes([n] * 10), KEY) for n in (0, 1, 77, 255)]


def decoded(picture: Image.Image) -> Code:
    symbols = zxingcpp.read_barcodes(picture)
    assert len(symbols) == 1
    code = read_scan(symbols[0].text)
    assert isinstance(code, Code)
    return code


@pytest.mark.parametrize("code", CODES, ids=str)
@pytest.mark.parametrize("level", ["L", "M", "Q", "H"])
def test_a_label_of_every_level_is_read_back(code: Code, level: Level) -> None:
    assert decoded(draw_label(code, level=level)) == code


@pytest.mark.parametrize("degrees", [7, 45, 90, 180, 263])
def test_a_turned_label_is_read_back(degrees: int) -> None:
    for code in CODES:
        assert decoded(draw_label(code).convert("L").rotate(degrees, expand=True, fillcolor=255)) == code


@pytest.mark.parametrize("scale", [0.3, 0.55, 1.7, 3.0])
def test_a_scaled_label_is_read_back(scale: float) -> None:
    for code in CODES:
        label = draw_label(code).convert("L")
        size = round(label.width * scale), round(label.height * scale)
        assert decoded(label.resize(size, Image.Resampling.BICUBIC)) == code


@pytest.mark.parametrize("module_px", [4, 5, 20])
def test_a_label_of_any_module_size_is_read_back(module_px: int) -> None:
    assert decoded(draw_label(CODES[2], module_px=module_px)) == CODES[2]


def test_a_label_on_a_grey_plate_is_read_back() -> None:
    plate = Image.new("L", (800, 900), 170)
    plate.paste(draw_label(CODES[1]), (190, 210))
    assert decoded(plate) == CODES[1]


def test_the_png_is_the_picture() -> None:
    picture = Image.open(io.BytesIO(label_png(CODES[0])))
    assert picture.format == "PNG"
    assert picture.tobytes() == draw_label(CODES[0]).tobytes()


def test_the_symbol_has_29_modules_a_side_at_level_m() -> None:
    matrix = qr_matrix(format_link(CODES[0]).upper())
    assert len(matrix) == len(matrix[0]) == 29


def test_four_modules_around_the_symbol_stay_white() -> None:
    label = draw_label(CODES[0], module_px=10).convert("L")
    assert label.width == (29 + 8) * 10
    for box in ((0, 0, label.width, 40), (0, 0, 40, 370), (330, 0, 370, 370), (0, 330, label.width, 370)):
        assert label.crop(box).getextrema() == (255, 255)


@pytest.mark.parametrize("module_px", [4, 10, 40])
def test_the_text_stands_below_the_symbol_and_inside_the_picture(module_px: int) -> None:
    widest = make_code(bytes.fromhex("e739ce739ce739ce739c"), KEY)
    assert widest.payload == "WWWWWWWWWWWWWWWW"
    label = draw_label(widest, module_px=module_px).convert("L")
    width = 37 * module_px
    text = label.crop((0, width, label.width, label.height))
    ink = text.point(lambda value: 255 - value).getbbox()
    assert ink is not None
    left, top, right, bottom = ink
    assert left > 0
    assert top > 0
    assert right < text.width
    assert bottom < text.height


def test_a_module_too_small_for_its_text_is_refused() -> None:
    with pytest.raises(ValueError, match="4 pixels"):
        draw_label(CODES[0], module_px=3)


@pytest.mark.parametrize("missing", ["qrcode", "PIL"])
def test_without_the_extra_the_refusal_names_what_to_install(missing: str) -> None:
    program = f"""
import sys
sys.modules[{missing!r}] = None
from cylinder_codes.cli import main
sys.exit(main(["self-test", "--json"]))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "cylinder-codes[labels]" in run.stderr
