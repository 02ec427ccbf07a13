"""What the later events add to a state: maker, tags, custody, marks, ends, corrections; gas lots, recalls, papers."""

from typing import Any

import pytest

from cylinder_trace import events
from cylinder_trace.admission import decide_fill
from cylinder_trace.chain import EMPTY, next_head, seal
from cylinder_trace.cylinder import CylinderState, StateError
from cylinder_trace.dates import DAY_MS
from cylinder_trace.events import Entry, Event, state_event
from cylinder_trace.lots import LotState
from cylinder_trace.recalls import RecallState
from cylinder_trace.standing import CompanyState, WorkerState
from cylinder_trace.subjects import SubjectState, format_state, next_subject_state, parse_state
from vectors.admission.cases import base_case

GOOD = base_case()
assert GOOD.cylinder is not None
STAMP = GOOD.cylinder.stamp
CODE = GOOD.cylinder.codes[0]
T0 = GOOD.now - 60 * DAY_MS
MADE = events.CylinderMade(
    maker_id="maker-1", stamp=STAMP, made_on="2022-05-20", certificate_no="QC-1", batch_no="B2205"
)
REGISTERED = events.CylinderRegistered(stamp=STAMP, owner_id="company-1", in_service_on="2022-06-01")
USE = events.UseRegistered(registration_no="EXAMPLE-0001", authority_id="authority-1", registered_on="2022-06-15")
BOUND = events.CodeBound(code=CODE)
INSPECTED = events.Inspected(
    body_id="body-1", inspected_month="2026-05", next_due_month="2030-05", result="passed", report_no="R-1"
)
ON_FILE = (REGISTERED, USE, BOUND, INSPECTED)
CANCELLED = events.RegistrationCancelled(authority_id="authority-1", receipt_no="C-1", cause="scrapped")
DESTROYED = events.Destroyed(body_id="body-1", method="cut", evidence_sha256=("ab" * 32,))
CONDEMNED = events.Condemned(body_id="body-1", cause="wall too thin")
LEFT = events.LeftStation(station_id="station-1", worker_id="worker-2")
RETURNED = events.Returned(station_id="station-1")
STARTED = events.FillStarted(
    check_id="check-1", station_id="station-1", scale_id="scale-1", lane=1, worker_id="worker-1", empty_gross_g=16_600
)
ASKED = events.RetagRequested(old_code=CODE, cause="label lost", stamp_serial_seen=STAMP.serial)
RECALLED = events.Recalled(recall_id="recall-1", cause="valve")
FREED = events.RecallLifted(recall_id="recall-1", cause="valve changed")
SEIZED = events.Seized(authority_id="authority-1", document_no="1", cause="found at the roadside")
RELEASED = events.Released(authority_id="authority-1", document_no="2", cause="papers in order")
LOST = events.ReportedLost(holder_id="company-1", cause="gone")
FOUND = events.Found(holder_id="company-1", cause="there again")

Told = Event | tuple[Event, int]


def told(subject: str, *events_told: Told) -> SubjectState:
    """The state after these events, an hour apart; (event, ms) is told late or early with the moment it occurred."""
    state: SubjectState | None = None
    head = EMPTY
    for number, item in enumerate(events_told):
        event, at = item if isinstance(item, tuple) else (item, T0 + number * 3_600_000)
        record = state_event(event, id=f"act-{number}", subject=subject, occurred_at=at, by="account-1")
        sealed = seal(record, head, T0 + DAY_MS + number)
        head = next_head(sealed)
        state = next_subject_state(state, sealed.entry, event)
        assert parse_state(subject, format_state(state)) == state
    assert state is not None
    return state


def life(*events_told: Told, on_file: tuple[Event, ...] = ON_FILE) -> CylinderState:
    state = told("cylinder/cyl_1", *on_file, *events_told)
    assert isinstance(state, CylinderState)
    return state


def refusals(state: CylinderState) -> tuple[str, ...]:
    return decide_fill(GOOD.request, state, GOOD.station, GOOD.book, GOOD.now).codes


# --- made, registered, ended --------------------------------------------------------------------------------


def test_a_life_begins_with_the_maker_and_the_cylinder_is_nobodys_to_fill_until_it_is_registered() -> None:
    made = life(on_file=(MADE,))
    assert (made.status, made.owner_id) == ("made", "maker-1")
    assert {"R10", "R69"} <= set(refusals(made))
    registered = life(on_file=(MADE, *ON_FILE))
    assert refusals(registered) == ()
    assert registered.made is not None
    assert registered.made.batch_no == "B2205"


def test_a_makers_record_told_after_the_registration_adds_the_batch_and_changes_nothing_else() -> None:
    before, after = life(), life(MADE)
    assert after == before.model_copy(update={"n": before.n + 1, "made": after.made})


def test_a_cylinder_is_made_once_and_registered_once() -> None:
    with pytest.raises(StateError, match="made once"):
        life(MADE, MADE)
    with pytest.raises(StateError, match="registered once"):
        life(REGISTERED, on_file=(MADE, *ON_FILE))


def test_a_cylinder_has_one_live_registration() -> None:
    assert life(USE).registration_no == "EXAMPLE-0001"
    with pytest.raises(StateError, match="one live registration"):
        life(USE.model_copy(update={"registration_no": "EXAMPLE-0002"}))


@pytest.mark.parametrize("before", [(), (CONDEMNED,), (LEFT,), (STARTED,)])
@pytest.mark.parametrize("after", [(), (RETURNED,), (CONDEMNED,), (STARTED,), (USE,), (BOUND,)])
def test_a_cancelled_registration_absorbs(before: tuple[Event, ...], after: tuple[Event, ...]) -> None:
    state = life(*before, CANCELLED, *after)
    assert (state.status, state.cancellation_no) == ("cancelled", "C-1")
    assert "R30" in refusals(state)


def test_a_destroyed_cylinder_stays_destroyed_when_its_registration_is_cancelled() -> None:
    for state in (life(DESTROYED, CANCELLED), life(CANCELLED, DESTROYED)):
        assert (state.status, state.cancellation_no) == ("destroyed", "C-1")


# --- tags ---------------------------------------------------------------------------------------------------


def approval(**changes: Any) -> events.RetagApproved:
    fields = {"request_id": "act-4", "old_code": CODE, "new_code": "NEW", "approver_id": "authority-1", **changes}
    return events.RetagApproved(**fields)


def test_a_tag_is_replaced_only_after_approval_and_the_old_code_is_dead_for_ever() -> None:
    asked = life(ASKED)
    assert asked.retags == {"act-4": CODE}
    assert refusals(asked) == ("R06",)
    approved = life(ASKED, approval(), events.CodeBound(code="NEW"))
    assert (approved.codes, approved.voided_codes, approved.retags) == (("NEW",), (CODE,), None)
    assert "R05" in refusals(approved)


def test_nobody_approves_a_tag_that_nobody_asked_for_or_twice_or_another() -> None:
    with pytest.raises(StateError, match="no open request act-4"):
        life(approval())
    with pytest.raises(StateError, match="no open request act-4"):
        life(ASKED, approval(), approval())
    with pytest.raises(StateError, match="about another code"):
        life(ASKED, approval(old_code="OTHER"))


def test_a_refused_tag_leaves_the_old_one_alive() -> None:
    refused = life(ASKED, events.RetagRefused(request_id="act-4", approver_id="authority-1", cause="label is whole"))
    assert (refused.codes, refused.retags) == ((CODE,), None)


def test_a_code_bound_after_its_end_was_told_does_not_live() -> None:
    state = life((events.CodeVoided(code="X", cause="lost"), T0 + DAY_MS), events.CodeBound(code="X"))
    assert "X" not in state.codes
    assert state.voided_codes == ("X",)


# --- whereabouts and marks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("event", "status"), [(STARTED, "filled"), (LEFT, "in_delivery")])
def test_once_the_valve_was_open_or_the_cylinder_left_it_is_not_filled_before_it_comes_back(
    event: Event, status: str
) -> None:
    assert life(event).status == status
    assert refusals(life(event)) == ("R69",)
    assert refusals(life(event, RETURNED)) == ()


@pytest.mark.parametrize(
    ("mark", "lift", "kind", "code"),
    [(RECALLED, FREED, "recall", "R36"), (LOST, FOUND, "lost", "R38"), (SEIZED, RELEASED, "seized", None)],
)
def test_a_mark_stands_until_the_same_side_lifts_it_later(
    mark: Event, lift: Event, kind: Any, code: str | None
) -> None:
    assert life(mark).is_marked(kind)
    assert code is None or code in refusals(life(mark))
    assert not life(mark, lift).is_marked(kind)
    assert life((mark, T0 + DAY_MS), (lift, T0)).is_marked(kind)
    assert not life((lift, T0 + DAY_MS), (mark, T0)).is_marked(kind)
    assert life((mark, T0), (lift, T0)).is_marked(kind)


def test_what_one_side_lifts_does_not_lift_anothers_mark() -> None:
    assert life(RECALLED, FREED.model_copy(update={"recall_id": "recall-2"})).is_marked("recall")
    assert life(SEIZED, RELEASED.model_copy(update={"authority_id": "authority-2"})).is_marked("seized")
    flag = events.Flagged(flag="lost", authority_id="authority-1", cause="theft")
    assert "R38" in refusals(life(flag, LOST, FOUND))


def test_the_last_hand_over_says_who_has_it_and_a_late_one_does_not() -> None:
    first = events.HandedOver(from_holder_id="company-1", to_holder_id="carrier-1", cosigned=True)
    second = events.HandedOver(from_holder_id="carrier-1", to_holder_id="point-1", cosigned=True)
    assert life((second, T0 + DAY_MS), (first, T0)).custodian_id == "point-1"
    assert life(first).owner_id == "company-1"


def test_an_inspection_that_ended_a_stay_ends_it_also_when_the_sending_is_told_later() -> None:
    sent = events.SentToInspection(body_id="body-1")
    later = INSPECTED.model_copy(update={"inspected_month": "2026-10"})
    assert life((later, T0 + DAY_MS), (sent, T0 - 5 * DAY_MS)).status == "empty"
    assert life((sent, T0 + 10_000_000_000)).status == "in_inspection"


# --- corrections --------------------------------------------------------------------------------------------


def corrected(**changes: Any) -> events.Corrected:
    fields = {"entry_id": "act-3", "entry_type": "inspected", "field": "inspected_month", "was": "2026-05",
              "now": "2026-04", "reason": "ring read again", "approver_id": "account-2"}  # fmt: skip
    return events.Corrected(**{**fields, **changes})


def test_a_correction_is_applied_on_top_and_says_which_entry_did_it() -> None:
    state = life(corrected())
    assert state.inspection is not None
    assert state.inspection.inspected_month == "2026-04"
    assert state.corrected == {"inspected_month": "act-4"}


def test_a_correction_of_what_a_newer_fact_has_replaced_is_history_only() -> None:
    newer = INSPECTED.model_copy(update={"inspected_month": "2026-10"})
    state = life(newer, corrected())
    assert state.inspection is not None
    assert (state.inspection.inspected_month, state.corrected) == ("2026-10", None)
    assert life(corrected(entry_type="filled", field="net_g", was=14_500, now=14_400)) == life().model_copy(
        update={"n": 5}
    )


def test_the_steel_is_corrected_as_integers_or_text_of_its_own_kind() -> None:
    tare = corrected(entry_type="cylinder_registered", field="stamp.tare_g", was=STAMP.tare_g, now=16_550)
    assert life(tare).stamp.tare_g == 16_550
    serial = corrected(entry_type="cylinder_registered", field="stamp.serial", was=STAMP.serial, now="A9")
    assert life(serial).stamp.serial == "A9"
    for wrong in (tare.model_copy(update={"now": "16550"}), serial.model_copy(update={"now": 9})):
        with pytest.raises(StateError, match="cannot be"):
            life(wrong)
    with pytest.raises(StateError, match=r"inspected_month cannot be '2026-13'"):
        life(corrected(now="2026-13"))


def test_nobody_corrects_alone() -> None:
    with pytest.raises(StateError, match="second person"):
        life(corrected(approver_id="account-1"))


def test_no_correction_brings_a_scrapped_cylinder_back() -> None:
    state = life(DESTROYED, corrected(entry_type="destroyed", field="method", was="cut", now="burst"))
    assert state.status == "destroyed"


# --- lots, recalls, papers ----------------------------------------------------------------------------------

RECEIVED = events.GasLotReceived(
    station_id="station-1", supplier_id="company-3", product="lpg", mass_g=19_850_000, document_no="D-1"
)
TESTED = events.GasLotTested(laboratory_id="laboratory-1", report_no="T-1", passed=True, dimethyl_ether_ppm=0)
LET_GO = events.GasLotReleased(released_by="company-1", report_no="T-1")
BLOCKED = events.GasLotBlocked(blocked_by="authority-1", cause="complaint")


def lot(*events_told: Told) -> LotState:
    state = told("lot/lot-1", *events_told)
    assert isinstance(state, LotState)
    return state


def test_a_gas_lot_is_released_after_its_test_and_a_later_block_holds_however_it_is_told() -> None:
    state = lot(RECEIVED, TESTED, LET_GO)
    assert (state.product, state.test_passed, state.standing) == ("lpg", True, "released")
    assert lot(RECEIVED, (BLOCKED, T0 + DAY_MS), (LET_GO, T0)).standing == "blocked"
    assert lot(RECEIVED, (LET_GO, T0), (BLOCKED, T0)).standing == "blocked"
    assert lot(RECEIVED, (BLOCKED, T0), (LET_GO, T0)).standing == "blocked"
    assert lot(RECEIVED, (BLOCKED, T0), (LET_GO, T0 + 1)).standing == "released"


def test_a_gas_lot_is_received_once() -> None:
    with pytest.raises(StateError, match="received once"):
        lot(RECEIVED, RECEIVED)


def test_a_failed_test_told_late_does_not_undo_the_one_that_followed() -> None:
    failed = TESTED.model_copy(update={"passed": False})
    assert lot((TESTED, T0 + DAY_MS), (failed, T0)).test_passed is True


def test_a_recall_is_opened_once_and_closed_for_good() -> None:
    opened = events.RecallOpened(issuer_id="maker-1", maker=STAMP.maker, batch_no="B2205", cause="valve")
    closed = events.RecallClosed(issuer_id="maker-1", cause="all checked")
    state = told("recall/recall-1", opened)
    assert isinstance(state, RecallState)
    assert (state.open, state.batch_no, state.model) == (True, "B2205", None)
    after = told("recall/recall-1", opened, closed)
    assert isinstance(after, RecallState)
    assert not after.open
    with pytest.raises(StateError, match="opened once"):
        told("recall/recall-1", opened, closed, opened)
    with pytest.raises(StateError, match="before recall_opened"):
        told("recall/recall-1", closed)


def test_of_two_statements_about_a_paper_the_later_one_holds_however_it_is_told() -> None:
    given = events.CertificateRecorded(
        certificate_no="P-1",
        scope="filling",
        authority_id="authority-1",
        valid_from="2026-01-01",
        valid_until="2029-12-31",
    )
    revoked = given.model_copy(update={"standing": "revoked", "banned_until": "2029-11-22"})
    worker = told("worker/worker-1", (revoked, T0 + DAY_MS), (given, T0))
    assert isinstance(worker, WorkerState)
    assert worker.certificates["P-1"].standing == "revoked"
    licence = events.LicenceRecorded(
        licence_no="L-1", scope="filling", authority_id="authority-1", valid_from="2026-01-01", valid_until="2029-12-31"
    )
    company = told("company/company-1", licence, licence.model_copy(update={"standing": "suspended"}))
    assert isinstance(company, CompanyState)
    assert company.licences["L-1"].standing == "suspended"


@pytest.mark.parametrize("subject", ["lot/l", "worker/w", "company/c", "recall/r", "device/d", "rulebook/b"])
def test_what_happens_to_a_cylinder_does_not_happen_to_others(subject: str) -> None:
    with pytest.raises(StateError):
        told(subject, RETURNED)


def test_an_entry_counts_from_when_it_occurred_but_never_from_after_its_recording() -> None:
    fields: dict[str, Any] = {
        "id": "a",
        "subject": "cylinder/c",
        "type": "returned",
        "by": "a",
        "data": {"station_id": "s"},
        "n": 0,
    }
    entry = Entry(**fields, prev="0" * 64, occurred_at=5, recorded_at=9)
    assert (entry.at, entry.model_copy(update={"occurred_at": 12}).at) == (5, 9)
