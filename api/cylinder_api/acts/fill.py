"""The fill check (准充) and the fill (充装): the path that everything else is built around.

scan → read the code again → what the ledger knows → decide_fill → record the decision → answer
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from cylinder_api.acts.common import FUTURE_SLACK_MS, SERVICE, raise_dispute, rulebook_in_force
from cylinder_api.acts.recalling import mark_filled
from cylinder_codes.keys import SigningKey
from cylinder_codes.legacy_forms import ScanForms
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_trace.admission import decide_fill
from cylinder_trace.decision import Decision, FillRequest, StationFacts
from cylinder_trace.decision_note import inputs_hash, sign_decision
from cylinder_trace.enactment import RulebookState, version_named
from cylinder_trace.events import (
    Entry,
    FillDecided,
    Filled,
    PostfillChecked,
    PrefillChecked,
    Record,
    Reweighed,
    state_event,
)
from cylinder_trace.fill_acts import (
    Doubt,
    doubts_about_fill,
    doubts_about_postfill,
    doubts_about_prefill,
    doubts_about_reweighing,
)
from cylinder_trace.lots import LotState
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.station import facts_for
from cylinder_trace.store.unit import Hints, IdConflict, Receipt, Unit
from cylinder_trace.values import Count, Frozen, Grams, Id, Instant


class Checked(NamedTuple):
    """A decision, and where it stands in the ledger."""

    decision: Decision
    receipt: Receipt


def check_fill(unit: Unit, request: FillRequest, device_id: str, rulebook_id: str, key: SigningKey) -> Checked:
    """Decide whether gas may flow, and record the decision; asked again, the recorded decision is the answer.

    `request` is the one that `read_again` gives; `key` is the ledger's, which signs the decision. Raises IdConflict
    when the check_id was used for another question, Refused when no rulebook is in force.
    """
    if (decided := unit.entry(request.check_id)) is not None:
        return _same_answer(unit, decided, request)
    cylinder = unit.cylinder_by_code(request.code) if request.code else None
    skew = request.requested_at - unit.now
    station, lot = unit.station(request.station_id), _lot(unit, request)
    facts = facts_for(station, request, data_as_of=unit.now, clock_skew_ms=skew, lot=lot, now=unit.now)
    decision = decide_fill(request, cylinder, facts, rulebook_in_force(unit, rulebook_id), unit.now)
    event = _signed(request, facts, decision, key)
    receipt = unit.append(_decision_record(event, unit.now, device_id))
    return Checked(decision, receipt)


def _lot(unit: Unit, request: FillRequest) -> LotState | None:
    """The gas lot that the request names, if it came in at the request's station."""
    state = unit.subject(f"lot/{request.lot_id}").state if request.lot_id else None
    return state if isinstance(state, LotState) and state.station_id == request.station_id else None


def hints_for(request: FillRequest, rulebook_id: str) -> Hints:
    """What `check_fill` will look up, so that one query reads it for all checks of a group commit."""
    subjects = [f"station/{request.station_id}", f"rulebook/{rulebook_id}"]
    if request.lot_id:
        subjects.append(f"lot/{request.lot_id}")
    return Hints((request.check_id,), subjects, (request.code,) if request.code else ())


def read_again(asked: FillRequest, forms: ScanForms) -> FillRequest:
    """The request with the code that the service itself reads in the raw scan: the client's reading is not trusted."""
    read = read_scan(asked.raw_scan, forms.hosts, forms.legacy_forms)
    if isinstance(read, ReadFailure):
        return asked.model_copy(update={"code": None, "unreadable_because": str(read.kind)})
    return asked.model_copy(update={"code": read.text, "unreadable_because": None})


def _same_answer(unit: Unit, decided: Entry, request: FillRequest) -> Checked:
    event = decided.event()
    if not isinstance(event, FillDecided) or event.request != request:
        raise IdConflict(f"check_id {request.check_id} was used for another question")
    return Checked(event.decision, unit.append(decided.record()))


def _signed(request: FillRequest, facts: StationFacts, decision: Decision, key: SigningKey) -> FillDecided:
    inputs = inputs_hash(request, facts, decision)
    return FillDecided(
        request=request,
        station=facts,
        decision=decision,
        decided_by="service",
        inputs_sha256=inputs,
        note=sign_decision(request, decision, inputs, key),
    )


def _decision_record(event: FillDecided, decided_at: int, device_id: str) -> Record:
    request, decision = event.request, event.decision
    # A scan that led to no cylinder on file is recorded in the station's own history.
    known = decision.cylinder_id
    named = (
        ("station", request.station_id),
        ("device", device_id),
        ("worker", request.worker_id),
        ("company", event.station.company_id),
    )
    return state_event(
        event,
        id=request.check_id,
        subject=f"cylinder/{known}" if known else f"station/{request.station_id}",
        occurred_at=decided_at,
        by=SERVICE,
        refs=tuple(f"{kind}/{id}" for kind, id in named if id),
    )


class FillReport(Frozen):
    """Gas went in (充装记录), told by a client that keeps no journal of its own."""

    id: Id
    check_id: Id
    scale_id: Id
    lane: Count
    worker_id: Id
    started_at: Instant
    ended_at: Instant
    empty_gross_g: Grams
    full_gross_g: Grams
    net_g: Grams
    ended_because: Literal["limit_reached", "stopped", "fault"]


class RecordedFill(NamedTuple):
    """A fill as it was recorded, and the kind of the dispute raised beside it, if any."""

    receipt: Receipt
    dispute: str | None


def report_fill(unit: Unit, report: FillReport, station_id: str, device_id: str) -> RecordedFill:
    """Record a reported fill in the history of the cylinder that its check was about, else in the station's."""
    fill = Filled(station_id=station_id, **report.model_dump(exclude={"id"}))
    decided = decision_about(unit, report.check_id)
    known = decided.decision.cylinder_id if decided else None
    record = state_event(
        fill,
        id=report.id,
        subject=f"cylinder/{known}" if known else f"station/{station_id}",
        occurred_at=report.ended_at,
        by=device_id,
        refs=(f"station/{station_id}", f"device/{device_id}", f"worker/{report.worker_id}"),
    )
    return record_fill(unit, record, fill)


def record_fill(unit: Unit, record: Record, fill: Filled) -> RecordedFill:
    """Record that gas went in. What happened is never rejected; what should not have happened is disputed."""
    receipt = unit.append(record)
    recorded = _disputed(unit, record, receipt, _doubts_about(unit, record, fill, receipt.n))
    decided, cylinder = decision_about(unit, fill.check_id), unit.cylinder(record.subject.partition("/")[2])
    # Told late it may be older than the cylinder's last fill; then the gas in it came from elsewhere.
    if decided and decided.request.lot_id and cylinder and cylinder.last_filled_at == fill.ended_at:
        mark_filled(unit, cylinder.cylinder_id, decided.request.lot_id, SERVICE)
    return recorded


def record_check(unit: Unit, record: Record, check: PrefillChecked | PostfillChecked | Reweighed) -> RecordedFill:
    """Record a list that was gone through, or a second weight; each doubt about it becomes a dispute."""
    return _disputed(unit, record, unit.append(record), _doubts_about_check(unit, check))


def _disputed(unit: Unit, record: Record, receipt: Receipt, doubts: Sequence[Doubt]) -> RecordedFill:
    """Raise a dispute for each doubt about an act that was recorded just now, in the history that it belongs to."""
    if not receipt.replayed:
        for doubt in doubts:
            raise_dispute(unit, record, record.subject, doubt.kind, f"{record.type} {record.id}: {doubt.message}")
    return RecordedFill(receipt, doubts[0].kind if doubts else None)


def _doubts_about(unit: Unit, record: Record, fill: Filled, n: int) -> list[Doubt]:
    """What is doubtful about a fill, entry `n` of its chain."""
    decided = decision_about(unit, fill.check_id)
    cylinder = unit.cylinder(record.subject.partition("/")[2])
    model = cylinder.stamp.model if cylinder else None
    doubts = doubts_about_fill(fill, record.subject, decided, _book_of(unit, decided), model)
    if cylinder is not None and cylinder.status == "withdrawn":
        doubts.insert(0, Doubt("registration_withdrawn", "the cylinder's registration had been withdrawn"))
    if fill.ended_at > unit.now + FUTURE_SLACK_MS:
        doubts.append(
            Doubt("ends_in_the_future", "its end lies after the service's clock; the device's clock is wrong")
        )
    has_permit = all(doubt.kind != "fill_without_permit" for doubt in doubts)
    if has_permit and _is_used(unit, record.subject, fill.check_id, n):
        doubts.append(Doubt("permit_used_twice", f"gas went in before under check {fill.check_id}"))
    return doubts


def _doubts_about_check(unit: Unit, check: PrefillChecked | PostfillChecked | Reweighed) -> list[Doubt]:
    decided = decision_about(unit, check.check_id)
    if isinstance(check, PrefillChecked):
        return doubts_about_prefill(check, decided)
    fill = _fill_under(unit, check.check_id)
    if isinstance(check, PostfillChecked):
        return doubts_about_postfill(check, fill)
    book = _book_of(unit, decided)
    return doubts_about_reweighing(check, fill, decided.decision.max_net_g if decided else None, book)


def _book_of(unit: Unit, decided: FillDecided | None) -> Rulebook | None:
    """The version of the rulebook that a decision was taken by; of one that was never published, the one in force."""
    if decided is None:
        return None
    rulebook_id, _, version = decided.decision.rulebook.partition("@")
    state = unit.subject(f"rulebook/{rulebook_id}").state
    quoted = version_named(state, version) if isinstance(state, RulebookState) else None
    return quoted or unit.rulebook(rulebook_id)


def _fill_under(unit: Unit, check_id: str) -> Filled | None:
    """The fill that quotes this check."""
    if (decided := unit.told(check_id)) is None:
        return None
    subject = decided.entry.subject
    return _fill_between(unit, check_id, subject, unit.subject(subject).head.n)


def _is_used(unit: Unit, subject: str, check_id: str, n: int) -> bool:
    """Whether a fill before entry `n` of the cylinder quotes this check."""
    return _fill_between(unit, check_id, subject, n) is not None


def _fill_between(unit: Unit, check_id: str, subject: str, before: int) -> Filled | None:
    """The first fill in a chain that quotes a check, behind that check's decision and ahead of entry `before`."""
    decided = unit.told(check_id)
    history = unit.told_between(subject, decided.entry.n, before) if decided else []
    return next((event for _, event in history if isinstance(event, Filled) and event.check_id == check_id), None)


def decision_about(unit: Unit, check_id: str) -> FillDecided | None:
    """The recorded decision with this check_id."""
    told = unit.told(check_id)
    return told.event if told and isinstance(told.event, FillDecided) else None
