"""``cylinder-codes scanner``: a test sheet for scanners, and the diagnosis of what they type (扫码枪检测)."""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from cylinder_codes.commands.common import BAD, GOOD, CannotCheck, add_command, add_group, now_ms, say
from cylinder_codes.commands.files import require_place, write_whole
from cylinder_codes.scanner_check import Diagnosis
from cylinder_codes.scanner_examination import NOT_READ, SYMBOLS, Examination, SheetSymbol, summary
from cylinder_codes.scanner_faults import Fault, Finding
from cylinder_codes.scanner_sheet import scanner_sheet_pdf

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_LONGEST_LINE = 4096
_HINT = f"读不出请输入 {NOT_READ} 回车 if it cannot be read, type {NOT_READ} and Enter"


def _sheet(options: argparse.Namespace) -> int:
    require_place(options.out)
    write_whole(options.out, [scanner_sheet_pdf(now_ms())])
    say(
        options,
        f"the test sheet is in {options.out}: print it, then run cylinder-codes scanner check",
        out=str(options.out),
    )
    return GOOD


def _check(options: argparse.Namespace) -> int:
    try:
        return _examine(options)
    except KeyboardInterrupt as error:
        raise CannotCheck(
            "stopped: start it again and begin again with symbol 1 (已停止，请重新运行，从 1 号码扫起)"
        ) from error


def _examine(options: argparse.Namespace) -> int:
    examination = Examination()
    _ask(options, examination)
    for line in _lines(sys.stdin.buffer):
        told = len(examination.diagnoses)
        diagnosis = examination.take(line)
        if diagnosis is None:
            continue
        corrected = len(examination.diagnoses) == told and not diagnosis.has(Fault.OTHER_SYMBOL)
        _tell(options, diagnosis, corrected=corrected)
        if examination.asked is None and sys.stdin.isatty():
            break  # what else a file holds may still change the last diagnosis
        if not corrected:
            _ask(options, examination)
    if not examination.diagnoses:
        raise CannotCheck("nothing was scanned: print the sheet of `scanner sheet`, put the cursor here and scan it")
    return _conclude(options, examination)


def _lines(source: BinaryIO) -> Iterator[str]:
    """The lines with their ends; not by str.splitlines, for which GS is a line end too."""
    while octets := source.readline(_LONGEST_LINE):
        yield from _LINE.findall(octets.decode("utf-8", errors="replace"))


def _ask(options: argparse.Namespace, examination: Examination) -> None:
    symbol = examination.asked
    if symbol is not None and not options.json:
        print(f"{_title(symbol)}：请扫描 please scan（{_HINT}）", file=sys.stderr)


def _tell(options: argparse.Namespace, diagnosis: Diagnosis, *, corrected: bool) -> None:
    if options.json:
        return
    symbol = next(symbol for symbol in SYMBOLS if symbol.text == diagnosis.expected)
    once_more = diagnosis.has(Fault.OTHER_SYMBOL)
    verdict = "好 good" if diagnosis.good else "请重扫 once more" if once_more else "有问题 to be mended"
    print(f"{_title(symbol)}：{verdict}{'（更正 corrected）' if corrected else ''}")
    for finding in diagnosis.findings:
        _tell_finding(finding)


def _tell_finding(finding: Finding) -> None:
    print(f"  {finding.zh}\n    → {finding.words.mend_zh}\n  {finding.en}\n    → {finding.words.mend_en}")


def _title(symbol: SheetSymbol) -> str:
    return f"{SYMBOLS.index(symbol) + 1}/{len(SYMBOLS)} {symbol.zh} {symbol.en}"


def _conclude(options: argparse.Namespace, examination: Examination) -> int:
    findings = summary(examination.diagnoses)
    missing = [_title(symbol) for symbol in SYMBOLS[len(examination.diagnoses) :]]
    good = not missing and all(diagnosis.good for diagnosis in examination.diagnoses)
    text = "扫码枪设置正确 The scanner is set right" if good else "扫码枪需要调整 The scanner needs mending"
    if missing:
        text += f"；未扫 not scanned: {', '.join(missing)}"
    say(options, text, good=good, findings=[_as_facts(finding) for finding in findings], not_scanned=missing,
        symbols=[{"symbol": symbol.en, "expected": diagnosis.expected, "arrived": diagnosis.arrived,
                  "good": diagnosis.good, "findings": [_as_facts(finding) for finding in diagnosis.findings]}
                 for symbol, diagnosis in zip(SYMBOLS, examination.diagnoses, strict=False)])  # fmt: skip
    return GOOD if good else BAD


def _as_facts(finding: Finding) -> dict[str, str]:
    return {"fault": finding.fault.value, "detail": finding.detail, **asdict(finding.words)}


def add_to(commands: Any) -> None:
    acts = add_group(
        commands, "scanner", "find out what is wrong with a scanner, and how to mend it (扫码枪检测)",
        "A test sheet for keyboard scanners, and the diagnosis of what they type (扫码枪检测).",
        examples=["sheet --out scanner.pdf", "check"],
    )  # fmt: skip
    sheet = add_command(
        acts, "sheet", _sheet, "make the test sheet as PDF (检测页)", "Needs cylinder-codes[labels].",
        example="--out scanner.pdf",
    )  # fmt: skip
    sheet.add_argument("--out", type=Path, required=True, help="the PDF file")
    add_command(
        acts, "check", _check, "ask for each symbol of the sheet and tell what the scanner does wrong (诊断)",
        "Reads standard input, from the keyboard or a file of what a scanner typed. Exit code 1 where something is"
        " to be mended.",
        example="",
    )  # fmt: skip
