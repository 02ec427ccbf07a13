"""ZPL labels are read by a small interpreter of our own making: every command known, every picture rebuilt."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cylinder_codes import cli
from cylinder_codes.authenticity import TagKey
from cylinder_codes.digital_link import format_printed_link, parse_link
from cylinder_codes.identifiers import Code, format_code_human, legacy_code, make_code
from cylinder_codes.reading import read_scan
from cylinder_codes.schemes import Scheme
from cylinder_codes.symbols import Level, qr_symbol
from cylinder_codes.typeface import MissingGlyph, characters
from cylinder_codes.zpl import ZplError, ZplMedia, label_zpl, line_picture

KEY = TagKey("example", bytes(range(32)))
CODES = [make_code(bytes([n] * 10), KEY) for n in (0, 1, 77, 255)]
NOTE = "示例县液化气充装站（演示数据）"
COMMANDS = "XA CI PW LL LH FO BQ A0 FB FH FD GF FS PQ XZ".split()


@dataclass
class Printed:
    """What a printer would have drawn of one field."""

    at: tuple[int, int]
    text: str = ""
    symbol: list[str] = field(default_factory=list)
    picture: Image.Image | None = None


def interpret(zpl: str) -> list[Printed]:
    """Run one label; AssertionError for a command that no label of ours has, or a picture whose counts are wrong."""
    assert zpl.isascii()
    assert "~" not in zpl
    assert (zpl.count("^XA"), zpl.count("^XZ")) == (1, 1)
    fields: list[Printed] = []
    escapes = False
    for command, rest in commands(zpl):
        assert command in COMMANDS, command
        if command == "FO":
            x, y = rest.split(",")
            fields.append(Printed((int(x), int(y))))
            escapes = False
        elif command == "BQ":
            fields[-1].symbol = rest.split(",")
        elif command == "FH":
            assert rest == "_"
            escapes = True
        elif command == "FD":
            fields[-1].text = unescaped(rest) if escapes else rest
        elif command == "GF":
            fields[-1].picture = rebuilt(rest)
    return fields


def commands(zpl: str) -> Iterator[tuple[str, str]]:
    for part in zpl.replace("\n", "").split("^")[1:]:
        yield part[:2], part[2:]


def unescaped(text: str) -> str:
    octets = re.sub(rb"_([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode())
    return octets.decode()


def rebuilt(parameters: str) -> Image.Image:
    form, sent, total, per_row, data = parameters.split(",")
    assert form == "A"
    assert int(sent) == int(total) == len(data) // 2
    assert re.fullmatch("[0-9A-F]+", data)
    assert int(total) % int(per_row) == 0
    return Image.frombytes("1", (8 * int(per_row), int(total) // int(per_row)), bytes.fromhex(data))


def same_drawing(sent: Image.Image, drawn: Image.Image) -> bool:
    padded = Image.new("1", sent.size, 0)
    padded.paste(drawn, (0, 0))
    return padded.tobytes() == sent.tobytes()


@pytest.mark.parametrize("code", CODES, ids=str)
@pytest.mark.parametrize("level", ["L", "M", "Q", "H"])
def test_the_data_of_the_symbol_reads_back_to_the_code(code: Code, level: Level) -> None:
    symbol = interpret(label_zpl(code, level=level))[0]
    assert symbol.symbol[:2] == ["N", "2"]
    assert symbol.symbol[3] == level
    assert symbol.text[:3] == f"{level}A,"
    assert read_scan(symbol.text[3:]) == code


def test_the_symbol_a_printer_makes_of_it_is_read_by_a_foreign_decoder() -> None:
    media = ZplMedia(203)
    symbol = interpret(label_zpl(CODES[2], media))[0]
    drawn = qr_symbol(symbol.text[3:], level="M", mask=int(symbol.symbol[4]))
    dots = int(symbol.symbol[2])
    pixels = bytes(0 if dark else 255 for row in drawn.modules for dark in row)
    small = Image.frombytes("L", (drawn.size, drawn.size), pixels)
    label = Image.new("L", (media.dots(media.width_mm), 300), 255)
    label.paste(small.resize((drawn.size * dots, drawn.size * dots), Image.Resampling.NEAREST), symbol.at)
    assert [parse_link(found.text).code for found in zxingcpp.read_barcodes(label)] == [CODES[2]]


def test_the_quiet_zone_is_kept_on_all_four_sides() -> None:
    media = ZplMedia(203)
    symbol, first_line, *_ = interpret(label_zpl(CODES[2], media))
    side = 29 * media.magnification
    quiet = 4 * media.magnification
    assert symbol.at[0] >= quiet
    assert symbol.at[1] >= quiet
    assert symbol.at[0] + side + quiet <= media.dots(media.width_mm)
    assert symbol.at[1] + 10 + side + quiet <= first_line.at[1]  # printers draw ^BQ ten dots lower


@pytest.mark.parametrize("code", [*CODES, Code("grai:09520001123450ZJ33010000017"), Code("giai:9520001VLV-0098231")])
def test_the_text_with_check_digits_stands_below_in_the_printers_own_font(code: Code) -> None:
    _, *lines = interpret(label_zpl(code))
    assert not any(line.picture for line in lines)
    joined = "".join(line.text for line in lines)
    assert joined.replace("-", "").replace(" ", "") == format_code_human(code).replace("-", "").replace(" ", "")


@pytest.mark.parametrize("dpi", [203, 300, 600])
def test_a_chinese_line_is_sent_as_the_picture_of_it(dpi: int) -> None:
    media = ZplMedia(dpi)
    *_, note = interpret(label_zpl(CODES[0], media, notes=[NOTE]))
    assert note.picture is not None
    assert same_drawing(note.picture, line_picture(NOTE, note.picture.height))
    assert note.picture.height == pytest.approx(3 * 1.25 * dpi / 25.4, abs=1)
    assert note.picture.getbbox() is not None


def test_a_chinese_line_stands_in_the_middle_and_inside_the_label() -> None:
    media = ZplMedia()
    *_, note = interpret(label_zpl(CODES[0], media, notes=[NOTE]))
    assert note.picture is not None
    free = media.dots(media.width_mm) - line_picture(NOTE, note.picture.height).width
    assert abs(note.at[0] - free / 2) <= 1


def test_an_alias_with_chinese_in_it_is_drawn_and_its_link_escaped() -> None:
    code = legacy_code(Scheme.PROVINCE, "浙330100000017")
    symbol, line = interpret(label_zpl(code))
    assert parse_link(symbol.text[3:]).code == code
    assert line.picture is not None
    assert same_drawing(line.picture, line_picture("浙330100000017", line.picture.height))


@pytest.mark.parametrize(
    "note",
    [
        "^XZ^XA^FDforged^FS",
        "~JR",
        "A^FS^FO0,0^GB99,99,99^FS",
        "_5EXZ",
        "\\&",
        "a,b",
        "^",
        "~",
        "%%",
        "{}",
        "A~DGR:X.GRF",
    ],
)
def test_a_note_cannot_become_a_command(note: str) -> None:
    plain, with_note = label_zpl(CODES[0]), label_zpl(CODES[0], notes=[note])
    *_, drawn = interpret(with_note)
    assert drawn.picture is not None
    assert same_drawing(drawn.picture, line_picture(note, drawn.picture.height))
    kinds = [[command for command, _ in commands(label)] for label in (plain, with_note)]
    assert kinds[1] == [*kinds[0][:-2], "FO", "GF", "FS", *kinds[0][-2:]]


@given(st.lists(st.text(sorted(characters()), min_size=1, max_size=8), max_size=3))
def test_whatever_the_notes_the_label_stays_one_label_of_known_commands(notes: list[str]) -> None:
    fields = interpret(label_zpl(CODES[0], notes=notes))
    assert read_scan(fields[0].text[3:]) == CODES[0]
    assert len(fields) == 3 + len(notes)


@pytest.mark.parametrize("host", ["a^XZ.example", "a~JR.example", "a_5E.example", "a\\&.example", "示例.example"])
def test_a_host_with_control_characters_of_the_printer_is_escaped(host: str) -> None:
    symbol = interpret(label_zpl(CODES[0], host=host))[0]
    assert symbol.text[3:] == format_printed_link(CODES[0], host)


@pytest.mark.parametrize("value", ["A~B", "A_B", "A^B", "A\\B"])
def test_an_alias_with_control_characters_of_the_printer_is_escaped_and_drawn(value: str) -> None:
    code = legacy_code(Scheme.MAKER, value)
    symbol, line = interpret(label_zpl(code))
    assert parse_link(symbol.text[3:]).code == code
    assert line.picture is not None


@pytest.mark.parametrize(("dpi", "module_mm", "dots"), [(203, 0.25, 2), (203, 0.5, 4), (300, 0.5, 6), (600, 0.42, 10)])
def test_a_module_is_a_whole_number_of_dots(dpi: int, module_mm: float, dots: int) -> None:
    media = ZplMedia(dpi, module_mm=module_mm)
    assert media.magnification == dots
    assert interpret(label_zpl(CODES[0], media))[0].symbol[2] == str(dots)
    assert media.printed_module_mm == pytest.approx(module_mm, abs=0.07)


@pytest.mark.parametrize(
    ("dpi", "width_mm", "module_mm", "said"),
    [
        (203, 50, 0.2, "below the 0.25 mm"),
        (600, 50, 0.5, "at most 0.42 mm"),
        (203, 12, 0.5, "wider than a label"),
        (200, 50, 0.5, "choose 203, 300 or 600"),
    ],
)
def test_a_symbol_that_cannot_be_printed_is_refused(dpi: int, width_mm: float, module_mm: float, said: str) -> None:
    with pytest.raises(ZplError, match=said):
        label_zpl(CODES[0], ZplMedia(dpi, width_mm, module_mm))


def test_a_note_wider_than_the_label_is_refused() -> None:
    with pytest.raises(ZplError, match="shorten it"):
        label_zpl(CODES[0], notes=["气" * 40])


def test_a_note_that_the_font_cannot_draw_is_refused_by_character() -> None:
    with pytest.raises(MissingGlyph, match=r"U\+20000"):
        label_zpl(CODES[0], notes=["\U00020000"])


def test_the_printer_is_told_how_many_copies() -> None:
    assert "^PQ3\n^XZ\n" in label_zpl(CODES[0], copies=3)


def test_the_command_writes_one_label_a_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes, out = tmp_path / "codes.csv", tmp_path / "labels.zpl"
    codes.write_text("code\n" + "".join(f"{code.text}\n" for code in CODES))
    assert cli.main(["zpl", str(codes), "--out", str(out), "--dpi", "300", "--note", NOTE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == 4
    labels = [f"^XA{part}" for part in out.read_text().split("^XA")[1:]]
    assert [read_scan(interpret(label)[0].text[3:]) for label in labels] == CODES


@pytest.mark.parametrize("processes", [1, 3])
def test_labels_stand_in_the_order_of_the_table_however_many_processes_draw(tmp_path: Path, processes: int) -> None:
    codes, out = tmp_path / "codes.csv", tmp_path / "labels.zpl"
    many = [make_code(number.to_bytes(10), KEY) for number in range(200)]
    codes.write_text("code\n" + "".join(f"{code.text}\n" for code in many))
    assert cli.main(["zpl", str(codes), "--out", str(out), "--processes", str(processes)]) == 0
    assert re.findall("/C/([0-9A-Z]{26})", out.read_text()) == [code.text for code in many]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--width-mm", "9"], "take a wider label"),
        (["--module-mm", "0.1"], "a module of 0.10 mm"),
        (["--note", "\U00020000"], "U+20000"),
    ],
)
def test_the_command_refuses_in_one_sentence_what_does_not_fit(
    arguments: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes, out = tmp_path / "codes.csv", tmp_path / "labels.zpl"
    codes.write_text(CODES[0].text)
    assert cli.main(["zpl", str(codes), "--out", str(out), *arguments]) == 2
    assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [codes]
