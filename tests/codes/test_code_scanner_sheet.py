"""Every fault of a scanner is played on the symbols of the test sheet, and the diagnosis names it and no other."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cylinder_codes import cli
from cylinder_codes.authenticity import TagKey, tag_is_genuine
from cylinder_codes.elements import GS
from cylinder_codes.layouts import LAYOUTS
from cylinder_codes.reading import read_scan
from cylinder_codes.scanner_check import Diagnosis, diagnose, name_of, shown
from cylinder_codes.scanner_examination import SAMPLE_CODE, SYMBOLS, Examination, SheetSymbol, summary
from cylinder_codes.scanner_faults import WORDS, Fault
from cylinder_codes.scanner_sheet import printed_lines, scanner_sheet_pdf

MADE_AT = 1_767_225_600_000
LETTERS, DIGITS, MARKS, DATAMATRIX, QR, SAMPLE = (symbol.text for symbol in SYMBOLS)
GERMAN, FRENCH = (layout for layout in LAYOUTS if layout.name_en in ("German", "French"))
FULL_WIDTH = {0x21 + offset: 0xFF01 + offset for offset in range(94)}
CHINESE_MARKS = dict(zip(map(ord, ".:?()<>"), "。：？（）《》", strict=True))


def faults(diagnosis: Diagnosis) -> list[Fault]:
    return [finding.fault for finding in diagnosis.findings]


def rendered(scale: float = 3.0) -> list[Image.Image]:
    return [
        page.render(scale=scale, grayscale=True).to_pil() for page in pypdfium2.PdfDocument(scanner_sheet_pdf(MADE_AT))
    ]


# ---------------------------------------------------------------- the sheet


def test_every_symbol_of_the_sheet_is_read_with_its_text() -> None:
    read = zxingcpp.read_barcodes(rendered()[0])
    assert sorted(found.bytes.decode() for found in read) == sorted(symbol.text for symbol in SYMBOLS)


def test_the_gs1_symbols_announce_themselves_as_gs1() -> None:
    read = {found.bytes.decode(): found for found in zxingcpp.read_barcodes(rendered()[0])}
    assert [read[text].symbology_identifier for text in (DATAMATRIX, QR)] == ["]d2", "]Q3"]
    assert {read[text].content_type for text in (DATAMATRIX, QR)} == {zxingcpp.ContentType.GS1}


def test_the_sheet_says_in_chinese_and_english_how_each_fault_is_mended() -> None:
    document = pypdfium2.PdfDocument(scanner_sheet_pdf(MADE_AT))
    text = document[1].get_textpage().get_text_range()
    for words in WORDS.values():
        for part in (words.what_zh, words.what_en, words.mend_zh, words.mend_en):
            assert part in text


def test_below_every_symbol_stands_what_must_arrive() -> None:
    text = pypdfium2.PdfDocument(scanner_sheet_pdf(MADE_AT))[0].get_textpage().get_text_range()
    for symbol in SYMBOLS:
        assert all(line in text for line in printed_lines(symbol))
        assert "".join(printed_lines(symbol)).replace("<GS>", GS) == symbol.text


def test_nothing_on_the_sheet_runs_into_the_margins() -> None:
    for page in rendered():
        side = round(17 * 3 * 72 / 25.4)
        assert page.crop((0, 0, side, page.height)).getextrema() == (255, 255)
        assert page.crop((page.width - side, 0, page.width, page.height)).getextrema() == (255, 255)


def test_the_same_date_gives_the_same_sheet() -> None:
    assert scanner_sheet_pdf(MADE_AT) == scanner_sheet_pdf(MADE_AT)


def test_the_sample_code_reads_as_a_code_made_under_the_example_key() -> None:
    assert read_scan(SAMPLE) == SAMPLE_CODE
    assert tag_is_genuine(SAMPLE_CODE, TagKey("example", bytes(range(32))))


# ---------------------------------------------------------------- one fault at a time


@pytest.mark.parametrize("symbol", SYMBOLS, ids=lambda symbol: symbol.en)
@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])
def test_what_arrives_as_it_is_printed_is_good(symbol: SheetSymbol, line_end: str) -> None:
    assert diagnose(symbol.text, symbol.text + line_end).findings == ()


@pytest.mark.parametrize(
    ("expected", "play", "fault"),
    [
        (LETTERS, str.swapcase, Fault.CAPS_LOCK),
        (SAMPLE, str.swapcase, Fault.CAPS_LOCK),
        (LETTERS, str.lower, Fault.LOWER_CASE),
        (LETTERS, str.upper, Fault.UPPER_CASE),
        (MARKS, lambda text: text.translate(str.maketrans(":?&%()<>", ";/7590,.")), Fault.NO_SHIFT),
        (LETTERS, lambda text: text.translate(FULL_WIDTH), Fault.FULL_WIDTH),
        (DIGITS, lambda text: text.translate(FULL_WIDTH), Fault.FULL_WIDTH),
        (MARKS, lambda text: text.translate(CHINESE_MARKS), Fault.CHINESE_MARKS),
        (SAMPLE, lambda text: text.translate(CHINESE_MARKS).replace("/", "、"), Fault.CHINESE_MARKS),
        (LETTERS, lambda _: "阿不成的额", Fault.INPUT_METHOD),
        (DATAMATRIX, lambda text: text.replace(GS, ""), Fault.GS_LOST),
        (LETTERS, lambda text: text[:5] + text[6:], Fault.DROPPED),
        (SAMPLE, lambda text: text[3:], Fault.DROPPED),
        (DIGITS, lambda text: text.replace("3", "33"), Fault.DOUBLED),
        (DIGITS, lambda text: text + text, Fault.READ_TWICE),
        (SAMPLE, lambda text: f"{text}\n{text}", Fault.READ_TWICE),
        (MARKS, lambda text: f"{text}\t", Fault.SUFFIX_TAB),
        (MARKS, lambda text: f"{text}\\n", Fault.SUFFIX_TEXT),
        (MARKS, lambda text: f"{text}\x03", Fault.SUFFIX_TEXT),
        (MARKS, lambda text: f"{text}\n", Fault.SUFFIX_TWICE),
        (DIGITS, lambda text: f"F9{text}", Fault.PREFIX),
        (DIGITS, lambda text: f"~3{text}", Fault.LANE_PREFIX),
        (DIGITS, lambda text: f"]Q1{text}", Fault.AIM_ON),
        (DATAMATRIX, lambda text: f"]d2{text}", Fault.AIM_ON),
        (DIGITS, lambda _: "", Fault.NOTHING),
        (DIGITS, lambda _: "https://elsewhere.example", Fault.UNKNOWN),
        (DIGITS, lambda _: SAMPLE, Fault.OTHER_SYMBOL),
    ],
)  # fmt: skip
def test_a_fault_is_named_and_no_other(expected: str, play: Callable[[str], str], fault: Fault) -> None:
    others = [symbol.text for symbol in SYMBOLS if symbol.text != expected]
    assert faults(diagnose(expected, play(expected) + "\n", others)) == [fault]


@pytest.mark.parametrize("stand_in", ["<GS>", "{GS}", "\u241d", "^]", "\\x1d", "|", " ", "29", "\x1e", "\\u001d", "~"])
def test_what_stands_in_for_the_separator_is_named(stand_in: str) -> None:
    for text in (DATAMATRIX, QR):
        diagnosis = diagnose(text, text.replace(GS, stand_in) + "\n")
        assert faults(diagnosis) == [Fault.GS_REPLACED]
        assert diagnosis.findings[0].detail == shown(stand_in)


def test_a_leading_separator_for_fnc1_is_nothing_to_mend() -> None:
    assert diagnose(QR, f"]Q3{GS}{QR}\r\n").good


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name_en)
def test_the_layout_of_the_computer_is_among_those_named_together(layout: object) -> None:
    typing = next(each for each in LAYOUTS if each is layout)
    diagnoses = [diagnose(text, typing.typed(text) + "\n") for text in (LETTERS, DIGITS, MARKS)]
    if typing.typed(LETTERS + DIGITS + MARKS) == LETTERS + DIGITS + MARKS:
        assert all(diagnosis.good for diagnosis in diagnoses)  # British: our codes have none of its other keys
        return
    found = [finding for finding in summary(diagnoses) if finding.fault == Fault.LAYOUT]
    assert name_of(typing) in found[0].detail.split(" / ")


def test_german_and_french_are_told_apart_by_name() -> None:
    for layout in (GERMAN, FRENCH):
        findings = summary([diagnose(text, layout.typed(text) + "\n") for text in (LETTERS, DIGITS, MARKS)])
        assert [finding.fault for finding in findings] == [Fault.LAYOUT]
        assert layout.name_en in findings[0].detail


def test_a_dead_key_may_leave_nothing_or_its_accent() -> None:
    for left in ("", "´", "="):
        came = "Ö-.ß_" + left + "/%)=;:\n"
        assert name_of(GERMAN) in diagnose(MARKS, came).findings[0].detail


@pytest.mark.parametrize(
    ("play", "fault"),
    [
        (str.swapcase, Fault.CAPS_LOCK),
        (str.lower, Fault.LOWER_CASE),
        (lambda text: text.lower().translate(str.maketrans(":?&%()<>", ";/7590,.")), Fault.NO_SHIFT),
    ],
)
def test_the_symbols_together_tell_caps_lock_case_conversion_and_lost_shift_apart(
    play: Callable[[str], str], fault: Fault
) -> None:
    diagnoses = [diagnose(symbol.text, play(symbol.text) + "\n") for symbol in SYMBOLS]
    assert [finding.fault for finding in summary(diagnoses)] == [fault]


def test_no_line_end_at_all_is_a_missing_suffix() -> None:
    assert faults(diagnose(DIGITS, DIGITS)) == [Fault.NO_SUFFIX]


def test_symbols_that_run_together_in_one_line_are_a_missing_suffix() -> None:
    assert faults(diagnose(LETTERS, LETTERS + DIGITS + MARKS + "\n", [DIGITS, MARKS])) == [Fault.NO_SUFFIX]


# ---------------------------------------------------------------- several faults together


def test_faults_that_come_together_are_all_named() -> None:
    came = "~2]q1" + LETTERS.swapcase() + "\t"
    assert faults(diagnose(LETTERS, came)) == [Fault.CAPS_LOCK, Fault.AIM_ON, Fault.LANE_PREFIX, Fault.SUFFIX_TAB]


def test_caps_lock_on_another_layout_is_both() -> None:
    came = GERMAN.typed(LETTERS.swapcase()) + "\n"
    assert faults(diagnose(LETTERS, came)) == [Fault.CAPS_LOCK, Fault.LAYOUT]


def test_a_lost_separator_with_prefix_and_aim_identifier_is_all_three() -> None:
    came = "F9]d2" + DATAMATRIX.replace(GS, "") + "\r\n"
    assert faults(diagnose(DATAMATRIX, came)) == [Fault.GS_LOST, Fault.AIM_ON, Fault.PREFIX]


@given(st.text(max_size=80))
def test_whatever_arrives_there_is_a_diagnosis(arrived: str) -> None:
    diagnosis = diagnose(MARKS, arrived, [DIGITS])
    assert diagnosis.findings or arrived.rstrip("\r\n") in (MARKS, GS + MARKS)


@given(st.sampled_from(SYMBOLS), st.text(max_size=3), st.text(max_size=3))
def test_a_good_verdict_is_given_only_to_the_exact_text(symbol: SheetSymbol, before: str, after: str) -> None:
    diagnosis = diagnose(symbol.text, f"{before}{symbol.text}{after}\n")
    if diagnosis.good:
        assert before in ("", GS) or diagnosis.findings
        assert after == ""


# ---------------------------------------------------------------- a whole examination


def test_the_symbols_are_asked_for_in_order_and_all_good() -> None:
    examination = Examination()
    for symbol in SYMBOLS:
        assert examination.asked == symbol
        examination.take(symbol.text + "\n")
    assert examination.asked is None
    assert summary(examination.diagnoses) == []


def test_another_symbol_is_told_and_the_same_asked_for_again() -> None:
    examination = Examination()
    told = examination.take(MARKS + "\n")
    assert told is not None
    assert faults(told) == [Fault.OTHER_SYMBOL]
    assert examination.asked == SYMBOLS[0]


def test_an_empty_line_after_a_scan_is_its_second_line_end() -> None:
    examination = Examination()
    examination.take("\n")
    examination.take(LETTERS + "\n")
    examination.take("\n")
    examination.take(DIGITS + "\n")
    assert [faults(diagnosis) for diagnosis in examination.diagnoses] == [[Fault.SUFFIX_TWICE], []]


def test_the_same_symbol_in_a_second_line_is_a_double_read() -> None:
    examination = Examination()
    for line in (LETTERS, LETTERS, DIGITS):
        examination.take(line + "\n")
    assert [faults(diagnosis) for diagnosis in examination.diagnoses] == [[Fault.READ_TWICE], []]


def run_check(typed: bytes, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cylinder_codes.cli", "scanner", "check", *arguments]
    ended = subprocess.run(command, input=typed, capture_output=True, check=False)
    return subprocess.CompletedProcess(command, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_the_command_finds_a_good_scanner_good(line_end: str) -> None:
    typed = "".join(symbol.text + line_end for symbol in SYMBOLS).encode()
    ended = run_check(typed)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "扫码枪设置正确 The scanner is set right" in ended.stdout


def run_at_a_terminal(typed: bytes) -> "subprocess.CompletedProcess[bytes]":
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed)  # the terminal keeps it until it is read
        command = [sys.executable, "-m", "cylinder_codes.cli", "scanner", "check", "--json"]
        return subprocess.run(command, stdin=theirs, capture_output=True, check=False, timeout=60)
    finally:
        os.close(theirs)
        os.close(ours)


def test_at_a_terminal_it_ends_after_the_last_symbol_and_gs_comes_through() -> None:
    ended = run_at_a_terminal("".join(symbol.text + "\r" for symbol in SYMBOLS).encode())
    assert (ended.returncode, json.loads(ended.stdout)["findings"]) == (0, [])


def test_at_a_terminal_cr_lf_is_told_as_two_line_ends() -> None:
    ended = run_at_a_terminal("".join(symbol.text + "\r\n" for symbol in SYMBOLS).encode())
    assert [finding["fault"] for finding in json.loads(ended.stdout)["findings"]] == ["suffix_twice"]


def test_the_command_tells_in_chinese_first_what_to_mend() -> None:
    typed = "".join(symbol.text.swapcase() + "\n" for symbol in SYMBOLS).encode()
    ended = run_check(typed)
    assert ended.returncode == 1
    assert ended.stdout.index("大写锁定已打开") < ended.stdout.index("caps lock is on")
    assert "关闭键盘的 Caps Lock" in ended.stdout


def test_the_command_answers_in_json() -> None:
    typed = "".join(GERMAN.typed(symbol.text).replace(GS, "") + "\n" for symbol in SYMBOLS).encode()
    ended = run_check(typed, "--json")
    told = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert {finding["fault"] for finding in told["findings"]} == {"layout", "gs_lost"}
    assert [symbol["good"] for symbol in told["symbols"]] == [False, True, False, False, False, False]


def test_symbols_not_scanned_are_named_and_none_at_all_is_no_check() -> None:
    ended = run_check((LETTERS + "\n").encode())
    assert ended.returncode == 1
    assert "2/6 数字 Digits" in ended.stdout
    assert run_check(b"").returncode == 2


def test_a_symbol_that_cannot_be_read_is_passed_over_with_a_dash() -> None:
    typed = "".join(("-" if symbol.text == DATAMATRIX else symbol.text) + "\n" for symbol in SYMBOLS).encode()
    ended = run_check(typed, "--json")
    assert [finding["fault"] for finding in json.loads(ended.stdout)["findings"]] == ["nothing"]


def test_bytes_that_are_no_text_get_a_diagnosis_too() -> None:
    assert run_check(b"\xff\xfe\x00\x9f" * 3000 + b"\n").returncode == 1


def test_the_command_writes_the_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scanner.pdf"
    assert cli.main(["scanner", "sheet", "--out", str(out)]) == 0
    assert len(pypdfium2.PdfDocument(io.BytesIO(out.read_bytes()))) == 2
    assert cli.main(["scanner", "sheet", "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
