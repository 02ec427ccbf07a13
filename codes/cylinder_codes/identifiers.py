"""Codes and cylinder identities: what they are made of, and the only way to get one.

A *code* (赋码) is what is printed on a cylinder: 26 characters of Crockford base32 ::

    04HMASW9NF6YZZPW  1011YN69  84
    payload, random   tag       check digits

It means nothing and never changes. A *cylinder id* is the cylinder's inner identity; codes are aliases of it,
so that a lost label can be replaced without the cylinder becoming another one. Lenient reading of what
scanners and people really send lives in ``cylinder_codes.reading``; here a text is either exactly right or an
error that says where not.

Check digits: ISO 7064 MOD 97-10 over the first 24 characters, letters counted A = 10 … Z = 35, as in LEI and
IBAN. Worked example, one that fits on paper: for ``AB1`` the digits are 10 11 1, so the number is 10111. With
two noughts behind it, 1011100 = 97 * 10423 + 69; the check digits are 98 - 69 = 29, and 1011129 leaves 1 when
divided by 97.

What the check digits guarantee, exactly:

- a wrong digit for a digit, or a wrong letter for a letter, is always found;
- two neighbours exchanged are always found, except in the pairs 1B, 2M and 3X, because those spell the same
  digits either way round (1 11 = 11 1);
- a digit for a letter or a letter for a digit changes the length of the number and is found 96 times in 97 or so,
  and so is any other damage.

What slips through here is a code that nobody issued: it is found by the keyed tag
(``cylinder_codes.authenticity``) with odds of 2**40 to 1, and by not being in the register.
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
_LETTER_VALUES = str.maketrans({letter: str(int(letter, 36)) for letter in string.ascii_uppercase})
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
    """Return the canonical text, as stored and signed: ``04HMASW9NF6YZZPW1011YN6984``."""
    return code.text


def format_code_human(code: Code) -> str:
    """Return the text for people, in groups of four: ``04HM-ASW9-NF6Y-ZZPW-1011-YN69-84``."""
    return "-".join(code.text[start : start + 4] for start in range(0, CODE_LENGTH, 4))


def make_code(payload_random: bytes, key: TagKey) -> Code:
    """Make a new code from 10 fresh random bytes and the issuer's tag key; ValueError for other counts."""
    if len(payload_random) != PAYLOAD_BYTES:
        raise ValueError(f"a code is made from {PAYLOAD_BYTES} random bytes, not {len(payload_random)}")
    payload = encode_base32(int.from_bytes(payload_random, "big"), PAYLOAD_LENGTH)
    body = payload + tag_of(payload, key)
    return Code(body + check_digits(body))


def check_digits(body: str) -> str:
    """Return the two ISO 7064 MOD 97-10 check digits for ``body`` (characters 0-9 and A-Z)."""
    return f"{98 - int(body.translate(_LETTER_VALUES)) * 100 % 97:02d}"


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
