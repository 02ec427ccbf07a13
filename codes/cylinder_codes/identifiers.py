"""Codes and cylinder identities: what they are made of, and the only way to get one.

A *code* (赋码) is what is printed on a cylinder: 26 characters of Crockford base32 ::

    04HMASW9NF6YZZPW  1011YN69  55
    payload, random   tag       check digits

It means nothing and never changes. A *cylinder id* is the cylinder's inner identity; codes are aliases of it,
so that a lost label can be replaced without the cylinder becoming another one. Lenient reading of what
scanners and people really send lives in ``cylinder_codes.reading``; here a text is either exactly right or an
error that says where not.

Check digits: ISO 7064 MOD 97-10 over the first 24 characters, every one of them counted as two decimal digits,
0 = 00 … 9 = 09, A = 10 … Z = 35. That number of 48 digits, times 100, is divided by 97; the check digits are 98
less the remainder, and all 50 digits together leave 1. Worked example, one that fits on paper: ``AB1`` is 10 11 01.
With two noughts behind it, 10110100 = 97 * 104227 + 81; the check digits are 98 - 81 = 17, and 10110117 leaves 1.
Without the long division, because 100 leaves 3: 10; 3 * 10 + 11 = 41; 3 * 41 + 1 = 124, which leaves 27; and for the
two noughts 3 * 27 = 81.

What the check digits guarantee, exactly, for all 26 characters:

- one wrong character is always found;
- two different neighbours exchanged are always found.

Why: the 24 characters weigh 100, 100**2, 100**3 … from the right, which leave 3, 3**2, 3**3 …; the check digits weigh
10 and 1. A wrong character changes the sum by the difference of two values times its weight, an exchange by that
difference times 2 * 3**k, times 90 at the border with the check digits, times 9 inside them. The difference is less
than 97, and 97 is prime and divides none of these factors, so 1 is left no more. A letter that comes to stand
among the check digits is refused as such, and so are 00, 01 and 99, which would leave what 97, 98 and 02 leave.

LEI and IBAN count a digit as one place and a letter as two. There a letter for a digit, or a digit for a letter,
moves everything before it and slips through once in 97 or so, and 1B, 2M and 3X may be exchanged unseen (1 11 = 11 1):
``AB1`` and ``A1B`` both have 29 there. With two places for every character neither happens; a tool made for LEI
therefore computes other check digits than ours.

More damage than that is found 96 times in 97 or so. What slips through is a code that nobody issued: it is found by
the keyed tag (``cylinder_codes.authenticity``) with odds of 2**40 to 1, and by not being in the register.
"""

import re
import string
from dataclasses import dataclass
from enum import StrEnum

from cylinder_codes.authenticity import TAG_LENGTH, TagKey, tag_of
from cylinder_codes.base32 import ALPHABET, encode_base32

DEFAULT_HOST = "id.pinglian.example"
PAYLOAD_LENGTH = 16
PAYLOAD_BYTES = 10
CODE_LENGTH = PAYLOAD_LENGTH + TAG_LENGTH + 2
CYLINDER_ID_BYTES = 16

_CODE = re.compile(rf"[{ALPHABET}]{{24}}[0-9]{{2}}")
_NOT_IN_ALPHABET = re.compile(rf"[^{ALPHABET}]")
_TWO_DIGITS = str.maketrans({char: f"{int(char, 36):02d}" for char in string.digits + string.ascii_uppercase})
_CYLINDER_ID = re.compile(rf"cyl_[0-7][{ALPHABET.lower()}]{{25}}")


class CodeErrorKind(StrEnum):
    """What is wrong with a text that should have been a code or a link."""

    WRONG_LENGTH = "wrong_length"
    WRONG_CHARACTER = "wrong_character"
    WRONG_CHECK_DIGITS = "wrong_check_digits"
    NOT_A_LINK = "not_a_link"
    FOREIGN_LINK = "foreign_link"


class CodeError(ValueError):
    """A text that is not a code: ``kind`` says why, ``position`` where, counted from 1."""

    def __init__(self, kind: CodeErrorKind, position: int, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.position = position


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """A code in its canonical text: 26 characters, upper case, no separators.

    One that is badly formed cannot exist: making it raises CodeError.
    """

    text: str

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.text):
            raise _form_error(self.text)
        if check_digits(self.text[:-2]) != self.text[-2:]:
            message = "the check digits do not fit the rest: a character is wrong, or two are exchanged"
            raise CodeError(CodeErrorKind.WRONG_CHECK_DIGITS, CODE_LENGTH - 1, message)

    def __str__(self) -> str:
        return self.text

    @property
    def payload(self) -> str:
        """The 16 random characters."""
        return self.text[:PAYLOAD_LENGTH]

    @property
    def tag(self) -> str:
        """The 8 characters that only the holder of the tag key can compute."""
        return self.text[PAYLOAD_LENGTH:-2]


def parse_code(text: str) -> Code:
    """Return the code that ``text`` spells in canonical form, or raise CodeError."""
    return Code(text)


def format_code(code: Code) -> str:
    """Return the canonical text, as stored and signed: ``04HMASW9NF6YZZPW1011YN6955``."""
    return code.text


def format_code_human(code: Code) -> str:
    """Return the text for people, in groups of four: ``04HM-ASW9-NF6Y-ZZPW-1011-YN69-55``."""
    return "-".join(code.text[start : start + 4] for start in range(0, CODE_LENGTH, 4))


def make_code(payload_random: bytes, key: TagKey) -> Code:
    """Make a new code from 10 fresh random bytes and the issuer's tag key; ValueError for other counts."""
    if len(payload_random) != PAYLOAD_BYTES:
        raise ValueError(f"a code is made from {PAYLOAD_BYTES} random bytes, not {len(payload_random)}")
    payload = encode_base32(int.from_bytes(payload_random, "big"), PAYLOAD_LENGTH)
    body = payload + tag_of(payload, key)
    return Code(body + check_digits(body))


def check_digits(body: str) -> str:
    """Return the two ISO 7064 MOD 97-10 check digits, 02 to 98, for ``body`` (characters 0-9 and A-Z).

    Every character counts as two decimal digits, which LEI and IBAN do not do: ``AB1`` has 17.
    """
    return f"{98 - int(body.translate(_TWO_DIGITS)) * 100 % 97:02d}"


def format_link(code: Code, host: str = DEFAULT_HOST) -> str:
    """Return the canonical link, as stored: ``https://id.pinglian.example/c/04HM…``.

    The link printed on a label is the same in upper case, which a QR symbol holds in less room.
    """
    return f"https://{host.lower()}/c/{code.text}"


def parse_link(link: str, host: str = DEFAULT_HOST) -> Code:
    """Return the code of a canonical or printed (upper-case) link, or raise CodeError.

    ``position`` counts in the whole link. Links of other hosts are refused, whatever they carry.
    """
    head, _, text = link.rpartition("/")
    if head.lower() == f"https://{host.lower()}/c":
        try:
            return Code(text)
        except CodeError as error:
            raise CodeError(error.kind, len(head) + 1 + error.position, str(error)) from None
    if head.lower().startswith(("http://", "https://")):
        message = f"the link does not lead to https://{host.lower()}/c/"
        raise CodeError(CodeErrorKind.FOREIGN_LINK, 1, message)
    raise CodeError(CodeErrorKind.NOT_A_LINK, 1, f"a link begins with https://{host.lower()}/c/")


def new_cylinder_id(random_bytes: bytes) -> str:
    """Return a new cylinder id, ``cyl_…``, from 16 fresh random bytes; ValueError for other counts."""
    if len(random_bytes) != CYLINDER_ID_BYTES:
        raise ValueError(f"a cylinder id takes {CYLINDER_ID_BYTES} random bytes, not {len(random_bytes)}")
    return "cyl_" + encode_base32(int.from_bytes(random_bytes, "big"), 26).lower()


def is_cylinder_id(text: str) -> bool:
    """Say whether ``text`` has the form of a cylinder id."""
    return _CYLINDER_ID.fullmatch(text) is not None


def _form_error(text: str) -> CodeError:
    if stray := _NOT_IN_ALPHABET.search(text):
        message = f"character {stray.start() + 1} is {stray.group()!a}, which no code holds"
        return CodeError(CodeErrorKind.WRONG_CHARACTER, stray.start() + 1, message)
    if len(text) != CODE_LENGTH:
        message = f"a code has {CODE_LENGTH} characters, this has {len(text)}"
        return CodeError(CodeErrorKind.WRONG_LENGTH, min(len(text), CODE_LENGTH) + 1, message)
    position = CODE_LENGTH if text[-2].isdigit() else CODE_LENGTH - 1
    message = f"character {position} is {text[position - 1]!a}, but the last two are check digits, 0 to 9"
    return CodeError(CodeErrorKind.WRONG_CHARACTER, position, message)
