"""A cylinder's life in the words of EPCIS 2.0 (气瓶生命周期), by one table, there and back again.

There: `epcis_of` makes the EPCIS events of an entry of the ledger from a row of `LIFE`. Whoever knows nothing of us
reads what happened, where, and in which state the cylinder was left, in the words of CBV 2.0.

Back: each event carries the author's record as the very text that was signed and chained (``pl:record``), and where
the entry stands in the log (``pl:logIndex``, ``pl:entryHash``). `record_of` gives exactly that record; whoever has the
log's proof can show that the event is true.

Nothing of a person goes out: whoever bought is the opaque id of the ledger, and no event says at which door it was.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from cylinder_trace import events
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import BEIJING_OFFSET_MS, DAY_MS, HOUR_MS, MINUTE_MS, format_day, local_day
from cylinder_trace.epcis.addresses import (
    OURS,
    PREFIX,
    VOCABULARY,
    code_address,
    epc_of,
    own_address,
    party_address,
    station_address,
)
from cylinder_trace.epcis.event_hash import event_hash
from cylinder_trace.epcis.normal import escaped
from cylinder_trace.events import Entry, Event, EventError, Record, Stamp, parse_entry, parse_record, record_text
from cylinder_trace.values import Evidence

EpcisEvent = dict[str, Any]
"""One EPCIS event as parsed JSON."""

GS1_CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
PREFIXES = {PREFIX: VOCABULARY}
CONTEXT: list[str | dict[str, str]] = [GS1_CONTEXT, PREFIXES]
"""The ``@context`` of every document of ours."""


class Logged(Protocol):
    """Where an entry stands in the log; a row of the store is one (``auditing.stored.StoredEntry``)."""

    @property
    def index(self) -> int:
        """Its place in the log, from 0."""

    @property
    def hash(self) -> bytes:
        """Its leaf hash."""

    @property
    def text(self) -> bytes:
        """Its text as stored."""


class Known(NamedTuple):
    """What a row needs to know of the cylinder beside the entry itself, once the entry is recorded."""

    epc: str
    """What it is called by: ``addresses.epc_of``."""
    corrected: tuple[EpcisEvent, ...] = ()
    """For a correction: the events of the entry that it corrects, as they were made."""


def known_of(state: CylinderState, corrected: tuple[EpcisEvent, ...] = ()) -> Known:
    """What the state of a cylinder says that a row needs to know."""
    return Known(epc_of(state.cylinder_id, state.codes), corrected)


# --- there ---------------------------------------------------------------------------------------------------


def epcis_of(entry: Entry, event: Event, logged: Logged, known: Known | None) -> tuple[EpcisEvent, ...]:
    """The EPCIS events of an entry of a cylinder's chain; none of an entry that is not of a cylinder's life.

    `known` is None where the ledger knows no cylinder, as after the scan of an unreadable code.  Each comes with its
    ``eventID``, its event hash ID.  A correction gives the corrected events once more, with what was wrong declared,
    and then its own; all others give one event, and the change of a valve two.
    """
    rows = LIFE.get(type(event), ())
    if known is None and not isinstance(event, events.FillDecided):
        return ()
    about, ours = About(entry, event, known), _ours(entry, logged)
    made = tuple(_whole(about, row, ours) for row in rows)
    return (*_declared_wrong(about, made), *made)


# --- the table -----------------------------------------------------------------------------------------------


class About(NamedTuple):
    """What a row is asked about."""

    entry: Entry
    event: Any
    """The event of the row's own class."""
    known: Known | None


class Row(NamedTuple):
    """One EPCIS event that an event of ours becomes: the columns of the table in the documentation."""

    kind: str
    """Which of the five kinds of event."""
    action: str
    step: str
    """The business step (业务步骤)."""
    disposition: str | None = None
    """In which state the cylinder was left (状态); absent where that says nothing new, or where `more` says it."""
    more: Callable[[About], EpcisEvent] | None = None
    """What else it says: its own fields, in their place whatever the frame puts there."""


OBJECT, AGGREGATION, ASSOCIATION, TRANSACTION = (
    "ObjectEvent",
    "AggregationEvent",
    "AssociationEvent",
    "TransactionEvent",
)
_ZONE = "+08:00"


def _whole(about: About, row: Row, ours: EpcisEvent) -> EpcisEvent:
    """The event of one row: what every event says, what the row says, what is ours."""
    more = row.more(about) if row.more else {}
    made: EpcisEvent = {"type": row.kind, "eventTime": _time(about.entry.at), "eventTimeZoneOffset": _ZONE}
    if row.kind in (OBJECT, TRANSACTION):
        made["epcList"] = [about.known.epc] if about.known else []
    made["action"], made["bizStep"] = row.action, row.step
    if row.disposition:
        made["disposition"] = row.disposition
    made.update(more)
    made.update(ours)
    made["eventID"] = event_hash(made, PREFIXES)
    return made


def _ours(entry: Entry, logged: Logged) -> EpcisEvent:
    return {
        f"{PREFIX}:type": VOCABULARY + entry.type,
        f"{PREFIX}:logIndex": logged.index,
        f"{PREFIX}:entryHash": logged.hash.hex(),
        f"{PREFIX}:record": _record_text(logged.text).decode(),
    }


def _record_text(entry_text: bytes) -> bytes:
    """The author's record, cut out of the stored text of its entry: the bytes that the author's device chained."""
    # In canonical order the fields of an entry's place stand around the moment; behind `data` no value holds a quote.
    before, n, rest = entry_text.rpartition(b',"n":')
    place, refs, after = rest.partition(b',"refs":')
    _, comma, rest = place.partition(b",")
    moment, prev, _ = rest.partition(b',"prev":')
    if n and refs and comma and prev:
        return b"".join((before, comma, moment, refs, after))
    return record_text(parse_entry(entry_text).record())  # changed behind the ledger's back, and still an entry


def _time(at: int) -> str:
    """An instant as a moment at Beijing with its zone: ``2026-03-01T09:00:00.000+08:00``."""
    rest = (at + BEIJING_OFFSET_MS) % DAY_MS
    hours, rest = divmod(rest, HOUR_MS)
    minutes, rest = divmod(rest, MINUTE_MS)
    return f"{_day(local_day(at))}T{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}{_ZONE}"


_day = lru_cache(maxsize=64)(format_day)


def _kilograms(grams: int) -> float | int:
    """Grams as kilograms; the nearest binary number is written with the very three places."""
    return grams // 1000 if grams % 1000 == 0 else grams / 1000


def _papers(**papers: str) -> EpcisEvent:
    return {"bizTransactionList": [{"type": kind, "bizTransaction": address} for kind, address in papers.items()]}


def _from_to(kind: str, source: str, destination: str) -> EpcisEvent:
    return {
        "sourceList": [{"type": kind, "source": source}],
        "destinationList": [{"type": kind, "destination": destination}],
    }


def _at_station(station_id: str, lane: int | None = None) -> EpcisEvent:
    return {
        "readPoint": {"id": station_address(station_id, lane)},
        "bizLocation": {"id": station_address(station_id)},
    }


def _weighed(at: int, scale_id: str, **grams: int) -> EpcisEvent:
    metadata = {"time": _time(at), "deviceID": own_address("scale", scale_id)}
    reports = [
        {"type": "Mass", "value": _kilograms(mass), "uom": "KGM", "component": VOCABULARY + name}
        for name, mass in grams.items()
    ]
    return {"sensorElementList": [{"sensorMetadata": metadata, "sensorReport": reports}]}


def _proofs(evidence: Iterable[Evidence]) -> EpcisEvent:
    return _named_by_hash(item.sha256 for item in evidence)


def _named_by_hash(hashes: Iterable[str]) -> EpcisEvent:
    """Files outside the ledger, called by their hash after RFC 6920, so that whoever has one can show it is it."""
    names = [
        "ni:///sha-256;" + urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")
        for sha256 in dict.fromkeys(hashes)
    ]
    return {"certificationInfo": names} if names else {}


def _stamp(stamp: Stamp) -> EpcisEvent:
    facts = {
        "maker": stamp.maker,
        "serial": stamp.serial,
        "model": stamp.model,
        "madeIn": stamp.manufactured_month,
        "tareKg": _kilograms(stamp.tare_g),
        "waterVolumeL": _kilograms(stamp.water_volume_ml),
        "maxFillKg": _kilograms(stamp.max_fill_g),
        "designLifeMonths": stamp.design_life_months,
    }
    return {f"{PREFIX}:{name}": fact for name, fact in facts.items() if fact is not None}


# --- its names


def _made(about: About) -> EpcisEvent:
    event: events.CylinderMade = about.event
    more = {f"{PREFIX}:madeOn": event.made_on, f"{PREFIX}:batch": event.batch_no}
    ilmd = {**_stamp(event.stamp), **{name: fact for name, fact in more.items() if fact is not None}}
    papers = _papers(cert=own_address("certificate", event.maker_id, event.certificate_no))
    return {**papers, "ilmd": ilmd, **_proofs(event.evidence)}


def _registered(about: About) -> EpcisEvent:
    event: events.CylinderRegistered = about.event
    ilmd = {**_stamp(event.stamp), f"{PREFIX}:medium": event.medium, f"{PREFIX}:inServiceOn": event.in_service_on}
    return {"ilmd": ilmd}


def _use_registered(about: About) -> EpcisEvent:
    event: events.UseRegistered = about.event
    papers = _papers(cert=own_address("registration", event.authority_id, event.registration_no))
    return {**papers, **_proofs(event.evidence)}


def _cancelled(about: About) -> EpcisEvent:
    event: events.RegistrationCancelled = about.event
    papers = _papers(cert=own_address("receipt", event.authority_id, event.receipt_no))
    return {**papers, **_proofs(event.evidence)}


def _code_bound(about: About) -> EpcisEvent:
    return {"epcList": _called(about, about.event.code)}


def _code_voided(about: About) -> EpcisEvent:
    return {"epcList": [code_address(about.event.code)]}


def _retag_requested(about: About) -> EpcisEvent:
    event: events.RetagRequested = about.event
    return {"epcList": _called(about, event.old_code), **_retag(about.entry.id), **_proofs(event.evidence)}


def _retag_approved(about: About) -> EpcisEvent:
    return {"epcList": [code_address(about.event.old_code)], **_retag(about.event.request_id)}


def _retag_refused(about: About) -> EpcisEvent:
    return _retag(about.event.request_id)


def _retag(request_id: str) -> EpcisEvent:
    return _papers(rma=own_address("retag", request_id))


def _called(about: About, code: str) -> list[str]:
    """What it is called by, and the code that the event is about, once each."""
    return list(dict.fromkeys([_epc(about), code_address(code)]))


def _epc(about: About) -> str:
    assert about.known is not None  # noqa: S101 - only a refused scan has no cylinder, and that row does not ask
    return about.known.epc


# --- filling


def _checked(about: About) -> EpcisEvent:
    event: events.PrefillChecked = about.event
    return {
        "disposition": "conformant" if event.passed else "non_conformant",
        **_at_station(event.station_id),
        **_papers(testres=own_address("check", event.check_id)),
        **_proofs(event.evidence),
    }


def _decided(about: About) -> EpcisEvent:
    event: events.FillDecided = about.event
    request, decision = event.request, event.decision
    words = [reason.word for reason in decision.reasons]
    left = "conformant" if decision.permits else next((REFUSED[word] for word in words if word in REFUSED), None)
    said = {f"{PREFIX}:decision": decision.outcome, f"{PREFIX}:rulebook": decision.rulebook}
    return {
        **({"disposition": left} if left else {}),
        **_at_station(request.station_id, request.lane),
        **_papers(testres=own_address("check", request.check_id)),
        **said,
        **({f"{PREFIX}:reasonCode": [reason.code for reason in decision.reasons]} if words else {}),
    }


REFUSED = {
    "inspection_overdue": "expired",
    "service_life_ended": "expired",
    "not_evaluated": "expired",
    "recalled": "recalled",
    "reported_lost": "stolen",
    "body_damaged": "damaged",
    "valve_damaged": "damaged",
    "fittings_missing": "damaged",
    "scrapped": "non_sellable_other",
    "code_voided": "inactive",
    "code_unreadable": "no_pedigree_match",
    "cylinder_unknown": "no_pedigree_match",
    "not_registered": "no_pedigree_match",
    "technical_file_missing": "no_pedigree_match",
    "maker_not_licensed": "no_pedigree_match",
    "stamp_mismatch": "mismatch_instance",
    "code_seen_elsewhere": "mismatch_instance",
    "registered_twice": "mismatch_instance",
    "inspection_failed": "non_conformant",
    "inspection_not_credible": "non_conformant",
    "inspection_mark_absent": "non_conformant",
    "manufacture_date_unknown": "non_conformant",
    "refurbished": "non_conformant",
    "black_cylinder": "non_conformant",
    "threaded_collar": "non_conformant",
    "dual_phase_not_permitted": "non_conformant",
    "converted": "non_conformant",
    "marking_wrong": "non_conformant",
    "head_mark_missing": "non_conformant",
    "not_evacuated": "non_conformant",
    "residue_not_drawn_off": "non_conformant",
    "tare_drift": "non_conformant",
    "tag_not_approved": "non_conformant",
}
"""Reason of a refusal → the state it says the cylinder is in; the first that says something of the cylinder counts.

A refusal because of the station, its scale, its people or the owner leaves the cylinder what it was.
"""


def _started(about: About) -> EpcisEvent:
    event: events.FillStarted = about.event
    return {
        **_at_station(event.station_id, event.lane),
        **_papers(prodorder=own_address("check", event.check_id)),
        **_weighed(about.entry.at, event.scale_id, emptyGross=event.empty_gross_g),
        f"{PREFIX}:operation": "filling",
    }


def _filled(about: About) -> EpcisEvent:
    event: events.Filled = about.event
    return {
        "parentID": _epc(about),
        "childQuantityList": [{"epcClass": GAS, "quantity": _kilograms(event.net_g), "uom": "KGM"}],
        **_at_station(event.station_id, event.lane),
        **_papers(prodorder=own_address("check", event.check_id)),
        **_weighed(event.ended_at, event.scale_id, emptyGross=event.empty_gross_g, fullGross=event.full_gross_g),
        f"{PREFIX}:operation": "filling",
    }


GAS = f"{OURS}gas/lpg"
"""The gas as a class of goods (液化石油气)."""


def _postfill_checked(about: About) -> EpcisEvent:
    event: events.PostfillChecked = about.event
    passed = {"disposition": "sellable_not_accessible", "persistentDisposition": {"set": ["completeness_verified"]}}
    return {
        **(passed if event.passed else {"disposition": "non_conformant"}),
        **_at_station(event.station_id),
        **_papers(testres=own_address("check", event.check_id)),
        **_proofs(event.evidence),
    }


def _reweighed(about: About) -> EpcisEvent:
    event: events.Reweighed = about.event
    return {
        "disposition": "conformant" if event.within_limit else "mismatch_quantity",
        **_at_station(event.station_id),
        **_papers(testres=own_address("check", event.check_id)),
        **_weighed(about.entry.at, event.scale_id, fullGross=event.full_gross_g, net=event.net_g),
    }


# --- owner, custody, delivery


def _transferred(about: About) -> EpcisEvent:
    event: events.OwnershipTransferred = about.event
    parties = _from_to("owning_party", party_address(event.from_owner_id), party_address(event.to_owner_id))
    return {**_papers(inv=own_address("transfer", about.entry.id)), **parties}


def _handed_over(about: About) -> EpcisEvent:
    event: events.HandedOver = about.event
    place = {"readPoint": {"id": own_address("place", event.place_id)}} if event.place_id else {}
    parties = _from_to("possessing_party", party_address(event.from_holder_id), party_address(event.to_holder_id))
    return {**place, **parties}


def _left_station(about: About) -> EpcisEvent:
    event: events.LeftStation = about.event
    order = _papers(po=own_address("order", event.order_no)) if event.order_no else {}
    return {"readPoint": {"id": station_address(event.station_id)}, **order}


def _sold(about: About) -> EpcisEvent:
    event: events.Sold = about.event
    return {
        **_papers(inv=own_address("order", event.order_no)),
        "sourceList": [{"type": "location", "source": own_address("point", event.point_id)}],
        "destinationList": [{"type": "possessing_party", "destination": own_address("customer", event.customer_id)}],
    }


def _safety_checked(about: About) -> EpcisEvent:
    event: events.SafetyChecked = about.event
    papers = _papers(testres=own_address("check", about.entry.id), inv=own_address("order", event.order_no))
    return {**papers, **_proofs(event.evidence), f"{PREFIX}:outcome": event.outcome}


def _returned(about: About) -> EpcisEvent:
    return _at_station(about.event.station_id)


# --- inspection and end


def _sent(about: About) -> EpcisEvent:
    return {"destinationList": [{"type": "possessing_party", "destination": party_address(about.event.body_id)}]}


def _item(about: About) -> EpcisEvent:
    event: events.InspectionItemRecorded = about.event
    report = _papers(testres=own_address("report", event.body_id, event.report_no))
    read = _reading(about.entry.at, event) if event.reading is not None and event.unit else {}
    said = {f"{PREFIX}:item": event.item, f"{PREFIX}:result": event.result}
    return {**_at_body(event.body_id), **report, **read, **_proofs(event.evidence), **said}


UNITS = {
    "um": ("Length", "4H"),
    "kpa": ("Pressure", "KPA"),
    "ml": ("Volume", "MLT"),
    "g": ("Mass", "GRM"),
    "s": ("Time", "SEC"),
    "pa": ("Pressure", "PAL"),
}
"""Unit of a reading → what was measured, and the unit's code after UN/ECE Recommendation 20."""


def _reading(at: int, event: events.InspectionItemRecorded) -> EpcisEvent:
    measured, uom = UNITS[event.unit or ""]
    metadata = {"time": _time(at)} | ({"deviceID": own_address("device", event.device_id)} if event.device_id else {})
    report = {"type": measured, "value": event.reading, "uom": uom, "component": VOCABULARY + event.item}
    return {"sensorElementList": [{"sensorMetadata": metadata, "sensorReport": [report]}]}


def _valve_removed(about: About) -> EpcisEvent:
    event: events.ValveChanged = about.event
    removed = {"childEPCs": [_valve(about, event.removed_serial)]} if event.removed_serial else {}
    return {"parentID": _epc(about), **removed, **_at_body(event.body_id), **_proofs(event.evidence)}


def _valve_put_in(about: About) -> EpcisEvent:
    event: events.ValveChanged = about.event
    put_in = {"childEPCs": [_valve(about, event.serial)]}
    return {"parentID": _epc(about), **put_in, **_at_body(event.body_id), **_proofs(event.evidence)}


def _valve(about: About, serial: str) -> str:
    """The valve of this cylinder: who took one out knows its serial, not its maker."""
    return f"{OURS}{about.entry.subject}/valve/{escaped(serial)}"


def _inspected(about: About) -> EpcisEvent:
    event: events.Inspected = about.event
    due = {f"{PREFIX}:nextDue": event.next_due_month} if event.next_due_month else {}
    return {**_judged(event.body_id, event.report_no, passed=event.result == "passed"), **due}


def _evaluated(about: About) -> EpcisEvent:
    event: events.Evaluated = about.event
    until = {f"{PREFIX}:validUntil": event.valid_until_month} if event.valid_until_month else {}
    return {**_judged(event.body_id, event.report_no, passed=event.passed), **until}


def _judged(body_id: str, report_no: str, *, passed: bool) -> EpcisEvent:
    good: EpcisEvent = {"disposition": "conformant", "persistentDisposition": {"unset": ["expired"]}}
    return {
        **(good if passed else {"disposition": "non_conformant"}),
        **_at_body(body_id),
        **_papers(testres=own_address("report", body_id, report_no)),
    }


def _at_body(body_id: str) -> EpcisEvent:
    return {"readPoint": {"id": party_address(body_id)}}


def _condemned(about: About) -> EpcisEvent:
    return {"persistentDisposition": {"set": ["non_sellable_other"]}, **_at_body(about.event.body_id)}


def _destroyed(about: About) -> EpcisEvent:
    event: events.Destroyed = about.event
    return {**_at_body(event.body_id), **_named_by_hash(event.evidence_sha256), f"{PREFIX}:method": event.method}


# --- marks


MARKS = {
    "black": "non_conformant",
    "refurbished": "non_conformant",
    "recalled": "recalled",
    "lost": "stolen",
    "converted": "non_conformant",
    "unlicensed_maker": "no_pedigree_match",
    "double_registered": "mismatch_instance",
    "cloned": "mismatch_instance",
}
"""An authority's mark → the state that lasts until it is lifted."""


def _flagged(about: About) -> EpcisEvent:
    event: events.Flagged = about.event
    return {
        **_lasts(MARKS[event.flag]),
        f"{PREFIX}:flag": f"{VOCABULARY}flag/{event.flag}",
        **_named_by_hash(event.evidence_sha256),
    }


def _flag_cleared(about: About) -> EpcisEvent:
    flag = about.event.flag
    return {**_ends(MARKS[flag]), f"{PREFIX}:flag": f"{VOCABULARY}flag/{flag}"}


def _seized(about: About) -> EpcisEvent:
    event: events.Seized = about.event
    place = {"readPoint": {"id": own_address("place", event.place_id)}} if event.place_id else {}
    order = _papers(cert=own_address("order", event.authority_id, event.document_no))
    return {**_lasts("unavailable"), **place, **order, **_proofs(event.evidence)}


def _released(about: About) -> EpcisEvent:
    event: events.Released = about.event
    return {**_ends("unavailable"), **_papers(cert=own_address("order", event.authority_id, event.document_no))}


def _lost(about: About) -> EpcisEvent:
    event: events.ReportedLost = about.event
    return _lasts("stolen" if event.report_no else "unknown")


def _found(about: About) -> EpcisEvent:
    place_id = about.event.place_id
    place = {"readPoint": {"id": own_address("place", place_id)}} if place_id else {}
    return {**_ends("stolen", "unknown"), **place}


def _recalled(about: About) -> EpcisEvent:
    return {**_lasts("recalled"), **_papers(rma=own_address("recall", about.event.recall_id))}


def _recall_lifted(about: About) -> EpcisEvent:
    return {**_ends("recalled"), **_papers(rma=own_address("recall", about.event.recall_id))}


def _lasts(state: str) -> EpcisEvent:
    return {"disposition": state, "persistentDisposition": {"set": [state]}}


def _ends(*states: str) -> EpcisEvent:
    return {"persistentDisposition": {"unset": list(states)}}


# --- what was told wrongly


def _corrected(about: About) -> EpcisEvent:
    event: events.Corrected = about.event
    said = {"corrects": event.entry_id, "field": event.field, "was": event.was, "now": event.now}
    return {
        **{f"{PREFIX}:{name}": fact for name, fact in said.items() if fact is not None},
        **_proofs(event.evidence),
    }


def _declared_wrong(about: About, corrective: Sequence[EpcisEvent]) -> tuple[EpcisEvent, ...]:
    """The corrected events as they were, each with the declaration that it is in error."""
    if not isinstance(about.event, events.Corrected) or about.known is None:
        return ()
    declaration = {
        "declarationTime": _time(about.entry.at),
        "reason": "incorrect_data",
        "correctiveEventIDs": [event["eventID"] for event in corrective],
    }
    return tuple({**event, "errorDeclaration": declaration} for event in about.known.corrected)


LIFE: dict[type[Event], tuple[Row, ...]] = {
    # the cylinder and its names
    events.CylinderMade: (Row(OBJECT, "ADD", "commissioning", "inactive", _made),),
    events.CylinderRegistered: (Row(OBJECT, "ADD", "commissioning", "active", _registered),),
    events.UseRegistered: (Row(OBJECT, "OBSERVE", "accepting", "active", _use_registered),),
    events.RegistrationCancelled: (Row(OBJECT, "OBSERVE", "decommissioning", "inactive", _cancelled),),
    events.CodeBound: (Row(OBJECT, "OBSERVE", "encoding", "encoded", _code_bound),),
    events.RegistrationWithdrawn: (Row(OBJECT, "OBSERVE", "decommissioning", "inactive"),),
    events.CodeVoided: (Row(OBJECT, "OBSERVE", "decommissioning", "inactive", _code_voided),),
    events.RetagRequested: (Row(OBJECT, "OBSERVE", "other", "needs_replacement", _retag_requested),),
    events.RetagApproved: (Row(OBJECT, "OBSERVE", "replacing", "inactive", _retag_approved),),
    events.RetagRefused: (Row(OBJECT, "OBSERVE", "other", None, _retag_refused),),
    # filling
    events.PrefillChecked: (Row(OBJECT, "OBSERVE", "inspecting", None, _checked),),
    events.FillDecided: (Row(OBJECT, "OBSERVE", "inspecting", None, _decided),),
    events.FillStarted: (Row(OBJECT, "OBSERVE", "packing", "in_progress", _started),),
    events.Filled: (Row(AGGREGATION, "ADD", "packing", "container_closed", _filled),),
    events.PostfillChecked: (Row(OBJECT, "OBSERVE", "inspecting", None, _postfill_checked),),
    events.Reweighed: (Row(OBJECT, "OBSERVE", "inspecting", None, _reweighed),),
    # owner, custody, delivery
    events.OwnershipTransferred: (Row(TRANSACTION, "ADD", "accepting", "active", _transferred),),
    events.HandedOver: (Row(OBJECT, "OBSERVE", "receiving", "in_progress", _handed_over),),
    events.LeftStation: (Row(OBJECT, "OBSERVE", "shipping", "in_transit", _left_station),),
    events.Sold: (Row(OBJECT, "OBSERVE", "retail_selling", "retail_sold", _sold),),
    events.SafetyChecked: (Row(OBJECT, "OBSERVE", "inspecting", None, _safety_checked),),
    events.Returned: (Row(OBJECT, "OBSERVE", "collecting", "returned", _returned),),
    # inspection and end
    events.SentToInspection: (Row(OBJECT, "OBSERVE", "shipping", "in_transit", _sent),),
    events.InspectionItemRecorded: (Row(OBJECT, "OBSERVE", "inspecting", "in_progress", _item),),
    events.ValveChanged: (
        Row(ASSOCIATION, "DELETE", "removing", None, _valve_removed),
        Row(ASSOCIATION, "ADD", "replacing", None, _valve_put_in),
    ),
    events.Inspected: (Row(OBJECT, "OBSERVE", "inspecting", None, _inspected),),
    events.Evaluated: (Row(OBJECT, "OBSERVE", "inspecting", None, _evaluated),),
    events.Condemned: (Row(OBJECT, "OBSERVE", "holding", "non_sellable_other", _condemned),),
    events.Destroyed: (Row(OBJECT, "DELETE", "destroying", "destroyed", _destroyed),),
    # marks
    events.Flagged: (Row(OBJECT, "OBSERVE", "holding", None, _flagged),),
    events.FlagCleared: (Row(OBJECT, "OBSERVE", "other", None, _flag_cleared),),
    events.Seized: (Row(OBJECT, "OBSERVE", "holding", None, _seized),),
    events.Released: (Row(OBJECT, "OBSERVE", "other", None, _released),),
    events.ReportedLost: (Row(OBJECT, "OBSERVE", "other", None, _lost),),
    events.Found: (Row(OBJECT, "OBSERVE", "other", None, _found),),
    events.Recalled: (Row(OBJECT, "OBSERVE", "holding", None, _recalled),),
    events.RecallLifted: (Row(OBJECT, "OBSERVE", "other", None, _recall_lifted),),
    # what was told wrongly
    events.Corrected: (Row(OBJECT, "OBSERVE", "other", None, _corrected),),
}
"""Our event → its EPCIS events (对照表). What is not here is in `NOT_OF_A_LIFE`."""

NOT_OF_A_LIFE: frozenset[str] = frozenset(
    """
    recall_opened recall_closed
    gas_lot_received gas_lot_tested gas_lot_released gas_lot_blocked
    station_licensed licence_recorded certificate_recorded worker_certified
    scale_verified scale_locked scale_unlocked filling_locked filling_unlocked company_licence_noted
    authority_key_trusted authority_key_revoked device_enrolled device_revoked head_signed journal_forked
    rulebook_published
    alarm_raised shift_changed
    personal_data_read personal_data_erased
    dispute_raised dispute_resolved
    epcis_captured
    """.split()
)
"""Words of what is not of a cylinder's life: of licences, keys, devices, people, lots, rules, and of records."""


# --- back ----------------------------------------------------------------------------------------------------


def record_of(event: EpcisEvent) -> Record:
    """The author's record in an EPCIS event of ours, exactly; of a corrected one the record that was corrected.

    Raises EventError or CanonicalError where it carries none: it is not ours, or not as we made it.
    """
    text = event.get(f"{PREFIX}:record")
    if not isinstance(text, str):
        raise EventError(f"{PREFIX}:record: an event of ours carries its record, this one does not")
    return parse_record(text.encode())


def document_of(made: Sequence[EpcisEvent], created_at: int) -> dict[str, Any]:
    """An EPCIS document (文档) of events of ours; `created_at` in UTC ms."""
    return {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": _time(created_at),
        "epcisBody": {"eventList": list(made)},
    }
