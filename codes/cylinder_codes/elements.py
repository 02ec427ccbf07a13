"""GS1 element strings (GS1 数据串): several values in one symbol, each behind its application identifier (AI).

    8003 09520001123450ZJ33010000017 <GS> 01 09520123456788        a GRAI, the separator, a GTIN

A value of variable length ends at the separator (FNC1, sent as GS, ASCII 29) or with the text. Scanners that drop the
separator make one long value of two. Where that can be seen it is told; where it cannot, a longer code results, which
nobody has on file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cylinder_codes.check_digits import gs1_check_digit
from cylinder_codes.schemes import GIAI_LENGTH, GRAI_DIGITS, GRAI_SERIAL_LENGTH

GS = "\x1d"
GRAI_AI = "8003"
GIAI_AI = "8004"

_MEASURES = " ".join(
    f"{kind}0-{kind}5" for kind in (*range(310, 317), *range(320, 338), *range(340, 358), *range(360, 370))
)
# (shortest, longest): AIs, after release 2025 of the GS1 Barcode Syntax Dictionary
_PREDEFINED = {
    (18, 18): "00",
    (14, 14): "01-03",
    (6, 6): f"11-13 15-17 {_MEASURES}",
    (2, 2): "20",
    (13, 13): "410-417",
}
_ENDING_AT_SEPARATOR = {
    (1, 20): "10 21 22 243 254 420 4318 7020-7022 710-717 7240 8002 8012",
    (1, 28): "235",
    (1, 30): "240 241 250 251 400 401 403 4308 4319 7002 7023 8004 8010 90",
    (1, 6): "242",
    (13, 30): "253",
    (13, 25): "255",
    (1, 8): "30 37",
    (1, 15): "3900-3909 3920-3929",
    (4, 18): "3910-3919 3930-3939",
    (4, 4): "3940-3943 7040 8111",
    (6, 6): "3950-3955 4326 7006 8005",
    (17, 17): "402",
    (4, 12): "421",
    (3, 3): "422 424 426 7258",
    (3, 15): "423 425",
    (1, 3): "427 7008",
    (1, 35): "4300 4301 4310 4311 4320",
    (1, 70): "4302-4306 4312-4316 7257 8110 8112 8200",
    (2, 2): "4307 4317 7241",
    (20, 20): "4309",
    (1, 1): "4321-4323 7252",
    (10, 10): "4324 4325 7003",
    (6, 7): "4330-4333",
    (13, 13): "7001",
    (1, 4): "7004 7041",
    (1, 12): "7005 8011",
    (6, 12): "7007",
    (1, 10): "7009 7255 8019",
    (1, 2): "7010",
    (6, 10): "7011",
    (4, 30): "7030-7039",
    (3, 30): "7230-7239",
    (1, 25): "7242 8013 8014 8020",
    (8, 8): "7250",
    (12, 12): "7251",
    (1, 40): "7253 7254 7259",
    (1, 90): "7256 8030 91-99",
    (14, 14): "8001",
    (14, 30): "8003",
    (18, 18): "8006 8017 8018 8026",
    (1, 34): "8007",
    (8, 12): "8008",
    (1, 50): "8009",
    (15, 15): "8040 8041",
    (32, 32): "8042",
    (18, 20): "8043",
}


@dataclass(frozen=True, slots=True)
class AiFacts:
    """How long the value of an application identifier is; one of predefined length needs no separator behind it."""

    shortest: int
    longest: int
    predefined: bool


@dataclass(frozen=True, slots=True)
class Element:
    """One value of an element string: ``text[start:stop]`` behind its application identifier."""

    ai: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class ElementFault:
    """Where a text stops being an element string; ``separator_lost``: a value runs on into what follows it."""

    index: int
    separator_lost: bool


def _numbers(ranges: str) -> Iterator[str]:
    for piece in ranges.split():
        first, _, last = piece.partition("-")
        yield from (f"{number:0{len(first)}d}" for number in range(int(first), int(last or first) + 1))


AIS = {
    ai: AiFacts(shortest, longest, predefined)
    for table, predefined in ((_PREDEFINED, True), (_ENDING_AT_SEPARATOR, False))
    for (shortest, longest), ranges in table.items()
    for ai in _numbers(ranges)
}
"""Every application identifier of GS1."""


def ai_at(text: str, start: int) -> str | None:
    """Return the application identifier that begins at ``start``; none is the beginning of another."""
    return next((text[start : start + size] for size in (2, 3, 4) if text[start : start + size] in AIS), None)


def split_elements(text: str) -> list[Element] | ElementFault:
    """Return the elements of ``text``, in which the separator is GS. GRAI and GIAI may have any length here."""
    elements: list[Element] = []
    place = 0
    while place < len(text):
        element = _element_at(text, place)
        if isinstance(element, ElementFault):
            return element
        elements.append(element)
        place = element.stop + (text[element.stop : element.stop + 1] == GS)
    return elements


def _element_at(text: str, place: int) -> Element | ElementFault:
    ai = ai_at(text, place)
    if ai is None:
        return ElementFault(place, separator_lost=False)
    facts, start = AIS[ai], place + len(ai)
    separator = text.find(GS, start)
    end = len(text) if separator < 0 else separator
    stop = min(end, start + facts.longest) if facts.predefined else end
    if stop - start < facts.shortest and ai not in (GRAI_AI, GIAI_AI):
        return ElementFault(stop, separator_lost=False)
    if stop - start > facts.longest and ai not in (GRAI_AI, GIAI_AI):
        return ElementFault(start + facts.longest, separator_lost=True)
    return Element(ai, start, stop)


_KEY_WITH_CHECK_DIGIT = re.compile(r"(?=01([0-9]{14})$|00([0-9]{18})$|41[0-7]([0-9]{13})$|80030([0-9]{13}))")


def runs_on(ai: str, value: str) -> bool:
    """Say whether the value of a GRAI or GIAI in an element string has swallowed the element behind it.

    That is so when it is too long and the rest can be read as elements, or when it ends in a GTIN, SSCC or GLN, or
    holds a GRAI, with a right check digit: one serial in some thousands of digits alone looks like that by chance. A
    GIAI that holds ``8004`` and its own beginning once more is two GIAIs.
    """
    head, longest = (GRAI_DIGITS, GRAI_SERIAL_LENGTH) if ai == GRAI_AI else (0, GIAI_LENGTH)
    tail = value[head:]
    if len(tail) > longest:
        return any(isinstance(split_elements(tail[cut:]), list) for cut in range(longest + 1))
    if ai == GIAI_AI and GIAI_AI + value[:6] in value:
        return True
    keys = (found[found.lastindex or 0] for found in _KEY_WITH_CHECK_DIGIT.finditer(tail))
    return any(gs1_check_digit(key[:-1]) == key[-1] for key in keys)
