"""What a cylinder's label links to (链接集), as RFC 9264 has it, and which of the links a request means.

Link types are words of GS1's vocabulary.  It is named ``https://ref.gs1.org/voc/`` in resolvers today and
``https://gs1.org/voc/`` elsewhere: we write the one and read both, as CURIE and as a bare word too.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from cylinder_api.catalogue import Language
from cylinder_api.refusals import Refused
from cylinder_api.resolving.asking import Label, Wish, quality
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.epcis.addresses import epc_of

VOCABULARY = "https://ref.gs1.org/voc/"
LINKSET_TYPE = "application/linkset+json"
CONTEXT = "https://ref.gs1.org/standards/resolver/linkset-context"
DEFAULT = "defaultLink"
WHOLE_SET = frozenset({"linkset", "all"})
"""``all`` is the word of before; GS1 has deprecated it and clients still send it."""
_NAMESPACE = re.compile(r"(?:https?://(?:ref\.|www\.)?gs1\.org/voc/|gs1:)?([A-Za-z]+)")
_HTML, _JSON = "text/html", "application/json"


class Target(NamedTuple):
    """One link: its type, where it leads below our address, and for whom."""

    link_type: str
    path: str
    title: str
    media_type: str | None = None
    language: Language | None = None
    is_public: bool = True
    """Whether it answers without a token."""


def default_path(label: Label) -> str:
    """Where the default link leads."""
    return f"/about{label.path}"


def targets_of(label: Label, cylinder: CylinderState) -> list[Target]:
    """Every link of a cylinder, the default first. One that would lead to nothing is not there."""
    about, history = default_path(label), f"/history{label.path}"
    links = [
        Target(DEFAULT, about, "气瓶公众查询 What anybody may know of this cylinder"),
        *_in_each_form("pip", about, "气瓶公众查询", "What anybody may know of this cylinder"),
        *_as_pages("safetyInfo", "/safety", "用气安全", "Using gas safely"),
        *_in_each_form("traceability", history, "公开履历", "Public history"),
        *_as_pages("recallStatus", about, "是否召回", "Whether it is recalled", "#recall"),
        Target("verificationService", f"/verify{label.path}", "核验此码 Verify this code", _JSON),
    ]
    if cylinder.inspection is not None:
        links += _in_each_form("certificationInfo", f"/certificates{label.path}", "检验记录", "Inspections on record")
    entry = f"/v1/cylinders/{quote(label.code.text, safe='')}"
    epcis = f"/epcis/events?MATCH_anyEPC={quote(epc_of(cylinder.cylinder_id, cylinder.codes), safe='')}"
    return [
        *links,
        Target("registryEntry", entry, "登记档案 Entry in the register", _JSON, is_public=False),
        Target("epcis", epcis, "EPCIS 事件 EPCIS events", _JSON, is_public=False),
    ]


def _in_each_form(link_type: str, path: str, zh: str, en: str) -> list[Target]:
    both = Target(link_type, f"{path}?format=json", f"{zh} {en}", _JSON)
    return [*_as_pages(link_type, path, zh, en), both]


def _as_pages(link_type: str, path: str, zh: str, en: str, place: str = "") -> list[Target]:
    return [
        Target(link_type, f"{path}?lang=zh-CN{place}", zh, _HTML, "zh-CN"),
        Target(link_type, f"{path}?lang=en{place}", en, _HTML, "en"),
    ]


def type_named(text: str) -> str | None:
    """The word of the vocabulary that a `linkType` names, in whatever writing; None for one of another vocabulary."""
    found = _NAMESPACE.fullmatch(text)
    return found[1] if found else None


def choose(targets: Sequence[Target], link_type: str, wish: Wish) -> Target:
    """The link of a type that fits the wished form and language best, of equals the first; raises Refused (404)."""
    named = [target for target in targets if target.link_type == link_type]
    if not named:
        raise Refused("link_type_absent", "no link of this type leads on from here; linkType=linkset lists all")
    return max(named, key=lambda target: _fit(target, wish))


def _fit(target: Target, wish: Wish) -> tuple[float, int]:
    wanted = quality(target.media_type, wish.accept) if target.media_type else 1.0
    return wanted, 2 if target.language == wish.language else 1 if target.language is None else 0


def linkset(base: str, label: Label, title: str, targets: Sequence[Target]) -> dict[str, Any]:
    """All links as RFC 9264 has them; the anchor is the link of the code itself, without what stood behind it."""
    about: dict[str, Any] = {"anchor": f"{base}{label.path}", "itemDescription": title}
    for target in targets:
        about.setdefault(VOCABULARY + target.link_type, []).append(_link(base, target))
    return {"linkset": [about]}


def _link(base: str, target: Target) -> dict[str, Any]:
    link: dict[str, Any] = {"href": f"{base}{target.path}", "title": target.title}
    if target.media_type:
        link["type"] = target.media_type
    if target.language:
        link["hreflang"] = [target.language]
    return link if target.is_public else {**link, "public": False}


def with_query(url: str, query: str) -> str:
    """`url` with a query behind its own and before its fragment: all that was asked goes along."""
    if not query:
        return url
    head, mark, fragment = url.partition("#")
    return f"{head}{'&' if '?' in head else '?'}{query}{mark}{fragment}"
