"""One writing for a thing (规范写法): EPC URIs of EPCIS 1.x and GS1 Digital Links become GS1's canonical link.

    urn:epc:id:grai:9520001.12345.ZJ33010000017             https://id.gs1.org/8003/09520001123450ZJ33010000017
    urn:epc:idpat:grai:9520001.12345.*                      https://id.gs1.org/8003/09520001123450
    urn:epc:class:lgtin:4012345.012345.Lot987               https://id.gs1.org/01/04012345123456/10/Lot987
    https://brand.example/gas/01/4012345123456/22/2A/21/7   https://id.gs1.org/01/04012345123456/21/7

    HTTPS://ID.PINGLIAN.EXAMPLE/C/04HMASW9NF6YZZPW1011YN6955  https://id.pinglian.example/c/04HMASW9NF6YZZPW1011YN6955

The last is a code of our own register as a plate bears it, in upper case. The link form is the native one: only it says
all that it must. The way back to an EPC URI needs to be told how long the company prefix is, which no link holds.

The canonical link of a GS1 key has GS1's own host, no query, the finest level of identity alone (a serial, else a lot),
GTINs of 14 digits, and everything in a value but letters, digits and ``. _ - ' = ;`` percent-encoded.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, NoReturn

from cylinder_codes.check_digits import gs1_check_digit
from cylinder_codes.digital_link import format_link, parse_link
from cylinder_codes.errors import CodeError, CodeErrorKind
from cylinder_codes.identifiers import DEFAULT_HOST

CANONICAL_HOST = "https://id.gs1.org/"

_PLAIN = re.compile(r"[A-Za-z0-9._'=;-]+")
_X = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]*")
"""CSET 82, what a serial may hold."""
_Y = re.compile(r"[#\-/0-9A-Z]*")
"""CSET 39, what a part number may hold."""
_N = re.compile("[0-9]*")
_ESCAPE = re.compile(r"%(?:[0-9A-Fa-f]{2})?")


class Tail(NamedTuple):
    """What may stand behind the digits of a key, or in a qualifier."""

    longest: int
    characters: re.Pattern[str]


class Key(NamedTuple):
    """A primary key of GS1: its AI, how its value is built, and what may qualify it."""

    ai: str
    digits: int
    """How many digits stand first, the check digit among them; 0 where all of it is the tail."""
    check_at: int = 0
    """How many of the digits the check digit closes; 0 for none."""
    tail: Tail | None = None
    finest: tuple[str, ...] = ()
    """Qualifiers that make the identity finer, the finest first; of those only one stays."""
    dropped: tuple[str, ...] = ()
    """Qualifiers that a canonical link does not have."""


_KEYS = (
    Key("00", 18, 18),
    Key("01", 14, 14, finest=("21", "235", "10"), dropped=("22",)),
    Key("253", 13, 13, Tail(17, _X)),
    Key("255", 13, 13, Tail(12, _N)),
    Key("401", 0, 0, Tail(30, _X)),
    Key("402", 17, 17),
    Key("414", 13, 13, finest=("254",)),
    Key("417", 13, 13),
    Key("8003", 14, 14, Tail(16, _X)),
    Key("8004", 0, 0, Tail(30, _X), dropped=("7040",)),
    Key("8006", 18, 14, finest=("21", "10"), dropped=("22",)),
    Key("8010", 0, 0, Tail(30, _Y), finest=("8011",)),
    Key("8017", 18, 18),
    Key("8018", 18, 18),
)
_WORDS = (
    "sscc 00 gtin 01 gdti 253 gcn 255 ginc 401 gsin 402 gln 414 party 417 grai 8003 giai 8004 itip 8006 cpid 8010 "
    "gsrnp 8017 gsrn 8018"
).split()
KEYS: dict[str, Key] = {key.ai: key for key in _KEYS} | {
    word: key for word, ai in zip(_WORDS[::2], _WORDS[1::2], strict=True) for key in _KEYS if key.ai == ai
}
"""By AI, and by the word that links before Digital Link 1.2 wrote for it."""
QUALIFIERS = {
    "10": Tail(20, _X),
    "21": Tail(20, _X),
    "22": Tail(20, _X),
    "235": Tail(28, _X),
    "254": Tail(20, _X),
    "7040": Tail(4, _X),
    "8011": Tail(12, _N),
}
_QUALIFIER_WORDS = {"lot": "10", "ser": "21", "cpv": "22", "cpsn": "8011", "glnx": "254"}
_SHORTEST_PREFIX, _LONGEST_PREFIX = 6, 12


def linked(uri: str) -> str:
    """The canonical link of what `uri` identifies, or `uri` itself where it is not a GS1 identifier, or a wrong one."""
    try:
        return canonical(uri) or uri
    except CodeError:
        return uri


def canonical(uri: str) -> str | None:
    """The canonical link of a GS1 identifier in any writing; None for a URI that does not claim to be one.

    Raises CodeError where it claims to be one and is not: a check digit that does not fit, a GRAI without its filler,
    a serial that is too long, an escaped slash where a separator belongs.  ``position`` counts in `uri`, an escape
    before it as one character.
    """
    if len(uri) > _LONGEST_REMEMBERED:  # no key of GS1 needs so many: what is so long may be anything
        return _canonical(uri)
    return _remembered(uri)


_LONGEST_REMEMBERED = 300
"""Characters: what is remembered must stay small, whatever is sent."""


def _canonical(uri: str) -> str | None:
    start = uri[:8].lower()
    if start == "urn:epc:":
        return _from_urn(uri)
    if not start.startswith(("https://", "http://")):
        return None
    return _from_own_link(uri) if _OWN.match(uri) else _from_link(uri)


_remembered = lru_cache(maxsize=8192)(_canonical)
"""One event is looked at three times over, and its neighbours name the same places."""


def urn_of(link: str, prefix_length: int) -> str:
    """The EPC URI of a canonical link, whose company prefix has `prefix_length` digits (6 to 12).

    A key without a serial gives the pattern (``urn:epc:idpat:…``) or the class that means all of its kind.  Raises
    CodeError where the link is not canonical or its key has no EPC URI.
    """
    if not _SHORTEST_PREFIX <= prefix_length <= _LONGEST_PREFIX:
        _refuse(CodeErrorKind.WRONG_LENGTH, 1, f"a company prefix has 6 to 12 digits, not {prefix_length}")
    if not link.startswith(CANONICAL_HOST) or canonical(link) != link:
        _refuse(CodeErrorKind.NOT_A_LINK, 1, "this is not a canonical link, which begins with https://id.gs1.org/")
    ai, value, *finer = [_unescaped(segment, 0) for segment in link[len(CANONICAL_HOST) :].split("/")]
    kind, scheme, shape = _shape_of(ai, value, finer)
    parts = _parts_of(shape, value, finer[1:], prefix_length)
    return f"urn:epc:{kind}:{scheme}:" + ".".join(_urn_escaped(part) for part in parts)


def escaped(text: str, plain: re.Pattern[str] = _PLAIN) -> str:
    """`text` as one segment of a link: everything but letters, digits and ``. _ - ' = ;`` percent-encoded."""
    if plain.fullmatch(text):
        return text
    return "".join(
        char if plain.fullmatch(char) else "".join(f"%{byte:02X}" for byte in char.encode()) for char in text
    )


# --- links of our own ----------------------------------------------------------------------------------------

_OWN = re.compile(rf"https?://{re.escape(DEFAULT_HOST)}/c/", re.IGNORECASE)
_OWN_CANONICAL = re.compile(rf"https://{re.escape(DEFAULT_HOST)}/c/[0-9A-Z]+")


def _from_own_link(uri: str) -> str | None:
    """The one writing of a code of our register; None for what is none: it is the register that refuses it."""
    if _OWN_CANONICAL.fullmatch(uri):
        return uri
    try:
        return format_link(parse_link(uri).code)
    except CodeError:
        return None


# --- links ---------------------------------------------------------------------------------------------------


class _Segment(NamedTuple):
    text: str
    at: int


_MAY_HOLD_A_KEY = re.compile(f"//id[.]gs1[.]org/|/(?:{'|'.join(KEYS)})/", re.IGNORECASE)


def _from_link(uri: str) -> str | None:
    if not _MAY_HOLD_A_KEY.search(uri):
        return None
    host_at = uri.index("//") + 2
    path_at = uri.find("/", host_at)
    if path_at < 0:
        return None
    path = re.split(r"[?#]", uri[path_at:], maxsplit=1)[0]
    segments = [_Segment(found.group(), path_at + found.start()) for found in re.finditer(r"[^/]+", path)]
    is_gs1s = uri[host_at:path_at].lower() == "id.gs1.org"
    fault: CodeError | None = None
    for place in _places_of_keys(segments):
        try:
            return _link_from(segments, place)
        except CodeError as error:
            claims = is_gs1s or _is_unmistakable(segments, place)
            fault = fault or (error if claims else None)
    if fault is None and is_gs1s:
        _refuse(CodeErrorKind.FOREIGN_LINK, path_at + 1, f"{_no_key(segments)}, as in /8003/09520001123450…")
    if fault is not None:
        raise fault
    return None


def _no_key(segments: Sequence[_Segment]) -> str:
    if any("%2f" in segment.text.lower() for segment in segments):
        return "an escaped slash is a character of a value, never what parts a key from its value"
    return "the host is GS1's own and the path names no key of GS1"


def _places_of_keys(segments: Sequence[_Segment]) -> Iterator[int]:
    return (place for place, segment in enumerate(segments[:-1]) if segment.text in KEYS)


def _is_unmistakable(segments: Sequence[_Segment], place: int) -> bool:
    """Whether under a host of anybody's a path means a GS1 key: ``/8003/0952…``; ``/00/`` stands in many a path."""
    return len(segments[place].text) == 4 and bool(re.match("[0-9]{4}", segments[place + 1].text))


def _link_from(segments: Sequence[_Segment], place: int) -> str:
    key = KEYS[segments[place].text]
    value = _unescaped(*segments[place + 1])
    if key.ai == "01" and value.isdecimal() and len(value) in (8, 12, 13):
        value = value.zfill(14)
    _check_value(key, value, segments[place + 1].at)
    finer = _finest(key, segments[place + 2 :])
    return f"{CANONICAL_HOST}{key.ai}/{escaped(value)}" + (f"/{finer[0]}/{escaped(finer[1])}" if finer else "")


def _finest(key: Key, segments: Sequence[_Segment]) -> tuple[str, str] | None:
    found: dict[str, str] = {}
    for name, value in zip(segments[::2], segments[1::2], strict=False):
        ai = _QUALIFIER_WORDS.get(name.text, name.text)
        if ai not in key.finest and ai not in key.dropped:
            _refuse(CodeErrorKind.WRONG_CHARACTER, name.at + 1, f"/{name.text} does not belong behind /{key.ai}")
        found[ai] = _unescaped(*value)
        _check_tail(found[ai], QUALIFIERS[ai], f"the value of /{ai}", value.at)
    if len(segments) % 2:
        _refuse(CodeErrorKind.WRONG_LENGTH, segments[-1].at + 1, f"/{segments[-1].text} has no value behind it")
    return next(((ai, found[ai]) for ai in key.finest if ai in found), None)


def _check_value(key: Key, value: str, at: int) -> None:
    digits, tail = value[: key.digits], value[key.digits :]
    if key.ai == "8003" and value[:1] in tuple("123456789"):
        _refuse(CodeErrorKind.MISSING_FILLER, at + 1, "a GRAI begins with the filler 0, then 12 digits and their check")
    if not _N.fullmatch(digits):
        _refuse(CodeErrorKind.WRONG_CHARACTER, at + 1, f"/{key.ai} begins with {key.digits} digits, not {digits!a}")
    if len(digits) < key.digits:
        _refuse(CodeErrorKind.WRONG_LENGTH, at + 1, f"/{key.ai} has {key.digits} digits, this has {len(digits)}")
    if key.check_at:
        _check_digit(digits[: key.check_at], at)
    elif not re.match("[0-9]{4}", value):
        _refuse(CodeErrorKind.WRONG_CHARACTER, at + 1, f"/{key.ai} begins with a company prefix of digits")
    if tail and not key.tail:
        _refuse(CodeErrorKind.WRONG_LENGTH, at + 1, f"/{key.ai} has {key.digits} digits, this has {len(value)}")
    if key.tail and (tail or not key.digits):
        what = f"the serial of /{key.ai}" if key.digits else f"/{key.ai}"
        _check_tail(tail, key.tail, what, at + key.digits)


def _check_digit(digits: str, at: int) -> None:
    right = gs1_check_digit(digits[:-1])
    if digits[-1] != right:
        message = f"the check digit is {digits[-1]}, but {right} fits the digits before it"
        _refuse(CodeErrorKind.WRONG_CHECK_DIGITS, at + len(digits), message)


def _check_tail(text: str, tail: Tail, what: str, at: int) -> None:
    good = tail.characters.match(text)
    if good is None or good.end() < len(text):
        place = good.end() if good else 0
        _refuse(CodeErrorKind.WRONG_CHARACTER, at + place + 1, f"{text[place]!a} may not stand in {what}")
    if len(text) > tail.longest:
        message = f"{what} has at most {tail.longest} characters, this has {len(text)}"
        _refuse(CodeErrorKind.SERIAL_TOO_LONG, at + tail.longest + 1, message)
    if not text:
        _refuse(CodeErrorKind.MISSING_SERIAL, at + 1, f"{what} is empty")


def _unescaped(text: str, at: int) -> str:
    if "%" not in text:
        return text
    for found in _ESCAPE.finditer(text):
        if len(found.group()) == 1:
            message = "behind a '%' two hexadecimal digits do not follow"
            _refuse(CodeErrorKind.WRONG_CHARACTER, at + found.start() + 1, message)
    return _ESCAPE.sub(lambda found: chr(int(found.group()[1:], 16)), text)


# --- EPC URIs ------------------------------------------------------------------------------------------------


def _from_urn(uri: str) -> str | None:
    _, _, kind, *rest = uri.split(":", 4)
    if len(rest) < 2:
        return None
    scheme, text = rest
    shape = _SHAPES.get((kind.lower(), scheme.lower()))
    if shape is None:  # a key of others, such as urn:epc:id:bic, or a whole other kind of URI
        return None
    at = len(uri) - len(text)
    parts = text.split(".", len(shape.parts) - 1) if shape.serial_last else text.split(".")
    if len(parts) != len(shape.parts):
        message = f"urn:epc:{kind}:{scheme}: has {len(shape.parts)} parts with dots between, this has {len(parts)}"
        _refuse(CodeErrorKind.WRONG_LENGTH, at + 1, message)
    if shape.pattern and parts[-1] != "*":
        _refuse(CodeErrorKind.WRONG_CHARACTER, at + text.rfind(".") + 2, "a pattern ends in .*")
    if stray := _NOT_URN.search(text):
        message = f"{stray.group()!a} stands in an EPC URI, where it is to be percent-encoded"
        _refuse(CodeErrorKind.WRONG_CHARACTER, at + stray.start() + 1, message)
    _check_parts(parts, shape, at)
    return _link_of_parts(shape, [_unescaped(part, at) for part in parts], at)


_NOT_URN = re.compile(r"[^!'()*+,\-.0-9:;=A-Z_a-z%]")


class _Shape(NamedTuple):
    """How the parts of an EPC URI become a link: each part by its name."""

    parts: tuple[str, ...]
    ai: str
    body: int
    """Digits of company prefix and reference together, 0 where the reference is text."""
    finer: str = ""
    """The qualifier that the serial becomes; empty where it stands behind the key's digits."""
    pattern: bool = False

    @property
    def serial_last(self) -> bool:
        """Whether the last part may hold dots of its own."""
        return self.parts[-1] == "serial" or (self.body == 0 and len(self.parts) == 2)


_GTIN = ("prefix", "item")
_PLACE = ("prefix", "reference")
_SHAPES = {
    ("id", "sgtin"): _Shape((*_GTIN, "serial"), "01", 13, "21"),
    ("id", "upui"): _Shape((*_GTIN, "serial"), "01", 13, "235"),
    ("class", "lgtin"): _Shape((*_GTIN, "serial"), "01", 13, "10"),
    ("id", "itip"): _Shape((*_GTIN, "piece", "total", "serial"), "8006", 13, "21"),
    ("id", "sscc"): _Shape(("prefix", "item"), "00", 17),
    ("id", "sgln"): _Shape((*_PLACE, "serial"), "414", 12, "254"),
    ("id", "pgln"): _Shape(_PLACE, "417", 12),
    ("id", "grai"): _Shape((*_PLACE, "serial"), "8003", 12),
    ("id", "giai"): _Shape(_PLACE, "8004", 0),
    ("id", "gdti"): _Shape((*_PLACE, "serial"), "253", 12),
    ("id", "sgcn"): _Shape((*_PLACE, "serial"), "255", 12),
    ("id", "gsrn"): _Shape(_PLACE, "8018", 17),
    ("id", "gsrnp"): _Shape(_PLACE, "8017", 17),
    ("id", "gsin"): _Shape(_PLACE, "402", 16),
    ("id", "ginc"): _Shape(_PLACE, "401", 0),
    ("id", "cpi"): _Shape((*_PLACE, "serial"), "8010", 0, "8011"),
    ("idpat", "sgtin"): _Shape((*_GTIN, "*"), "01", 13, pattern=True),
    ("idpat", "upui"): _Shape((*_GTIN, "*"), "01", 13, pattern=True),
    ("idpat", "itip"): _Shape((*_GTIN, "piece", "total", "*"), "8006", 13, pattern=True),
    ("idpat", "grai"): _Shape((*_PLACE, "*"), "8003", 12, pattern=True),
    ("idpat", "gdti"): _Shape((*_PLACE, "*"), "253", 12, pattern=True),
    ("idpat", "sgcn"): _Shape((*_PLACE, "*"), "255", 12, pattern=True),
    ("idpat", "cpi"): _Shape((*_PLACE, "*"), "8010", 0, pattern=True),
}


def _check_parts(parts: Sequence[str], shape: _Shape, at: int) -> None:
    prefix, reference = parts[:2]
    if not _N.fullmatch(prefix) or not _SHORTEST_PREFIX <= len(prefix) <= _LONGEST_PREFIX:
        _refuse(CodeErrorKind.WRONG_LENGTH, at + 1, f"a company prefix has 6 to 12 digits, this is {prefix!a}")
    after = at + len(prefix) + 2
    if shape.body and not _N.fullmatch(reference):
        _refuse(CodeErrorKind.WRONG_CHARACTER, after, f"the reference is of digits, this is {reference!a}")
    if shape.body and len(prefix) + len(reference) != shape.body:
        message = f"company prefix and reference have {shape.body} digits together, not {len(prefix) + len(reference)}"
        _refuse(CodeErrorKind.WRONG_LENGTH, after, message)
    for name, part in zip(shape.parts, parts, strict=True):
        if name in ("piece", "total") and not re.fullmatch("[0-9]{2}", part):
            _refuse(CodeErrorKind.WRONG_LENGTH, after, f"piece and total are of two digits each, not {part!a}")


def _link_of_parts(shape: _Shape, parts: Sequence[str], at: int) -> str:
    named = dict(zip(shape.parts, parts, strict=True))
    prefix, reference = parts[:2]
    # The indicator of a GTIN, or the extension of an SSCC, stands before the company prefix.
    body = reference[:1] + prefix + reference[1:] if "item" in named else prefix + reference
    digits = ("0" if shape.ai == "8003" else "") + body
    value = digits + gs1_check_digit(digits) if shape.body else body
    value += named.get("piece", "") + named.get("total", "")
    serial = "" if shape.pattern else named.get("serial", "")
    if "serial" in named and not serial:
        _refuse(CodeErrorKind.MISSING_SERIAL, at + 1, "its last part, the serial, is empty")
    key = KEYS[shape.ai]
    if not shape.finer:
        value += serial
    _check_value(key, value, at)
    link = f"{CANONICAL_HOST}{shape.ai}/{escaped(value)}"
    # An extension of 0 says that a place is not divided.
    if not shape.finer or (shape.ai == "414" and serial == "0"):
        return link
    _check_tail(serial, QUALIFIERS[shape.finer], "its last part", at)
    return f"{link}/{shape.finer}/{escaped(serial)}"


def _refuse(kind: CodeErrorKind, position: int, message: str) -> NoReturn:
    raise CodeError(kind, position, message)


# --- back ----------------------------------------------------------------------------------------------------

_URN_PLAIN = re.compile(r"[!'()*+,\-.0-9:;=A-Z_a-z]*")


def _shape_of(ai: str, value: str, finer: Sequence[str]) -> tuple[str, str, _Shape]:
    """Kind and name of the EPC URI that a link's key becomes, and its shape."""
    bare = (not finer and ai != "414" and len(value) == KEYS[ai].digits) or (ai == "8010" and not finer)
    for (kind, scheme), shape in _SHAPES.items():
        fits = shape.finer == finer[0] if finer else shape.pattern == (bare and _has_pattern(ai))
        if shape.ai == ai and fits:
            return kind, scheme, shape
    _refuse(CodeErrorKind.UNKNOWN_SCHEME, 1, f"/{ai}/…/{finer[0] if finer else ''} has no EPC URI")


def _has_pattern(ai: str) -> bool:
    return any(shape.ai == ai and shape.pattern for shape in _SHAPES.values())


def _parts_of(shape: _Shape, value: str, serial: Sequence[str], prefix_length: int) -> list[str]:
    key = KEYS[shape.ai]
    body = value[1:13] if shape.ai == "8003" else value[: shape.body or None]
    first, rest = (body[:1], body[1:]) if "item" in shape.parts else ("", body)
    prefix, reference = rest[:prefix_length], first + rest[prefix_length:]
    if not _N.fullmatch(prefix) or (not shape.body and not reference):
        _refuse(CodeErrorKind.WRONG_LENGTH, 1, f"{prefix!a} is no company prefix of {prefix_length} digits")
    tail = value[key.digits :] if shape.body else ""
    last = "*" if shape.pattern else "".join(serial) or tail or "0"
    named = {"piece": value[14:16], "total": value[16:18], "serial": last, "*": last}
    return [prefix, reference, *(named[part] for part in shape.parts[2:])]


def _urn_escaped(text: str) -> str:
    return "".join(char if _URN_PLAIN.fullmatch(char) else f"%{ord(char):02X}" for char in text)
