"""What an EPCIS event must look like (事件的形状): the rules of GS1's JSON schema with its formats, in one pass.

Stricter than the schema in few things, each because something would be taken for what it is not: a prefix must be
declared, an address in the CBV's own namespace must be a word of the CBV, and a GS1 identifier must have the right
check digit.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from cylinder_codes.errors import CodeError
from cylinder_trace.epcis.cbv import (
    ACTIONS,
    ALERT_TYPES,
    BIZ_STEPS,
    BIZ_TRANSACTION_TYPES,
    COMPONENTS,
    DISPOSITIONS,
    ERROR_REASONS,
    EVENT_TYPES,
    MEASUREMENT_TYPES,
    SOURCE_DEST_TYPES,
    Vocabulary,
)
from cylinder_trace.epcis.context import Context
from cylinder_trace.epcis.faults import Faults, Place
from cylinder_trace.epcis.normal import canonical
from cylinder_trace.epcis.uris import LONGEST_URI, is_uri

MOST_DEEP = 32
"""How deep the fields of an extension may be nested."""
_TIME = re.compile(
    r"(?!0000)([0-9]{4})-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,12})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])",
    re.ASCII,
)
_OFFSET = re.compile(r"[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00)", re.ASCII)
_UOM = re.compile(r"[A-Z0-9]{2,3}", re.ASCII)
_HEX = re.compile(r"[A-Fa-f0-9]+", re.ASCII)
_OLD_CBV = re.compile(r"urn:epcglobal:cbv|https?://ns\.gs1\.org/cbv/")
_OLD_GS1 = re.compile(r"https?://(?:www\.)?gs1\.org/voc/")


class Sight(NamedTuple):
    """What a check looks with."""

    faults: Faults
    context: Context


Check = Callable[[Any, Sight, Place], None]


def check_event(event: object, context: Context, faults: Faults, place: Place) -> None:
    """Tell everything that is wrong with an event."""
    if not isinstance(event, dict):
        faults.wrong_kind(place, "object")
        return
    sight, kind = Sight(faults, context), event.get("type")
    if not isinstance(kind, str):
        if kind is None:
            faults.add(place, "missing", "type")
        else:
            faults.wrong_kind((*place, "type"), "text")
        return
    if kind not in EVENT_TYPES:
        _word_of_own(kind, sight, (*place, "type"))
    fields = _FIELDS.get(kind, _EXTENDED)
    for name in ("eventTime", "eventTimeZoneOffset", *_REQUIRED.get(kind, ())):
        if name not in event:
            faults.add(place, "missing", name)
    for name, value in event.items():
        check = fields.get(name)
        if check is not None:
            check(value, sight, (*place, name))
        elif name not in _ANYWHERE:
            _own_field(name, value, sight, (*place, name))
    _check_together(kind, event, faults, place)


def uri(value: object, sight: Sight, place: Place) -> None:
    """An address of anything."""
    if not isinstance(value, str):
        sight.faults.wrong_kind(place, "text")
    elif not is_uri(value):
        sight.faults.add(place, "not_a_uri")
    elif len(value) > LONGEST_URI:
        sight.faults.add(place, "uri_too_long", LONGEST_URI)


def identifier(value: object, sight: Sight, place: Place) -> None:
    """An address of a thing, a place, a party; where it claims to be GS1's, it must be right."""
    uri(value, sight, place)
    if isinstance(value, str) and len(value) <= LONGEST_URI:
        try:
            canonical(value)
        except CodeError as error:
            sight.faults.add(place, error.kind.value)


def time(value: object, sight: Sight, place: Place) -> None:
    """A date and time with its zone."""
    if not isinstance(value, str):
        sight.faults.wrong_kind(place, "text")
    elif not _is_time(value):
        sight.faults.add(place, "bad_time")


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    if found is None:
        return False
    day = found[3]
    return "01" <= day <= "28" or 1 <= int(day) <= monthrange(int(found[1]), int(found[2]))[1]


def text(value: object, sight: Sight, place: Place) -> None:
    """Any text."""
    if not isinstance(value, str):
        sight.faults.wrong_kind(place, "text")


def _number(value: object, sight: Sight, place: Place) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        sight.faults.wrong_kind(place, "number")


def _boolean(value: object, sight: Sight, place: Place) -> None:
    if not isinstance(value, bool):
        sight.faults.wrong_kind(place, "boolean")


def _like(pattern: re.Pattern[str], *says: object) -> Check:
    def check(value: object, sight: Sight, place: Place) -> None:
        if not isinstance(value, str):
            sight.faults.wrong_kind(place, "text")
        elif not pattern.fullmatch(value):
            sight.faults.add(place, *says)  # type: ignore[arg-type]  # the word first

    return check


def _word(vocabulary: Vocabulary, old: re.Pattern[str] = _OLD_CBV, *, declared: bool = True) -> Check:
    """A word of the CBV in one of its writings, or somebody's own address, whose prefix is to be `declared`."""

    def check(value: object, sight: Sight, place: Place) -> None:
        if not isinstance(value, str):
            sight.faults.wrong_kind(place, "text")
        elif value in vocabulary.words:
            return
        elif old.match(value):
            sight.faults.add(place, "old_word")
        elif ":" not in value:
            sight.faults.add(place, "unknown_word")
        else:
            (_word_of_own if declared else uri)(value, sight, place)
            whole = sight.context.expand(value)
            if whole.startswith(vocabulary.uri) and not vocabulary.word(whole):
                sight.faults.add(place, "unknown_word")

    return check


def _word_of_own(value: str, sight: Sight, place: Place) -> None:
    uri(value, sight, place)
    if ":" in value and not sight.context.knows(value):
        sight.faults.add(place, "undeclared_prefix")


def list_of(check: Check, *, least: int = 0, once: bool = False) -> Check:
    """A list of things that are each checked."""

    def check_list(value: object, sight: Sight, place: Place) -> None:
        if not isinstance(value, list):
            sight.faults.wrong_kind(place, "list")
            return
        if len(value) < least:
            sight.faults.add(place, "empty")
        for number, one in enumerate(value):
            check(one, sight, (*place, number))
        if once and all(isinstance(one, str) for one in value) and len(set(value)) < len(value):
            sight.faults.add(place, "repeated")

    return check_list


def thing(
    fields: Mapping[str, Check],
    required: Iterable[str] = (),
    *,
    more: bool | None = False,
    any_of: tuple[str, ...] = (),
) -> Check:
    """An object of these fields; `more`: fields of one's own too, None: whatever stands beside them."""
    needed = tuple(required)

    def check(value: object, sight: Sight, place: Place) -> None:
        if not isinstance(value, dict):
            sight.faults.wrong_kind(place, "object")
            return
        for name in needed:
            if name not in value:
                sight.faults.add(place, "missing", name)
        if any_of and not any(name in value for name in any_of):
            sight.faults.add(place, "about_nothing", " / ".join(any_of))
        for name, held in value.items():
            known = fields.get(name)
            if known is not None:
                known(held, sight, (*place, name))
            elif more:
                _own_field(name, held, sight, (*place, name))
            elif more is None:
                _depth(held, sight, (*place, name), MOST_DEEP)
            else:
                sight.faults.add((*place, name), "unknown_field")

    return check


def _own_field(name: str, value: object, sight: Sight, place: Place) -> None:
    """A field of an extension: its name is a URI whose prefix is declared; what it holds is its author's affair."""
    if ":" not in name:
        sight.faults.add(place, "unknown_field")
    else:
        _word_of_own(name, sight, place)
    _depth(value, sight, place, MOST_DEEP)


def _depth(value: object, sight: Sight, place: Place, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if left == 0:
        sight.faults.add(place, "too_deep", MOST_DEEP)
        return
    for name, one in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(name, str) and ":" in name and not sight.context.knows(name):
            sight.faults.add((*place, name), "undeclared_prefix")
        if name == "@context":
            sight.faults.add((*place, name), "nested_context")
        _depth(one, sight, (*place, name), left - 1)


def _action(value: object, sight: Sight, place: Place) -> None:
    if not isinstance(value, str) or value not in ACTIONS:
        sight.faults.add(place, "not_one_of", "ADD, OBSERVE, DELETE")


def _certification(value: object, sight: Sight, place: Place) -> None:
    (_URIS if isinstance(value, list) else uri)(value, sight, place)


_URIS = list_of(uri)
_IDENTIFIERS = list_of(identifier)
_DISPOSITION = _word(DISPOSITIONS)
_DISPOSITIONS = list_of(_DISPOSITION, least=1, once=True)
_PLACE = thing({"id": identifier}, ("id",), more=None)
_QUANTITIES = list_of(
    thing({"epcClass": identifier, "quantity": _number, "uom": _like(_UOM, "bad_pattern", "KGM")}, ("epcClass",))
)
_SENSOR_METADATA: dict[str, Check] = {
    **dict.fromkeys(("time", "startTime", "endTime"), time),
    **dict.fromkeys(("deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules"), uri),
}
_SENSOR_REPORT: dict[str, Check] = {
    "type": _word(MEASUREMENT_TYPES, _OLD_GS1),
    "exception": _word(ALERT_TYPES, _OLD_GS1),
    "component": _word(COMPONENTS, declared=False),  # GS1's own examples say example:x and declare no example
    "time": time,
    "stringValue": text,
    "booleanValue": _boolean,
    "hexBinaryValue": _like(_HEX, "bad_pattern", "0AF1"),
    "uom": text,
    **dict.fromkeys(
        (
            "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules", "microorganism",
            "chemicalSubstance", "coordinateReferenceSystem", "uriValue",
        ),
        uri,
    ),
    **dict.fromkeys(("value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"), _number),
}  # fmt: skip
_SENSOR = thing(
    {
        "sensorMetadata": thing(_SENSOR_METADATA, more=True),
        "sensorReport": list_of(thing(_SENSOR_REPORT, ("type",), more=True), least=1),
    },
    ("sensorReport",),
    more=True,
)
_ERROR = thing(
    {"declarationTime": time, "reason": _word(ERROR_REASONS), "correctiveEventIDs": _URIS},
    ("declarationTime",),
    more=True,
)
_ANYWHERE = frozenset(("@context", "type"))
"""What is looked at elsewhere."""
_ALWAYS: dict[str, Check] = {
    "eventTime": time,
    "recordTime": time,
    "eventTimeZoneOffset": _like(_OFFSET, "bad_offset"),
    "eventID": uri,
    "certificationInfo": _certification,
    "errorDeclaration": _ERROR,
}
_BASE: dict[str, Check] = {
    **_ALWAYS,
    "bizStep": _word(BIZ_STEPS),
    "disposition": _DISPOSITION,
    "readPoint": _PLACE,
    "bizLocation": _PLACE,
    "bizTransactionList": list_of(
        thing({"type": _word(BIZ_TRANSACTION_TYPES), "bizTransaction": uri}, ("bizTransaction",))
    ),
    "sourceList": list_of(thing({"type": _word(SOURCE_DEST_TYPES), "source": identifier}, ("type", "source"))),
    "destinationList": list_of(
        thing({"type": _word(SOURCE_DEST_TYPES), "destination": identifier}, ("type", "destination"))
    ),
    "sensorElementList": list_of(_SENSOR),
}
_FROM_ITS_START: dict[str, Check] = {
    "persistentDisposition": thing({"set": _DISPOSITIONS, "unset": _DISPOSITIONS}, any_of=("set", "unset")),
    "ilmd": thing({}, more=True),
}
"""Of ObjectEvent and TransformationEvent alone."""
_BONDS: dict[str, Check] = {
    **_BASE, "action": _action, "parentID": identifier, "childEPCs": _IDENTIFIERS, "childQuantityList": _QUANTITIES
}  # fmt: skip
_FIELDS: dict[str, dict[str, Check]] = {
    "ObjectEvent": {
        **_BASE, **_FROM_ITS_START, "action": _action,
        "epcList": list_of(identifier, once=True), "quantityList": _QUANTITIES,
    },
    "AggregationEvent": _BONDS,
    "AssociationEvent": _BONDS,
    "TransactionEvent": {
        **_BASE, "action": _action, "parentID": identifier, "epcList": _IDENTIFIERS, "quantityList": _QUANTITIES
    },
    "TransformationEvent": {
        **_BASE,
        **_FROM_ITS_START,
        "transformationID": uri,
        **dict.fromkeys(("inputEPCList", "outputEPCList"), list_of(identifier, once=True)),
        **dict.fromkeys(("inputQuantityList", "outputQuantityList"), _QUANTITIES),
    },
}  # fmt: skip
_EXTENDED: dict[str, Check] = {name: check for fields in _FIELDS.values() for name, check in fields.items()}
"""An event of somebody's own type may have any field, and what EPCIS knows of it must look as EPCIS says."""
_REQUIRED: dict[str, tuple[str, ...]] = {
    "ObjectEvent": ("action",),
    "AggregationEvent": ("action",),
    "AssociationEvent": ("action", "parentID"),
    "TransactionEvent": ("action", "bizTransactionList"),
}


def _check_together(kind: str, event: Mapping[str, Any], faults: Faults, place: Place) -> None:
    """What no field says alone."""
    action = event.get("action")
    if kind == "ObjectEvent":
        sensed = _holds(event, "sensorElementList") and "readPoint" in event
        if not ("epcList" in event or _holds(event, "quantityList") or sensed):
            faults.add(place, "about_nothing", "epcList / quantityList / sensorElementList + readPoint")
        if "ilmd" in event and action in ("OBSERVE", "DELETE"):
            faults.add((*place, "ilmd"), "only_when_made")
    elif kind in ("AggregationEvent", "AssociationEvent"):
        if action != "DELETE" and not (_holds(event, "childEPCs") or _holds(event, "childQuantityList")):
            faults.add(place, "about_nothing", "childEPCs / childQuantityList")
    elif kind == "TransactionEvent":
        if event.get("bizTransactionList") == []:
            faults.add((*place, "bizTransactionList"), "empty")
        if action != "DELETE" and not ("epcList" in event or _holds(event, "quantityList")):
            faults.add(place, "about_nothing", "epcList / quantityList")
    elif kind == "TransformationEvent":
        _check_transformation(event, faults, place)


def _check_transformation(event: Mapping[str, Any], faults: Faults, place: Place) -> None:
    goes_in = _holds(event, "inputEPCList") or _holds(event, "inputQuantityList")
    comes_out = _holds(event, "outputEPCList") or _holds(event, "outputQuantityList")
    if not (goes_in and comes_out) and not ("transformationID" in event and (goes_in or comes_out)):
        faults.add(place, "about_nothing", "inputEPCList / inputQuantityList + outputEPCList / outputQuantityList")


def _holds(event: Mapping[str, Any], name: str) -> bool:
    return bool(event.get(name))
