"""A plate is cut after DXF or SVG: the lines are read by another library, filled, and read by two foreign decoders."""

import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import ezdxf
import ezdxf.recover
import pytest
from drawn import Points, filled, read_by_opencv, read_by_zxing
from ezdxf.document import Drawing
from ezdxf.entities.polyline import Polyline
from PIL import Image

from cylinder_codes.dxf import SYMBOL_LAYER, TEXT_LAYER, dxf
from cylinder_codes.identifiers import Code, stamp_code
from cylinder_codes.labels import Label, lay_out
from cylinder_codes.plates import describe, sentences
from cylinder_codes.svg import svg
from cylinder_codes.symbols import LEVELS, Level, outlines

CODES = [
    Code("04HMASW9NF6YZZPW1011YN6955"),
    Code("grai:09520001123450ZJ33010000017"),
    Code("giai:9520001VLV-0098231"),
    stamp_code("示例制造单位", "2022-05", "A22050001"),
]
MODULES_MM = [0.3, 0.5, 1.27]
PX_A_MM = 20


def opened(text: str) -> Drawing:
    document, auditor = ezdxf.recover.read(io.BytesIO(text.encode("ascii")))
    assert not auditor.has_errors
    assert not auditor.has_fixes
    return document


def polylines(document: Drawing, layer: str) -> Iterator[Polyline]:
    for entity in document.modelspace():
        assert isinstance(entity, Polyline)
        if entity.dxf.layer == layer:
            yield entity


def points_of(line: Polyline) -> list[tuple[float, float]]:
    return [(vertex.dxf.location.x, vertex.dxf.location.y) for vertex in line.vertices]


def engraved(document: Drawing, height_mm: float) -> list[Points]:
    """The lines of the symbol in pixels, y downwards."""
    return [
        [(x * PX_A_MM, (height_mm - y) * PX_A_MM) for x, y in points_of(line)]
        for line in polylines(document, SYMBOL_LAYER)
    ]


def paths_of(text: str, name: str) -> list[list[tuple[float, float]]]:
    path = ElementTree.fromstring(text).find(f"{{http://www.w3.org/2000/svg}}path[@id='{name}']")
    if path is None:
        return []
    pieces = [piece for piece in path.attrib["d"].split("M") if piece]
    return [[(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", piece)] for piece in pieces]


def picture_of(lines: list[Points], label: Label, module_mm: float) -> Image.Image:
    return filled(lines, round(label.width * module_mm * PX_A_MM), round(label.height * module_mm * PX_A_MM))


@pytest.mark.parametrize("module_mm", MODULES_MM)
@pytest.mark.parametrize("code", CODES, ids=str)
def test_a_dxf_is_r12_without_any_fault_and_its_filled_lines_are_read(code: Code, module_mm: float) -> None:
    label = lay_out(code)
    document = opened(dxf(label, module_mm))
    assert document.dxfversion == "AC1009"
    picture = picture_of(engraved(document, label.height * module_mm), label, module_mm)
    assert read_by_zxing(picture) == label.link
    assert read_by_opencv(picture) == label.link


@pytest.mark.parametrize("level", LEVELS)
def test_every_outline_of_the_symbol_is_a_closed_line_of_flag_1(level: Level) -> None:
    label = lay_out(CODES[0], level=level)
    lines = list(polylines(opened(dxf(label, 0.5)), SYMBOL_LAYER))
    assert len(lines) == len(outlines(label.symbol))
    assert {line.dxf.flags for line in lines} == {1}
    assert {line.is_closed for line in lines} == {True}


@pytest.mark.parametrize("module_mm", MODULES_MM)
def test_the_dxf_states_the_module_size_and_every_corner_lies_on_a_module(module_mm: float) -> None:
    label = lay_out(CODES[1])
    text = dxf(label, module_mm)
    assert text.splitlines()[:2] == [
        "999",
        f"1 unit = 1 mm; module {module_mm:g} mm; 29 x 29 modules and a quiet zone of 4",
    ]
    height = label.height * module_mm
    corners = [point for line in polylines(opened(text), SYMBOL_LAYER) for point in points_of(line)]
    for x, y in corners:
        assert x / module_mm == pytest.approx(round(x / module_mm), abs=1e-4)
        assert (height - y) / module_mm == pytest.approx(round((height - y) / module_mm), abs=1e-4)
    assert min(x for x, _ in corners) == pytest.approx(4 * module_mm)
    assert max(x for x, _ in corners) == pytest.approx((4 + 29) * module_mm)


@pytest.mark.parametrize("code", CODES, ids=str)
def test_everything_in_a_dxf_lies_inside_the_stated_size_and_no_text_needs_a_font(code: Code) -> None:
    label = lay_out(code)
    document = opened(dxf(label, 0.5))
    right, top, _ = document.header["$EXTMAX"]
    assert (right, top) == pytest.approx((label.width * 0.5, label.height * 0.5), abs=1e-5)
    kinds = {entity.dxftype() for entity in document.modelspace()}
    assert kinds == {"POLYLINE"}
    text = [point for line in polylines(document, TEXT_LAYER) for point in points_of(line)]
    assert text
    for x, y in text:
        assert 0 < x < right
        assert 0 < y < top - label.width * 0.5, "the text stands below the quiet zone"


def test_hanzi_in_a_dxf_are_closed_outlines_and_letters_are_single_lines() -> None:
    latin = list(polylines(opened(dxf(lay_out(CODES[0]))), TEXT_LAYER))
    mixed = list(polylines(opened(dxf(lay_out(CODES[3]))), TEXT_LAYER))
    assert {line.is_closed for line in latin} == {False}
    assert sum(line.is_closed for line in mixed) >= len("示例制造单位")


@pytest.mark.parametrize("module_mm", MODULES_MM)
@pytest.mark.parametrize("code", CODES, ids=str)
def test_the_path_of_an_svg_is_in_millimetres_and_is_read_when_filled(code: Code, module_mm: float) -> None:
    label = lay_out(code)
    text = svg(label, module_mm)
    root = ElementTree.fromstring(text)
    width = float(root.attrib["width"].removesuffix("mm"))
    assert width == pytest.approx(label.width * module_mm, abs=1e-4)
    assert root.attrib["viewBox"].split()[2:] == [root.attrib[name].removesuffix("mm") for name in ("width", "height")]
    lines: list[Points] = [[(x * PX_A_MM, y * PX_A_MM) for x, y in line] for line in paths_of(text, "symbol")]
    picture = picture_of(lines, label, module_mm)
    assert read_by_zxing(picture) == label.link
    assert read_by_opencv(picture) == label.link


def test_an_svg_is_one_path_for_the_symbol_and_needs_neither_font_nor_transformation() -> None:
    root = ElementTree.fromstring(svg(lay_out(CODES[1])))
    names = [element.tag.rpartition("}")[2] for element in root]
    assert names == ["title", "desc", "path", "path"]
    assert root[0].text == "(8003) 09520001123450 ZJ33010000017 #24"
    assert root[1].text == "HTTPS://ID.PINGLIAN.EXAMPLE/8003/09520001123450ZJ33010000017"
    assert not any("transform" in element.attrib for element in root.iter())


@pytest.mark.parametrize("code", CODES, ids=str)
def test_the_lines_of_text_in_an_svg_lie_inside_it(code: Code) -> None:
    label = lay_out(code)
    text = svg(label, 0.5)
    for name in ("text", "hanzi"):
        for x, y in (point for line in paths_of(text, name) for point in line):
            assert 0 < x < label.width * 0.5
            assert label.width * 0.5 < y < label.height * 0.5


def test_text_as_text_is_all_there_line_by_line_and_squeezed_into_its_place() -> None:
    for code in CODES:
        label = lay_out(code)
        texts = list(ElementTree.fromstring(svg(label, 0.5, text="text")).iter("{http://www.w3.org/2000/svg}text"))
        assert [element.text for element in texts] == list(label.lines)
        for element in texts:
            assert float(element.attrib["x"]) + float(element.attrib["textLength"]) <= label.width * 0.5


def test_the_state_of_a_plate_is_said_before_it_is_burnt() -> None:
    plate = describe(lay_out(CODES[0]), 0.5)
    assert (plate.version, plate.modules, plate.symbol_mm, plate.width_mm) == (3, 29, 14.5, 18.5)
    assert plate.reading_distance_mm == 145
    assert (plate.contrast_percent_aim, plate.contrast_percent_least) == (55, 40)
    english, chinese = zip(*sentences(plate), strict=True)
    assert any("14.5 mm a side" in line for line in english)
    assert any("rule of thumb" in line for line in english)
    assert any("ISO/IEC 15415" in line and "55 %" in line for line in chinese)
    assert not any("too small" in line for line in english)


def test_letters_too_small_for_the_eye_are_named() -> None:
    plate = describe(lay_out(CODES[1]), 0.3)
    assert plate.letter_mm < 1
    assert "too small" in sentences(plate)[-1][0]
    assert "请加大模块" in sentences(plate)[-1][1]
