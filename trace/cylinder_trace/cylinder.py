"""The state of a cylinder: what its events add up to. `next_state` is one step, `replay` the whole life.

State folds in the order of recording and accepts late events by one rule: a late event updates history and
counters, but never brings back what a later occurrence ended; condemned and destroyed absorb.

An author's clock may be wrong or set on purpose.  So nothing counts as having occurred after it was recorded, and a
waiting time counts from the recording: neither an event dated ahead nor one dated back gains anything.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from cylinder_trace import events
from cylinder_trace.dates import format_day, local_day
from cylinder_trace.events import Entry, FlagKind, Stamp
from cylinder_trace.values import Count, Day, Frozen, Grams, Id, Instant, Month, Text

Status = Literal["empty", "filled", "at_customer", "in_inspection", "condemned", "destroyed", "withdrawn"]
STATUS_ZH: dict[Status, str] = {
    "empty": "空瓶在站",
    "filled": "重瓶在站",
    "at_customer": "用户处",
    "in_inspection": "送检",
    "condemned": "待报废",
    "destroyed": "已去功能化",
    "withdrawn": "登记已撤销",
}
_FINAL = ("condemned", "destroyed")


class StateError(ValueError):
    """The event cannot follow on this state; the ledger refuses it before it is stored."""


class InspectionState(Frozen):
    """The last periodic inspection as recorded, and the Beijing day on which it was stated and recorded."""

    inspected_month: Month
    next_due_month: Month | None = None
    result: Literal["passed", "failed"]
    recorded_on: Day


class CylinderState(Frozen):
    """Everything the rules ask about a cylinder, after `n` entries of its chain."""

    cylinder_id: Id
    n: Count
    stamp: Stamp
    owner_id: Id
    registration_no: Text | None = None
    in_service_on: Day
    codes: tuple[str, ...] = ()
    voided_codes: tuple[str, ...] = ()
    transferred_on: Day | None = None
    transfer_cosigned: bool = True
    inspection: InspectionState | None = None
    evaluated_until: Month | None = None
    evaluated_at: Instant | None = None
    flags: tuple[FlagKind, ...] = ()
    flagged_at: dict[str, Instant] = {}
    """Flag → when an authority last stated it; clearing it must have occurred later."""
    status: Status = "empty"
    status_since: Instant
    last_seen_station_id: Id | None = None
    last_seen_at: Instant | None = None
    fills: Count = 0
    last_filled_at: Instant | None = None
    last_net_g: Grams | None = None
    last_filled_station_id: Id | None = None


Change = dict[str, Any]


def cylinder_id_of(subject: str) -> str:
    """The cylinder id in a subject ``cylinder/<id>``; raises StateError for another kind of subject."""
    kind, _, cylinder_id = subject.partition("/")
    if kind != "cylinder":
        raise StateError(f"{subject} is not a cylinder")
    return cylinder_id


def next_state(state: CylinderState | None, entry: Entry, event: events.Event) -> CylinderState:
    """State after `entry`, whose typed event is `event`; raises StateError if it cannot follow."""
    if isinstance(event, events.CylinderRegistered):
        return _registered(state, entry, event)
    if state is None:
        raise StateError(f"{entry.type} before cylinder_registered")
    apply = _CHANGES.get(type(event))
    if apply is None:
        raise StateError(f"{entry.type} is not an event of a cylinder")
    if state.status == "withdrawn" and not isinstance(event, _KEPT_AFTER_WITHDRAWAL):
        raise StateError(f"{entry.type} cannot follow: the registration of this cylinder was withdrawn")
    return state.model_copy(update={"n": entry.n + 1, **apply(state, entry, event)})


def replay(entries: Iterable[Entry]) -> CylinderState | None:
    """The state that a cylinder's entries add up to, in recorded order; None without entries."""
    state = None
    for entry in entries:
        state = next_state(state, entry, entry.event())
    return state


def _registered(state: CylinderState | None, entry: Entry, event: events.CylinderRegistered) -> CylinderState:
    if state is not None:
        raise StateError("a cylinder is registered once; a correction is another event")
    return CylinderState(
        cylinder_id=cylinder_id_of(entry.subject),
        n=entry.n + 1,
        stamp=event.stamp,
        owner_id=event.owner_id,
        registration_no=event.registration_no,
        in_service_on=event.in_service_on,
        status_since=_occurred_at(entry),
    )


def _occurred_at(entry: Entry) -> int:
    return min(entry.occurred_at, entry.recorded_at)


def _moved(state: CylinderState, entry: Entry, status: Status) -> Change:
    """The change to `status`, unless something that occurred later has already ended it."""
    if state.status in ("destroyed", "withdrawn") or (state.status == "condemned" and status != "destroyed"):
        return {}
    at = _occurred_at(entry)
    if at < state.status_since and status not in _FINAL:
        return {}
    return {"status": status, "status_since": max(at, state.status_since)}


def _code_bound(state: CylinderState, entry: Entry, event: events.CodeBound) -> Change:
    return {"codes": (*state.codes, event.code)}


def _code_voided(state: CylinderState, entry: Entry, event: events.CodeVoided) -> Change:
    return {
        "codes": tuple(code for code in state.codes if code != event.code),
        "voided_codes": (*state.voided_codes, event.code),
    }


def _registration_withdrawn(state: CylinderState, entry: Entry, event: events.RegistrationWithdrawn) -> Change:
    if state.status != "empty" or state.fills or state.voided_codes or state.flags or state.transferred_on:
        raise StateError("the cylinder has lived since it was registered; its registration is not withdrawn")
    return {"status": "withdrawn", "status_since": max(_occurred_at(entry), state.status_since), "codes": ()}


def _transferred(state: CylinderState, entry: Entry, event: events.OwnershipTransferred) -> Change:
    if event.from_owner_id != state.owner_id:
        raise StateError(f"owner is {state.owner_id}, not {event.from_owner_id}")
    return {
        "owner_id": event.to_owner_id,
        "transferred_on": format_day(local_day(entry.recorded_at)),
        "transfer_cosigned": event.cosigned,
    }


def _inspected(state: CylinderState, entry: Entry, event: events.Inspected) -> Change:
    inspection = InspectionState(
        inspected_month=event.inspected_month,
        next_due_month=event.next_due_month,
        result=event.result,
        recorded_on=format_day(local_day(_occurred_at(entry))),
    )
    change = _moved(state, entry, "empty") if state.status == "in_inspection" else {}
    if state.inspection and _inspection_order(inspection) < _inspection_order(state.inspection):
        return change
    stamp = state.stamp.model_copy(update={"tare_g": event.tare_g}) if event.tare_g else state.stamp
    return {**change, "inspection": inspection, "stamp": stamp}


def _inspection_order(inspection: InspectionState) -> tuple[str, str]:
    return inspection.inspected_month, inspection.recorded_on


def _evaluated(state: CylinderState, entry: Entry, event: events.Evaluated) -> Change:
    at = _occurred_at(entry)
    if state.evaluated_at is not None and at < state.evaluated_at:
        return {}
    return {"evaluated_until": event.valid_until_month if event.passed else None, "evaluated_at": at}


def _condemned(state: CylinderState, entry: Entry, event: events.Condemned) -> Change:
    return _moved(state, entry, "condemned")


def _destroyed(state: CylinderState, entry: Entry, event: events.Destroyed) -> Change:
    return _moved(state, entry, "destroyed")


def _flagged(state: CylinderState, entry: Entry, event: events.Flagged) -> Change:
    at = max(_occurred_at(entry), state.flagged_at.get(event.flag, 0))
    return {
        "flags": tuple(sorted({*state.flags, event.flag})),
        "flagged_at": {**state.flagged_at, event.flag: at},
    }


def _flag_cleared(state: CylinderState, entry: Entry, event: events.FlagCleared) -> Change:
    if _occurred_at(entry) < state.flagged_at.get(event.flag, 0):
        return {}
    return {"flags": tuple(flag for flag in state.flags if flag != event.flag)}


def _fill_decided(state: CylinderState, entry: Entry, event: events.FillDecided) -> Change:
    at = min(event.request.requested_at, entry.recorded_at)
    if state.last_seen_at is not None and at < state.last_seen_at:
        return {}
    return {"last_seen_station_id": event.request.station_id, "last_seen_at": at}


def _filled(state: CylinderState, entry: Entry, event: events.Filled) -> Change:
    change: Change = {"fills": state.fills + 1, **_moved(state, entry, "filled")}
    if state.last_filled_at is None or event.ended_at >= state.last_filled_at:
        change |= {
            "last_filled_at": event.ended_at,
            "last_net_g": event.net_g,
            "last_filled_station_id": event.station_id,
        }
    return change


def _sold(state: CylinderState, entry: Entry, event: events.Sold) -> Change:
    return _moved(state, entry, "at_customer")


def _returned(state: CylinderState, entry: Entry, event: events.Returned) -> Change:
    return _moved(state, entry, "empty")


def _sent_to_inspection(state: CylinderState, entry: Entry, event: events.SentToInspection) -> Change:
    return _moved(state, entry, "in_inspection")


def _disputed(state: CylinderState, entry: Entry, event: events.DisputeRaised) -> Change:
    return {}


# What a station did before it heard of the withdrawal happened all the same; the ledger disputes it.
_KEPT_AFTER_WITHDRAWAL = (events.FillDecided, events.Filled, events.DisputeRaised)

_CHANGES: dict[type[events.Event], Callable[[CylinderState, Entry, Any], Change]] = {
    events.CodeBound: _code_bound,
    events.CodeVoided: _code_voided,
    events.RegistrationWithdrawn: _registration_withdrawn,
    events.OwnershipTransferred: _transferred,
    events.Inspected: _inspected,
    events.Evaluated: _evaluated,
    events.Condemned: _condemned,
    events.Destroyed: _destroyed,
    events.Flagged: _flagged,
    events.FlagCleared: _flag_cleared,
    events.FillDecided: _fill_decided,
    events.Filled: _filled,
    events.Sold: _sold,
    events.Returned: _returned,
    events.SentToInspection: _sent_to_inspection,
    events.DisputeRaised: _disputed,
}
