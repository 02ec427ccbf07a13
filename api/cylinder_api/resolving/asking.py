"""What a request asks of the resolver (解析请求): which code, which kind of link, in which form and language."""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote

from fastapi import Request

from cylinder_api.catalogue import Language, language_for
from cylinder_api.refusals import Refused
from cylinder_api.resolving.words import LINK_FAULTS
from cylinder_codes.digital_link import format_link, parse_link
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import DEFAULT_HOST, Code

_HEAD = f"https://{DEFAULT_HOST}"
_QUALIFIERS = re.compile(r"(?:/7040/[0-9](?:[!-$&-.0-~]|%[0-9A-Fa-f]{2}){3})?")
"""Behind a GIAI may stand AI 7040, ``N1 X3``; nothing else stands behind a key of ours."""
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_MOST_MEDIA = 40
_PLAIN_LABEL = re.compile(r"/(?:[cC]/([0-9A-Z]{26})|8003/([0-9]{14}[0-9A-Z.-]+)|8004/([0-9A-Z.-]+))/?")


class Label(NamedTuple):
    """The code that a link carries, and the path of its canonical link: ``/8003/…``, ``/8004/…``, ``/c/…``."""

    code: Code
    path: str


def read_label(request: Request, door: str = "") -> Label:
    """The label in the path as it was sent, behind the first segment `door` if given; raises Refused (400).

    Behind a door the rest may also come as one segment, its slashes escaped: so a generated client sends it.
    """
    path = _path_of(request)[len(door) :]
    if door and "/" not in path[1:]:
        path = unquote(path, errors="surrogateescape")
    return _plain_label(path) or _label_in(path, door)


def _plain_label(path: str) -> Label | None:
    """The quick way for what nearly every label bears: a link as it is printed, to the last character."""
    found = _PLAIN_LABEL.fullmatch(path)
    if found is None:
        return None
    own, grai, giai = found.groups()
    try:
        if own:
            return Label(Code(own), f"/c/{own}")
        return Label(Code(f"grai:{grai}"), f"/8003/{grai}") if grai else Label(Code(f"giai:{giai}"), f"/8004/{giai}")
    except CodeError:
        return None  # the long way says why


def _label_in(path: str, door: str) -> Label:
    try:
        link = parse_link(_HEAD + path, (DEFAULT_HOST,))
    except CodeError as error:
        place = error.position - len(_HEAD) + len(door)
        raise _wrong(error.kind, place) from None
    if not _QUALIFIERS.fullmatch(link.rest.partition("?")[0]):
        raise _wrong("wrong_qualifier", len(door + path) - len(link.rest) + 1)
    return Label(link.code, format_link(link.code)[len(_HEAD) :])


def _path_of(request: Request) -> str:
    """The path byte for byte: of a slash in a value only the escaped form (%2F) tells that it belongs to the value."""
    raw: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    return raw[len(request.scope.get("root_path", "")) :].decode("ascii", "surrogateescape")


def _wrong(kind: str, place: int) -> Refused:
    zh, en = LINK_FAULTS[kind]
    detail, detail_zh = f"{kind}: {en} (character {place} of the path)", f"{kind}：{zh}（路径第 {place} 个字符）"
    return Refused("link_invalid", detail, detail_zh=detail_zh)


class Wish(NamedTuple):
    """What of all that is linked: the kind of link, the forms and the language."""

    link_type: str | None
    accept: str
    language: Language
    form: str | None = None
    """What the query says in so many words, above the header: ``html`` or ``json``."""


def read_wish(request: Request) -> Wish:
    """The first `linkType`, `lang` and `format` of the query, and what the headers prefer."""
    query: dict[str, str] = {}
    if request.scope["query_string"]:
        for name, value in parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True):
            query.setdefault(name, value)
    named = query.get("lang")
    language = _language_for(named if named is not None else request.headers.get("accept-language"))
    return Wish(query.get("linkType"), request.headers.get("accept", "*/*"), language, query.get("format"))


_language_for = lru_cache(maxsize=1024)(language_for)


@lru_cache(maxsize=1024)
def quality(media_type: str, accept: str) -> float:
    """How much an Accept header wants a media type: the weight of the most precise range that covers it, else 0."""
    kind = media_type.partition("/")[0]
    weights: dict[str, float] = {}
    for item in accept.split(",")[:_MOST_MEDIA]:
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weights.setdefault(name, next((_weight(part[2:]) for part in parameters if part.startswith("q=")), 1.0))
    return next((weights[name] for name in (media_type, f"{kind}/*", "*/*") if name in weights), 0.0)


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


@lru_cache(maxsize=1024)
def best_of(offered: tuple[str, ...], accept: str) -> str | None:
    """Which of the media types `offered` is wanted most, of equals the first; None if none is wanted at all."""
    best = max(offered, key=lambda media_type: quality(media_type, accept))
    return best if quality(best, accept) > 0 else None


def base_of(request: Request) -> str:
    """Where links of ours begin: the public address if it is set, else the address that the caller used."""
    public: str | None = request.app.state.service.settings.public_url
    if public:
        return public
    host = request.headers.get("host", "")
    if _HOST.fullmatch(host):
        return f"{request.scope['scheme']}://{host.lower()}"
    return f"https://{request.app.state.service.settings.forms.hosts[0]}"
