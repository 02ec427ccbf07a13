"""A label is read back by a decoder that is not ours, as drawn, turned, shrunk and by its text alone."""

import io
import subprocess
import sys

import pytest
import zxingcpp
from drawn import draw_label, read_by_opencv, read_by_zxing
from PIL import Image

from cylinder_codes.authenticity import TagKey
from cylinder_codes.digital_link import format_link, format_printed_link
from cylinder_codes.identifiers import Code, format_code_human, make_code, stamp_code
from cylinder_codes.labels import LEAST_LETTER_HEIGHT, label_png, lay_out
from cylinder_codes.reading import read_scan
from cylinder_codes.strokes import has_strokes
from cylinder_codes.symbols import LEVELS, Level, qr_symbol
from cylinder_codes.typeface import MissingGlyph

KEY = TagKey("example", bytes(range(32)))
OTHER_CODES = [
    Code("grai:09520001123450ZJ33010000017"),
    Code("giai:9520001VLV-0098231"),
    Code("province:浙A" + "330100000017" * 5),
    stamp_code("示例制造单位", "2022-05", "A22050001"),
]
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


def test_the_symbol_has_29_modules_a_side_at_level_m() -> None:
    modules = qr_symbol(format_link(CODES[0]).upper()).modules
    assert len(modules) == len(modules[0]) == 29


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


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("code", [*CODES, *OTHER_CODES], ids=str)
def test_two_foreign_decoders_read_the_label_of_every_scheme(code: Code, level: Level) -> None:
    label = draw_label(code, level=level)
    assert read_by_zxing(label) == read_by_opencv(label) == format_printed_link(code)


@pytest.mark.parametrize("mask", range(8))
def test_a_label_of_any_mask_and_a_larger_version_is_read_back(mask: int) -> None:
    label = draw_label(CODES[2], version=5, mask=mask)
    assert label.width == (37 + 8) * 10
    assert decoded(label) == CODES[2]


@pytest.mark.parametrize("code", [*CODES, *OTHER_CODES], ids=str)
def test_the_whole_text_with_its_check_characters_stands_below_every_symbol(code: Code) -> None:
    for level in LEVELS:
        label = lay_out(code, level=level)
        assert "".join(label.lines).replace(" ", "").replace("-", "") == format_code_human(code).replace(
            " ", ""
        ).replace("-", "")
        assert label.letter_height >= LEAST_LETTER_HEIGHT


def test_a_text_breaks_between_its_parts() -> None:
    grai, giai, province, stamp = OTHER_CODES
    assert lay_out(CODES[0]).lines == ("0000-0000-0000", "0000-S82R-7JKW-09")
    assert lay_out(grai).lines == ("(8003) 09520001123450", "ZJ33010000017 #24")
    assert lay_out(giai).lines == ("(8004)", "9520001VLV-0098231 #40")
    assert lay_out(stamp).lines == ("示例制造单位|", "2022-05|A22050001")
    assert max(map(len, lay_out(province).lines)) <= 30


@pytest.mark.parametrize("module_px", [4, 7, 10])
@pytest.mark.parametrize("code", OTHER_CODES, ids=str)
def test_no_letter_of_any_scheme_touches_the_edge(code: Code, module_px: int) -> None:
    label = draw_label(code, module_px=module_px).convert("L")
    edge = Image.new("L", label.size, 255)
    inside = label.crop((1, 1, label.width - 1, label.height - 1))
    edge.paste(inside, (1, 1))
    assert edge.tobytes() == label.tobytes()


def test_every_letter_that_has_strokes_is_drawn_differently() -> None:
    drawn = {}
    for char in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-./:#()|+=_!\"'%&*<>?,;~":
        assert has_strokes(char)
        label = draw_label(Code(f"maker:{char}X"))
        drawn[char] = label.crop((0, label.width, label.width, label.height)).tobytes()
    assert len(set(drawn.values())) == len(drawn)


def test_the_file_says_how_large_it_is_to_be_printed() -> None:
    for module_px, module_mm in ((10, 0.5), (4, 0.25), (12, 0.381)):
        label = Image.open(io.BytesIO(label_png(CODES[0], module_px=module_px, module_mm=module_mm)))
        assert label.mode == "1"
        assert label.info["dpi"][0] == pytest.approx(25.4 * module_px / module_mm, rel=1e-4)


def test_a_letter_that_the_font_lacks_is_refused_by_name() -> None:
    with pytest.raises(MissingGlyph, match="U\\+6C17"):
        draw_label(Code("maker:気"))


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
