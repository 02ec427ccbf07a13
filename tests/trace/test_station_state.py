"""What a station's events add up to, and the facts that a decision takes from it."""

import pytest

from cylinder_trace import events
from cylinder_trace.admission import decide_fill
from cylinder_trace.chain import EMPTY, next_head, seal
from cylinder_trace.events import Event, state_event
from cylinder_trace.station import StationState, facts_for, next_station_state
from vectors.admission.cases import base_case

GOOD = base_case()
LICENSED = events.StationLicensed(company_id="company-1", licence_no="L-1", valid_until="2029-12-31", region="330000")
VERIFIED = events.ScaleVerified(scale_id="scale-1", valid_until="2029-12-31")
CERTIFIED = events.WorkerCertified(worker_id="worker-1", valid_until="2029-12-31")
LOCKED = events.ScaleLocked(scale_id="scale-1", authority_id="authority-1", cause="check")
UNLOCKED = events.ScaleUnlocked(scale_id="scale-1", authority_id="authority-1", cause="checked")


def station(*told: Event) -> StationState:
    state, head = None, EMPTY
    for number, event in enumerate(told):
        record = state_event(event, id=f"act-{number}", subject="station/station-1", occurred_at=number, by="account-1")
        sealed = seal(record, head, 1_000 + number)
        head = next_head(sealed)
        state = next_station_state(state, sealed.entry, event)
    assert state is not None
    return state


def refusals(state: StationState | None, **request: str) -> tuple[str, ...]:
    asked = GOOD.request.model_copy(update=request)
    facts = facts_for(state, asked, GOOD.now, 0)
    return decide_fill(asked, GOOD.cylinder, facts, GOOD.book, GOOD.now).codes


def test_a_station_with_licence_verified_scale_and_certified_filler_may_fill() -> None:
    assert refusals(station(LICENSED, VERIFIED, CERTIFIED)) == ()


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        ((VERIFIED, CERTIFIED), ("R10", "R60")),
        ((LICENSED, CERTIFIED), ("R62",)),
        ((LICENSED, VERIFIED), ("R61",)),
        ((LICENSED, VERIFIED, CERTIFIED, LOCKED), ("R63",)),
        ((LICENSED, VERIFIED, CERTIFIED, LOCKED, UNLOCKED), ()),
        ((LICENSED, LOCKED, VERIFIED, CERTIFIED), ("R63",)),
        ((LICENSED, VERIFIED, CERTIFIED, LICENSED.model_copy(update={"suspended": True})), ("R60",)),
    ],
)
def test_what_a_station_lacks_is_refused_by_its_own_reason(told: tuple[Event, ...], codes: tuple[str, ...]) -> None:
    assert refusals(station(*told)) == codes


def test_an_unknown_scale_or_filler_is_not_taken_for_a_known_one() -> None:
    state = station(LICENSED, VERIFIED, CERTIFIED)
    assert refusals(state, scale_id="scale-2") == ("R62",)
    assert refusals(state, worker_id="worker-2") == ("R61",)
    nobody = GOOD.request.model_copy(update={"worker_id": None})
    assert facts_for(state, nobody, GOOD.now, 0).worker_certified_until is None


def test_an_unknown_station_has_nothing_in_order() -> None:
    assert refusals(None) == ("R10", "R60", "R61", "R62")
    assert refusals(station(LICENSED, VERIFIED, CERTIFIED), station_id="station-2") == ("R10", "R60", "R61", "R62")


def test_a_lock_on_one_scale_leaves_the_others_free() -> None:
    other = VERIFIED.model_copy(update={"scale_id": "scale-2"})
    state = station(LICENSED, VERIFIED, other, CERTIFIED, LOCKED)
    assert refusals(state, scale_id="scale-2") == ()


def test_a_scan_refused_for_want_of_a_cylinder_only_counts() -> None:
    decision = decide_fill(GOOD.request, None, GOOD.station, GOOD.book, GOOD.now)
    refused = events.FillDecided(request=GOOD.request, station=GOOD.station, decision=decision, decided_by="service")
    before, after = station(LICENSED), station(LICENSED, refused)
    assert after == before.model_copy(update={"n": 2})


def test_the_facts_say_how_old_they_are_and_what_the_clock_is_worth() -> None:
    facts = facts_for(station(LICENSED), GOOD.request, 12_345, None)
    assert (facts.data_as_of, facts.clock_skew_ms) == (12_345, None)
