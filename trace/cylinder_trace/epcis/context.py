"""JSON-LD contexts as far as EPCIS needs them (JSON-LD 上下文): which prefix stands for which namespace.

Nothing is ever fetched.  GS1's own context is known by its addresses; whatever else is named by an address is refused,
as is a context inside a context.  So no context can be recursive, large without bound, or different tomorrow.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cylinder_trace.epcis.addresses import OURS
from cylinder_trace.epcis.cbv import PREFIXES
from cylinder_trace.epcis.faults import Faults, Place
from cylinder_trace.epcis.uris import is_uri

EPCIS_CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
EPCIS_CONTEXTS = frozenset(
    (
        EPCIS_CONTEXT,
        "https://ref.gs1.org/standards/epcis/epcis-context.jsonld",
        "https://gs1.github.io/EPCIS/epcis-context.jsonld",
    )
)
"""Where GS1 has its context of EPCIS 2.0."""
_MOST_ENTRIES = 200
_LONGEST = 300
"""Characters of a name or of a namespace."""
_LONGEST_CONTEXT = 16_384
"""Characters of a whole context: it comes along with every answer that has an event under it."""
_FIXED = frozenset(("cbv", "epcis", "gs1"))
"""Prefixes that mean the same in every document: what is said with them is GS1's word."""
_SCHEMES = frozenset(
    (
        "http", "https", "urn", "ni", "tag", "geo", "did", "data", "doi", "info", "mailto", "tel", "ftp", "ftps",
        "sftp", "ws", "wss", "file", "coap", "coaps", "mqtt", "ipfs", "oid", "ldap",
    )
)  # fmt: skip
"""Schemes of addresses that nobody declares. Any other word before a colon is a prefix."""
_NAME = re.compile(r"[^\s:@][^\s]{0,299}")


@dataclass(frozen=True, slots=True)
class Context:
    """Which prefix stands for which namespace."""

    prefixes: Mapping[str, str] = field(default_factory=lambda: PREFIXES)

    def expand(self, text: str) -> str:
        """``ex:name`` made whole; what has no prefix of this context comes back as it is."""
        prefix, colon, rest = text.partition(":")
        if not colon or rest.startswith("//"):
            return text
        namespace = self.prefixes.get(prefix)
        return text if namespace is None else namespace + rest

    def knows(self, text: str) -> bool:
        """Whether the word before the first colon is a declared prefix or the scheme of an address."""
        prefix, _, rest = text.partition(":")
        return prefix in self.prefixes or rest.startswith("//") or prefix.lower() in _SCHEMES


PLAIN = Context()
"""What GS1's own context declares."""


def read_context(value: object, faults: Faults, place: Place, outer: Context | None = None) -> Context:
    """The context that `value` says; without an `outer` one GS1's must be among its parts. Tells what is wrong."""
    parts = value if isinstance(value, list) else [value]
    if any(part in parts[:number] for number, part in enumerate(parts[:_MOST_ENTRIES])):
        faults.add(place, "repeated")
    if outer is None and not any(isinstance(part, str) and part in EPCIS_CONTEXTS for part in parts):
        faults.add(place, "no_epcis_context", EPCIS_CONTEXT)
    said: dict[str, str | None] = {}
    for number, part in enumerate(parts):
        said.update(_read_part(part, faults, (*place, number) if isinstance(value, list) else place))
    if not faults.found and len(json.dumps(value, ensure_ascii=False)) > _LONGEST_CONTEXT:
        faults.add(place, "context_too_long", _LONGEST_CONTEXT)
    if len(said) > _MOST_ENTRIES:
        faults.add(place, "context_too_large", _MOST_ENTRIES)
        return outer or PLAIN
    known = dict((outer or PLAIN).prefixes)
    _resolve(said, known, faults, place)
    return Context(known)


def _read_part(part: object, faults: Faults, place: Place) -> dict[str, str | None]:
    if isinstance(part, dict):
        return dict(_entries(part, faults, place))
    if not isinstance(part, str):
        faults.wrong_kind(place, "context")
    elif not is_uri(part):
        faults.add(place, "not_a_uri")
    elif part not in EPCIS_CONTEXTS:
        faults.add(place, "unknown_context")
    return {}


def _entries(part: dict[str, object], faults: Faults, place: Place) -> Iterator[tuple[str, str | None]]:
    for name, said in part.items():
        here = (*place, name)
        if name == "@import" or (isinstance(said, dict) and "@context" in said):
            faults.add(here, "nested_context")
        elif not _is_flat(said):
            faults.add(here, "bad_context")
        elif name in ("@base", "@vocab") and str(said).lower().startswith(OURS):
            faults.add(here, "prefix_taken")  # bare words would become ours
        elif name.startswith("@"):
            continue  # how JSON-LD is to be read; names of EPCIS are whole without it
        elif not _NAME.fullmatch(name):
            faults.add(here, "bad_context")
        else:
            stands_for = said.get("@id") if isinstance(said, dict) else said
            if isinstance(stands_for, str) and not stands_for.startswith("@") and len(stands_for) <= _LONGEST:
                yield name, stands_for
            elif stands_for is None and said is not stands_for:
                continue  # a type for a field whose name says itself what it stands for
            elif stands_for is None:
                yield name, None
            else:
                faults.add(here, "bad_context")


def _is_flat(said: object) -> bool:
    """Whether it is a plain value, or an object of plain values and lists of them, as all of JSON-LD's are."""
    held = said.values() if isinstance(said, dict) else [said]
    return all(_is_plain(one) or (isinstance(one, list) and all(map(_is_plain, one))) for one in held)


def _is_plain(value: object) -> bool:
    return not isinstance(value, dict | list)


def _resolve(said: Mapping[str, str | None], known: dict[str, str], faults: Faults, place: Place) -> None:
    """Put what each name stands for among the known ones, however they build on each other."""
    for name in said:
        whole = _whole(name, said, known, ())
        if whole is None:
            faults.add((*place, name), "context_in_circle")
        elif name in _FIXED and whole != PREFIXES[name]:
            faults.add((*place, name), "prefix_taken")
        elif whole == "":
            known.pop(name, None)
        elif not is_uri(whole):
            faults.add((*place, name), "bad_context")
        elif len(whole) > _LONGEST:
            faults.add((*place, name), "uri_too_long", _LONGEST)
        else:
            known[name] = whole


def _whole(name: str, said: Mapping[str, str | None], known: Mapping[str, str], above: tuple[str, ...]) -> str | None:
    """What a name stands for; None in a circle, empty where it is said to stand for nothing."""
    stands_for = said[name]
    if stands_for is None:
        return ""
    prefix, colon, rest = stands_for.partition(":")
    if not colon or rest.startswith("//"):
        return stands_for
    if prefix in (*above, name):
        return None
    if prefix not in said:
        return known[prefix] + rest if prefix in known else stands_for
    outer = _whole(prefix, said, known, (*above, name))
    return outer if not outer else outer + rest
