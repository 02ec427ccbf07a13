"""Codes and cylinder identities: what they are made of, and the only way to get one.

A *cylinder id* is the cylinder's inner identity and never changes. A *code* (赋码) is an alias of it: what is printed,
stamped or burnt into it. One cylinder may have many codes; a code leads to one cylinder for ever. Codes of every
scheme (``cylinder_codes.schemes``) are one class, ``Code``, which holds the canonical text: the text that is stored,
signed and compared as it is::

    04HMASW9NF6YZZPW1011YN6955                 our own: 16 random characters, 8 of the tag, 2 check digits
    grai:09520001123450ZJ33010000017           every other scheme: its word, a colon, the value
    stamp:XF|2019-03|00123

Lenient reading of what scanners and people really send lives in ``cylinder_codes.reading``; here a text is either
exactly right or an error that says where not.

Our own code means nothing and never changes. Where an owner has a GS1 prefix we issue *sealed* GRAIs and GIAIs: the
last 16 characters are 9 random ones and a tag of 7, so that they cannot be guessed either.

A label also shows a code as text. Our own ends in check digits; behind a GS1 code stand two after a ``#``, which no GS1
value holds (``cylinder_codes.check_digits``). So what is typed from a damaged label is checked as well as what is
scanned. What still slips through is a code that nobody issued: it is found by the keyed tag, and by not being in the
register.
"""

import re
from dataclasses import dataclass

from cylinder_codes.authenticity import SEALED_TAG_LENGTH, TagKey, tag_of
from cylinder_codes.base32 import ALPHABET, encode_base32
from cylinder_codes.check_digits import check_digits, gs1_check_digit
from cylinder_codes.errors import CodeError, CodeErrorKind
from cylinder_codes.schemes import GRAI_DIGITS, LEGACY_SCHEMES, OWN_LENGTH, SCHEMES, Scheme, fold

DEFAULT_HOST = "id.pinglian.example"
PAYLOAD_LENGTH = 16
PAYLOAD_BYTES = 10
SEALED_RANDOM_LENGTH = 9
SEALED_RANDOM_BYTES = 6
CYLINDER_ID_BYTES = 16

_CYLINDER_ID = re.compile(rf"cyl_[0-7][{ALPHABET.lower()}]{{25}}")
_SEALED = re.compile(rf"[{ALPHABET}]{{{SEALED_RANDOM_LENGTH + SEALED_TAG_LENGTH}}}")
_SEALED_SCHEMES = {Scheme.GRAI: GRAI_DIGITS, Scheme.GIAI: 4}


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """A code of any scheme in its canonical text.

    One that is badly formed cannot exist: making it raises CodeError, with the position in the text.
    """

    text: str

    def __post_init__(self) -> None:
        if ":" not in self.text:
            SCHEMES[Scheme.OWN].check(self.text)
            return
        word, _, value = self.text.partition(":")
        if word not in SCHEMES or word == Scheme.OWN:
            message = f"{word!a} is no scheme: it is {', '.join(SCHEMES)}"
            raise CodeError(CodeErrorKind.UNKNOWN_SCHEME, 1, message)
        try:
            SCHEMES[Scheme(word)].check(value)
        except CodeError as error:
            raise error.moved(len(word) + 1) from None

    def __str__(self) -> str:
        return self.text

    @property
    def scheme(self) -> Scheme:
        """Which scheme it belongs to."""
        word, colon, _ = self.text.partition(":")
        return Scheme(word) if colon else Scheme.OWN

    @property
    def value(self) -> str:
        """The text without the scheme's word in front."""
        return self.text.partition(":")[2] or self.text

    @property
    def payload(self) -> str:
        """What the tag is computed over: the 16 random characters, or a sealed code's text up to its tag."""
        return self.text[:PAYLOAD_LENGTH] if self.scheme == Scheme.OWN else self.text[: len(self.text) - len(self.tag)]

    @property
    def tag(self) -> str:
        """The characters that only the holder of the tag key can compute; empty where a code has none."""
        if ":" not in self.text:
            return self.text[PAYLOAD_LENGTH:-2]
        head = _SEALED_SCHEMES.get(self.scheme)
        sealed = head is not None and _SEALED.fullmatch(self.value[head:][-_SEALED_LENGTH:])
        return self.text[-SEALED_TAG_LENGTH:] if sealed else ""


_SEALED_LENGTH = SEALED_RANDOM_LENGTH + SEALED_TAG_LENGTH


def format_code_human(code: Code) -> str:
    """Return the text for people, as it stands below the symbol, with its check digits.

    ``04HM-ASW9-NF6Y-ZZPW-1011-YN69-55``, ``(8003) 09520001123450 ZJ33010000017 #24``, and legacy texts as they are.
    """
    if code.scheme == Scheme.OWN:
        return "-".join(code.text[start : start + 4] for start in range(0, OWN_LENGTH, 4))
    ai = SCHEMES[code.scheme].ai
    if ai is None:
        return code.value
    value = f"{code.value[:GRAI_DIGITS]} {code.value[GRAI_DIGITS:]}" if code.scheme == Scheme.GRAI else code.value
    return f"({ai}) {value} #{typed_check_digits(code)}"


def typed_check_digits(code: Code) -> str:
    """Return the two check digits behind the ``#`` of a GS1 code's text: over the AI and the value."""
    return check_digits(f"{SCHEMES[code.scheme].ai}{code.value}")


def make_code(payload_random: bytes, key: TagKey) -> Code:
    """Make a new code of our own from 10 fresh random bytes and the issuer's tag key; ValueError for other counts."""
    if len(payload_random) != PAYLOAD_BYTES:
        raise ValueError(f"a code is made from {PAYLOAD_BYTES} random bytes, not {len(payload_random)}")
    payload = encode_base32(int.from_bytes(payload_random, "big"), PAYLOAD_LENGTH)
    body = payload + tag_of(payload, key)
    return Code(body + check_digits(body))


def make_grai(asset_type: str, random_bytes: bytes, key: TagKey) -> Code:
    """Make a sealed GRAI: 12 digits of company prefix and asset type, 6 fresh random bytes, the issuer's tag key.

    45 random bits may repeat within a few million codes: whoever issues them keeps a book and draws again.
    """
    if not re.fullmatch("[0-9]{12}", asset_type):
        raise ValueError(f"company prefix and asset type have 12 digits together, not {asset_type!a}")
    return _seal(f"grai:0{asset_type}{gs1_check_digit(asset_type)}", random_bytes, key)


def make_giai(prefix: str, random_bytes: bytes, key: TagKey) -> Code:
    """Make a sealed GIAI: a company prefix of 4 to 12 digits, 6 fresh random bytes, the issuer's tag key."""
    if not re.fullmatch("[0-9]{4,12}", prefix):
        raise ValueError(f"a GS1 company prefix has 4 to 12 digits, not {prefix!a}")
    return _seal(f"giai:{prefix}", random_bytes, key)


def _seal(head: str, random_bytes: bytes, key: TagKey) -> Code:
    if len(random_bytes) != SEALED_RANDOM_BYTES:
        raise ValueError(f"a sealed code is made from {SEALED_RANDOM_BYTES} random bytes, not {len(random_bytes)}")
    random_part = encode_base32(int.from_bytes(random_bytes, "big") >> 3, SEALED_RANDOM_LENGTH)
    payload = head + random_part
    return Code(payload + tag_of(payload, key, SEALED_TAG_LENGTH))


def legacy_code(scheme: Scheme, text: str) -> Code:
    """Return the alias that a cylinder has from before; ``text`` in any writing. Raises CodeError.

    Worked example: ``legacy_code(Scheme.PROVINCE, " zj 330100 000017 ")`` is ``province:ZJ330100000017``.
    """
    if scheme not in LEGACY_SCHEMES:
        raise CodeError(CodeErrorKind.UNKNOWN_SCHEME, 1, f"{scheme} is no scheme of codes from before")
    return Code(f"{scheme}:{fold(text)}")


def stamp_code(maker: str, manufactured_month: str, serial: str) -> Code:
    """Return the alias that the steel itself gives: maker, month of making ``YYYY-MM`` and serial. Raises CodeError.

    Makers number as they like: a serial alone is not unique.
    """
    return legacy_code(Scheme.STAMP, f"{maker}|{manufactured_month}|{serial}")


def new_cylinder_id(random_bytes: bytes) -> str:
    """Return a new cylinder id, ``cyl_…``, from 16 fresh random bytes; ValueError for other counts."""
    if len(random_bytes) != CYLINDER_ID_BYTES:
        raise ValueError(f"a cylinder id takes {CYLINDER_ID_BYTES} random bytes, not {len(random_bytes)}")
    return "cyl_" + encode_base32(int.from_bytes(random_bytes, "big"), 26).lower()


def is_cylinder_id(text: str) -> bool:
    """Say whether ``text`` has the form of a cylinder id."""
    return _CYLINDER_ID.fullmatch(text) is not None
