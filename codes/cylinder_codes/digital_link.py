"""Links (链接): a code as GS1 Digital Link or, where GS1 has no key for it, as a link of our own.

    https://id.pinglian.example/c/04HMASW9NF6YZZPW1011YN6955            our own code
    https://id.pinglian.example/8003/09520001123450ZJ33010000017        GRAI
    https://id.pinglian.example/8004/9520001VLV-0098231                 GIAI
    https://id.pinglian.example/c/province%3AZJ330100000017             what a cylinder carries from before

That is the canonical form: scheme and host in lower case, everything but ``A-Z a-z 0-9 - . _ ~`` in the value
percent-encoded. On small plates the same link is printed in upper case, which a QR symbol packs into 5.5 bits a
character instead of 8. Worked example: 58 characters at level M take version 4 (33 modules) in lower case, version 3
(29 modules) in upper case.

A GS1 key means the same under every host, so those links are taken from any; after the standard there may be path
segments before the key (``https://brand.example/gas/8003/…``), a slash behind it, qualifiers (``/7040/…``) and a
query of anything, which is kept. ``/c/`` is ours alone and only good under a host of the register.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cylinder_codes.errors import CodeError, CodeErrorKind
from cylinder_codes.identifiers import DEFAULT_HOST, Code
from cylinder_codes.schemes import SCHEMES, Scheme

OWN_SEGMENT = "c"
_SCHEME_OF_SEGMENT = {facts.ai: scheme for scheme, facts in SCHEMES.items() if facts.ai}
_QUALIFIERS = {Scheme.GRAI: (), Scheme.GIAI: ("7040",)}
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]+")
_LINK = re.compile(
    r"(?P<head>https?://(?P<host>[^/?#]+))(?P<path>[^?#]*)(?P<rest>.*)", re.ASCII | re.IGNORECASE | re.DOTALL
)
_ESCAPE = re.compile(r"%(?:[0-9A-Fa-f]{2})?")
_UPPER = {ord(char): ord(char.upper()) for char in "abcdefghijklmnopqrstuvwxyz"}
"""``str.upper`` would also make SS of ß and I of ı, and so another code."""
_PRINTED_ALPHABET = re.compile(r"[0-9A-Z $%*+\-./:]*")


@dataclass(frozen=True, slots=True)
class Link:
    """A link that carries a code; ``rest`` is what stood behind the code: qualifiers, query, fragment."""

    host: str
    code: Code
    rest: str = ""


def format_link(code: Code, host: str = DEFAULT_HOST) -> str:
    """Return the canonical link, as stored: ``https://id.pinglian.example/8003/09520001123450ZJ33010000017``."""
    ai = SCHEMES[code.scheme].ai
    path = f"{ai}/{_encode(code.value)}" if ai else f"{OWN_SEGMENT}/{_encode(code.text)}"
    return f"https://{host.lower()}/{path}"


def format_printed_link(code: Code, host: str = DEFAULT_HOST) -> str:
    """Return the link as it is printed: in upper case where a QR symbol then holds it in alphanumeric mode.

    A value with characters beyond that alphabet (``_`` and ``~``) stays in the canonical form.
    """
    link = format_link(code, host)
    return link.upper() if _PRINTED_ALPHABET.fullmatch(link.upper()) else link


def parse_link(text: str, hosts: Sequence[str] = (DEFAULT_HOST,)) -> Link:
    """Return the link that ``text`` is, or raise CodeError; ``position`` counts in the whole text.

    ``hosts`` are those whose ``/c/`` is ours.
    """
    found = _LINK.fullmatch(text)
    if found is None:
        host = hosts[0].lower() if hosts else "…"
        raise CodeError(CodeErrorKind.NOT_A_LINK, 1, f"a link begins with https://{host}/")
    segments = _segments(found["path"], found.start("path"))
    place = _place_of_key(segments, ours=found["host"].lower() in {host.lower() for host in hosts})
    if place is None or place + 1 >= len(segments):
        message = f"the link leads to {found['host']!a} and names no cylinder: one is behind /8003/, /8004/ or our /c/"
        raise CodeError(CodeErrorKind.FOREIGN_LINK, len(found["head"]) + 1, message)
    code = _code_at(*segments[place], *segments[place + 1])
    rest = _qualifiers(code, segments[place + 2 :])
    return Link(found["host"].lower(), code, rest + found["rest"])


Segment = tuple[str, int]
"""A piece of the path and its index in the whole text."""


def _segments(path: str, start: int) -> list[Segment]:
    return [(piece.group(), start + piece.start()) for piece in re.finditer(r"[^/]+", path)]


def _place_of_key(segments: list[Segment], *, ours: bool) -> int | None:
    """Where the key's name stands: the first segment of ours, else the last that names a GS1 key and has a value.

    The last one, after GS1: what stands before may look like a key by chance, ``/8003/pages/8003/0952…``.
    """
    if ours and segments and segments[0][0].lower() == OWN_SEGMENT:
        return 0
    named = [place for place, (segment, _) in enumerate(segments[:-1]) if segment in _SCHEME_OF_SEGMENT]
    return named[-1] if named else None


def _code_at(name: str, name_at: int, value: str, value_at: int) -> Code:
    plain, origin = _decode(value, value_at)
    scheme = _SCHEME_OF_SEGMENT.get(name)
    upper = plain.translate(_UPPER)
    text = f"{scheme}:{upper}" if scheme else upper if ":" not in plain else _with_lower_word(upper)
    before = len(text) - len(plain)
    try:
        return Code(text)
    except CodeError as error:
        index = max(error.position - before - 1, 0)
        position = origin[index] + 1 if index < len(origin) else value_at + len(value) + 1
        raise CodeError(error.kind, position, str(error)) from None


def _with_lower_word(text: str) -> str:
    word, _, value = text.partition(":")
    return f"{word.lower()}:{value}"


def _qualifiers(code: Code, segments: list[Segment]) -> str:
    known = _QUALIFIERS.get(code.scheme, ())
    if segments and segments[0][0] not in known:
        message = f"behind the code stands /{segments[0][0]}, which does not belong there"
        raise CodeError(CodeErrorKind.WRONG_CHARACTER, segments[0][1] + 1, message)
    return "".join(f"/{segment}" for segment, _ in segments)


def _encode(text: str) -> str:
    if _UNRESERVED.fullmatch(text):
        return text
    return "".join(
        char if _UNRESERVED.fullmatch(char) else "".join(f"%{byte:02X}" for byte in char.encode()) for char in text
    )


def _decode(text: str, start: int) -> tuple[str, list[int]]:
    """Undo the percent-encoding: the plain text, and for each of its characters the index it came from."""
    octets: list[tuple[int, int]] = []
    place = 0
    while place < len(text):
        escape = _ESCAPE.match(text, place)
        if escape and len(escape.group()) == 1:
            message = "behind a '%' two hexadecimal digits do not follow"
            raise CodeError(CodeErrorKind.WRONG_CHARACTER, start + place + 1, message)
        raw = bytes.fromhex(escape.group()[1:]) if escape else text[place].encode("utf-8", "surrogatepass")
        octets += [(byte, start + place) for byte in raw]
        place += len(escape.group()) if escape else 1
    return _as_text(octets)


def _as_text(octets: list[tuple[int, int]]) -> tuple[str, list[int]]:
    plain = bytes(byte for byte, _ in octets)
    try:
        text = plain.decode()
    except UnicodeDecodeError as error:
        position = octets[error.start][1] + 1
        message = "the percent-encoded bytes are no UTF-8 text"
        raise CodeError(CodeErrorKind.WRONG_CHARACTER, position, message) from None
    first_bytes = [at for byte, at in octets if byte & 0xC0 != 0x80]
    return text, first_bytes
