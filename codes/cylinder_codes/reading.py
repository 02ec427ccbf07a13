"""Reading (读码): from what a scanner, a keyboard or a person sent to a code, or to a named reason why not.

Scanners are keyboards. They type in the wrong case, on the wrong keyboard layout, into a Chinese input
method, twice in a row, with a symbology identifier in front and any line ending behind. ``read_scan`` undoes
all of that and nothing more; what is left must carry the right check digits, or it is refused. It never
raises, and it never picks one of two.

Worked example, all five reading to the same code ``04HMASW9NF6YZZPW…``::

    HTTPS://ID.PINGLIAN.EXAMPLE/C/04HMASW9NF6YZZPW…      the label as printed
    ]Q1https://id.pinglian.example/c/04hmasw9nf6yzzpw…   caps lock on, symbology identifier sent
    HTTPS;--ID.PINGLIAN.EXAMPLE-C-04HMASW9NF6YZZPW…      layouts disagree: ":" came as ";" and "/" as "-"
    ｈｔｔｐｓ：、、ｉｄ。ｐｉｎｇｌｉａｎ…                     full width, through an input method
    04hm-asw9-nf6y-zzpw-…                                  typed from the plate; O read as 0, I and L as 1

How: every character is mapped to one character (so that positions stay true), links are found by their head,
what is between them is cut at control characters, dashes and spaces fall out, and each remaining run is one
or more codes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from cylinder_codes.base32 import ALPHABET
from cylinder_codes.errors import CodeError, CodeErrorKind
from cylinder_codes.identifiers import DEFAULT_HOST, Code
from cylinder_codes.schemes import OWN_LENGTH

MAX_SCAN_LENGTH = 512
"""Longer input is no scan; a code read twice as a link has about 120 characters."""


class ReadFailureKind(StrEnum):
    """Why nothing was read."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    NOT_A_CODE = "not_a_code"
    WRONG_LENGTH = "wrong_length"
    WRONG_CHARACTER = "wrong_character"
    WRONG_CHECK_DIGITS = "wrong_check_digits"
    TWO_CODES = "two_codes"
    FOREIGN_LINK = "foreign_link"


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """A scan that is no code: why, in two languages, and where.

    ``position`` counts characters from 1 in what arrived; None where no single place is to blame.
    """

    kind: ReadFailureKind
    text_en: str
    text_zh: str
    position: int | None = None


@dataclass(frozen=True, slots=True)
class _Run:
    """Characters that belong together, dashes and spaces gone, each with its index in what arrived."""

    text: str
    origin: Sequence[int]
    start: int
    from_link: bool

    def position(self, index: int) -> int:
        """Where the character at ``index`` stands in what arrived, counted from 1."""
        if index < len(self.origin):
            return self.origin[index] + 1
        return self.origin[-1] + 2 if self.origin else self.start + 1


def _mapping() -> dict[int, int]:
    full_width = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
    upper_case = {ord(char): ord(char.upper()) for char in "abcdefghijklmnopqrstuvwxyz"}
    full_width_lower = {wide: upper_case[plain] for wide, plain in full_width.items() if plain in upper_case}
    # What a Chinese input method types for the keys . and / and for the space bar
    input_method = {ord("。"): ord("."), ord("、"): ord("/"), 0x3000: ord(" "), 0xA0: ord(" ")}
    dashes = dict.fromkeys((0xAD, *range(0x2010, 0x2016), 0x2212, 0xFE63), ord("-"))
    line_ends = dict.fromkeys((0x7F, 0x85, 0x200B, 0x2028, 0x2029, 0xFEFF), ord("\n"))
    return full_width | upper_case | full_width_lower | input_method | dashes | line_ends


_ONE_TO_ONE = _mapping()
_LOOK_ALIKES = str.maketrans("OIL", "011")
_CUT = re.compile(r"(?:[\x00-\x1f]|\][A-Z][0-9A-Z])+")  # control characters and AIM identifiers such as ]Q1
_LINK = re.compile(r"[:;](?://|--)")
_SEGMENT_END = re.compile(r"[/?# ]")
_TAIL = re.compile(r"/?(?:[?#][^ ]*)?")
_NOT_IN_ALPHABET = re.compile(rf"[^{ALPHABET}]")


def read_scan(raw: str, hosts: Sequence[str] = (DEFAULT_HOST,)) -> Code | ReadFailure:
    """Return the code in ``raw``, or why there is none. Never raises, whatever the text.

    ``hosts`` are the hosts whose links carry our codes. The tag is not checked here: that needs the issuer's
    key, or a look into the register.
    """
    if len(raw) > MAX_SCAN_LENGTH:
        return _too_long(len(raw))
    found: Code | None = None
    for run in _runs(raw.translate(_ONE_TO_ONE), _link_heads(tuple(hosts))):
        if isinstance(run, ReadFailure):
            return run
        read = _codes_in(run)
        if isinstance(read, ReadFailure):
            return read
        for index, code in enumerate(read):
            if found is not None and code != found:
                return _two_codes(run.position(index * OWN_LENGTH))
            found = code
    return found or _empty()


@lru_cache(maxsize=16)
def _link_heads(hosts: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(host.upper()) for host in hosts)
    start = r"(?:HTTPS?[:;](?://|--)|(?<![0-9A-Z.@/:;-]))"  # the whole host, not the end of another one
    return re.compile(rf"{start}(?:{names})(?:/C/|-C-)")


def _runs(text: str, link_heads: re.Pattern[str]) -> Iterator[_Run | ReadFailure]:
    start = 0
    for cut in (*_CUT.finditer(text), None):
        end = cut.start() if cut else len(text)
        if start < end:
            yield from _runs_of_piece(text, start, end, link_heads)
        start = cut.end() if cut else end


def _runs_of_piece(text: str, start: int, end: int, link_heads: re.Pattern[str]) -> Iterator[_Run | ReadFailure]:
    heads = list(link_heads.finditer(text, start, end))
    stops = [*(head.start() for head in heads), end]
    yield from _bare_runs(text, start, stops[0])
    for head, stop in zip(heads, stops[1:], strict=True):
        yield from _link_runs(text, head.end(), stop)


def _link_runs(text: str, start: int, stop: int) -> Iterator[_Run | ReadFailure]:
    segment = _SEGMENT_END.search(text, start, stop)
    segment_end = segment.start() if segment else stop
    yield _run(text, start, segment_end, from_link=True)
    tail = _TAIL.match(text, segment_end, stop)
    yield from _bare_runs(text, tail.end() if tail else stop, stop)


def _bare_runs(text: str, start: int, stop: int) -> Iterator[_Run | ReadFailure]:
    if foreign := _LINK.search(text, start, stop):
        yield _foreign_link(foreign.start() + 1)
    elif (run := _run(text, start, stop, from_link=False)).text:
        yield run


def _run(text: str, start: int, stop: int, *, from_link: bool) -> _Run:
    part = text[start:stop]
    if "-" not in part and " " not in part:
        return _Run(part.translate(_LOOK_ALIKES), range(start, stop), start, from_link)
    origin = [index for index in range(start, stop) if text[index] not in "- "]
    return _Run("".join(text[index] for index in origin).translate(_LOOK_ALIKES), origin, start, from_link)


def _codes_in(run: _Run) -> list[Code] | ReadFailure:
    length = len(run.text)
    whole = length > 0 and length % OWN_LENGTH == 0
    if stray := _NOT_IN_ALPHABET.search(run.text):
        position = run.position(stray.start())
        return _wrong_character(position) if whole or run.from_link else _not_a_code(position)
    if not whole:
        return _wrong_length(length, run.position(min(length, OWN_LENGTH)))
    codes = []
    for start in range(0, length, OWN_LENGTH):
        try:
            codes.append(Code(run.text[start : start + OWN_LENGTH]))
        except CodeError as error:
            return _badly_formed(error, run.position(start + error.position - 1))
    return codes


def _badly_formed(error: CodeError, position: int) -> ReadFailure:
    if error.kind == CodeErrorKind.WRONG_CHECK_DIGITS:
        return _wrong_check_digits(position)
    return _wrong_character(position)


def _empty() -> ReadFailure:
    return ReadFailure(ReadFailureKind.EMPTY, "nothing arrived: scan again", "没有读到内容，请重新扫码")


def _too_long(length: int) -> ReadFailure:
    return ReadFailure(
        ReadFailureKind.TOO_LONG,
        f"{length} characters arrived, more than {MAX_SCAN_LENGTH}: scan one symbol at a time",
        f"收到 {length} 个字符，超过 {MAX_SCAN_LENGTH}，不是一次扫码，请逐个扫码",
    )


def _not_a_code(position: int) -> ReadFailure:
    return ReadFailure(
        ReadFailureKind.NOT_A_CODE,
        "this is not a cylinder code: scan the code on the cylinder",
        "这不是气瓶码，请扫描气瓶上的码",
        position,
    )


def _wrong_length(length: int, position: int) -> ReadFailure:
    return ReadFailure(
        ReadFailureKind.WRONG_LENGTH,
        f"{length} characters arrived, a code has {OWN_LENGTH}: scan again, or type the text",
        f"气瓶码为 {OWN_LENGTH} 位，收到 {length} 位，请重新扫码，或输入码下方的文字",
        position,
    )


def _wrong_character(position: int) -> ReadFailure:
    return ReadFailure(
        ReadFailureKind.WRONG_CHARACTER,
        f"character {position} cannot stand there in a code: scan again, or type the code under the symbol",
        f"第 {position} 个字符不可能出现在气瓶码的该位置，请重新扫码，或输入码下方的文字",
        position,
    )


def _wrong_check_digits(position: int) -> ReadFailure:
    return ReadFailure(
        ReadFailureKind.WRONG_CHECK_DIGITS,
        "the check digits do not fit: scan again, or compare with the text under the symbol",
        "校验位不符，有字符读错，请重新扫码，或与码下方的文字核对",
        position,
    )


def _two_codes(position: int) -> ReadFailure:
    return ReadFailure(
        ReadFailureKind.TWO_CODES,
        "two different codes arrived at once: scan one cylinder at a time",
        "一次收到两个不同的码，请逐瓶扫码",
        position,
    )


def _foreign_link(position: int) -> ReadFailure:
    return ReadFailure(
        ReadFailureKind.FOREIGN_LINK,
        "the link leads elsewhere and is no cylinder code of this register: scan the code on the cylinder",
        "该链接指向其他网站，不是本登记系统的气瓶码，请扫描气瓶上的码",
        position,
    )
