"""What ends an opened fill (充装结束), whichever comes first; the scale's own log says when its valve shut."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cylinder_trace.admission import decide_fill
from cylinder_trace.decision import FillRequest
from cylinder_trace.events import DisputeRaised, FillDecided, Filled, PrefillChecked
from cylinder_trace.fill_acts import PREFILL, doubts_about_fill, doubts_about_prefill
from cylinder_trace.rulebook import RulebookError, parse_rulebook
from station_agent import words
from station_agent.devices.scanner import Badge, Finding, Scan, Statement
from station_agent.lane import LaneState
from station_agent.service import ServiceDecision
from stations.bench import ScriptedService
from stations.floors import EMPTY_G, FILLER, TARE_G, FloorHouse, code_of, cylinder, with_book
from vectors.admission.cases import base_case

STOP_AT_G = TARE_G + 14_500


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FloorHouse]:
    house = FloorHouse(tmp_path, simulated_s_per_read=0.1)  # slow enough to come in between
    for lane in (1, 2):
        house.take(Badge(lane, FILLER, False))
    yield house
    house.close()


def _begin(house: FloorHouse, number: int = 1, lane: int = 1) -> None:
    """Gas flows at a lane."""
    house.scales[lane].carry(EMPTY_G)
    house.take(Scan(lane, code_of(number), False))
    house.wait_for(lambda: (house.now.lane(lane).view.gross_g or 0) >= EMPTY_G + 100)


def _only_fill(house: FloorHouse) -> Filled:
    (fill,) = house.events(Filled)
    assert isinstance(fill, Filled)
    return fill


def test_the_stop_weight_ends_it(house: FloorHouse) -> None:
    _begin(house)
    house.settle(1)
    assert _only_fill(house).ended_because == "limit_reached"
    assert STOP_AT_G <= _only_fill(house).full_gross_g <= STOP_AT_G + 100


# ---------------------------------------------------------------- the longest time


def _longest(model: str, for_model: str) -> str:
    """The rulebook's text, with a longest fill of `for_model`."""
    text = base_case().book_text.replace("longest_fill_seconds = 900", "longest_fill_seconds = 600")
    head = f'[models."{model}"]'
    assert head in text
    return text.replace(head, f"{head}\n{for_model}" if for_model else head)


@pytest.mark.parametrize(
    ("model", "for_model", "seconds"),
    [("YSP35.5", "longest_fill_seconds = 20", 20), ("YSP118", "longest_fill_seconds = 20", 600), ("YSP35.5", "", 600)],
)
def test_a_model_may_have_its_own_longest_fill(model: str, for_model: str, seconds: int) -> None:
    assert parse_rulebook(_longest(model, for_model)).longest_fill_seconds("YSP35.5") == seconds
    assert parse_rulebook(_longest(model, for_model)).longest_fill_seconds("of no known model") == 600


def test_a_longest_fill_that_nobody_could_mean_is_refused_by_its_place() -> None:
    with pytest.raises(RulebookError, match="longest_fill_seconds"):
        parse_rulebook(_longest("YSP35.5", "longest_fill_seconds = 0"))


def test_the_longest_time_of_its_model_ends_it_and_is_what_the_service_measures_by(tmp_path: Path) -> None:
    case = with_book(base_case(), _longest("YSP35.5", "longest_fill_seconds = 20"))
    house = FloorHouse(tmp_path, case=case, simulated_s_per_read=0.02)  # hardly anything flows
    house.take(Badge(1, FILLER, False))
    _begin(house)
    house.settle(1)
    fill, decided = _only_fill(house), house.events(FillDecided)[-1]
    message = house.now.lane(1).view.message
    house.close()
    assert fill.ended_because == "stopped"
    assert message == words.NOT_FULL, "two ticks alone would say that it is full"
    assert 20_000 <= fill.ended_at - fill.started_at < 60_000
    too_long = replace_time(fill, 25_000)
    about = ("cylinder/cyl_00000000000000000000000001", decided, case.book)
    assert [doubt.kind for doubt in doubts_about_fill(too_long, *about, "YSP35.5")] == ["fill_too_long"]
    assert doubts_about_fill(too_long, *about, "YSP118") == []


def replace_time(fill: Filled, lasted_ms: int) -> Filled:
    return fill.model_copy(update={"ended_at": fill.started_at + lasted_ms})


# ---------------------------------------------------------------- link, lock, denial, news


def test_a_scale_that_is_lost_ends_it_with_the_last_weight_seen(house: FloorHouse) -> None:
    _begin(house)
    house.scales[1].lost = True
    house.settle(1)
    assert _only_fill(house).ended_because == "fault"
    assert house.now.lane(1).state is LaneState.FAULT


def test_a_regulators_lock_ends_it(house: FloorHouse) -> None:
    _begin(house)
    house.locked = frozenset({"scale-1"})
    house.learn()
    house.settle(1)
    assert _only_fill(house).ended_because == "stopped"
    assert _only_fill(house).full_gross_g < STOP_AT_G
    assert house.now.lane(1).view.message == words.LOCKED
    assert house.scales[1].events("valve_shut")[-1].cause == "command"


class SlowService(ScriptedService):
    """A service that answers when a test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()

    async def decide(self, request: FillRequest) -> ServiceDecision:
        await self.may_answer.wait()
        return await super().decide(request)


def test_a_denial_of_the_service_ends_it(tmp_path: Path) -> None:
    slow = SlowService()
    house = FloorHouse(tmp_path, simulated_s_per_read=0.1, service=slow)
    slow.case = replace(house.case, cylinder=cylinder(1, flags=("black",)))
    house.take(Badge(1, FILLER, False))
    _begin(house)
    slow.may_answer.set()
    house.settle(1)
    house.wait_for(lambda: house.events(DisputeRaised))
    fill, disputes, message = _only_fill(house), house.events(DisputeRaised), house.now.lane(1).view.message
    house.close()
    assert fill.full_gross_g < STOP_AT_G
    assert message == words.DENIED_LATE
    assert [event.kind for event in disputes] == ["late_denial"]


def test_news_that_the_cylinder_was_flagged_ends_it_and_is_on_record(house: FloorHouse) -> None:
    _begin(house)
    house.cylinders[1] = cylinder(1, flags=("black",), n=5)
    house.learn()
    house.settle(1)
    house.wait_for(lambda: house.events(DisputeRaised))
    fill, (dispute,) = _only_fill(house), house.events(DisputeRaised)
    assert (fill.ended_because, fill.full_gross_g < STOP_AT_G) == ("stopped", True)
    assert (dispute.about_id, dispute.kind) == (fill.check_id, "revoked")
    assert "R32" in dispute.message
    assert house.now.lane(1).view.message == words.STOPPED_BY_NEWS
    assert house.said("revoked")[0]["reasons"] == ["R32"]


def test_news_about_other_cylinders_ends_nothing(house: FloorHouse) -> None:
    _begin(house)
    house.cylinders[2] = cylinder(2, flags=("black",), n=5)
    house.learn()
    house.settle(1)
    assert _only_fill(house).ended_because == "limit_reached"


def test_a_machine_that_sleeps_between_decision_and_start_opens_nothing_afterwards(house: FloorHouse) -> None:
    house.service.delay_s = 0.2
    house.scales[1].carry(EMPTY_G)
    house.take(Scan(1, code_of(1), False), then_s=0.1)
    assert house.now.lane(1).state is LaneState.DECIDING
    house.late_ms += 181_000
    house.settle(1)
    assert house.scales[1].events("valve_opened") == []
    assert house.now.lane(1).view.message == words.STARTED_TOO_LATE
    house.service.delay_s = 0.0
    house.scan(1, 1)
    assert _only_fill(house).ended_because == "limit_reached"


# ---------------------------------------------------------------- two at once


def test_the_same_code_at_two_lanes_is_filled_at_one_and_refused_at_the_other(house: FloorHouse) -> None:
    _begin(house, lane=1)
    house.scales[2].carry(EMPTY_G)
    house.scan(2, 1)
    assert house.scales[2].events("valve_opened") == []
    decided = house.events(FillDecided)[-1]
    assert decided.decision.codes == ("R03",)
    assert decided.decision.reasons[0].detail == {"because": "at_another_lane", "lane": 1}
    house.settle(1)
    assert _only_fill(house).lane == 1
    house.scan(2, 1)
    assert house.events(FillDecided)[-1].decision.codes == ("R69",), "now it is full"


def test_two_scans_of_one_code_in_the_same_moment_open_one_valve(house: FloorHouse) -> None:
    for lane in (1, 2):
        house.scales[lane].carry(EMPTY_G)
    house.take(Scan(1, code_of(1), False), Scan(2, code_of(1), False))
    house.settle(1, 2)
    assert len(house.scales[1].events("valve_opened")) + len(house.scales[2].events("valve_opened")) == 1


def test_that_refusal_is_taken_again_from_what_stands_in_its_record(house: FloorHouse) -> None:
    _begin(house, lane=1)
    house.scales[2].carry(EMPTY_G)
    house.scan(2, 1)
    decided = house.events(FillDecided)[-1]
    again = decide_fill(decided.request, cylinder(1), decided.station, house.case.book, decided.decision.decided_at)
    assert (again.outcome, again.reasons) == (decided.decision.outcome, decided.decision.reasons)


def test_two_cylinders_are_filled_at_two_lanes_at_once(house: FloorHouse) -> None:
    _begin(house, 1, lane=1)
    _begin(house, 2, lane=2)
    house.settle(1, 2)
    assert sorted(fill.lane for fill in house.events(Filled)) == [1, 2]


def test_a_scan_at_the_lane_during_its_fill_is_turned_away_and_noted(house: FloorHouse) -> None:
    _begin(house)
    house.take(Scan(1, code_of(2), False))
    assert house.said("busy")[0]["raw_scan"] == code_of(2)
    house.settle(1)
    assert [event.request.code for event in house.events(FillDecided)] == [code_of(1)]
    assert len(house.scales[1].events("valve_opened")) == 1


def test_what_a_card_says_during_a_fill_is_about_the_next_cylinder(house: FloorHouse) -> None:
    _begin(house, 1)
    house.take(Finding(1, "valve_damaged", False))
    house.settle(1)
    house.fill(2)
    assert house.events(FillDecided)[-1].decision.codes == ("R41",)


def test_a_fill_whose_record_the_journal_did_not_take_keeps_its_cylinder_from_every_other_lane(
    house: FloorHouse,
) -> None:
    _begin(house, lane=1)
    house.now.journal._rows("create trigger full before insert on records begin select raise(abort, 'full'); end")
    house.settle(1)
    assert house.now.lane(1).state is LaneState.FAULT
    house.now.journal._rows("drop trigger full")
    house.scales[2].carry(EMPTY_G)
    house.scan(2, 1)
    assert house.events(FillDecided)[-1].decision.codes == ("R03",)
    house.scan(1, "anything: the lane closes what it left open")
    assert _only_fill(house).full_gross_g > EMPTY_G
    assert house.scales[2].events("valve_opened") == []


def test_a_fill_whose_record_comes_late_tells_what_was_weighed_at_its_end_and_not_what_stands_there_then(
    house: FloorHouse,
) -> None:
    _begin(house)
    house.now.journal._rows("create trigger full before insert on records begin select raise(abort, 'full'); end")
    house.settle(1)
    full_gross_g = house.scales[1].log[-1].gross_g
    house.now.journal._rows("drop trigger full")
    house.fill(2)
    late, _ = house.events(Filled)
    assert (late.full_gross_g, late.ended_because) == (full_gross_g, "limit_reached")


def test_a_fill_during_which_the_disk_fails_is_shut_and_recorded_with_the_last_weight_seen(house: FloorHouse) -> None:
    _begin(house)
    seen_g = house.now.lane(1).view.gross_g or 0
    house.now.journal._rows("create trigger full before insert on starts begin select raise(abort, 'full'); end")
    house.settle(1)
    house.now.journal._rows("drop trigger full")
    house.fill(2)
    late = house.events(Filled)[0]
    assert late.ended_because == "fault"
    assert seen_g <= late.full_gross_g < STOP_AT_G


# ---------------------------------------------------------------- the list before the fill


def test_where_somebody_states_that_the_list_was_gone_through_all_seventeen_items_are_on_record(
    house: FloorHouse,
) -> None:
    house.scales[1].carry(EMPTY_G)
    house.scan(1, 1, "checked")
    (checked,), (decided,) = house.events(PrefillChecked), house.events(FillDecided)
    assert [item.item for item in checked.items] == list(PREFILL)
    assert checked.passed
    assert checked.check_id == decided.request.check_id
    assert doubts_about_prefill(checked, decided) == []
    assert [record.type for record in house.records()][-3:] == ["prefill_checked", "fill_decided", "filled"]


def test_an_exception_shown_by_a_card_is_the_item_that_failed(house: FloorHouse) -> None:
    house.scales[1].carry(EMPTY_G)
    house.take(Finding(1, "valve_damaged", False), Statement(1, "checked", False))
    house.scan(1, 1)
    (checked,), (decided,) = house.events(PrefillChecked), house.events(FillDecided)
    assert [(item.item, item.remark) for item in checked.items if not item.passed] == [("P12", "valve_damaged R41")]
    assert doubts_about_prefill(checked, decided) == []
    assert [item.item for item in house.now.lane(1).view.list_items if not item.passed] == ["P12"]


def test_without_that_statement_there_is_no_list_and_where_it_is_required_no_gas(tmp_path: Path) -> None:
    text = base_case().book_text.replace('prefill_check = "if_stated"', 'prefill_check = "required"')
    house = FloorHouse(tmp_path, case=with_book(base_case(), text))
    house.take(Badge(1, FILLER, False))
    house.fill(1)
    codes, lists = house.events(FillDecided)[-1].decision.codes, house.events(PrefillChecked)
    house.scan(1, 1, "checked")
    filled = house.events(Filled)
    house.close()
    assert (codes, lists) == (("R64",), [])
    assert len(filled) == 1
