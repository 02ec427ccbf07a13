"""An EPCIS document (EPCIS 文档): bytes → its context and events, or everything that is wrong, with its place.

Read are an EPCISDocument, an EPCISQueryDocument, and for a single event the event itself.  A fault in the frame makes
the whole unreadable; a fault in an event belongs to that event alone, so that the good ones can be told from it.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from cylinder_trace.epcis.cbv import EVENT_TYPES
from cylinder_trace.epcis.context import Context, read_context
from cylinder_trace.epcis.faults import MOST_TOLD, Fault, Faults, Place, TooManyFaults, fault
from cylinder_trace.epcis.indexing import Indexed, index_of
from cylinder_trace.epcis.reading import Unreadable, read_json
from cylinder_trace.epcis.shapes import Check, Sight, check_event, list_of, text, thing, time, uri

LARGEST_EVENT = 1 << 20
"""Bytes of one event."""
MOST_TERMS = 20_000
"""Values that one event is found by: they are written at once, and on SQLite a fill waits for it."""
DOCUMENT, QUERY_DOCUMENT = "EPCISDocument", "EPCISQueryDocument"


class Captured(NamedTuple):
    """One valid event."""

    text: bytes
    """As it came."""
    event: dict[str, Any]
    found_by: Indexed
    context: Context
    """With what the event itself declares."""
    number: int
    """Its place in the document's list."""


class Document(NamedTuple):
    """A document whose frame is valid."""

    context_text: bytes
    """Its `@context`, as compact JSON."""
    events: Sequence[Captured]
    """The valid ones."""
    faults: Sequence[Fault]
    """What is wrong with the others, as far as it is told."""
    size: int
    """How many events there are, valid or not."""


class Invalid(Exception):
    """Nothing can be taken from it; the faults say why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].en)
        self.faults = tuple(faults)


def read_document(data: bytes) -> Document:
    """The document in `data`; raises Invalid where its frame does not stand."""
    value, texts = _read(data)
    return _document(value, texts)


def read_event(data: bytes) -> Document:
    """A single event with a `@context` of its own, as a document that holds nothing else; raises Invalid."""
    event, _ = _read(data)
    return _single(event, data)


def read_any(data: bytes) -> Document:
    """Whatever was captured before: a document or a single event; raises Invalid."""
    value, texts = _read(data)
    return _document(value, texts) if _is_framed(value) else _single(value, data)


def _is_framed(value: Any) -> bool:
    """Whether it says that it is a document."""
    kind = value.get("type") if isinstance(value, dict) else None
    return isinstance(kind, str) and kind in _FRAMES


def _single(event: Any, data: bytes) -> Document:
    faults, context = Faults(), Context()
    try:
        context = _frame_context(event, faults)
        if _is_framed(event):
            faults.add(("type",), "not_one_of", ", ".join(sorted(EVENT_TYPES)))
        else:
            check_event(event, context, faults, ())
        if len(data) > LARGEST_EVENT:
            faults.add((), "event_too_large", LARGEST_EVENT)
    except TooManyFaults:
        pass
    if faults.found:
        raise Invalid(faults.found)
    one = _captured(data.strip(), event, context, 0)
    if len(one.found_by.terms) > MOST_TERMS:
        raise Invalid((fault((), "event_too_full", MOST_TERMS),))
    return Document(_compact(event["@context"]), [one], (), 1)


def _read(data: bytes) -> tuple[Any, list[bytes]]:
    try:
        return read_json(data)
    except Unreadable as error:
        raise Invalid((error.fault,)) from None


def _document(value: object, texts: Sequence[bytes]) -> Document:
    faults, context = Faults(), Context()
    try:
        context = _frame_context(value, faults)
        _check_frame(value, context, faults)
    except TooManyFaults:
        pass
    if faults.found or not isinstance(value, dict):
        raise Invalid(faults.found)
    place = _PLACES[value["type"]]
    events: Any = value
    for name in place:
        events = events[name]
    good: list[Captured] = []
    wrong = _check_events(events, texts, context, place, good)
    return Document(_compact(value["@context"]), good, wrong, len(events))


def _check_events(
    events: list[Any], texts: Sequence[bytes], outer: Context, place: Place, good: list[Captured]
) -> Sequence[Fault]:
    """Put the valid events into `good`; what is wrong with the others, as far as it is told."""
    wrong = Faults()
    for number, (event, text_of_it) in enumerate(zip(events, texts, strict=True)):
        found = Faults()
        context = outer
        try:
            if isinstance(event, dict) and "@context" in event:
                context = read_context(event["@context"], found, (*place, number, "@context"), outer)
            check_event(event, context, found, (*place, number))
            if len(text_of_it) > LARGEST_EVENT:
                found.add((*place, number), "event_too_large", LARGEST_EVENT)
        except TooManyFaults:
            pass
        if not found.found:
            one = _captured(text_of_it, event, context, number)
            if len(one.found_by.terms) <= MOST_TERMS:
                good.append(one)
            else:
                found.add((*place, number), "event_too_full", MOST_TERMS)
        wrong.found += found.found[: MOST_TOLD - len(wrong.found)]
    return wrong.found


def _captured(text_of_it: bytes, event: dict[str, Any], context: Context, number: int) -> Captured:
    # Here and not later: what was just found to be an identifier is not looked through twice.
    return Captured(text_of_it, event, index_of(event, context.expand), context, number)


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _frame_context(value: object, faults: Faults) -> Context:
    if not isinstance(value, dict):
        faults.wrong_kind((), "object")
    elif "@context" not in value:
        faults.add((), "missing", "@context")
    else:
        return read_context(value["@context"], faults, ("@context",))
    return Context()


def _check_frame(value: object, context: Context, faults: Faults) -> None:
    """Everything but the events."""
    if not isinstance(value, dict):
        return
    kind = value.get("type")
    check = _FRAMES.get(kind) if isinstance(kind, str) else None
    if check is None:
        faults.add(("type",), "not_one_of", f"{DOCUMENT}, {QUERY_DOCUMENT}")
    else:
        check(value, Sight(faults, context), ())


def _anything(_value: object, _sight: Sight, _place: Place) -> None:
    """What is looked at elsewhere."""


def _a_list(value: object, sight: Sight, place: Place) -> None:
    if not isinstance(value, list):
        sight.faults.wrong_kind(place, "list")


def _version(value: object, sight: Sight, place: Place) -> None:
    text(value, sight, place)
    if isinstance(value, str) and not _VERSION.fullmatch(value):
        sight.faults.add(place, "bad_pattern", "2.0")


def _attribute(value: object, sight: Sight, place: Place) -> None:
    """Master data (主数据): a value of any kind under a name."""
    _ATTRIBUTE(value, sight, place)
    held = value.get("attribute", "") if isinstance(value, dict) else ""
    if isinstance(held, bool | list) or held is None:
        sight.faults.wrong_kind((*place, "attribute"), "text")


_VERSION = re.compile(r"\d+(\.\d+)*", re.ASCII)
_ATTRIBUTE = thing({"id": uri}, ("id",), more=None)
_VOCABULARIES = list_of(
    thing(
        {
            "type": uri,
            "vocabularyElementList": list_of(
                thing({"id": uri, "attributes": list_of(_attribute), "children": list_of(uri)}, ("id",), more=None)
            ),
        },
        ("type",),
        more=None,
    )
)
_HEADER = thing({"epcisMasterData": thing({"vocabularyList": _VOCABULARIES}, more=None)}, more=True)
_SAID: dict[str, Check] = {
    "@context": _anything, "type": _anything, "id": uri, "schemaVersion": _version, "creationDate": time
}  # fmt: skip
_RESULTS = thing({"eventList": _a_list, "vocabularyList": _VOCABULARIES}, ("eventList",), more=True)
_FRAMES: dict[str, Check] = {
    DOCUMENT: thing(
        {
            **_SAID,
            **dict.fromkeys(("instanceIdentifier", "sender", "receiver"), text),
            "epcisHeader": _HEADER,
            "epcisBody": thing({"eventList": _a_list}, ("eventList",), more=None),
        },
        ("@context", "schemaVersion", "creationDate", "epcisBody"),
        more=True,
    ),
    QUERY_DOCUMENT: thing(
        {
            **_SAID,
            "epcisBody": thing(
                {
                    "queryResults": thing(
                        {"queryName": text, "subscriptionID": text, "resultsBody": _RESULTS},
                        ("queryName", "resultsBody"),
                        more=True,
                    )
                },
                ("queryResults",),
                more=True,
            ),
        },
        ("epcisBody",),
        more=True,
    ),
}
_PLACES: dict[str, tuple[str, ...]] = {
    DOCUMENT: ("epcisBody", "eventList"),
    QUERY_DOCUMENT: ("epcisBody", "queryResults", "resultsBody", "eventList"),
}
