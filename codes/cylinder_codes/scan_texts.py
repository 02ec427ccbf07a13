"""Texts without a link (无链接文本): in brackets, as an element string, a URN, a code of our own or a bare GRAI."""

import re

from cylinder_codes.base32 import ALPHABET
from cylinder_codes.check_digits import check_digits, gs1_check_digit
from cylinder_codes.elements import AIS, GIAI_AI, GRAI_AI, GS, ElementFault, runs_on, split_elements
from cylinder_codes.errors import CodeError
from cylinder_codes.failures import ReadFailure, ReadFailureKind, failure
from cylinder_codes.identifiers import Code
from cylinder_codes.scan_runs import STRAY_ENDS, Found, Read, Run, failure_in
from cylinder_codes.schemes import GRAI_DIGITS, OWN_LENGTH

_LOOK_ALIKES = {ord("O"): ord("0"), ord("I"): ord("1"), ord("L"): ord("1")}
_NEVER_IN_OWN = "- \xad\u2014\u2015"
_NOT_IN_ALPHABET = re.compile(rf"[^{ALPHABET}]")
_CHECKED_VALUE = re.compile(r"(?:(?![(\[]800[34][)\]])[^#])*#")
_BRACKET = re.compile(r"\(([0-9]{2,4})\)|\[([0-9]{2,4})\]")
_URN = re.compile(
    r"URN:EPC:ID:(?:GRAI:(?=[0-9.]{13}\.)([0-9]{6,12})\.([0-9]{0,6})|GIAI:([0-9]{6,12}))\.(.+)", re.DOTALL
)
_BARE_GRAI = re.compile(r" *([0OIL][0-9OIL]{13} ?[^ ]+)")
_WITHOUT_FILLER = re.compile(r"[1-9][0-9]{12}(?=[^0-9])")
_LIKE_GIAI = re.compile(r"(?=[0-9]*[^0-9])[0-9]{6}[!\"%&'()*+,\-./:;<=>?_0-9A-Z]{2,24}")


def read_text(run: Run, *, gs1: bool) -> Read:
    """Return the codes of a text without link, none when it is blank; ``gs1``: its symbol is for element strings."""
    gs1 = gs1 or run.text.lstrip(" ~").startswith(GS)
    run = _once(run.stripped(STRAY_ENDS))
    if not run.text:
        return []
    if any((found[1] or found[2]) in (GRAI_AI, GIAI_AI) for found in _BRACKET.finditer(run.text)):
        return _read_bracketed(run)
    if urn := _URN.fullmatch(run.text):
        return _read_urn(run, urn)
    return _read_unmarked(run, gs1=gs1)


def _once(run: Run) -> Run:
    """What was read twice or three times without an end between; no code is made of two equal halves that long."""
    shortest = 9 if run.text.lstrip("([").startswith(GIAI_AI) else GRAI_DIGITS + 1
    for times in (3, 2):
        length = len(run.text) // times
        if length >= shortest and run.text == run.text[:length] * times:
            return run.part(0, length)
    return run


def _read_bracketed(run: Run) -> Read:
    marks = _ai_marks(run.text)
    before = read_text(run.part(0, marks[0].start()), gs1=False)
    if isinstance(before, ReadFailure):
        return before
    stops = [*(mark.start() for mark in marks[1:]), len(run.text)]
    for mark, stop in zip(marks, stops, strict=True):
        if (ai := mark[1] or mark[2]) in (GRAI_AI, GIAI_AI):
            code = _typed_code(ai, run.part(mark.end(), stop).stripped(STRAY_ENDS))
            if isinstance(code, ReadFailure):
                return code
            before.append((code, run.position(mark.start())))
    return before


def _ai_marks(text: str) -> list[re.Match[str]]:
    """The AIs in brackets; none inside a value that ends in ``#`` and check digits, for a serial may hold ``(21)``."""
    marks: list[re.Match[str]] = []
    place = 0
    for found in _BRACKET.finditer(text):
        if found.start() < place or (found[1] or found[2]) not in AIS:
            continue
        marks.append(found)
        checked = _CHECKED_VALUE.match(text, found.end())
        place = checked.end() if checked and (found[1] or found[2]) in (GRAI_AI, GIAI_AI) else found.end()
    return marks


def _typed_code(ai: str, run: Run) -> Code | ReadFailure:
    """The value behind ``(8003)`` or ``(8004)``, and the two check digits behind the ``#`` if they are there."""
    value, hash_mark, _ = run.text.partition("#")
    code = _code(ai, _typed_digits(run.part(0, len(value)).stripped(" "), ai))
    if not hash_mark or isinstance(code, ReadFailure):
        return code
    check = run.part(len(value) + 1).stripped(" ").translated(_LOOK_ALIKES)
    if not re.fullmatch("[0-9]{2}", check.text):
        stray = re.search("[^0-9]", check.text)
        return failure(
            ReadFailureKind.WRONG_CHARACTER, check.position(stray.start() if stray else min(len(check.text), 2))
        )
    if check_digits(ai + code.value) != check.text:
        return failure(ReadFailureKind.WRONG_CHECK_DIGITS, check.position(0))
    return code


def _typed_digits(run: Run, ai: str) -> Run:
    """A GRAI as people type it: O, I and L among its 14 digits can be meant but one way, and a space stands behind."""
    if ai != GRAI_AI:
        return run
    text = run.text[:GRAI_DIGITS].translate(_LOOK_ALIKES) + run.text[GRAI_DIGITS:]
    typed = Run(text, run.origin, run.end)
    if text[GRAI_DIGITS : GRAI_DIGITS + 1] != " ":
        return typed
    serial = GRAI_DIGITS + 1
    origin = [*run.origin[:GRAI_DIGITS], *run.origin[serial:]]
    return Run(text[:GRAI_DIGITS] + text[serial:], origin, run.end)


def _code(ai: str, value: Run) -> Code | ReadFailure:
    word = "grai:" if ai == GRAI_AI else "giai:"
    try:
        return Code(word + value.text)
    except CodeError as error:
        return failure_in(error, value, error.position - len(word) - 1)


def _read_urn(run: Run, urn: re.Match[str]) -> Read:
    """An EPC in its pure identity form; it says where the company prefix ends, which a code does not keep."""
    grai_prefix, asset_type, giai_prefix, rest = urn.groups()
    rest = re.sub("%([0-9A-F]{2})", lambda escape: chr(int(escape[1], 16)), rest)
    if giai_prefix:
        value = giai_prefix + rest
    else:
        digits = grai_prefix + asset_type
        value = f"0{digits}{gs1_check_digit(digits)}{rest}"
    code = _code(GIAI_AI if giai_prefix else GRAI_AI, Run(value, [run.origin[0]] * len(value), run.end))
    return code if isinstance(code, ReadFailure) else [(code, run.position(0))]


def _read_unmarked(run: Run, *, gs1: bool) -> Read:
    """Read a text that may be an element string, a code of our own, or a GRAI without its AI."""
    elements, own, bare = _elements(run, gs1=gs1), own_codes(run), _bare_grais(run)
    if isinstance(elements, list):
        # Of our own random codes one in 10**15 begins with 8003, a 0 and 13 digits of which the last one fits
        certain = gs1 or run.text.startswith(GRAI_AI)
        others = [read for read in (own, bare) if isinstance(read, list) and read != elements]
        return elements if certain or not others else failure(ReadFailureKind.AMBIGUOUS, run.position(0))
    if isinstance(own, list):
        return own
    if isinstance(bare, list):
        return bare
    if elements is not None and (gs1 or _shows_elements(run.text, elements)):
        return elements
    return _no_code(run, own, bare)


def _shows_elements(text: str, fault: ReadFailure) -> bool:
    begins = text.startswith((GRAI_AI, GIAI_AI))
    return begins or GS in text or fault.kind == ReadFailureKind.LOST_SEPARATOR


def _no_code(run: Run, own: ReadFailure, bare: ReadFailure | None) -> ReadFailure:
    """Why a text that names neither GRAI nor GIAI is no code."""
    if bare or GS in run.text:
        other_elements = isinstance(split_elements(run.text), list)
        return failure(ReadFailureKind.NOT_A_CODE, run.position(0)) if other_elements else bare or own
    if (found := _WITHOUT_FILLER.match(run.text)) and gs1_check_digit(found.group()[:-1]) == found.group()[-1]:
        return failure(ReadFailureKind.MISSING_FILLER, run.position(0))
    nearly_own = abs(len(run.without(_NEVER_IN_OWN).text) - OWN_LENGTH) <= 2
    if _LIKE_GIAI.fullmatch(run.text) and not nearly_own:
        return failure(ReadFailureKind.NO_CHECK_CHARACTERS, run.position(0))
    return own


def _elements(run: Run, *, gs1: bool) -> Read | None:
    """The GRAIs and GIAIs of an element string; None when the text is none."""
    has_key = GRAI_AI in run.text or GIAI_AI in run.text
    if not has_key or not (gs1 or run.text[:2].isdigit()):
        return None
    elements = split_elements(run.text)
    if isinstance(elements, ElementFault):
        kind = ReadFailureKind.LOST_SEPARATOR if elements.separator_lost else ReadFailureKind.NOT_A_CODE
        return failure(kind, run.position(elements.index))
    found: list[Found] = []
    for element in elements:
        if element.ai in (GRAI_AI, GIAI_AI):
            value = run.part(element.start, element.stop)
            code = _code_of_element(element.ai, value, at_end=element.stop == len(run.text))
            if isinstance(code, ReadFailure):
                return code
            found.append((code, value.position(0)))
    return found or None


def _code_of_element(ai: str, value: Run, *, at_end: bool) -> Code | ReadFailure:
    code = _code(ai, value)
    may_run_on = isinstance(code, Code) or code.kind == ReadFailureKind.SERIAL_TOO_LONG
    if at_end and may_run_on and runs_on(ai, value.text):
        return failure(ReadFailureKind.LOST_SEPARATOR, value.position(len(value.text)))
    return code


def _bare_grais(run: Run) -> Read | None:
    """GRAIs without their AI: 14 digits of which the last one fits, a space at most, and the serial."""
    found: list[Found] = []
    place = 0
    for word in _BARE_GRAI.finditer(run.text):
        if word.start() != place:
            return None
        value = _typed_digits(run.part(word.start(1), word.end()), GRAI_AI)
        code = _code(GRAI_AI, value)
        if isinstance(code, ReadFailure):
            return code
        if value.text[:GRAI_DIGITS] in value.text[GRAI_DIGITS:]:
            return failure(ReadFailureKind.AMBIGUOUS, value.position(0))  # two that have one character of serial each
        found.append((code, value.position(0)))
        place = word.end()
    return found if found and place == len(run.text) else None


def own_codes(run: Run, *, from_link: bool = False) -> Read:
    """Return our own codes that ``run`` consists of; dashes and spaces fall out, O is read as 0, I and L as 1."""
    found: list[Found] = []
    place = 0
    for piece in run.text.split(GS):
        read = _own_codes_of(run.part(place, place + len(piece)), from_link=from_link)
        if isinstance(read, ReadFailure):
            return read
        found += read
        place += len(piece) + 1
    return found


def _own_codes_of(run: Run, *, from_link: bool) -> Read:
    run = run.without(_NEVER_IN_OWN).translated(_LOOK_ALIKES)
    length = len(run.text)
    whole = length > 0 and length % OWN_LENGTH == 0
    if stray := _NOT_IN_ALPHABET.search(run.text):
        kind = ReadFailureKind.WRONG_CHARACTER if whole or from_link else ReadFailureKind.NOT_A_CODE
        return failure(kind, run.position(stray.start()))
    if not whole:
        place = run.position(min(length, OWN_LENGTH))
        return failure(ReadFailureKind.WRONG_LENGTH, place, length, OWN_LENGTH)
    return _codes_in(run)


def _codes_in(run: Run) -> Read:
    found: list[Found] = []
    for start in range(0, len(run.text), OWN_LENGTH):
        try:
            found.append((Code(run.text[start : start + OWN_LENGTH]), run.position(start)))
        except CodeError as error:
            return failure_in(error, run, start + error.position - 1)
    return found
