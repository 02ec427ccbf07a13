"""What a query means, said a second time and as plainly as can be: over the events themselves, without an index.

It knows no rule of writing either: which texts mean the same thing stands in `SAME`, from which the generated events
take theirs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Event = Mapping[str, Any]

SAME: tuple[tuple[str, ...], ...] = (
    ("https://id.gs1.org/8003/09520001123450ZJ1", "urn:epc:id:grai:9520001.12345.ZJ1",
     "https://id.pinglian.example/8003/09520001123450ZJ1"),
    ("https://id.gs1.org/8003/09520001123450ZJ2", "urn:epc:id:grai:9520001.12345.ZJ2"),
    ("https://id.gs1.org/8004/9520001VLV-1", "urn:epc:id:giai:9520001.VLV-1"),
    ("https://id.gs1.org/01/10614141073464/21/2017", "urn:epc:id:sgtin:0614141.107346.2017"),
    ("https://id.pinglian.example/c/04HMASW9NF6YZZPW1011YN6955",),
    ("https://id.gs1.org/01/10614141073464", "urn:epc:idpat:sgtin:0614141.107346.*"),
    ("https://id.gs1.org/01/04012345123456/10/998877", "urn:epc:class:lgtin:4012345.012345.998877"),
    ("https://id.gs1.org/414/0614141073467", "urn:epc:id:sgln:0614141.07346.0"),
    ("https://id.gs1.org/414/0614141073467/254/1234", "urn:epc:id:sgln:0614141.07346.1234"),
    ("https://id.pinglian.example/station/st_01",),
    ("https://id.pinglian.example/station/st_01/lane/2",),
    ("https://id.gs1.org/417/0614141073467", "urn:epc:id:pgln:0614141.07346"),
    ("http://transaction.acme.com/po/1",),
    ("shipping", "cbv:BizStep-shipping", "https://ref.gs1.org/cbv/BizStep-shipping"),
    ("inspecting", "https://ref.gs1.org/cbv/BizStep-inspecting"),
    ("https://ns.example.org/filling", "ex:filling"),
    ("in_transit", "cbv:Disp-in_transit"),
    ("recalled", "https://ref.gs1.org/cbv/Disp-recalled"),
    ("po", "https://ref.gs1.org/cbv/BTT-po"),
    ("owning_party", "https://ref.gs1.org/cbv/SDT-owning_party"),
    ("incorrect_data", "https://ref.gs1.org/cbv/ER-incorrect_data"),
    ("Mass", "gs1:Mass", "https://gs1.org/voc/Mass"),
)  # fmt: skip
"""Each line is one thing in its writings."""
_FIRST = {writing: line[0] for line in SAME for writing in line}
_UNDER = {
    "https://id.gs1.org/414/0614141073467": {"https://id.gs1.org/414/0614141073467/254/1234"},
    "https://id.pinglian.example/station/st_01": {"https://id.pinglian.example/station/st_01/lane/2"},
}
PATTERNS = {
    "urn:epc:idpat:grai:9520001.12345.*": {line[0] for line in SAME[:2]},
    "urn:epc:idpat:grai:9520001.*.*": {line[0] for line in SAME[:2]},
    "urn:epc:idpat:giai:9520001.*": {SAME[2][0]},
    "urn:epc:idpat:sgtin:0614141.*.*": {SAME[3][0], SAME[5][0]},
    "urn:epc:idpat:sgtin:0614141.107346.*": {SAME[3][0], SAME[5][0]},
    "urn:epc:idpat:sgtin:9999999.*.*": set[str](),
}
_WHOLE = {"ex:": "https://ns.example.org/"}


def thing(text: str) -> str:
    """The first writing of what a text means."""
    return _FIRST.get(text, text)


def instant(text: str) -> int:
    """UTC ms."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def matches(event: Event, record_time: int, event_id: str, parameters: Iterable[tuple[str, list[str]]]) -> bool:
    """Whether every condition holds."""
    return all(_matches(event, record_time, event_id, name, values) for name, values in parameters)


def _matches(event: Event, record_time: int, event_id: str, name: str, values: list[str]) -> bool:
    comparison, _, field = name.partition("_")
    if name == "EQ_eventID":
        return event_id in values
    if field == "recordTime":
        return _compare(comparison, record_time, instant(values[0]))
    if field == "eventTime":
        return _compare(comparison, instant(event["eventTime"]), instant(values[0]))
    if name in _SINGLE:
        value = _SINGLE[name](event)
        return value is not None and any(_is(name, thing(value), asked) for asked in values)
    if name in _LISTS:
        return any(_is(name, thing(value), asked) for value in _LISTS[name](event) for asked in values)
    if comparison == "EXISTS":
        return values == ["false"] or any(True for _ in _values(event, field))
    if field in _INSTANTS or field.endswith("Time"):
        return any(_compare(comparison, instant(value), instant(values[0])) for value in _values(event, field))
    if comparison == "EQ":
        return any(_equal(value, asked) for value in _values(event, field) for asked in values)
    return any(_compare_mixed(comparison, value, values[0]) for value in _values(event, field))


_INSTANTS = ("time", "startTime", "endTime", "errorDeclarationTime")


def _is(name: str, value: str, asked: str) -> bool:
    if name.startswith("MATCH_") and asked in PATTERNS:
        return value in PATTERNS[asked]
    if name.startswith("WD_") and value in _UNDER.get(thing(asked), ()):
        return True
    return value == thing(asked)


_SINGLE: dict[str, Callable[[Event], str | None]] = {
    "eventType": lambda event: event["type"],
    "EQ_action": lambda event: event.get("action"),
    "EQ_bizStep": lambda event: event.get("bizStep"),
    "EQ_disposition": lambda event: event.get("disposition"),
    "EQ_readPoint": lambda event: event.get("readPoint", {}).get("id"),
    "WD_readPoint": lambda event: event.get("readPoint", {}).get("id"),
    "EQ_bizLocation": lambda event: event.get("bizLocation", {}).get("id"),
    "WD_bizLocation": lambda event: event.get("bizLocation", {}).get("id"),
    "EQ_transformationID": lambda event: event.get("transformationID"),
    "EQ_errorReason": lambda event: event.get("errorDeclaration", {}).get("reason"),
    "MATCH_parentID": lambda event: event.get("parentID"),
}


def _of(*keys: str) -> Callable[[Event], Iterator[str]]:
    def values(event: Event) -> Iterator[str]:
        for key in keys:
            found = event.get(key, [])
            yield from [found] if isinstance(found, str) else found

    return values


def _classes(*keys: str) -> Callable[[Event], Iterator[str]]:
    return lambda event: (one["epcClass"] for key in keys for one in event.get(key, []))


def _pairs(key: str, field: str, kind: str) -> Callable[[Event], Iterator[str]]:
    return lambda event: (one[field] for one in event.get(key, []) if thing(one.get("type", "")) == kind)


def _reported(key: str) -> Callable[[Event], Iterator[str]]:
    return lambda event: (
        part[key]
        for element in event.get("sensorElementList", [])
        for part in (element.get("sensorMetadata", {}), *element.get("sensorReport", []))
        if key in part
    )


_LISTS: dict[str, Callable[[Event], Iterator[str]]] = {
    "MATCH_epc": _of("epcList", "childEPCs"),
    "MATCH_inputEPC": _of("inputEPCList"),
    "MATCH_outputEPC": _of("outputEPCList"),
    "MATCH_anyEPC": _of("epcList", "childEPCs", "parentID", "inputEPCList", "outputEPCList"),
    "MATCH_epcClass": _classes("quantityList", "childQuantityList"),
    "MATCH_inputEPCClass": _classes("inputQuantityList"),
    "MATCH_outputEPCClass": _classes("outputQuantityList"),
    "MATCH_anyEPCClass": _classes("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"),
    "EQ_persistentDisposition_set": lambda event: iter(event.get("persistentDisposition", {}).get("set", [])),
    "EQ_persistentDisposition_unset": lambda event: iter(event.get("persistentDisposition", {}).get("unset", [])),
    "EQ_bizTransaction_po": _pairs("bizTransactionList", "bizTransaction", "po"),
    "EQ_source_owning_party": _pairs("sourceList", "source", "owning_party"),
    "EQ_destination_owning_party": _pairs("destinationList", "destination", "owning_party"),
    "EQ_correctiveEventID": lambda event: iter(event.get("errorDeclaration", {}).get("correctiveEventIDs", [])),
    "EQ_type": _reported("type"),
    "EQ_deviceID": _reported("deviceID"),
    "EQ_stringValue": _reported("stringValue"),
}


def _values(event: Event, field: str) -> Iterator[Any]:
    """The values of a quantity, a measurement, or a field of an extension."""
    if field == "errorDeclaration":
        yield from [event[field]] if field in event else []
    elif field == "errorDeclarationTime":
        yield from [event["errorDeclaration"]["declarationTime"]] if "errorDeclaration" in event else []
    elif field == "sensorElementList":
        yield from event.get(field, [])
    elif field in ("time", "startTime", "endTime"):
        yield from _reported(field)(event)
    elif field.startswith("quantity"):
        lists = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
        uom = field.partition("_")[2]
        for one in (one for key in lists for one in event.get(key, [])):
            if "quantity" in one and uom in ("", one.get("uom")):
                yield one["quantity"]
    elif field.startswith("value_"):
        for element in event.get("sensorElementList", []):
            yield from (
                report["value"]
                for report in element.get("sensorReport", [])
                if "value" in report and report.get("uom") == field.partition("_")[2]
            )
    else:
        yield from _field_values(event, field)


def _field_values(event: Event, field: str) -> Iterator[Any]:
    inner = field.startswith("INNER_")
    rest = field.removeprefix("INNER_")
    holder: Any = event
    for word, key in (("ILMD_", "ilmd"), ("ERROR_DECLARATION_", "errorDeclaration"), ("readPoint_", "readPoint")):
        if rest.startswith(word):
            rest, holder = rest.removeprefix(word), event.get(key, {})
    own = {key: value for key, value in holder.items() if ":" in key}
    if not inner:
        yield from (one for key, value in own.items() if _name(key) == _name(rest) for one in _each(value))
        return
    for value in own.values():
        yield from _inside(value, _name(rest))


def _inside(value: Any, name: str) -> Iterator[Any]:
    for one in _each(value):
        if isinstance(one, Mapping):
            for key, held in one.items():
                if _name(key) == name:
                    yield from _each(held)
                yield from _inside(held, name)


def _each(value: Any) -> list[Any]:
    return [item for one in value for item in _each(one)] if isinstance(value, list) else [value]


def _name(key: str) -> str:
    for prefix, namespace in _WHOLE.items():
        if key.startswith(prefix):
            return namespace + key.removeprefix(prefix)
    return key


def _equal(value: Any, asked: str) -> bool:
    if isinstance(value, Mapping):
        return False
    if isinstance(value, bool):
        return str(value).lower() == asked
    number, wanted = _number(value), _number(asked)
    if number is not None and number == wanted:
        return True
    moment, then = _moment(value), _moment(asked)
    return (moment is not None and moment == then) or value == asked


def _compare_mixed(comparison: str, value: Any, asked: str) -> bool:
    wanted = _number(asked)
    if wanted is not None:
        number = None if isinstance(value, bool | Mapping) else _number(value)
        return number is not None and _compare(comparison, number, wanted)
    moment = _moment(value)
    return moment is not None and _compare(comparison, moment, instant(asked))


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _moment(value: Any) -> int | None:
    try:
        return instant(value) if "T" in value else None
    except (TypeError, ValueError):
        return None


def _compare(comparison: str, left: float, right: float) -> bool:
    return {"EQ": left == right, "GE": left >= right, "GT": left > right, "LE": left <= right, "LT": left < right}[
        comparison
    ]
