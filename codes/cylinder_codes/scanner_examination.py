"""Examination of a scanner (扫码枪检测): which symbols it reads, one after the other, and what they show together.

Worked example: letters arrive with their cases exchanged, then digits as they should, then an empty line. The letters
show caps lock; the empty line belongs to the digits: the scanner sends CR and LF, and the terminal takes each for a
line end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cylinder_codes.digital_link import format_printed_link
from cylinder_codes.elements import GS
from cylinder_codes.identifiers import Code
from cylinder_codes.scanner_check import Diagnosis, diagnose
from cylinder_codes.scanner_faults import Fault, Finding

NOT_READ = "-"
"""Typed by hand for a symbol that the scanner does not read."""

SAMPLE_CODE = Code("04HMASW9NF6YZZPW1011YN6955")
"""A code like ours on no cylinder: its tag is made under the key of the worked examples."""

_GS1_SAMPLE = "800309520001123450SCAN-TEST" + GS + "91"
_DATAMATRIX = (
    "2AAAAA 3D30C5 2A67AA 2B7D27 3B10BA 21AC4F 25337E 258D6F 3EB04C 341999 319F0A 3138A9 3127E0 27E85D 3439A4 3F7C65"
    " 225AD0 323267 31AA14 334D55 370BDE 3FFFFF"
)
_QR_GS1 = (
    "1FC7B7F 104C841 175475D 175D55D 175695D 1059841 1FD557F 0012B00 17C977C 1418F05 086EEC3 0F23891 02DD34D 1D34398"
    " 105FA89 130E40E 15CA3F8 0015519 1FCC35B 105D519 17557F9 1758973 175BD69 10462B3 1FD7117"
)


@dataclass(frozen=True, slots=True)
class SheetSymbol:
    """A symbol of the test sheet: its name, what it shows, and its text.

    ``modules`` are given where the QR library cannot make it: FNC1 in the first place marks it as GS1. They were made
    once by zxing-cpp 3.1.1; the tests read them back.
    """

    zh: str
    en: str
    shows_zh: str
    shows_en: str
    text: str
    modules: tuple[bytes, ...] = ()


def _rows(hexadecimal: str) -> tuple[bytes, ...]:
    lines = hexadecimal.split()
    return tuple(bytes(int(line, 16) >> len(lines) - 1 - column & 1 for column in range(len(lines))) for line in lines)


SYMBOLS = (
    SheetSymbol("字母", "Letters", "大小写锁定、键盘布局、输入法", "caps lock, layout, input method",
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
    SheetSymbol("数字", "Digits", "键盘布局、全角", "layout, full width", "0123456789"),
    SheetSymbol("符号", "Punctuation", "键盘布局、上档键、中文标点", "layout, shift, Chinese punctuation",
                ":/.-?=&%()<>"),
    SheetSymbol("GS1 DataMatrix", "AI 8003 + 91", "分隔符 GS、DataMatrix 已启用", "separator GS, DataMatrix enabled",
                _GS1_SAMPLE + "DATAMATRIX", _rows(_DATAMATRIX)),
    SheetSymbol("GS1 QR", "AI 8003 + 91", "分隔符 GS、AIM 标识", "separator GS, AIM identifier",
                _GS1_SAMPLE + "QR-CODE", _rows(_QR_GS1)),
    SheetSymbol("样码", "Sample code", "完整的气瓶码链接", "a cylinder's whole link", format_printed_link(SAMPLE_CODE)),
)  # fmt: skip
"""The symbols of the sheet in the order of their numbers."""


class Examination:
    """Takes the lines that a scanner types, in the order of the sheet, and keeps a diagnosis for every symbol."""

    def __init__(self, symbols: Sequence[SheetSymbol] = SYMBOLS) -> None:
        self.symbols = symbols
        self.diagnoses: list[Diagnosis] = []

    @property
    def asked(self) -> SheetSymbol | None:
        """The symbol to scan next; None when all are done."""
        return self.symbols[len(self.diagnoses)] if len(self.diagnoses) < len(self.symbols) else None

    def take(self, arrived: str) -> Diagnosis | None:
        """Take one line, line end included; return what it shows, None for an empty line before the first scan.

        An empty line, or the last symbol once more, changes the last diagnosis. Another symbol of the sheet is
        told but not kept: the same is asked for again.
        """
        if not arrived.strip("\r\n"):
            return self._change_last(Fault.SUFFIX_TWICE)
        asked = self.asked
        if asked is None or (self.diagnoses and diagnose(self.diagnoses[-1].expected, arrived).good):
            return self._change_last(Fault.READ_TWICE)
        if arrived.strip() == NOT_READ:
            arrived = ""
        others = [symbol.text for symbol in self.symbols if symbol.text != asked.text]
        diagnosis = diagnose(asked.text, arrived, others)
        if not diagnosis.has(Fault.OTHER_SYMBOL):
            self.diagnoses.append(diagnosis)
        return diagnosis

    def _change_last(self, fault: Fault) -> Diagnosis | None:
        if not self.diagnoses:
            return None
        last = self.diagnoses[-1]
        if not last.has(fault):
            self.diagnoses[-1] = replace(last, findings=(*last.findings, Finding(fault)))
        return self.diagnoses[-1]


_EXPLAINS = {Fault.NO_SHIFT: {Fault.LOWER_CASE, Fault.CAPS_LOCK}, Fault.LOWER_CASE: {Fault.CAPS_LOCK}}
"""A fault that one symbol shows → what another, with fewer kinds of characters in it, cannot tell from it."""


def summary(diagnoses: Sequence[Diagnosis]) -> list[Finding]:
    """Return every fault and remark once, a layout only with the names that all symbols agree on."""
    found: dict[Fault, Finding] = {}
    for finding in (finding for diagnosis in diagnoses for finding in diagnosis.findings):
        before = found.setdefault(finding.fault, finding)
        if finding.fault == Fault.LAYOUT:
            common = [name for name in before.detail.split(" / ") if name in finding.detail.split(" / ")]
            found[Fault.LAYOUT] = replace(before, detail=" / ".join(common) or before.detail)
    explained = {fault for explaining in found for fault in _EXPLAINS.get(explaining, ())}
    return [finding for fault, finding in found.items() if fault not in explained]
