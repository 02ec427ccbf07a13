"""The event hash ID of CBV 2.0 (事件哈希标识): one name for one event, whoever writes it down and in whichever syntax.

    ni:///sha-256;<64 hex digits>?ver=CBV2.0

It is the SHA-256 over a text that says the event in one order: every field as ``name=value`` with nothing between, the
standard's fields in the standard's order, lists and all other fields sorted, moments in UTC with milliseconds, words of
the vocabulary as addresses, GS1 identifiers as canonical links, names of extensions as ``{namespace}name``.  Left out
are what does not make the event: ``eventID``, ``recordTime``, ``errorDeclaration``, comments.

A fingerprint, not a signature: whoever can change the event can compute another.

The reference is `epcis-event-hash-generator`; where the standard's text and that program part, the tests say so one by
one. Its ways are kept where many events would hash to something else without them: the papers, sources and
destinations stand among the sorted fields behind the sensors; what an extension holds is sorted and formatted like a
field; an extension whose namespace ends in no slash stands behind, not inside the standard's field that holds it.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cylinder_trace.epcis.cbv import (
    ALERT_TYPES,
    BIZ_STEPS,
    BIZ_TRANSACTION_TYPES,
    COMPONENTS,
    DISPOSITIONS,
    MEASUREMENT_TYPES,
    SOURCE_DEST_TYPES,
    Vocabulary,
)
from cylinder_trace.epcis.normal import linked

Node = tuple[str, str, list["Node"]]
"""A field: its name, its value as text, and the fields inside it."""
Order = Mapping[str, "Order | None"]
"""Names in the standard's order, each with the order of the fields inside it."""

_QUANTITIES: Order = {"quantityElement": {"epcClass": None, "quantity": None, "uom": None}}
_EPCS: Order = {"epc": None}
_PLACE: Order = {"id": None}
_METADATA = "time startTime endTime deviceID deviceMetadata rawData dataProcessingMethod bizRules"
_REPORT = (
    "type exception deviceID deviceMetadata rawData dataProcessingMethod time microorganism chemicalSubstance value "
    "component stringValue booleanValue hexBinaryValue uriValue minValue maxValue meanValue sDev percRank percValue "
    "uom coordinateReferenceSystem"
)
ORDER: Order = {
    "eventTime": None,
    "eventTimeZoneOffset": None,
    "certificationInfo": None,
    "parentID": None,
    "epcList": _EPCS,
    "inputEPCList": _EPCS,
    "childEPCs": _EPCS,
    "quantityList": _QUANTITIES,
    "childQuantityList": _QUANTITIES,
    "inputQuantityList": _QUANTITIES,
    "outputEPCList": _EPCS,
    "outputQuantityList": _QUANTITIES,
    "action": None,
    "transformationID": None,
    "bizStep": None,
    "disposition": None,
    "persistentDisposition": {"set": None, "unset": None},
    "readPoint": _PLACE,
    "bizLocation": _PLACE,
    "sensorElementList": {
        "sensorElement": {
            "sensorMetadata": dict.fromkeys(_METADATA.split()),
            "sensorReport": dict.fromkeys(_REPORT.split()),
        }
    },
}
_IGNORED = frozenset(("recordTime", "eventID", "type", "errorDeclaration", "@context"))
_COMMENTS = frozenset(("#text", "comment", "rdfs:comment"))
_PAIRS = {"bizTransactionList": "bizTransaction", "sourceList": "source", "destinationList": "destination"}
"""List → what its members are, beside their type."""
_ELEMENTS = {
    "quantity": "quantityElement",
    "inputEPC": "epc",
    "outputEPC": "epc",
    "inputQuantity": "quantityElement",
    "outputQuantity": "quantityElement",
    "childQuantity": "quantityElement",
}
_VOCABULARIES: Mapping[str, Vocabulary] = {
    "bizStep": BIZ_STEPS,
    "disposition": DISPOSITIONS,
    "set": DISPOSITIONS,
    "unset": DISPOSITIONS,
    "exception": ALERT_TYPES,
    "component": COMPONENTS,
}
_TYPES: Mapping[str, Vocabulary] = {
    "bizTransactionList": BIZ_TRANSACTION_TYPES,
    "sourceList": SOURCE_DEST_TYPES,
    "destinationList": SOURCE_DEST_TYPES,
    "sensorReport": MEASUREMENT_TYPES,
}
"""What a ``type`` is a word of, by the field it stands in."""


def event_hash(event: Mapping[str, Any], prefixes: Mapping[str, str]) -> str:
    """The event hash ID of an event as parsed JSON.

    `prefixes` are all that stand for a namespace in the event's document: those it declares, and those that GS1's
    context declares for everybody (``context.Context.prefixes``, ``cbv.PREFIXES``).
    """
    return f"ni:///sha-256;{sha256(prehash(event, prefixes).encode()).hexdigest()}?ver=CBV2.0"


def prehash(event: Mapping[str, Any], prefixes: Mapping[str, str]) -> str:
    """The text that is hashed."""
    fields = _fields({name: value for name, value in event.items() if name not in _IGNORED}, prefixes, "")
    ordered = _in_order(fields, ORDER)
    return f"eventType={event.get('type', '')}{ordered}{_sorted(fields)}"


# --- from JSON to fields -------------------------------------------------------------------------------------


def _fields(value: Mapping[str, Any], prefixes: Mapping[str, str], inside: str) -> list[Node]:
    """The fields of a JSON object; a list gives a field for each member, and a ``…List`` one around them, as in XML."""
    fields: list[Node] = []
    for key, item in value.items():
        if key in _COMMENTS:
            continue
        name = _whole_name(key, prefixes) if ":" in key else key
        members = item if isinstance(item, list) else [item]
        if not members:  # says nothing
            continue
        if name in _PAIRS:
            fields.append((name, "", [_pair(member, name, prefixes) for member in members]))
        elif element := _element_of(name):
            fields.append((name, "", [_field(element, member, prefixes, inside) for member in members]))
        else:
            fields += [_field(name, member, prefixes, inside) for member in members]
    return fields


def _whole_name(key: str, prefixes: Mapping[str, str]) -> str:
    prefix, _, rest = key.partition(":")
    return f"{{{prefixes[prefix]}}}{rest}" if prefix in prefixes else key


def _element_of(name: str) -> str:
    """What the members of a list are called in XML; empty for what is no list."""
    if name == "childEPCs":
        return "epc"
    if not name.endswith("List"):
        return ""
    element = name[: -len("List")]
    return _ELEMENTS.get(element, element)


def _field(name: str, value: Any, prefixes: Mapping[str, str], inside: str) -> Node:
    if isinstance(value, dict):
        return name, _text(name, value.get("#text", ""), prefixes, inside), _fields(value, prefixes, name)
    if isinstance(value, list):
        return name, "", [_field("", member, prefixes, name) for member in value]
    return name, _text(name, value, prefixes, inside), []


def _pair(member: Any, name: str, prefixes: Mapping[str, str]) -> Node:
    """A paper, a source or a destination: its type first, whichever of the two the document writes first."""
    if not isinstance(member, dict):
        return _field(_PAIRS[name], member, prefixes, name)
    said = [(key, _text(key, member[key], prefixes, name)) for key in ("type", _PAIRS[name]) if key in member]
    return "".join(f"{key}={_canonical(text)}" for key, text in said), "", []


def _text(name: str, value: Any, prefixes: Mapping[str, str], inside: str) -> str:
    """A value as text, its prefix written out; a word of the vocabulary as its address."""
    if not isinstance(value, str):
        return str(value)
    text = value.strip()
    if ":" in text:
        prefix, _, rest = text.partition(":")
        if prefix in prefixes:
            text = prefixes[prefix] + rest
    vocabulary = _TYPES.get(inside) if name == "type" else _VOCABULARIES.get(name)
    return vocabulary.whole(text) if vocabulary else text


# --- from fields to text -------------------------------------------------------------------------------------


def _in_order(fields: list[Node], order: Order) -> str:
    """The text of those of `fields` that the standard orders; they are taken out of `fields`.

    What others added inside one of the standard's fields stands at that field's end.
    """
    added = _taken_out(fields)
    named: dict[str, list[Node]] = {}
    for field in fields:
        named.setdefault(field[0], []).append(field)
    said: list[str] = []
    done: set[int] = set()
    for name in [name for name in order if name in named]:
        found = named[name]
        said += sorted([_said(field, order[name]) for field in found])
        done.update(id(field) for field in found if not field[2])
    fields[:] = [field for field in fields if id(field) not in done]
    return "".join(said) + _sorted(added)


def _taken_out(fields: list[Node]) -> list[Node]:
    if len(fields) < 2 or any("eventTime" in field[0] or "action" in field[0] for field in fields):
        return []
    added = [field for field in fields if _is_added(field)]
    if added:
        fields[:] = [field for field in fields if not _is_added(field)]
    return added


def _is_added(field: Node) -> bool:
    return "{" in field[0] and "/}" in field[0]


def _said(field: Node, inner: Order | None) -> str:
    name, text, fields = field
    inside = _in_order(fields, inner) if inner else ""
    if text:
        text = "=" + (_moment(text) if name in _MOMENTS else _canonical(text))
    return f"{name}{text}{inside}" if text or inside else ""


def _sorted(fields: Sequence[Node]) -> str:
    """The text of fields that the standard does not order."""
    return "".join(sorted([_plain(field) for field in fields]))


def _plain(field: Node) -> str:
    name, text, fields = field
    return f"{name}{'=' + _canonical(text) if text else ''}{_sorted(fields) if fields else ''}"


# --- one writing for a value ---------------------------------------------------------------------------------

_MOMENTS = frozenset(("eventTime", "time", "startTime", "endTime"))
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


@lru_cache(maxsize=256)
def _moment(text: str) -> str:
    """A moment in UTC to the millisecond, rounded up where the fourth place is 5 or more; other text as it is."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return text
    whole, places, zone = found.groups()
    digits = (places or "")[:4].ljust(4, "0")
    try:
        at = datetime.fromisoformat(whole + zone.upper().replace("Z", "+00:00")).astimezone(UTC)
        at += timedelta(milliseconds=(int(digits) + 5) // 10)
    except (ValueError, OverflowError):
        return text
    return f"{at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


_OLD_WORDS = (
    ("urn:epcglobal:cbv:bizstep:", "https://ref.gs1.org/cbv/BizStep-"),
    ("urn:epcglobal:cbv:disp:", "https://ref.gs1.org/cbv/Disp-"),
    ("urn:epcglobal:cbv:btt:", "https://ref.gs1.org/cbv/BTT-"),
    ("urn:epcglobal:cbv:sdt:", "https://ref.gs1.org/cbv/SDT-"),
    ("urn:epcglobal:cbv:er:", "https://ref.gs1.org/cbv/ER-"),
)


def _canonical(text: str) -> str:
    """Numbers without needless noughts, words of EPCIS 1.x as addresses, GS1 identifiers as links, all else as is."""
    if "urn:epcglobal:cbv:" in text:
        for old, new in _OLD_WORDS:
            text = text.replace(old, new)
    if text[:4].lower() in ("http", "urn:"):
        return linked(text)
    return text if text[:1].isalpha() and text[:1] not in "nNiI" else _number(text)


def _number(text: str) -> str:
    try:
        number = float(text)
        return str(int(number)) if int(number) == number else str(number)
    except (ValueError, OverflowError):
        return text
