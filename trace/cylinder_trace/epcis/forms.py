"""In which writing an event names things (标识写法): as it came, as links, or as the URNs of EPCIS 1.x.

A URN tells how long the company prefix (厂商识别代码) is, which a link does not: the way back needs to know the prefix.
What is no GS1 identifier has no other writing, and stays.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cylinder_codes.errors import CodeError
from cylinder_trace.epcis.normal import CANONICAL_HOST, linked, urn_of

_TEXTS = ("parentID", "transformationID")
_LISTS = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")
_PLACES = ("readPoint", "bizLocation")
_FIELDS = {
    "quantityList": "epcClass",
    "childQuantityList": "epcClass",
    "inputQuantityList": "epcClass",
    "outputQuantityList": "epcClass",
    "bizTransactionList": "bizTransaction",
    "sourceList": "source",
    "destinationList": "destination",
}
_SENSED = (
    "deviceID",
    "deviceMetadata",
    "rawData",
    "dataProcessingMethod",
    "bizRules",
    "microorganism",
    "chemicalSubstance",
    "uriValue",
)
_BEFORE_PREFIX = {"00": 1, "01": 1, "8003": 1, "8006": 1}
"""Digits that stand before the company prefix: an indicator, an extension, a filler."""


class NoUrn(ValueError):
    """A thing cannot be named by a URN: nobody said how long its company prefix is."""


def as_link(text: str) -> str:
    """A URN as GS1's canonical link; all else as it is."""
    return linked(text) if text.startswith("urn:epc:") else text


def as_urn(text: str, prefixes: Sequence[str]) -> str:
    """The URN of a GS1 identifier that begins with one of the company prefixes; raises NoUrn where none fits."""
    link = linked(text)
    if text.startswith("urn:") or not link.startswith(CANONICAL_HOST):
        return text
    ai, value = link.removeprefix(CANONICAL_HOST).split("/", 2)[:2]
    begin = value[_BEFORE_PREFIX.get(ai, 0) :]
    length = next((len(prefix) for prefix in prefixes if begin.startswith(prefix)), 0)
    try:
        return urn_of(link, length)
    except CodeError:
        raise NoUrn(link) from None


Writer = Callable[[str], str]


def rewritten(event: Mapping[str, Any], write: Writer) -> dict[str, Any]:
    """An event in which each identifier is as `write` writes it."""
    return {key: _WAYS[key](value, write) if key in _WAYS else value for key, value in event.items()}


def _place(place: Any, write: Writer) -> Any:
    return {**place, "id": write(place["id"])} if isinstance(place, Mapping) else write(place)


def _fields(field: str) -> Callable[[Any, Writer], Any]:
    return lambda items, write: [{**one, field: write(one[field])} for one in items]


_WAYS: Mapping[str, Callable[[Any, Writer], Any]] = {
    **dict.fromkeys(_TEXTS, lambda text, write: write(text)),
    **dict.fromkeys(_LISTS, lambda texts, write: [write(one) for one in texts]),
    **dict.fromkeys(_PLACES, _place),
    **{key: _fields(field) for key, field in _FIELDS.items()},
    "sensorElementList": lambda elements, write: [_sensor(one, write) for one in elements],
}


def _sensor(element: Mapping[str, Any], write: Callable[[str], str]) -> dict[str, Any]:
    made = dict(element)
    if metadata := made.get("sensorMetadata"):
        made["sensorMetadata"] = _sensed(metadata, write)
    if reports := made.get("sensorReport"):
        made["sensorReport"] = [_sensed(one, write) for one in reports]
    return made


def _sensed(part: Mapping[str, Any], write: Callable[[str], str]) -> dict[str, Any]:
    return {key: write(value) if key in _SENSED else value for key, value in part.items()}
