"""Diagnosis of a scanner (扫码枪诊断): what it is set to, told from what it typed for a symbol whose text is known.

The faults are tried one by one on the expected text, then two at a time, and the first that gives exactly what
arrived is the diagnosis. So it is never a guess: where nothing fits, it says so.

Worked example: for ``:/.-?=&%()<>`` there arrived ``Ö-.ß_/%)=;:`` and a line end. That is what a computer set to
German makes of an American scanner's keys (``=`` is a dead key there), and no other layout does; so: set the
scanner's keyboard country to German, or the computer to American.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from cylinder_codes.elements import GS
from cylinder_codes.layouts import LAYOUTS, Layout
from cylinder_codes.scanner_faults import Fault, Finding

_AIM = ("]Q0", "]Q1", "]Q3", "]d1", "]d2", "]C0", "]C1", "]e0", "]E0")
_LINE_END = re.compile(r"(?:\r\n|\r|\n)+\Z")
_KEYS_WITH_SHIFT, _WITHOUT_IT = '~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./"
_NO_SHIFT = str.maketrans(_KEYS_WITH_SHIFT, _WITHOUT_IT)
_WIDE = {0x21 + offset: 0xFF01 + offset for offset in range(94)}
_MARKS = {ord(key): ord(mark) for key, mark in zip(".,:;?!()<>[]", "。，：；？！（）《》【】", strict=True)}
_SLASH = {ord("/"): ord("、")}
_WIDTHS: Mapping[Fault, Sequence[Mapping[int, int]]] = {
    Fault.FULL_WIDTH: (_WIDE, _WIDE | _MARKS, _WIDE | _MARKS | _SLASH),
    Fault.CHINESE_MARKS: (_MARKS, _MARKS | _SLASH),
}
"""What Chinese input methods make of letters and marks; not all of them turn the slash into 、."""
_DEAD_KEY = ".{0,2}"
_HANZI = re.compile(r"[\u3400-\u9fff]")
_LONGEST_STAND_IN_FOR_GS = 12


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is the matter with a scanner, as one symbol shows it."""

    expected: str
    arrived: str
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Nothing to mend; there may be remarks."""
        return not any(finding.is_fault for finding in self.findings)

    def has(self, fault: Fault) -> bool:
        """Whether it is one of the findings."""
        return any(finding.fault == fault for finding in self.findings)


@dataclass(frozen=True, slots=True)
class _Typing:
    """A way to type: which case fault, on which layout, through which input method; each may be None."""

    case: Fault | None
    layout: Layout | None
    width: tuple[Fault, int] | None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with it."""
        layout = Finding(Fault.LAYOUT, name_of(self.layout)) if self.layout else None
        width = Finding(self.width[0]) if self.width else None
        return tuple(each for each in (Finding(self.case) if self.case else None, layout, width) if each)

    def type_(self, text: str) -> str:
        """Return what arrives for ``text``."""
        text = self._cased(text)
        text = self.layout.typed(text) if self.layout else text
        return text.translate(_WIDTHS[self.width[0]][self.width[1]]) if self.width else text

    def pattern(self, text: str) -> str:
        """Return the same as a regular expression, in which a dead key may have left anything or nothing."""
        return "".join(_DEAD_KEY if self._is_dead(char) else re.escape(self.type_(char)) for char in text)

    def _cased(self, text: str) -> str:
        match self.case:
            case Fault.CAPS_LOCK:
                return text.swapcase()
            case Fault.LOWER_CASE:
                return text.lower()
            case Fault.UPPER_CASE:
                return text.upper()
            case Fault.NO_SHIFT:
                return text.lower().translate(_NO_SHIFT)
        return text

    def _is_dead(self, char: str) -> bool:
        key = self._cased(char)
        if self.layout is None or self.layout.typed(key) != key:
            return False
        return self.layout.meant(key) != key or key not in self.layout.plain + self.layout.shifted


@cache
def _typings() -> tuple[_Typing, ...]:
    """All ways to type, those with the fewest faults first."""
    cases = None, Fault.CAPS_LOCK, Fault.LOWER_CASE, Fault.UPPER_CASE, Fault.NO_SHIFT
    widths = [None, *((fault, number) for fault, tables in _WIDTHS.items() for number in range(len(tables)))]
    all_ways = [_Typing(case, layout, width) for case in cases for layout in (None, *LAYOUTS) for width in widths]
    return tuple(sorted(all_ways, key=lambda way: len(way.findings)))


def diagnose(expected: str, arrived: str, others: Sequence[str] = ()) -> Diagnosis:
    """Tell from ``arrived``, line end included, how a scanner typed the symbol that holds ``expected``.

    ``others`` are the texts of the other symbols on the sheet, so that one scanned in place of this is recognised.
    Never raises, whatever arrived.
    """
    body, findings = _without_line_end(arrived)
    if not body.strip():
        return Diagnosis(expected, arrived, (Finding(Fault.NOTHING),))
    found = _as_typed(expected, body, others)
    if found is None:
        found = _as_other(body, others) or _as_damaged(expected, body)
    if found is None:
        hanzi = Fault.INPUT_METHOD if _HANZI.search(body) else Fault.UNKNOWN
        found = [Finding(hanzi, shown(body))]
    return Diagnosis(expected, arrived, (*found, *_not_said_yet(findings, found)))


def shown(text: str) -> str:
    """Return a text with control characters by name: ``A<GS>B<TAB>``."""
    names = {"\t": "<TAB>", "\r": "<CR>", "\n": "<LF>", GS: "<GS>", "\x1e": "<RS>", "\x04": "<EOT>", "\x02": "<STX>",
             "\x03": "<ETX>", " ": "␣"}  # fmt: skip
    return "".join(names.get(char, char if char.isprintable() else f"<{ord(char):02X}>") for char in text)


def _without_line_end(arrived: str) -> tuple[str, list[Finding]]:
    end = _LINE_END.search(arrived)
    if end is None:
        return arrived, [] if arrived.endswith("\t") else [Finding(Fault.NO_SUFFIX)]
    twice = len(end.group().replace("\r\n", "\n")) > 1
    return arrived[: end.start()], [Finding(Fault.SUFFIX_TWICE)] if twice else []


def _not_said_yet(findings: Sequence[Finding], said: Sequence[Finding]) -> Iterator[Finding]:
    faults = {finding.fault for finding in said}
    yield from (finding for finding in findings if finding.fault not in faults)


def _as_typed(expected: str, body: str, others: Sequence[str]) -> list[Finding] | None:
    """The findings when ``body`` is the whole text, typed with some fault, with something around it."""
    for typing in _typings():
        typed = typing.type_(expected)
        if typing.findings and typed == expected:
            continue  # this symbol does not show that fault
        pattern = _whole(typing, expected)
        if match := pattern.search(body):
            around = _before(body[: match.start()], typing) + _after(body[match.end() :], pattern, typing, others)
            return [*_all_layouts(typing, match[0], expected), *_separator(match), *around]
    return None


@lru_cache(maxsize=4096)
def _whole(typing: _Typing, expected: str) -> re.Pattern[str]:
    """The text as it is typed; a separator may have become anything, or nothing."""
    parts = [typing.pattern(part) for part in expected.split(GS)]
    return re.compile(f"(.{{0,{_LONGEST_STAND_IN_FOR_GS}}}?)".join(parts), re.DOTALL)


def _separator(match: re.Match[str]) -> list[Finding]:
    if not match.groups() or match[1] == GS:
        return []
    return [Finding(Fault.GS_REPLACED, shown(match[1])) if match[1] else Finding(Fault.GS_LOST)]


def _before(prefix: str, typing: _Typing) -> list[Finding]:
    findings = []
    prefix = prefix.removesuffix(GS)  # FNC1 in front, sent as GS: readers take it
    for aim in _AIM:
        typed = typing.type_(aim)
        if prefix.endswith(typed):
            findings.append(Finding(Fault.AIM_ON, aim))
            prefix = prefix.removesuffix(typed)
            break
    if prefix in {typing.type_(f"~{lane}") for lane in "0123456789"}:
        findings.append(Finding(Fault.LANE_PREFIX, shown(prefix)))
    elif prefix:
        findings.append(Finding(Fault.PREFIX, shown(prefix)))
    return findings


def _after(rest: str, pattern: re.Pattern[str], typing: _Typing, others: Sequence[str]) -> list[Finding]:
    if not rest:
        return []
    if rest == "\t":
        return [Finding(Fault.SUFFIX_TAB)]
    if again := pattern.search(rest):
        return [Finding(Fault.READ_TWICE), *_after(rest[again.end() :], pattern, typing, others)]
    if any(typing.type_(other) in rest for other in others):
        return [Finding(Fault.NO_SUFFIX)]
    return [Finding(Fault.SUFFIX_TEXT, shown(rest))]


def _as_other(body: str, others: Sequence[str]) -> list[Finding] | None:
    for other in others:
        if _as_typed(other, body, ()) is not None:
            return [Finding(Fault.OTHER_SYMBOL, shown(other))]
    return None


def _as_damaged(expected: str, body: str) -> list[Finding] | None:
    """The findings when characters are missing, or come twice, under at most one other fault."""
    aim = next((aim for aim in _AIM if body.startswith(aim)), "")
    for typing in _typings():
        if len(typing.findings) > 1:
            return None
        typed, came = typing.type_(expected), body.removeprefix(aim)
        if len(came) < len(typed) <= 2 * len(came) and (missing := _missing(typed, came)):
            return [*typing.findings, Finding(Fault.DROPPED, shown(missing))]
        if len(came) > len(typed) and (extra := _repeated(typed, came)):
            return [*typing.findings, Finding(Fault.DOUBLED, shown(extra))]
    return None


def _missing(typed: str, came: str) -> str:
    """The characters that ``came`` lacks, or nothing when it holds others as well."""
    missing, at = [], 0
    for char in typed:
        if at < len(came) and came[at] == char:
            at += 1
        else:
            missing.append(char)
    return "".join(missing) if at == len(came) else ""


def _repeated(typed: str, came: str) -> str:
    """The characters that were typed more than once in a row, or nothing when that does not explain ``came``."""
    extra, at = [], 0
    for char in came:
        if at < len(typed) and typed[at] == char:
            at += 1
        elif at and typed[at - 1] == char:
            extra.append(char)
        else:
            return ""
    return "".join(extra) if at == len(typed) else ""


def _all_layouts(typing: _Typing, came: str, expected: str) -> Iterator[Finding]:
    """The findings, a layout with the names of all that type this symbol in the same way."""
    for finding in typing.findings:
        if finding.fault == Fault.LAYOUT:
            alike = (replace(typing, layout=layout) for layout in LAYOUTS)
            same = [
                name_of(other.layout) for other in alike if other.layout and _whole(other, expected).fullmatch(came)
            ]
            yield Finding(Fault.LAYOUT, " / ".join(same))
        else:
            yield finding


def name_of(layout: Layout) -> str:
    """Return a layout's name in both languages."""
    return f"{layout.name_zh} {layout.name_en}"
