"""The state of a cylinder: what its events add up to. `next_state` is one step, `replay` the whole life.

State folds in the order of recording and accepts late events by one rule: a late event updates history and
counters, but never brings back what a later occurrence ended; condemned, cancelled and destroyed absorb.

An author's clock may be wrong or set on purpose.  So nothing counts as having occurred after it was recorded
(`Entry.at`), and a waiting time counts from the recording: neither an event dated ahead nor one dated back gains
anything.

What does not depend on the order of recording.  Take the events of two stations' uploads and of people, none dated
ahead, interleaved in any way that keeps each author's own order and in which the ledger takes them all: status,
inspection, evaluation, owner, custodian, valve, flags, marks, maker's record, codes (as a set), the counter of fills,
the last fill and the last sighting come out the same.  Each is held by what occurred last, not by what was told last.

What does depend on it, by nature:
  * `n`, hashes, `recorded_at`, the order within `codes`, and `transferred_on`, from which the waiting time counts;
  * which of two events of one moment holds: the one recorded later.  An inspection carries a month and a day, so
    against another inspection or a sending its moment is its Beijing day; the lifting of a mark never wins a draw;
  * which of two codes of our own counts as the one that nobody approved: the one recorded later;
  * acts that exclude each other, such as two transfers from one owner or a withdrawal after a life began: the ledger
    refuses the second, whichever it is, and what a station did all the same it keeps and disputes;
  * `stamp.tare_g`, where some inspections state a tare and others do not, and what a correction meets: it changes what
    still says what the corrected entry had said.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from cylinder_trace import events
from cylinder_trace.dates import format_day, local_day
from cylinder_trace.events import Entry, FlagKind, Stamp, first_fault
from cylinder_trace.values import CodeText, Count, Day, Frozen, Grams, Id, Instant, Month, Text, changed
from cylinder_trace.vocabulary.holding import CustodyBasis, FillBasis
from cylinder_trace.vocabulary.inspecting import MANDATORY_ITEMS
from cylinder_trace.vocabulary.naming import TechnicalFile

Status = Literal[
    "made",
    "empty",
    "filled",
    "in_delivery",
    "at_customer",
    "in_inspection",
    "condemned",
    "cancelled",
    "destroyed",
    "withdrawn",
]
STATUS_ZH: dict[Status, str] = {
    "made": "未登记",
    "empty": "空瓶在站",
    "filled": "重瓶在站",
    "in_delivery": "配送中",
    "at_customer": "用户处",
    "in_inspection": "送检",
    "condemned": "待报废",
    "cancelled": "已注销",
    "destroyed": "已去功能化",
    "withdrawn": "登记已撤销",
}
_FINAL: tuple[Status, ...] = ("condemned", "cancelled", "destroyed", "withdrawn")
"""Each absorbs whatever is told, before or after, except what stands behind it here."""


class StateError(ValueError):
    """The event cannot follow on this state; the ledger refuses it before it is stored."""


class InspectionState(Frozen):
    """The last periodic inspection as recorded, and the Beijing day on which it was stated and recorded."""

    inspected_month: Month
    next_due_month: Month | None = None
    result: Literal["passed", "failed"]
    recorded_on: Day
    items_complete: bool | None = None
    """Whether each mandatory item was done; absent where only the mark is known."""
    body_licensed: bool | None = None
    items_recorded: bool | None = None
    """Whether each mandatory item was recorded by itself, as passed; absent where none was."""


class MadeState(Frozen):
    """The maker's record: who made it, when, and in which batch."""

    maker_id: Id
    made_on: Day
    certificate_no: Text
    batch_no: Text | None = None


class ValveState(Frozen):
    """The valve that was put in last."""

    maker: Text
    serial: Text
    made_month: Month
    changed_at: Instant


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
    """Flag → when an authority last stated or cleared it; what occurred before changes it no more."""
    status: Status = "empty"
    status_since: Instant
    last_seen_station_id: Id | None = None
    last_seen_at: Instant | None = None
    fills: Count = 0
    last_filled_at: Instant | None = None
    last_net_g: Grams | None = None
    last_filled_station_id: Id | None = None
    # From here on every field is absent from the stored JSON until an event of its own kind came.
    made: MadeState | None = None
    valve: ValveState | None = None
    custodian_id: Id | None = None
    """Who has it (保管方), as last handed over; absent if never stated."""
    custody_since: Instant | None = None
    marks: dict[str, Instant] | None = None
    """What keeps it from use → since when: ``seized/<authority>``, ``lost/<holder>``, ``recall/<id>``."""
    lifted: dict[str, Instant] | None = None
    """Marks that were lifted → when, so that one told late is not taken for a new one."""
    retags: dict[str, CodeText] | None = None
    """Open requests for a new tag (换标申请) → the code to be replaced."""
    cancellation_no: Text | None = None
    """Receipt of the cancelled registration (注销回执)."""
    technical: TechnicalFile | None = None
    region: Text | None = None
    """Where it may be filled (充装区域); absent = not bound to a region."""
    custody_basis: CustodyBasis | None = None
    approved_codes: tuple[CodeText, ...] | None = None
    """New codes of approved requests for a new tag."""
    unapproved_codes: tuple[CodeText, ...] | None = None
    """Own codes that took the place of an earlier one without an approval (擅自换标)."""
    corrected: dict[str, Id] | None = None
    """Field that a correction changed (更正) → id of the correcting entry; the old value stays in the history."""

    def is_marked(self, kind: Literal["seized", "lost", "recall"]) -> bool:
        """Whether a mark of this kind stands."""
        return self.marks is not None and any(mark.startswith(f"{kind}/") for mark in self.marks)

    def basis_of(self, company_id: str | None) -> FillBasis | None:
        """Why a company's stations may fill it: its own (自有), or in its custody on a basis; None if neither."""
        if self.owner_id == company_id:
            return "owned"
        return self.custody_basis if self.custodian_id == company_id else None


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
        return _begun(entry, event)
    apply = _CHANGES.get(type(event))
    if apply is None:
        raise StateError(f"{entry.type} is not an event of a cylinder")
    if state.status == "withdrawn" and not isinstance(event, _KEPT_AFTER_WITHDRAWAL):
        raise StateError(f"{entry.type} cannot follow: the registration of this cylinder was withdrawn")
    return changed(state, {"n": entry.n + 1, **apply(state, entry, event)})


def replay(entries: Iterable[Entry]) -> CylinderState | None:
    """The state that a cylinder's entries add up to, in recorded order; None without entries."""
    state = None
    for entry in entries:
        state = next_state(state, entry, entry.event())
    return state


def _begun(entry: Entry, event: events.Event) -> CylinderState:
    """A chain may begin with the maker's record: the cylinder is its maker's until it is registered."""
    if not isinstance(event, events.CylinderMade):
        raise StateError(f"{entry.type} before cylinder_registered")
    return CylinderState(
        cylinder_id=cylinder_id_of(entry.subject),
        n=entry.n + 1,
        stamp=event.stamp,
        owner_id=event.maker_id,
        in_service_on=event.made_on,
        status="made",
        status_since=entry.at,
        made=_made_state(event),
    )


def _registered(state: CylinderState | None, entry: Entry, event: events.CylinderRegistered) -> CylinderState:
    if state is not None and state.status != "made":
        raise StateError("a cylinder is registered once; a correction is another event")
    if state is not None:  # what was said of it since it was made goes on: its codes, and every mark
        return changed(
            state, {**_on_file(entry, event), "registration_no": event.registration_no or state.registration_no}
        )
    return CylinderState(cylinder_id=cylinder_id_of(entry.subject), **_on_file(entry, event))


def _on_file(entry: Entry, event: events.CylinderRegistered) -> Change:
    return {
        "n": entry.n + 1,
        "stamp": event.stamp,
        "owner_id": event.owner_id,
        "registration_no": event.registration_no,
        "in_service_on": event.in_service_on,
        "status": "empty",
        "status_since": entry.at,
        "technical": event.technical,
        "region": event.region,
    }


def _made_state(event: events.CylinderMade) -> MadeState:
    return MadeState(
        maker_id=event.maker_id,
        made_on=event.made_on,
        certificate_no=event.certificate_no,
        batch_no=event.batch_no,
    )


def _made(state: CylinderState, entry: Entry, event: events.CylinderMade) -> Change:
    if state.made is not None:
        raise StateError("a cylinder is made once; a correction is another event")
    return {"made": _made_state(event)}


def _use_registered(state: CylinderState, entry: Entry, event: events.UseRegistered) -> Change:
    if state.registration_no not in (None, event.registration_no):
        raise StateError(f"it is registered as {state.registration_no}; a cylinder has one live registration")
    return {"registration_no": event.registration_no}


def _registration_cancelled(state: CylinderState, entry: Entry, event: events.RegistrationCancelled) -> Change:
    return {"cancellation_no": event.receipt_no, **_moved(state, entry, "cancelled")}


def _moved(state: CylinderState, entry: Entry, status: Status) -> Change:
    """The change to `status`, unless something that occurred later, or an end, stands against it."""
    if state.status in _FINAL or status in _FINAL:
        return _ended(state, entry, status)
    if entry.at < state.status_since:
        return {}
    return {"status": status, "status_since": entry.at}


def _ended(state: CylinderState, entry: Entry, status: Status) -> Change:
    """The change to an end: the furthest end holds, since the earliest moment that anybody stated it."""
    if _rank(status) < _rank(state.status):
        return {}
    since = min(entry.at, state.status_since) if status == state.status else entry.at
    return {"status": status, "status_since": since}


def _rank(status: Status) -> int:
    return _FINAL.index(status) + 1 if status in _FINAL else 0


def _code_bound(state: CylinderState, entry: Entry, event: events.CodeBound) -> Change:
    if event.code in state.voided_codes:  # told after its end: a dead code does not live again
        return {}
    return {"codes": (*state.codes, event.code), **_unapproved(state, event)}


def _unapproved(state: CylinderState, event: events.CodeBound) -> Change:
    """A second own code needs an approved request for a new tag; aliases are names that it has already."""
    earlier = [code for code in (*state.codes, *state.voided_codes) if _is_own(code)]
    if not earlier or not _is_own(event.code) or event.code in (state.approved_codes or ()):
        return {}
    return {"unapproved_codes": (*(state.unapproved_codes or ()), event.code)}


def _is_own(code: str) -> bool:
    return ":" not in code


def _code_voided(state: CylinderState, entry: Entry, event: events.CodeVoided) -> Change:
    return _without_code(state, event.code)


def _without_code(state: CylinderState, dead: str) -> Change:
    known = dead in state.voided_codes
    return {
        "codes": tuple(code for code in state.codes if code != dead),
        "voided_codes": state.voided_codes if known else (*state.voided_codes, dead),
    }


def _retag_requested(state: CylinderState, entry: Entry, event: events.RetagRequested) -> Change:
    return {"retags": {**(state.retags or {}), entry.id: event.old_code}}


def _retag_approved(state: CylinderState, entry: Entry, event: events.RetagApproved) -> Change:
    retags = _settled(state, event.request_id)
    if (state.retags or {})[event.request_id] != event.old_code:
        raise StateError(f"request {event.request_id} is about another code than {event.old_code}")
    approved = tuple(sorted({*(state.approved_codes or ()), event.new_code}))
    kept = tuple(code for code in state.unapproved_codes or () if code != event.new_code) or None
    change: Change = {"retags": retags, "approved_codes": approved, "unapproved_codes": kept}
    return {**change, **_without_code(state, event.old_code)}


def _retag_refused(state: CylinderState, entry: Entry, event: events.RetagRefused) -> Change:
    return {"retags": _settled(state, event.request_id)}


def _settled(state: CylinderState, request_id: str) -> dict[str, str] | None:
    """The requests that stay open when one is answered; raises StateError if that one is not open."""
    if request_id not in (state.retags or {}):
        raise StateError(f"there is no open request {request_id} for a new tag")
    return {key: code for key, code in (state.retags or {}).items() if key != request_id} or None


def _registration_withdrawn(state: CylinderState, entry: Entry, event: events.RegistrationWithdrawn) -> Change:
    # A recall falls on it by its stamp alone; the mistake may be that very stamp.
    held = state.is_marked("seized") or state.is_marked("lost")
    lived = state.fills or state.voided_codes or state.flags or state.transferred_on or held
    if state.status != "empty" or lived:
        raise StateError("the cylinder has lived since it was registered; its registration is not withdrawn")
    return {"status": "withdrawn", "status_since": max(entry.at, state.status_since), "codes": ()}


def _transferred(state: CylinderState, entry: Entry, event: events.OwnershipTransferred) -> Change:
    if event.from_owner_id != state.owner_id:
        raise StateError(f"owner is {state.owner_id}, not {event.from_owner_id}")
    return {
        "owner_id": event.to_owner_id,
        "transferred_on": format_day(local_day(entry.recorded_at)),
        "transfer_cosigned": event.cosigned,
    }


def _handed_over(state: CylinderState, entry: Entry, event: events.HandedOver) -> Change:
    if entry.at < (state.custody_since or 0):
        return {}
    # A right to fill it comes with both signatures only; who has it is known from one.
    basis = event.basis if event.cosigned else None
    return {"custodian_id": event.to_holder_id, "custody_since": entry.at, "custody_basis": basis}


def _inspected(state: CylinderState, entry: Entry, event: events.Inspected) -> Change:
    missing = MANDATORY_ITEMS.difference(MANDATORY_ITEMS if event.items is None else event.items)
    if event.result == "passed" and missing:
        raise StateError(f"a passed inspection needs every mandatory item; missing: {', '.join(sorted(missing))}")
    inspection = InspectionState(
        inspected_month=event.inspected_month,
        next_due_month=event.next_due_month,
        result=event.result,
        recorded_on=format_day(local_day(entry.at)),
        items_complete=None if event.items is None else not missing,
        body_licensed=event.body_licensed,
        items_recorded=event.items_recorded,
    )
    # It ends the stay at the inspection body and keeps the sending's moment: a movement told late is held against
    # that, whichever of the three was recorded first.
    ends_stay = state.status == "in_inspection" and entry.at >= state.status_since
    change: Change = {"status": "empty"} if ends_stay else {}
    if state.inspection and _inspection_order(inspection) < _inspection_order(state.inspection):
        return change
    stamp = state.stamp.model_copy(update={"tare_g": event.tare_g}) if event.tare_g else state.stamp
    return {**change, "inspection": inspection, "stamp": stamp}


def _inspection_order(inspection: InspectionState) -> tuple[str, str]:
    return inspection.inspected_month, inspection.recorded_on


def _evaluated(state: CylinderState, entry: Entry, event: events.Evaluated) -> Change:
    at = entry.at
    if state.evaluated_at is not None and at < state.evaluated_at:
        return {}
    return {"evaluated_until": event.valid_until_month if event.passed else None, "evaluated_at": at}


def _condemned(state: CylinderState, entry: Entry, event: events.Condemned) -> Change:
    return _moved(state, entry, "condemned")


def _destroyed(state: CylinderState, entry: Entry, event: events.Destroyed) -> Change:
    return _moved(state, entry, "destroyed")


def _flagged(state: CylinderState, entry: Entry, event: events.Flagged) -> Change:
    if entry.at < state.flagged_at.get(event.flag, 0):
        return {}
    return {
        "flags": tuple(sorted({*state.flags, event.flag})),
        "flagged_at": {**state.flagged_at, event.flag: entry.at},
    }


def _flag_cleared(state: CylinderState, entry: Entry, event: events.FlagCleared) -> Change:
    if entry.at < state.flagged_at.get(event.flag, 0):
        return {}
    return {
        "flags": tuple(flag for flag in state.flags if flag != event.flag),
        "flagged_at": {**state.flagged_at, event.flag: entry.at},
    }


def _seized(state: CylinderState, entry: Entry, event: events.Seized) -> Change:
    return _marked(state, entry, f"seized/{event.authority_id}")


def _released(state: CylinderState, entry: Entry, event: events.Released) -> Change:
    return _unmarked(state, entry, f"seized/{event.authority_id}")


def _lost(state: CylinderState, entry: Entry, event: events.ReportedLost) -> Change:
    return _marked(state, entry, f"lost/{event.holder_id}")


def _found(state: CylinderState, entry: Entry, event: events.Found) -> Change:
    return _unmarked(state, entry, f"lost/{event.holder_id}")


def _recalled(state: CylinderState, entry: Entry, event: events.Recalled) -> Change:
    return _marked(state, entry, f"recall/{event.recall_id}")


def _recall_lifted(state: CylinderState, entry: Entry, event: events.RecallLifted) -> Change:
    return _unmarked(state, entry, f"recall/{event.recall_id}")


def _marked(state: CylinderState, entry: Entry, mark: str) -> Change:
    if entry.at < (state.lifted or {}).get(mark, 0):
        return {}
    marks = state.marks or {}
    return {"marks": {**marks, mark: max(entry.at, marks.get(mark, 0))}}


def _unmarked(state: CylinderState, entry: Entry, mark: str) -> Change:
    """Lift a mark that was set before; of one moment the mark holds. The lifting is kept for marks told late."""
    marks, lifted = state.marks or {}, state.lifted or {}
    change: Change = {"lifted": {**lifted, mark: max(entry.at, lifted.get(mark, 0))}}
    if mark in marks and entry.at > marks[mark]:
        change["marks"] = {key: at for key, at in marks.items() if key != mark} or None
    return change


def _fill_decided(state: CylinderState, entry: Entry, event: events.FillDecided) -> Change:
    at = min(event.request.requested_at, entry.recorded_at)
    if state.last_seen_at is not None and at < state.last_seen_at:
        return {}
    return {"last_seen_station_id": event.request.station_id, "last_seen_at": at}


def _fill_started(state: CylinderState, entry: Entry, event: events.FillStarted) -> Change:
    # Once the valve was open nobody may take the cylinder for empty, whether or not the fill's end is ever told.
    return _moved(state, entry, "filled")


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


def _left_station(state: CylinderState, entry: Entry, event: events.LeftStation) -> Change:
    return _moved(state, entry, "in_delivery")


def _sent_to_inspection(state: CylinderState, entry: Entry, event: events.SentToInspection) -> Change:
    change = _moved(state, entry, "in_inspection")
    back = state.inspection and format_day(local_day(entry.at)) < state.inspection.recorded_on
    return {**change, "status": "empty"} if back and change.get("status") == "in_inspection" else change


def _valve_changed(state: CylinderState, entry: Entry, event: events.ValveChanged) -> Change:
    if state.valve is not None and entry.at < state.valve.changed_at:
        return {}
    valve = ValveState(maker=event.maker, serial=event.serial, made_month=event.made_month, changed_at=entry.at)
    return {"valve": valve}


_CORRECTABLE = {
    ("cylinder_registered", "in_service_on"): ("", "in_service_on"),
    ("cylinder_registered", "registration_no"): ("", "registration_no"),
    ("use_registered", "registration_no"): ("", "registration_no"),
    ("inspected", "inspected_month"): ("inspection", "inspected_month"),
    ("inspected", "next_due_month"): ("inspection", "next_due_month"),
    ("inspected", "tare_g"): ("stamp", "tare_g"),
    ("valve_changed", "serial"): ("valve", "serial"),
    ("cylinder_made", "batch_no"): ("made", "batch_no"),
    ("cylinder_registered", "region"): ("", "region"),
    **{("cylinder_registered", f"stamp.{name}"): ("stamp", name) for name in Stamp.model_fields},
    **{("cylinder_registered", f"technical.{name}"): ("technical", name) for name in TechnicalFile.model_fields},
}
"""(event, field) → where the state keeps it. A correction of anything else is history only."""


def _corrected(state: CylinderState, entry: Entry, event: events.Corrected) -> Change:
    if event.approver_id == entry.by:
        raise StateError("a correction needs a second person; its author cannot approve it")
    group, name = _CORRECTABLE.get((event.entry_type, event.field), ("", ""))
    holder: Frozen | None = getattr(state, group) if group else state
    if not name or holder is None or getattr(holder, name) != event.was:
        return {}
    try:
        mended = type(holder).model_validate({**dict(holder), name: event.now})
    except ValueError as error:
        raise StateError(f"{event.field} cannot be {event.now!r}: {first_fault(error)}") from error
    change: Change = {group: mended} if group else {name: getattr(mended, name)}
    return {**change, "corrected": {**(state.corrected or {}), event.field: entry.id}}


def _kept(state: CylinderState, entry: Entry, event: events.Event) -> Change:
    """Nothing but history: what is read from the entries themselves, not from the state."""
    return {}


# What a station did before it heard of the withdrawal happened all the same; the ledger disputes it.
_KEPT_AFTER_WITHDRAWAL = (
    events.PrefillChecked,
    events.FillDecided,
    events.FillStarted,
    events.Filled,
    events.PostfillChecked,
    events.Reweighed,
    events.DisputeRaised,
    events.DisputeResolved,
)

_CHANGES: dict[type[events.Event], Callable[[CylinderState, Entry, Any], Change]] = {
    events.CylinderMade: _made,
    events.UseRegistered: _use_registered,
    events.RegistrationWithdrawn: _registration_withdrawn,
    events.RegistrationCancelled: _registration_cancelled,
    events.CodeBound: _code_bound,
    events.CodeVoided: _code_voided,
    events.RetagRequested: _retag_requested,
    events.RetagApproved: _retag_approved,
    events.RetagRefused: _retag_refused,
    events.OwnershipTransferred: _transferred,
    events.HandedOver: _handed_over,
    events.PrefillChecked: _kept,
    events.FillDecided: _fill_decided,
    events.FillStarted: _fill_started,
    events.Filled: _filled,
    events.PostfillChecked: _kept,
    events.Reweighed: _kept,
    events.LeftStation: _left_station,
    events.Sold: _sold,
    events.SafetyChecked: _kept,
    events.Returned: _returned,
    events.SentToInspection: _sent_to_inspection,
    events.InspectionItemRecorded: _kept,
    events.ValveChanged: _valve_changed,
    events.Inspected: _inspected,
    events.Evaluated: _evaluated,
    events.Condemned: _condemned,
    events.Destroyed: _destroyed,
    events.Flagged: _flagged,
    events.FlagCleared: _flag_cleared,
    events.Seized: _seized,
    events.Released: _released,
    events.ReportedLost: _lost,
    events.Found: _found,
    events.Recalled: _recalled,
    events.RecallLifted: _recall_lifted,
    events.Corrected: _corrected,
    events.DisputeRaised: _kept,
    events.DisputeResolved: _kept,
}
