"""Schemes (编码体系): what each kind of code accepts, character by character, and what it is called.

==============  ========================================================================  ==========================
scheme          value                                                                     example
==============  ========================================================================  ==========================
own             26 characters of Crockford base32, the last two digits                    04HMASW9NF6YZZPW1011YN6955
grai            AI 8003: 0, 12 digits, GS1 check digit, serial of 1–16                    09520001123450ZJ33010000017
giai            AI 8004: GS1 company prefix and reference, 5–30                           9520001VLV-0098231
province        省级气瓶编号, a province's number                                         330100000017
registration    使用登记代码, after TSG R5001-2005 or later                               333010A00001
stamp           钢印: maker, month of making, serial, parted by ``|``                     XF|2019-03|00123
tid             RFID TID, the number burnt into a chip                                    E2801160600002084F1A7B3C
maker           制造单位编码, a maker's own code                                          HZ-LPG-2019-00123
==============  ========================================================================  ==========================

The check digit of a GRAI is the **14th** character of the AI value: the leading 0 only fills the field up to the 14
digits of a GTIN. Since a 0 in front changes no weight counted from the right, it may be computed over 12 or 13 digits;
toolkits that take the 13th character for it refuse good codes and pass bad ones.

The last five are what cylinders carry from before. No province publishes its form, so they are opaque: compared as
they are, in one writing (NFKC, upper case, no white space), never interpreted.

GS1 tells ``a`` from ``A``. Keyboard scanners with caps lock on do not; so this register takes values that differ only
in case for one and the same, keeps them in upper case, and the alphabet is CSET 82 without ``a-z``.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from cylinder_codes.base32 import ALPHABET
from cylinder_codes.check_digits import check_digits, gs1_check_digit
from cylinder_codes.errors import CodeError, CodeErrorKind

OWN_LENGTH = 26
GRAI_DIGITS = 14
GRAI_SERIAL_LENGTH = 16
GIAI_LENGTH = 30
SHORTEST_COMPANY_PREFIX = 4
"""GS1's linter ``gcppos1``: no company prefix is shorter."""
LEGACY_LENGTH = 80


class Scheme(StrEnum):
    """Which scheme a code belongs to; the word in front of its canonical text."""

    OWN = "own"
    GRAI = "grai"
    GIAI = "giai"
    PROVINCE = "province"
    REGISTRATION = "registration"
    STAMP = "stamp"
    TID = "tid"
    MAKER = "maker"


@dataclass(frozen=True, slots=True)
class SchemeFacts:
    """What distinguishes a scheme: its names, its GS1 application identifier if it has one, and its check."""

    name_zh: str
    name_en: str
    check: Callable[[str], None]
    """Raises CodeError for a value that is none; positions count from 1 in the value."""
    ai: str | None = None


_OWN = re.compile(rf"[{ALPHABET}]{{24}}[0-9]{{2}}")
_NOT_BASE32 = re.compile(rf"[^{ALPHABET}]")
_NOT_GS1 = re.compile(r"[^!\"%&'()*+,\-./:;<=>?_0-9A-Z]")
_NOT_DIGIT = re.compile("[^0-9]")
_STAMP = re.compile(r"[^|]+\|(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])\|[^|]+")


def fold(text: str) -> str:
    """Return a legacy text in its one writing: NFKC, upper case, no white space."""
    return "".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper()).split())


def check_own(value: str) -> None:
    """Raise CodeError unless ``value`` is a code of our own scheme."""
    if not _OWN.fullmatch(value):
        raise _own_form_error(value)
    if check_digits(value[:-2]) != value[-2:]:
        message = "the check digits do not fit the rest: a character is wrong, or two are exchanged"
        raise CodeError(CodeErrorKind.WRONG_CHECK_DIGITS, OWN_LENGTH - 1, message)


def check_grai(value: str) -> None:
    """Raise CodeError unless ``value`` is the AI value of a GRAI with a serial."""
    digits, serial = value[:GRAI_DIGITS], value[GRAI_DIGITS:]
    if value[:1] in tuple("123456789"):
        message = "a GRAI begins with the filler 0, then 12 digits and the check digit: here the 0 is missing"
        raise CodeError(CodeErrorKind.MISSING_FILLER, 1, message)
    if stray := _NOT_DIGIT.search(digits):
        raise _wrong_character(stray.start(), digits, "where a GRAI has its 14 digits")
    if len(digits) < GRAI_DIGITS:
        message = f"a GRAI has {GRAI_DIGITS} digits before its serial, this has {len(digits)}"
        raise CodeError(CodeErrorKind.WRONG_LENGTH, len(digits) + 1, message)
    _check_gs1_digit(digits)
    _check_grai_serial(serial)


def _check_gs1_digit(digits: str) -> None:
    right = gs1_check_digit(digits[:-1])
    if digits[-1] != right:
        message = f"the check digit is {digits[-1]}, but {right} fits the digits before it"
        raise CodeError(CodeErrorKind.WRONG_CHECK_DIGITS, GRAI_DIGITS, message)


def _check_grai_serial(serial: str) -> None:
    if not serial:
        message = "without a serial a GRAI names a type of cylinder, not one cylinder"
        raise CodeError(CodeErrorKind.MISSING_SERIAL, GRAI_DIGITS + 1, message)
    _check_gs1_characters(serial, GRAI_DIGITS)
    if len(serial) > GRAI_SERIAL_LENGTH:
        message = f"the serial of a GRAI has at most {GRAI_SERIAL_LENGTH} characters, this has {len(serial)}"
        raise CodeError(CodeErrorKind.SERIAL_TOO_LONG, GRAI_DIGITS + GRAI_SERIAL_LENGTH + 1, message)


def check_giai(value: str) -> None:
    """Raise CodeError unless ``value`` is the AI value of a GIAI. It has no check digit."""
    if stray := _NOT_DIGIT.search(value[:SHORTEST_COMPANY_PREFIX]):
        raise _wrong_character(stray.start(), value, "where a GIAI has its company prefix of digits")
    if len(value) <= SHORTEST_COMPANY_PREFIX:
        message = f"a GIAI has a company prefix and a reference, this has {len(value)} characters"
        raise CodeError(CodeErrorKind.WRONG_LENGTH, len(value) + 1, message)
    _check_gs1_characters(value, 0)
    if len(value) > GIAI_LENGTH:
        message = f"a GIAI has at most {GIAI_LENGTH} characters, this has {len(value)}"
        raise CodeError(CodeErrorKind.SERIAL_TOO_LONG, GIAI_LENGTH + 1, message)


def check_legacy(value: str) -> None:
    """Raise CodeError unless ``value`` is a legacy text in its one writing, 1–80 characters."""
    if not 1 <= len(value) <= LEGACY_LENGTH:
        message = f"a code from before has 1 to {LEGACY_LENGTH} characters, this has {len(value)}"
        raise CodeError(CodeErrorKind.WRONG_LENGTH, min(len(value), LEGACY_LENGTH) + 1, message)
    for place, char in enumerate(value):
        if unicodedata.category(char)[0] in "CZ":  # controls, invisible format characters, white space
            raise _wrong_character(place, value, "there, which no printed code holds")
    if fold(value) != value:
        place = next((i for i, (a, b) in enumerate(zip(value, fold(value), strict=False)) if a != b), len(fold(value)))
        raise _wrong_character(place, value + " ", "there, but texts are kept in upper case and normal width")


def check_stamp(value: str) -> None:
    """Raise CodeError unless ``value`` is ``MAKER|YYYY-MM|SERIAL``."""
    check_legacy(value)
    if not _STAMP.fullmatch(value):
        message = "a stamp is MAKER|YYYY-MM|SERIAL: maker, month of making and serial, none of them empty"
        raise CodeError(CodeErrorKind.WRONG_CHARACTER, 1, message)


SCHEMES = {
    Scheme.OWN: SchemeFacts("瓶链码", "PingLian code", check_own),
    Scheme.GRAI: SchemeFacts("GS1 可回收资产代码 (GRAI)", "GS1 GRAI", check_grai, "8003"),
    Scheme.GIAI: SchemeFacts("GS1 单个资产代码 (GIAI)", "GS1 GIAI", check_giai, "8004"),
    Scheme.PROVINCE: SchemeFacts("省级气瓶编号", "province number", check_legacy),
    Scheme.REGISTRATION: SchemeFacts("使用登记代码", "registration code", check_legacy),
    Scheme.STAMP: SchemeFacts("钢印", "steel stamp", check_stamp),
    Scheme.TID: SchemeFacts("RFID TID", "RFID TID", check_legacy),
    Scheme.MAKER: SchemeFacts("制造单位编码", "maker's code", check_legacy),
}
LEGACY_SCHEMES = frozenset({Scheme.PROVINCE, Scheme.REGISTRATION, Scheme.STAMP, Scheme.TID, Scheme.MAKER})


def _check_gs1_characters(text: str, before: int) -> None:
    if stray := _NOT_GS1.search(text):
        raise _wrong_character(stray.start(), text, "there, which no GS1 value holds").moved(before)


def _wrong_character(place: int, text: str, why: str) -> CodeError:
    message = f"{text[place]!r} stands {why}"
    return CodeError(CodeErrorKind.WRONG_CHARACTER, place + 1, message)


def _own_form_error(text: str) -> CodeError:
    if stray := _NOT_BASE32.search(text):
        return _wrong_character(stray.start(), text, "there, which no code holds")
    if len(text) != OWN_LENGTH:
        message = f"a code has {OWN_LENGTH} characters, this has {len(text)}"
        return CodeError(CodeErrorKind.WRONG_LENGTH, min(len(text), OWN_LENGTH) + 1, message)
    place = OWN_LENGTH - 1 if text[-2].isdigit() else OWN_LENGTH - 2
    return _wrong_character(place, text, "where a code has its check digits, 0 to 9")
