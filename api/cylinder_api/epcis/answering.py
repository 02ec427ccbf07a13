"""Events as an EPCISQueryDocument (查询结果文档): each as it came, but for recordTime and the writing of identifiers.

The document's @context declares what the events' own contexts declared.  Where two mean different things by one prefix,
the later event brings its context along.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from fastapi import Request

from cylinder_api.epcis.negotiation import EPC_FORMATS
from cylinder_api.refusals import Refused
from cylinder_trace.epcis.context import EPCIS_CONTEXT
from cylinder_trace.epcis.forms import NoUrn, as_link, as_urn, rewritten
from cylinder_trace.epcis.indexing import format_instant
from cylinder_trace.store.epcis.selecting import Found

JSON, JSON_LD = "application/json", "application/ld+json"
_READABLE = frozenset((JSON, JSON_LD, "application/*", "*/*", ""))
Write = Callable[[str], str] | None
"""How an identifier is written; None: as it came."""


def media_type_of(request: Request) -> str:
    """In which form the caller wants JSON; raises Refused (406) for one who reads none."""
    said = request.headers.get("accept", "")
    wanted = {part.partition(";")[0].strip().lower() for part in said.split(",")}
    if not wanted & _READABLE:
        raise Refused("epcis_not_acceptable", "answers are application/json or application/ld+json")
    return JSON_LD if JSON_LD in wanted and JSON not in wanted else JSON


def epc_format_of(request: Request) -> str | None:
    """What the caller said of the writing of identifiers; raises Refused."""
    said = request.headers.get("gs1-epc-format")
    if said is not None and said not in EPC_FORMATS:
        raise Refused("epcis_not_acceptable", f"GS1-EPC-Format is one of {', '.join(EPC_FORMATS)}")
    return said


def write_of(epc_format: str | None, prefixes: Sequence[str]) -> Write:
    """How identifiers are written in this format; `prefixes`: the company prefixes that are known."""
    match epc_format:
        case "Always_GS1_Digital_Link":
            return as_link
        case "Always_EPC_URN":
            return partial(as_urn, prefixes=prefixes)
    return None


class Titled(NamedTuple):
    """What a document says of itself beside its events."""

    query_name: str = "SimpleEventQuery"
    subscription_id: str | None = None


def document_of(events: Iterable[Found], write: Write, now: int, titled: Titled = Titled()) -> bytes:  # noqa: B008 - it holds nothing that changes
    """The document with these events; raises Refused (406) where an identifier cannot be written as asked."""
    union = _Union()
    texts = [_text(found, union.own_of(found.context), write) for found in events]
    results: dict[str, Any] = {"queryName": titled.query_name, "resultsBody": {"eventList": []}}
    if titled.subscription_id is not None:
        results = {"subscriptionID": titled.subscription_id, **results}
    frame = orjson.dumps(
        {
            "@context": union.context(),
            "type": "EPCISQueryDocument",
            "schemaVersion": "2.0",
            "creationDate": format_instant(now),
            "epcisBody": {"queryResults": results},
        }
    )
    end = b"]}}}}"
    return frame.removesuffix(end) + b",".join(texts) + end


def collection_of(members: Sequence[str]) -> bytes:
    """A list of values, as GS1 describes it."""
    return orjson.dumps({"@context": EPCIS_CONTEXT, "type": "Collection", "member": members})


class _Union:
    """What a document's context declares, growing event by event."""

    def __init__(self) -> None:
        self._said: dict[str, Any] = {}
        self._known: dict[bytes, list[Any] | None] = {}

    def own_of(self, context: bytes) -> list[Any] | None:
        """What an event must bring along because the document means something else by a prefix of its context."""
        if context not in self._known:
            parts = _parts(orjson.loads(context))
            said = {name: value for part in parts for name, value in part.items()}
            differs = any(self._said.get(name, value) != value for name, value in said.items())
            self._known[context] = [EPCIS_CONTEXT, *parts] if differs else None
            if not differs:
                self._said |= said
        return self._known[context]

    def context(self) -> list[Any]:
        """The document's own."""
        return [EPCIS_CONTEXT, *([self._said] if self._said else [])]


def _parts(context: Any) -> list[dict[str, Any]]:
    parts = context if isinstance(context, list) else [context]
    return [dict(part) for part in parts if isinstance(part, Mapping)]


def _text(found: Found, own: list[Any] | None, write: Write) -> bytes:
    """An event as it is answered; untouched but for one field at its end where that is enough."""
    at = format_instant(found.record_time)
    if own is None and write is None and not _has_record_time(found.text):
        return found.text.rstrip()[:-1] + b',"recordTime":"' + at.encode() + b'"}'
    event = orjson.loads(found.text)
    if own is not None:
        within = event.get("@context", [])
        event["@context"] = [*own, *(part for part in _parts(within) if part not in own)]
    event["recordTime"] = at
    return orjson.dumps(event if write is None else _rewritten(event, write))


def _has_record_time(text: bytes) -> bool:
    """Whether an event names that field already, in escapes too."""
    return b'"recordTime"' in text or (b"\\u" in text and "recordTime" in orjson.loads(text))


def written(value: str, write: Callable[[str], str]) -> str:
    """A value as it was asked for; raises Refused (406)."""
    return str(_rewritten({"parentID": value}, write)["parentID"])


def _rewritten(event: Mapping[str, Any], write: Callable[[str], str]) -> dict[str, Any]:
    try:
        return rewritten(event, write)
    except NoUrn:
        raise Refused(
            "epcis_not_acceptable",
            "an identifier here has no EPC URN, or nobody said how long its company prefix is; "
            "ask with GS1-EPC-Format: Always_GS1_Digital_Link",
        ) from None
