"""A sheet of labels is rendered by a foreign PDF library and read back, every symbol of it, by two foreign decoders."""

import json
import re
import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest
import zxingcpp
from PIL import Image

from cylinder_codes import cli
from cylinder_codes.authenticity import TagKey
from cylinder_codes.book.issue_book import IssueBook
from cylinder_codes.commands.code_file import read_lines
from cylinder_codes.control_sheet import SheetLine, SheetMaking
from cylinder_codes.digital_link import format_printed_link, parse_link
from cylinder_codes.identifiers import Code, format_code_human, legacy_code, make_code, make_grai
from cylinder_codes.schemes import Scheme
from cylinder_codes.sheets import PRESETS, Grid, Sheet, SheetError, plain_grid, sheet_pdf, text_lines
from cylinder_codes.typeface import MissingGlyph

KEY = TagKey("example", bytes(range(32)))
MADE_AT = 1_767_225_600_000  # 2026-01-01 00:00 UTC
MAKING = SheetMaking(MADE_AT)
CODES = [make_code(bytes([n * 37 % 256] * 5 + [n] * 5), KEY) for n in range(60)]
HOLDER = "示例县液化气充装站（演示数据）"
LINES = [SheetLine(code, "R-2026-001", HOLDER, "0752cb35") for code in CODES]
GRID = plain_grid(3, 8)
DPI = 300


def pages_of(sheet: Sheet) -> list[Image.Image]:
    document = pypdfium2.PdfDocument(sheet.pdf)
    return [page.render(scale=DPI / 72, grayscale=True).to_pil() for page in document]


def texts_of(sheet: Sheet) -> list[str]:
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(sheet.pdf)]


def read_by_zxing(picture: Image.Image) -> list[Code]:
    return [parse_link(found.text).code for found in zxingcpp.read_barcodes(picture)]


def label_pictures(picture: Image.Image, grid: Grid) -> list[Image.Image]:
    dots = DPI / 25.4
    corners = [(grid.left + column * grid.pitch_x, grid.top + row * grid.pitch_y)
               for row in range(grid.rows) for column in range(grid.columns)]  # fmt: skip
    boxes = [(x * dots, y * dots, (x + grid.width) * dots, (y + grid.height) * dots) for x, y in corners]
    return [picture.crop((round(a), round(b), round(c), round(d))) for a, b, c, d in boxes]


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    return sheet_pdf(LINES, MAKING, GRID, per_box=40)


def test_every_symbol_of_a_sheet_is_read_back_by_zxing_in_its_place(sheet: Sheet) -> None:
    pages = pages_of(sheet)
    labels = [label for page in (1, 2, 4) for label in label_pictures(pages[page], GRID)]
    read = [read_by_zxing(label) for label in labels]
    assert [codes[0] for codes in read if codes] == CODES


def read_by_opencv(label: Image.Image) -> str:
    """The text at one of three resolutions: this decoder misses some pictures of a flawless symbol."""
    detector = cv2.QRCodeDetector()
    for scale in (1.0, 0.75, 0.5):
        picture = label.resize((round(label.width * scale), round(label.height * scale)), Image.Resampling.BOX)
        if text := detector.detectAndDecode(np.asarray(picture))[0]:
            return str(text)
    return ""


def test_every_symbol_of_a_sheet_is_read_back_by_opencv(sheet: Sheet) -> None:
    pages = pages_of(sheet)
    labels = [label for page in (1, 2, 4) for label in label_pictures(pages[page], GRID)]
    texts = [read_by_opencv(label) for label in labels if label.getextrema() != (255, 255)]
    assert [parse_link(text).code for text in texts] == CODES


def test_a_control_sheet_leads_every_box_and_holds_no_symbol(sheet: Sheet) -> None:
    assert (sheet.boxes, sheet.pages) == (2, 5)
    pages = pages_of(sheet)
    assert [len(read_by_zxing(page)) > 0 for page in pages] == [False, True, True, False, True]


def test_the_control_sheet_names_first_and_last_code_count_range_holder_key_and_date(sheet: Sheet) -> None:
    first, second = (texts_of(sheet)[page] for page in (0, 3))
    for part in (
        "箱单",
        "Control sheet",
        "首码",
        "末码",
        "数量",
        "R-2026-001",
        HOLDER,
        "0752cb35",
        "2026-01-01 00:00 UTC",
    ):
        assert part in first
    assert format_code_human(CODES[0]) in first
    assert format_code_human(CODES[39]) in first
    assert re.search(r"Count\s+40\s", first)
    assert format_code_human(CODES[40]) in second
    assert format_code_human(CODES[59]) in second
    assert re.search(r"Count\s+20\s", second)


def test_the_control_sheet_has_room_for_four_signatures_in_chinese_and_english(sheet: Sheet) -> None:
    text = texts_of(sheet)[0]
    for words in ("制作 Made by", "核对 Checked by", "领用 Received by", "安装 Applied by"):
        for word in words.split(" ", 1):
            assert word in text
    assert text.count("签名") == 4


def test_the_text_with_check_digits_stands_under_every_symbol(sheet: Sheet) -> None:
    text = "".join(texts_of(sheet))
    for code in CODES:
        assert all(line in text for line in text_lines(code))


def test_head_and_foot_of_a_page_name_box_page_module_and_holder_in_chinese(sheet: Sheet) -> None:
    text = texts_of(sheet)[1]
    assert "第 1 箱 Box 1/2" in text
    assert "第 2 页 Page 2/5" in text
    assert f"模块 Module {sheet.fit.module_mm:.2f} mm" in text
    assert HOLDER in text


def test_a_module_has_exactly_the_size_that_is_stated() -> None:
    sheet = sheet_pdf(LINES[:1], MAKING, GRID, module_mm=0.5)
    label = label_pictures(pages_of(sheet)[1], GRID)[0]
    found = zxingcpp.read_barcodes(label)[0].position
    side_mm = (found.top_right.x - found.top_left.x + 1) * 25.4 / DPI
    assert side_mm == pytest.approx(29 * 0.5, abs=0.2)


@pytest.mark.parametrize("preset", PRESETS)
def test_ready_cut_sheets_fit_on_a4_and_are_read_back(preset: str) -> None:
    grid = PRESETS[preset]
    assert grid.left + (grid.columns - 1) * grid.pitch_x + grid.width <= 210
    assert grid.top + (grid.rows - 1) * grid.pitch_y + grid.height <= 297
    sheet = sheet_pdf(LINES, MAKING, grid)
    labels = [label for page in pages_of(sheet)[1:] for label in label_pictures(page, grid)]
    assert [code for label in labels for code in read_by_zxing(label)] == CODES


def test_nothing_is_drawn_between_the_labels_of_a_ready_cut_sheet() -> None:
    grid = PRESETS["38.1x21.2"]
    page = pages_of(sheet_pdf(LINES, MAKING, grid))[1]
    dots = DPI / 25.4
    for column in range(grid.columns - 1):
        right = grid.left + column * grid.pitch_x + grid.width
        gap = page.crop((round(right * dots), round(12 * dots), round((right + 2.5) * dots), round(285 * dots)))
        assert gap.getextrema() == (255, 255)


def test_a_module_finer_than_hundredths_is_stated_in_full() -> None:
    frame, labels = texts_of(sheet_pdf(LINES[:1], MAKING, GRID, module_mm=0.375))
    assert "module 0.375 mm" in frame
    assert "Module 0.375 mm" in labels


def test_four_modules_around_every_symbol_stay_white(sheet: Sheet) -> None:
    page = pages_of(sheet)[1]
    quiet = int(4 * sheet.fit.module_mm * DPI / 25.4)
    for label in label_pictures(page, GRID):
        found = zxingcpp.read_barcodes(label)[0].position
        left, top, right, bottom = found.top_left.x, found.top_left.y, found.bottom_right.x, found.bottom_right.y
        above, below = (left - quiet, top - quiet, right + quiet, top - 1), (left, bottom + 2, right, bottom + quiet)
        beside = (left - quiet, top, left - 1, bottom), (right + 2, top, right + quiet, bottom)
        for box in (above, below, *beside):
            assert np.asarray(label.crop(box)).min() > 128


def test_codes_of_several_schemes_share_one_module_size_and_are_read_back() -> None:
    grai = make_grai("952000112345", bytes(6), KEY)
    giai, old = Code("giai:9520001VLV-0098231"), legacy_code(Scheme.PROVINCE, "浙 330100 000017")
    mixed = [SheetLine(code) for code in (CODES[0], grai, giai, old)]
    sheet = sheet_pdf(mixed, MAKING, GRID)
    labels = label_pictures(pages_of(sheet)[1], GRID)[:4]
    assert [code for label in labels for code in read_by_zxing(label)] == [line.code for line in mixed]
    text = texts_of(sheet)[1]
    assert "(8003) 09520001123450" in text
    assert "浙330100000017" in text


def test_the_same_input_gives_the_same_bytes(sheet: Sheet) -> None:
    assert sheet_pdf(LINES, MAKING, GRID, per_box=40).pdf == sheet.pdf
    assert sheet_pdf(LINES, SheetMaking(MADE_AT + 86_400_000), GRID, per_box=40).pdf != sheet.pdf


def test_the_particulars_of_the_file_name_what_is_in_it_and_when_it_was_made(sheet: Sheet) -> None:
    particulars = pypdfium2.PdfDocument(sheet.pdf).get_metadata_dict()
    assert particulars["Title"].startswith("气瓶码标签 Cylinder code labels: ")
    assert particulars["CreationDate"] == "D:20260101000000+00'00'"


def test_the_text_of_every_scheme_breaks_into_two_lines_at_most() -> None:
    assert text_lines(Code("04HMASW9NF6YZZPW1011YN6955")) == ("04HM-ASW9-NF6Y-ZZPW", "1011-YN69-55")
    grai = Code("grai:09520001123450ZJ33010000017")
    first, second = text_lines(grai)
    assert f"{first} {second}" == format_code_human(grai)
    assert text_lines(Code("province:ZJ330100000017")) == ("ZJ330100000017",)
    long = Code("maker:" + "A1" * 40)
    assert "".join(text_lines(long)) == "A1" * 40


@pytest.mark.parametrize(
    ("grid", "module_mm", "said"),
    [
        (plain_grid(8, 29), None, "below the 0.25 mm"),
        (plain_grid(20, 20), None, "pt high on a label"),
        (GRID, 0.2, "below the 0.25 mm"),
        (GRID, 2.0, "fits up to 0.64 mm"),
    ],
)
def test_a_symbol_too_small_or_too_large_for_the_label_is_refused(
    grid: Grid, module_mm: float | None, said: str
) -> None:
    with pytest.raises(SheetError, match=re.escape(said)):
        sheet_pdf(LINES, MAKING, grid, module_mm=module_mm)


def test_a_small_module_is_printed_with_a_warning() -> None:
    assert "0.30 mm" in (sheet_pdf(LINES[:1], MAKING, GRID, module_mm=0.3).fit.warning or "")
    assert sheet_pdf(LINES[:1], MAKING, GRID).fit.warning is None


def test_a_holder_that_the_font_cannot_draw_is_refused_by_character() -> None:
    with pytest.raises(MissingGlyph, match=r"character 3.*U\+20000"):
        sheet_pdf([SheetLine(CODES[0], holder="公司\U00020000")], MAKING, GRID)


def test_a_long_holder_is_cut_and_does_not_run_off_the_page() -> None:
    page = pages_of(sheet_pdf([SheetLine(CODES[0], holder="长" * 80)], MAKING, GRID))[0]
    assert page.crop((round(191 * DPI / 25.4), 0, page.width, page.height)).getextrema() == (255, 255)


def table(folder: Path, text: str) -> Path:
    path = folder / "codes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_table_names_range_holder_and_key_in_chinese_or_english(tmp_path: Path) -> None:
    english = f"number,code,range,holder,key_id\n1,{CODES[0].text},R-1,{HOLDER},0752cb35\n"
    chinese = f"\ufeff气瓶码,号段,持有单位,密钥编号\r\n{CODES[0].text},R-1,{HOLDER},0752cb35\r\n"
    wanted = [SheetLine(CODES[0], "R-1", HOLDER, "0752cb35")]
    for text in (english, chinese):
        assert read_lines(table(tmp_path, text), MAKING.host) == wanted


def test_a_file_of_codes_or_links_without_header_is_taken(tmp_path: Path) -> None:
    text = f"{CODES[0].text}\n\n{format_printed_link(CODES[1])}\n{format_code_human(CODES[2])}\n"
    lines = read_lines(table(tmp_path, text), MAKING.host)
    assert [line.code for line in lines] == CODES[:3]


def test_the_command_writes_the_sheet_and_says_the_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes = table(tmp_path, "code,range\n" + "".join(f"{code.text},R-1\n" for code in CODES))
    out = tmp_path / "sheet.pdf"
    command = ["sheet", str(codes), "--out", str(out), "--grid", "3x8", "--per-box", "24", "--holder", HOLDER, "--json"]
    assert cli.main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["labels"], told["boxes"], told["pages"], told["module_mm"]) == (60, 3, 6, 0.64)
    document = pypdfium2.PdfDocument(out.read_bytes())
    assert HOLDER in document[0].get_textpage().get_text_range()


def test_the_control_sheet_takes_holder_and_key_from_the_issue_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYLINDER_CODES_PASSPHRASE", "only for this test")
    issuer, codes, out = tmp_path / "issuer", tmp_path / "codes.csv", tmp_path / "sheet.pdf"
    of_issuer = ["--issuer", str(issuer)]
    assert cli.main(["issue", "--count", "5", "--to", HOLDER, "--out", str(codes), *of_issuer]) == 0
    assert cli.main(["sheet", str(codes), "--out", str(out), *of_issuer]) == 0
    with closing(IssueBook(str(issuer / "book.sqlite"))) as book:
        terms = book.ranges()[0].terms
    text = pypdfium2.PdfDocument(out.read_bytes())[0].get_textpage().get_text_range()
    assert HOLDER in text
    assert terms.key_id in text


def test_a_book_that_does_not_know_the_codes_lends_them_no_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYLINDER_CODES_PASSPHRASE", "only for this test")
    issuer, out = tmp_path / "issuer", tmp_path / "sheet.pdf"
    of_issuer = ["--issuer", str(issuer)]
    assert cli.main(["issue", "--count", "1", "--to", HOLDER, "--out", str(tmp_path / "own.csv"), *of_issuer]) == 0
    foreign = table(tmp_path, f"code,range\n{CODES[0].text},range-0001\n")
    assert cli.main(["sheet", str(foreign), "--out", str(out), *of_issuer]) == 0
    assert HOLDER not in pypdfium2.PdfDocument(out.read_bytes())[0].get_textpage().get_text_range()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--grid", "3"], "is not a grid such as 3x8"),
        (["--grid", "0x9"], "take 3x8"),
        (["--preset", "a5"], "invalid choice"),
        (["--module-mm", "wide"], "is not a length in mm"),
        (["--grid", "20x20"], "take fewer columns"),
        (["--holder", "\U00020000"], "U+20000"),
    ],
)
def test_what_cannot_be_printed_is_refused_in_one_sentence(
    arguments: list[str], said: str, tmp_path: Path
) -> None:  # fmt: skip
    codes = table(tmp_path, f"code\n{CODES[0].text}\n")
    command = [sys.executable, "-m", "cylinder_codes.cli", "sheet", str(codes), "--out", str(tmp_path / "x.pdf")]
    ended = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("x.pdf*"))


def test_a_folder_that_is_not_there_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = table(tmp_path, CODES[0].text)
    for command in ("sheet", "zpl"):
        assert cli.main([command, str(codes), "--out", str(tmp_path / "none" / "x")]) == 2
        assert "none is not a folder: make it first" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"\n\n", b"code\n", b"\xff\xfe", b"x" * 200_000, b'"' + b"y" * 200_000])
def test_a_file_that_is_no_table_of_codes_is_refused(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = tmp_path / "codes.csv"
    codes.write_bytes(content)
    assert cli.main(["sheet", str(codes), "--out", str(tmp_path / "x.pdf")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert str(codes) in said[0]
    assert len(said[0]) < 400


def test_a_table_with_a_wrong_code_names_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes = table(tmp_path, f"code\n{CODES[0].text}\n{CODES[1].text[:-1]}9\n")
    assert cli.main(["sheet", str(codes), "--out", str(tmp_path / "x.pdf")]) == 2
    assert "codes.csv, line 3: " in capsys.readouterr().err


def test_a_thousand_labels_take_seconds_and_little_memory() -> None:
    codes = [make_code(n.to_bytes(10, "big"), KEY) for n in range(1000)]
    drawn: list[int] = []
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sheet = sheet_pdf([SheetLine(code) for code in codes], MAKING, GRID, show=drawn.append)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    assert drawn == sorted(drawn)
    assert drawn[-1] == 1000
    assert len(sheet.pdf) < 1_500_000
    assert grown_kb < 100_000
