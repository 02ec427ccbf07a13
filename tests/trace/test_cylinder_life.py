"""The life of a cylinder as sentences: what its events add up to, however late they are told."""

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cylinder_trace import events
from cylinder_trace.admission import decide_fill
from cylinder_trace.chain import EMPTY, next_head, seal
from cylinder_trace.cylinder import STATUS_ZH, CylinderState, StateError, Status, next_state, replay
from cylinder_trace.dates import DAY_MS, HOUR_MS
from cylinder_trace.events import Entry, Event, state_event
from cylinder_trace.vocabulary.inspecting import MANDATORY_ITEMS
from vectors.admission.cases import base_case

GOOD = base_case()
assert GOOD.cylinder is not None
STAMP = GOOD.cylinder.stamp
T0 = GOOD.now - 60 * DAY_MS
CODE = GOOD.cylinder.codes[0]
S = "ab" * 32

REGISTERED = events.CylinderRegistered(
    stamp=STAMP, owner_id="company-1", registration_no="EXAMPLE-0001", in_service_on="2022-06-01"
)
BOUND = events.CodeBound(code=CODE)
INSPECTED = events.Inspected(
    body_id="body-1", inspected_month="2026-05", next_due_month="2030-05", result="passed", report_no="R-1"
)
FAILED = INSPECTED.model_copy(update={"result": "failed", "next_due_month": None})
FILLED = events.Filled(
    check_id="check-1",
    station_id="station-1",
    scale_id="scale-1",
    lane=1,
    worker_id="worker-1",
    started_at=T0,
    ended_at=T0 + 170_000,
    empty_gross_g=16_600,
    full_gross_g=31_000,
    net_g=14_500,
    ended_because="limit_reached",
)
SOLD = events.Sold(
    order_no="order-1",
    point_id="point-1",
    worker_id="worker-2",
    customer_id="customer-1",
    identity_commitment=S,
    safety_check_passed=True,
)
RETURNED = events.Returned(station_id="station-1")
SENT = events.SentToInspection(body_id="body-1")
CONDEMNED = events.Condemned(body_id="body-1", cause="wall too thin")
DESTROYED = events.Destroyed(body_id="body-1", method="cut", evidence_sha256=(S,))
EVALUATED = events.Evaluated(body_id="body-1", passed=True, valid_until_month="2034-05", report_no="E-1")
NOT_EVALUATED = EVALUATED.model_copy(update={"passed": False, "valid_until_month": None})
RECALLED = events.Flagged(flag="recalled", authority_id="authority-1", cause="batch")
CLEARED = events.FlagCleared(flag="recalled", authority_id="authority-1", cause="checked again")
BLACK = events.Flagged(flag="black", authority_id="authority-1", cause="found")
VOIDED = events.CodeVoided(code=CODE, cause="label lost")
TRANSFERRED = events.OwnershipTransferred(from_owner_id="company-1", to_owner_id="company-2", cosigned=True)
WITHDRAWN = events.RegistrationWithdrawn(import_id="import-1", company_id="company-1", cause="columns shifted")
DISPUTED = events.DisputeRaised(about_id="check-1", kind="outcome_differs", message="two accounts")


def decided(station_id: str = "station-1", requested_at: int = T0) -> events.FillDecided:
    request = GOOD.request.model_copy(update={"station_id": station_id, "requested_at": requested_at})
    decision = decide_fill(request, GOOD.cylinder, GOOD.station, GOOD.book, requested_at)
    return events.FillDecided(request=request, station=GOOD.station, decision=decision, decided_by="station")


Told = Event | tuple[Event, int] | tuple[Event, int, int]


def chain(*told: Told) -> list[Entry]:
    """Entries of one cylinder: an event, or (event, occurred_at), or (event, occurred_at, recorded_at).

    Events without a time occur a minute apart; what is recorded is recorded at once or, if told late, last.
    """
    entries, head, recorded_at = [], EMPTY, 0
    for number, item in enumerate((REGISTERED, BOUND, INSPECTED, *told)):
        event, *times = item if isinstance(item, tuple) else (item,)
        occurred_at = times[0] if times else T0 + number * 60_000
        recorded_at = max(recorded_at, times[1] if len(times) > 1 else occurred_at)
        record = state_event(
            event, id=f"act-{number}", subject="cylinder/cyl_1", occurred_at=occurred_at, by="account-1"
        )
        sealed = seal(record, head, recorded_at)
        head = next_head(sealed)
        entries.append(sealed.entry)
    return entries


def life(*told: Told) -> CylinderState:
    state = replay(chain(*told))
    assert state is not None
    return state


def refusals(state: CylinderState, now: int = GOOD.now, **request: Any) -> tuple[str, ...]:
    asked = GOOD.request.model_copy(update={"requested_at": now, **request})
    station = GOOD.station.model_copy(update={"data_as_of": now})
    return decide_fill(asked, state, station, GOOD.book, now).codes


# --- an inspection and its items ------------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", [*sorted(MANDATORY_ITEMS), None])
def test_the_fold_takes_no_passed_inspection_that_lacks_a_mandatory_item(lacking: str | None) -> None:
    items = tuple(sorted(MANDATORY_ITEMS - {lacking})) if lacking else ()
    with pytest.raises(StateError, match=lacking or "airtightness"):
        life(INSPECTED.model_copy(update={"items": items}))
    failed = life(FAILED.model_copy(update={"items": items})).inspection
    assert failed is not None
    assert (failed.result, failed.items_complete) == ("failed", False)


def test_of_a_cylinder_taken_over_only_the_mark_is_known_and_nobody_says_that_its_items_were_done() -> None:
    inspection = life(INSPECTED).inspection
    assert inspection is not None
    assert (inspection.items_complete, inspection.items_recorded) == (None, None)


# --- a life told in order -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ((), "empty"),
        ((FILLED,), "filled"),
        ((FILLED, SOLD), "at_customer"),
        ((FILLED, SOLD, RETURNED), "empty"),
        ((FILLED, SOLD, RETURNED, FILLED), "filled"),
        ((SENT,), "in_inspection"),
        ((SENT, INSPECTED), "empty"),
        ((SENT, FAILED), "empty"),
        ((SENT, FAILED, CONDEMNED), "condemned"),
        ((CONDEMNED, DESTROYED), "destroyed"),
        ((DESTROYED,), "destroyed"),
        ((FILLED, DISPUTED), "filled"),
        ((FILLED, INSPECTED), "filled"),
        ((FILLED, RECALLED), "filled"),
    ],
)
def test_where_a_cylinder_is_follows_from_what_happened_to_it(told: tuple[Event, ...], status: str) -> None:
    assert life(*told).status == status


def test_every_whereabouts_has_a_chinese_word() -> None:
    assert set(STATUS_ZH) == {*get_args(Status)}


def test_a_fill_is_counted_and_remembered() -> None:
    state = life(
        FILLED, RETURNED, (FILLED.model_copy(update={"ended_at": T0 + HOUR_MS, "net_g": 14_000}), T0 + HOUR_MS)
    )
    assert (state.fills, state.last_net_g, state.last_filled_at) == (2, 14_000, T0 + HOUR_MS)
    assert state.last_filled_station_id == "station-1"


def test_an_inspection_reweighs_the_tare() -> None:
    reweighed = INSPECTED.model_copy(update={"inspected_month": "2026-06", "tare_g": 16_300})
    assert life(reweighed).stamp.tare_g == 16_300
    assert life(INSPECTED).stamp.tare_g == STAMP.tare_g


def test_a_flag_stands_until_it_is_cleared_and_flags_do_not_hide_each_other() -> None:
    assert life(RECALLED, BLACK).flags == ("black", "recalled")
    assert life(RECALLED, RECALLED).flags == ("recalled",)
    assert life(RECALLED, BLACK, CLEARED).flags == ("black",)
    assert life(CLEARED).flags == ()


def test_an_evaluation_that_fails_takes_back_one_that_passed() -> None:
    assert life(EVALUATED).evaluated_until == "2034-05"
    assert life(EVALUATED, NOT_EVALUATED).evaluated_until is None


def test_only_the_owner_can_hand_a_cylinder_over() -> None:
    state = life(TRANSFERRED)
    assert (state.owner_id, state.transfer_cosigned) == ("company-2", True)
    with pytest.raises(StateError, match="owner is company-2, not company-1"):
        life(TRANSFERRED, TRANSFERRED)


def test_a_cylinder_is_registered_first_and_once() -> None:
    with pytest.raises(StateError, match="registered once"):
        life(REGISTERED)
    entry = chain(FILLED)[-1]
    with pytest.raises(StateError, match="filled before cylinder_registered"):
        next_state(None, entry, entry.event())


@pytest.mark.parametrize(
    "event",
    [
        events.ScaleLocked(scale_id="scale-1", authority_id="authority-1", cause="check"),
        events.HeadSigned(seq=1, head=S, signature="x"),
        events.RulebookPublished(rulebook_id="b", version="1", text="x"),
    ],
)
def test_what_happens_to_others_does_not_happen_to_a_cylinder(event: Event) -> None:
    with pytest.raises(StateError, match="is not an event of a cylinder"):
        life(event)


def test_a_registration_belongs_to_a_cylinder() -> None:
    record = state_event(REGISTERED, id="a", subject="station/station-1", occurred_at=T0, by="account-1")
    entry = seal(record, EMPTY, T0).entry
    with pytest.raises(StateError, match="station/station-1 is not a cylinder"):
        next_state(None, entry, REGISTERED)


def test_without_entries_there_is_no_cylinder() -> None:
    assert replay([]) is None


# --- two fills never without a return -----------------------------------------------------------------------


@pytest.mark.parametrize("between", [(), (SOLD,), (DISPUTED,), (SOLD, INSPECTED)])
def test_two_fills_need_a_return_between(between: tuple[Event, ...]) -> None:
    assert "R69" in refusals(life(FILLED, *between))
    assert "R69" not in refusals(life(FILLED, *between, RETURNED))


def test_a_return_that_happened_before_the_fill_does_not_free_the_cylinder_when_told_late() -> None:
    state = life((FILLED, T0 + 2 * HOUR_MS), (RETURNED, T0 + HOUR_MS, T0 + 3 * HOUR_MS))
    assert state.status == "filled"
    assert "R69" in refusals(state)


def test_of_two_events_of_one_moment_the_one_recorded_later_holds() -> None:
    assert life((FILLED, T0), (RETURNED, T0)).status == "empty"
    assert life((RETURNED, T0), (FILLED, T0)).status == "filled"


def test_a_return_dated_ahead_does_not_hide_the_fills_that_follow() -> None:
    state = life((RETURNED, T0 + 9_000 * DAY_MS, T0 + HOUR_MS), (FILLED, T0 + 2 * HOUR_MS), (SOLD, T0 + 3 * HOUR_MS))
    assert state.status == "at_customer"


def test_a_sale_dated_ahead_does_not_keep_the_cylinder_away_for_ever() -> None:
    state = life((SOLD, T0 + 9_000 * DAY_MS, T0 + HOUR_MS), (RETURNED, T0 + 2 * HOUR_MS))
    assert state.status == "empty"


def test_a_fill_told_late_counts_but_does_not_move_the_cylinder_back() -> None:
    state = life((FILLED, T0 + HOUR_MS), (RETURNED, T0 + 3 * HOUR_MS), (FILLED, T0 + 2 * HOUR_MS, T0 + 4 * HOUR_MS))
    assert (state.status, state.fills) == ("empty", 2)


# --- what late or back-dated telling must not bring back --------------------------------------------------------


def test_a_pass_that_happened_before_a_failure_does_not_lift_it_when_told_late() -> None:
    state = life((FAILED, T0 + 2 * DAY_MS), (INSPECTED, T0 + DAY_MS, T0 + 3 * DAY_MS))
    assert state.inspection is not None
    assert state.inspection.result == "failed"
    assert "R21" in refusals(state)


def test_a_later_pass_lifts_a_failure() -> None:
    assert "R21" not in refusals(life((FAILED, T0 + DAY_MS), (INSPECTED, T0 + 2 * DAY_MS)))


def test_an_older_ring_told_late_changes_nothing() -> None:
    older = INSPECTED.model_copy(update={"inspected_month": "2025-01", "next_due_month": "2029-01", "tare_g": 15_000})
    assert life(older).inspection == life().inspection
    assert life(older).stamp == STAMP


def test_a_ring_dated_ahead_stays_incredible_although_its_author_dates_the_inspection_ahead_too() -> None:
    ahead = INSPECTED.model_copy(update={"inspected_month": "2026-11", "next_due_month": "2030-11"})
    state = life((ahead, GOOD.now - 1, GOOD.now - 40 * DAY_MS))
    assert state.inspection is not None
    assert state.inspection.recorded_on == "2026-10-13"
    assert "R22" in refusals(state)


def test_a_passed_evaluation_told_late_does_not_lift_the_failure_that_followed_it() -> None:
    state = life((NOT_EVALUATED, T0 + 2 * DAY_MS), (EVALUATED, T0 + DAY_MS, T0 + 3 * DAY_MS))
    assert state.evaluated_until is None


def test_a_clearance_told_late_does_not_lift_the_flag_that_followed_it() -> None:
    state = life((RECALLED, T0 + 2 * DAY_MS), (CLEARED, T0 + DAY_MS, T0 + 3 * DAY_MS))
    assert state.flags == ("recalled",)
    assert "R36" in refusals(state)
    assert life((RECALLED, T0 + 2 * DAY_MS), (CLEARED, T0 + 3 * DAY_MS)).flags == ()


def test_the_waiting_time_after_a_transfer_counts_from_its_recording_not_from_the_date_its_parties_give() -> None:
    dated_back = life((TRANSFERRED, T0 - 400 * DAY_MS, GOOD.now - HOUR_MS))
    assert "R15" in refusals(dated_back)
    assert "R15" not in refusals(life((TRANSFERRED, GOOD.now - 31 * DAY_MS)))


def test_a_scan_dated_ahead_does_not_blind_the_search_for_a_copied_code() -> None:
    state = life((decided("station-2", GOOD.now + 9_000 * DAY_MS), GOOD.now, GOOD.now - HOUR_MS))
    assert state.last_seen_at == GOOD.now - HOUR_MS
    later = next_state(state, chain((decided("station-3", GOOD.now), GOOD.now))[-1], decided("station-3", GOOD.now))
    assert later.last_seen_station_id == "station-3"
    assert "R03" in refusals(later)


def test_a_scan_told_late_does_not_hide_a_newer_one() -> None:
    state = life((decided("station-2", T0 + HOUR_MS), T0 + HOUR_MS), (decided("station-3", T0), T0, T0 + 2 * HOUR_MS))
    assert (state.last_seen_station_id, state.last_seen_at) == ("station-2", T0 + HOUR_MS)


# --- laws ---------------------------------------------------------------------------------------------------

LIVELY = [FILLED, SOLD, RETURNED, SENT, INSPECTED, FAILED, EVALUATED, NOT_EVALUATED, RECALLED, CLEARED, BLACK, BOUND]
LIVELY += [DISPUTED, decided(), decided("station-2")]
TIMES = st.integers(T0 - 30 * DAY_MS, T0 + 300 * DAY_MS)
TOLD = st.tuples(st.sampled_from(LIVELY), TIMES, TIMES)
END = st.sampled_from([CONDEMNED, DESTROYED, VOIDED])
laws = settings(max_examples=60)


@laws
@given(st.lists(TOLD, max_size=8), st.sampled_from([CONDEMNED, DESTROYED]), TIMES, st.lists(TOLD, max_size=8))
def test_a_scrapped_cylinder_stays_dead_whatever_is_told_before_or_after(
    before: list[Any], end: Event, at: int, after: list[Any]
) -> None:
    state = life(*before, (end, at, at), *after)
    assert state.status == end.type
    for now in (at, GOOD.now, GOOD.now + 3_000 * DAY_MS):
        decision = decide_fill(GOOD.request, state, GOOD.station, GOOD.book, now)
        assert not decision.permits
        assert "R30" in decision.codes


@laws
@given(st.lists(TOLD | st.tuples(st.just(CONDEMNED), TIMES, TIMES), max_size=8))
def test_destroyed_follows_condemned_and_nothing_follows_destroyed(told: list[Any]) -> None:
    assert life(*told, (DESTROYED, T0, T0)).status == "destroyed"
    assert life((DESTROYED, T0, T0), *told, CONDEMNED).status == "destroyed"


@laws
@given(st.lists(TOLD, max_size=6), TIMES, st.lists(TOLD, max_size=6))
def test_a_cancelled_code_stays_dead_for_ever(before: list[Any], at: int, after: list[Any]) -> None:
    state = life(*before, (VOIDED, at, at), *after)
    assert "R05" in refusals(state)


@laws
@given(st.lists(TOLD, max_size=10), st.integers(0, 13))
def test_a_life_replayed_in_two_parts_is_the_same_life(told: list[Any], cut: int) -> None:
    entries = chain(*told)
    state = replay(entries[:cut])
    for entry in entries[cut:]:
        state = next_state(state, entry, entry.event())
    assert state == replay(entries)


@laws
@given(st.lists(TOLD, max_size=10))
def test_a_state_comes_back_from_its_stored_text(told: list[Any]) -> None:
    state = life(*told)
    assert CylinderState.model_validate_json(state.model_dump_json(exclude_none=True)) == state
    assert state.n == len(told) + 3


@laws
@given(st.lists(TOLD, max_size=8), st.sampled_from([RECALLED, BLACK]), st.lists(TOLD, max_size=8))
def test_no_late_event_lifts_a_flag(before: list[Any], flag: events.Flagged, after: list[Any]) -> None:
    earlier = [(event, min(occurred, T0 - 1), recorded) for event, occurred, recorded in before]
    late = [(event, T0 - DAY_MS, recorded) for event, _occurred, recorded in after]
    assert flag.flag in life(*earlier, (flag, T0, T0 + 400 * DAY_MS), *late).flags


@laws
@given(st.lists(TOLD, max_size=8), st.sampled_from([FILLED, SOLD, SENT]), st.lists(TOLD, max_size=8))
def test_no_late_event_moves_a_cylinder(before: list[Any], move: Event, after: list[Any]) -> None:
    now = T0 + 400 * DAY_MS
    late = [(event, occurred - 100 * DAY_MS, now) for event, occurred, _recorded in after]
    assert life(*before, (move, now, now), *late).status == life(*before, (move, now, now)).status


# --- a registration taken back ------------------------------------------------------------------------------


def test_a_withdrawn_registration_leaves_a_cylinder_without_codes() -> None:
    state = life(WITHDRAWN)
    assert (state.status, state.codes, state.voided_codes) == ("withdrawn", (), ())


def test_a_withdrawn_cylinder_is_to_the_decision_as_if_it_were_not_on_file() -> None:
    assert refusals(life(WITHDRAWN)) == ("R02",)


@pytest.mark.parametrize("told", [FILLED, SENT, CONDEMNED, DESTROYED, VOIDED, RECALLED, TRANSFERRED])
def test_a_cylinder_that_has_lived_is_not_withdrawn(told: Event) -> None:
    with pytest.raises(StateError, match="has lived"):
        life(told, WITHDRAWN)


@pytest.mark.parametrize(
    "told", [BOUND, INSPECTED, EVALUATED, SOLD, RETURNED, SENT, CONDEMNED, RECALLED, TRANSFERRED, WITHDRAWN]
)
def test_nothing_but_what_a_station_had_done_already_follows_on_a_withdrawal(told: Event) -> None:
    with pytest.raises(StateError, match="was withdrawn"):
        life(WITHDRAWN, told)


def test_a_fill_that_a_station_tells_after_the_withdrawal_is_kept_and_brings_nothing_back() -> None:
    state = life(WITHDRAWN, decided(), FILLED, DISPUTED)
    assert (state.status, state.fills, state.codes) == ("withdrawn", 1, ())
