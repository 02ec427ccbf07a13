"""What an EPCIS event is found by (检索项): one normal writing of each value, the same for who stores and who asks.

Identifiers stand in link form, CBV words bare, instants as UTC milliseconds.  What an event has one of is a column;
all else is a *term*, a name and a value::

    epc           https://id.gs1.org/8003/09520001123450ZJ33010000017
    biztx:po      http://transaction.acme.com/po/12345678
    quantity:KGM  nc02d000000000000
    ext:https://ns.example.org/lpg/decision   sALLOW

Values that are compared by size are written so that their texts sort like them (`number_text`).  A field of an
extension (扩展字段) may hold text, numbers or instants, and text that reads as a number or an instant is found as that
too: its value begins with ``s``, ``n``, ``t`` or ``b``.
"""

import hashlib
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cylinder_trace.epcis.addresses import VOCABULARY
from cylinder_trace.epcis.cbv import (
    BIZ_STEPS,
    BIZ_TRANSACTION_TYPES,
    DISPOSITIONS,
    ERROR_REASONS,
    EVENT_TYPES,
    MEASUREMENT_TYPES,
    SOURCE_DEST_TYPES,
    Vocabulary,
)
from cylinder_trace.epcis.normal import linked

Expand = Callable[[str], str]
"""Makes ``ex:name`` whole by the prefixes that are in force; what has no such prefix comes back as it is."""


class Term(NamedTuple):
    """One thing that an event is found by."""

    name: str
    value: str


class Indexed(NamedTuple):
    """All that an event is found by."""

    event_time: int
    """UTC ms."""
    type: str
    action: str | None
    biz_step: str | None
    disposition: str | None
    read_point: str | None
    biz_location: str | None
    error_time: int | None
    terms: frozenset[Term]


def index_of(event: Mapping[str, Any], expand: Expand) -> Indexed:
    """What a valid event is found by; `expand` knows the prefixes of its context."""
    error = event.get("errorDeclaration")
    return Indexed(
        event_time=instant_of(event["eventTime"]),
        type=expand(event["type"]),
        action=event.get("action"),
        biz_step=_word(BIZ_STEPS, event.get("bizStep"), expand),
        disposition=_word(DISPOSITIONS, event.get("disposition"), expand),
        read_point=_place(event.get("readPoint"), expand),
        biz_location=_place(event.get("bizLocation"), expand),
        error_time=instant_of(error["declarationTime"]) if error else None,
        terms=frozenset(Term(short(name), short(value)) for name, value in _terms(event, expand)),
    )


def word_of(vocabulary: Vocabulary, text: str, expand: Expand) -> str:
    """The bare word that `text` writes, or the whole address of a word of somebody's own."""
    whole = expand(text)
    return vocabulary.word(text) or vocabulary.word(whole) or whole


def id_of(text: str, expand: Expand) -> str:
    """An identifier in link form where it has one, else whole as it is."""
    return linked(expand(text))


_LONGEST = 400
"""Bytes: PostgreSQL's index takes no more than 2,700 of name and value together."""


def short(text: str) -> str:
    """The text itself; of a long one its beginning and its digest, which is as good for being found."""
    written = text.encode()
    if len(written) <= _LONGEST:
        return text
    return f"{written[:200].decode(errors='ignore')}…{hashlib.sha256(written).hexdigest()}"


_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,12}))?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def instant_of(text: str) -> int:
    """UTC ms of ``2026-04-01T08:00:00.120+08:00``, what is below a millisecond left off; raises ValueError.

    >>> instant_of("1970-01-01T08:00:00.1209+08:00")
    120
    """
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise ValueError("not a date and time with its zone, 2026-04-01T08:00:00.000+08:00")
    seconds, fraction, zone = found.groups()
    since = datetime.fromisoformat(seconds + zone) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + int((fraction or "0").ljust(3, "0")[:3])


def format_instant(at_ms: int) -> str:
    """``1970-01-01T00:00:00.120Z`` of UTC ms."""
    at = _EPOCH + timedelta(milliseconds=at_ms)
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def number_of(text: str) -> float | None:
    """The number that a text writes in decimal; None for all else."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if abs(value) != float("inf") else None


def number_text(value: float) -> str:
    """Up to 16 digits that sort like the numbers: the bits of the binary64, turned so that all order as unsigned.

    Noughts at the end are left out, which changes no order: most numbers are short ones.

    >>> number_text(-1.5) < number_text(0) < number_text(14.5)
    True
    """
    (bits,) = struct.unpack(">Q", struct.pack(">d", value + 0.0))  # -0.0 is 0
    return f"{bits ^ (0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else 1 << 63):016x}".rstrip("0")


def instant_text(at_ms: int) -> str:
    """`number_text` of an instant."""
    return number_text(float(at_ms))


def scalar_values(value: object) -> Iterator[str]:
    """The values of a term that a plain JSON value is found by."""
    match value:
        case bool():
            yield f"b{str(value).lower()}"
        case int() | float():
            yield f"n{number_text(float(value))}"
        case str():
            yield f"s{value}"
            if (number := number_of(value)) is not None:
                yield f"n{number_text(number)}"
            if _INSTANT.fullmatch(value):
                try:
                    yield f"t{instant_text(instant_of(value))}"
                except ValueError:  # the 30th of February
                    return


_SINGLE_IDS = {"parentID": "parent", "transformationID": "transformation"}
_IDS = {
    "epcList": "epc",
    "childEPCs": "epc",
    "inputEPCList": "input",
    "outputEPCList": "output",
}
_QUANTITIES = {
    "quantityList": "epc_class",
    "childQuantityList": "epc_class",
    "inputQuantityList": "input_class",
    "outputQuantityList": "output_class",
}
_PAIRS = {
    "bizTransactionList": ("biztx", "bizTransaction", BIZ_TRANSACTION_TYPES),
    "sourceList": ("source", "source", SOURCE_DEST_TYPES),
    "destinationList": ("dest", "destination", SOURCE_DEST_TYPES),
}
_HOLDERS = {
    "ilmd": "ilmd",
    "readPoint": "read_point",
    "bizLocation": "biz_location",
    "errorDeclaration": "error",
}
"""Parts of an event that may hold fields of extensions, beside the sensors' and the event itself."""
_SENSOR_IDS = (
    "deviceID",
    "dataProcessingMethod",
    "bizRules",
    "microorganism",
    "chemicalSubstance",
    "uriValue",
)
_SENSOR_TEXTS = ("stringValue", "hexBinaryValue")
_SENSOR_TIMES = ("time", "startTime", "endTime")
_SENSOR_NUMBERS = ("value", "minValue", "maxValue", "meanValue", "sDev", "percValue")
"""In the unit `uom`, which stands in the term's name."""


def _terms(event: Mapping[str, Any], expand: Expand) -> Iterator[tuple[str, str]]:
    yield from _things(event, expand)
    for key, (name, field, vocabulary) in _PAIRS.items():
        for one in event.get(key, ()):
            kind = word_of(vocabulary, one["type"], expand) if "type" in one else ""
            yield f"{name}:{kind}", id_of(one[field], expand)
    yield from _dispositions(event.get("persistentDisposition") or {}, expand)
    yield from _fields("ext", event, expand)
    for key, section in _HOLDERS.items():
        if isinstance(holder := event.get(key), Mapping):
            yield from _fields(section, holder, expand)
    yield from _error(event.get("errorDeclaration") or {}, expand)
    if sensors := event.get("sensorElementList"):
        yield "sensor", ""
        yield from (term for one in sensors for term in _sensor(one, expand))


def _things(event: Mapping[str, Any], expand: Expand) -> Iterator[tuple[str, str]]:
    if event["type"] not in EVENT_TYPES:
        yield "own_type", expand(event["type"])
    for key, name in _SINGLE_IDS.items():
        if key in event:
            yield name, id_of(event[key], expand)
    for key, name in _IDS.items():
        yield from ((name, id_of(one, expand)) for one in event.get(key, ()))
    for key, name in _QUANTITIES.items():
        yield from (term for one in event.get(key, ()) for term in _quantity(name, one, expand))


def _quantity(name: str, element: Mapping[str, Any], expand: Expand) -> Iterator[tuple[str, str]]:
    yield name, id_of(element["epcClass"], expand)
    if (quantity := element.get("quantity")) is not None:
        value = number_text(float(quantity))
        yield "quantity", f"n{value}"
        if uom := element.get("uom"):
            yield f"quantity:{uom}", f"n{value}"


def _dispositions(lasting: Mapping[str, Any], expand: Expand) -> Iterator[tuple[str, str]]:
    for key, name in (("set", "pd_set"), ("unset", "pd_unset")):
        for one in lasting.get(key, ()):
            yield name, word_of(DISPOSITIONS, one, expand)


def _error(error: Mapping[str, Any], expand: Expand) -> Iterator[tuple[str, str]]:
    if reason := error.get("reason"):
        yield "error_reason", word_of(ERROR_REASONS, reason, expand)
    for one in error.get("correctiveEventIDs", ()):
        yield "corrective", expand(one)


def _sensor(element: Mapping[str, Any], expand: Expand) -> Iterator[tuple[str, str]]:
    yield from _fields("sensor_element", element, expand)
    if metadata := element.get("sensorMetadata"):
        yield from _fields("sensor_metadata", metadata, expand)
        yield from _measured(metadata, expand)
    for report in element.get("sensorReport", ()):
        yield from _fields("sensor_report", report, expand)
        yield from _measured(report, expand)
        if kind := report.get("type"):
            yield "sensor:type", word_of(MEASUREMENT_TYPES, kind, expand)


def _measured(part: Mapping[str, Any], expand: Expand) -> Iterator[tuple[str, str]]:
    yield from ((f"sensor:{key}", id_of(part[key], expand)) for key in _SENSOR_IDS if key in part)
    yield from ((f"sensor:{key}", part[key]) for key in _SENSOR_TEXTS if key in part)
    yield from ((f"sensor:{key}", f"t{instant_text(instant_of(part[key]))}") for key in _SENSOR_TIMES if key in part)
    if "booleanValue" in part:
        yield "sensor:booleanValue", str(part["booleanValue"]).lower()
    if "percRank" in part:
        yield "sensor:percRank", f"n{number_text(float(part['percRank']))}"
    if uom := part.get("uom"):
        numbers = ((key, part[key]) for key in _SENSOR_NUMBERS if key in part)
        yield from ((f"sensor:{key}:{uom}", f"n{number_text(float(value))}") for key, value in numbers)


def _fields(section: str, holder: Mapping[str, Any], expand: Expand) -> Iterator[tuple[str, str]]:
    """The fields of extensions (``prefix:name``) that stand in a part of the event, and those inside them."""
    for key, value in holder.items():
        if ":" not in key:
            continue
        name = expand(key)
        yield from ((f"{section}:{name}", found) for found in _values(value))
        if not name.startswith(VOCABULARY):  # an entry's whole record lies there, and is asked for at /v1
            yield from _inner(f"inner.{section}", value, expand)


def _each(value: object) -> Iterator[object]:
    """The value, or what a list of values, or of lists, holds."""
    if isinstance(value, list | tuple):
        yield from (item for one in value for item in _each(one))
    else:
        yield value


def _values(value: object) -> Iterator[str]:
    for one in _each(value):
        if isinstance(one, Mapping):
            yield "{"
        else:
            yield from scalar_values(one)


def _inner(section: str, value: object, expand: Expand) -> Iterator[tuple[str, str]]:
    """Every field at any depth inside a field."""
    for one in _each(value):
        if isinstance(one, Mapping):
            for key, held in one.items():
                yield from ((f"{section}:{expand(key)}", found) for found in _values(held))
                yield from _inner(section, held, expand)


def _word(vocabulary: Vocabulary, text: str | None, expand: Expand) -> str | None:
    return None if text is None else word_of(vocabulary, text, expand)


def _place(place: Mapping[str, Any] | str | None, expand: Expand) -> str | None:
    if place is None:
        return None
    return id_of(place if isinstance(place, str) else place["id"], expand)
