"""After the fill (充装后): a second person weighs the full cylinder again and looks at it; what is wrong stays here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cylinder_trace.events import Filled, PostfillChecked, Record, Reweighed
from cylinder_trace.fill_acts import POSTFILL, doubts_about_postfill, doubts_about_reweighing
from station_agent import words
from station_agent.devices.scanner import Badge, Finding, Scan, Statement
from station_agent.lane import LaneState
from stations.floors import CHECKER, EMPTY_G, FILLER, STRANGER, TARE_G, FloorHouse, code_of

FILL, CHECK = 1, 3
SEAL = ("seal=S-001", "label=L-001")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FloorHouse]:
    house = FloorHouse(tmp_path)
    house.people(FILL)
    house.take(Badge(CHECK, CHECKER, False))
    yield house
    house.close()


def _fill_and_carry_over(house: FloorHouse, gross_g: int | None = None) -> Filled:
    """Fill cylinder 1 and put it on the check scale, where it may weigh what it likes."""
    house.fill(1, FILL)
    (fill,) = house.events(Filled)
    assert isinstance(fill, Filled)
    house.scales[CHECK].carry(fill.full_gross_g if gross_g is None else gross_g)
    return fill


def _checked(house: FloorHouse) -> tuple[Reweighed, PostfillChecked]:
    return house.events(Reweighed)[-1], house.events(PostfillChecked)[-1]


def test_a_full_cylinder_that_is_in_order_is_weighed_again_and_may_leave(house: FloorHouse) -> None:
    fill = _fill_and_carry_over(house)
    house.scan(CHECK, 1, *SEAL)
    weighed, checked = _checked(house)
    assert house.now.lane(CHECK).state is LaneState.CHECKED
    assert house.now.lane(CHECK).view.message == words.CHECKED
    assert (weighed.check_id, weighed.scale_id, weighed.worker_id) == (fill.check_id, "scale-3", CHECKER)
    assert (weighed.net_g, weighed.within_limit) == (fill.full_gross_g - TARE_G, True)
    assert (checked.passed, checked.seal_no, checked.label_no) == (True, "S-001", "L-001")
    assert [item.item for item in checked.items] == list(POSTFILL)


def test_the_service_has_no_doubt_about_it(house: FloorHouse) -> None:
    fill = _fill_and_carry_over(house)
    house.scan(CHECK, 1, *SEAL)
    weighed, checked = _checked(house)
    assert doubts_about_postfill(checked, fill) == []
    assert doubts_about_reweighing(weighed, fill, 14_900, house.case.book) == []


def test_every_record_of_a_fill_names_both_persons(house: FloorHouse) -> None:
    _fill_and_carry_over(house)
    house.scan(CHECK, 1, *SEAL)
    about: list[Record] = [record for record in house.records() if record.subject.startswith("cylinder/")]
    assert [record.type for record in about] == ["fill_decided", "filled", "reweighed", "postfill_checked"]
    for record in about:
        assert {f"worker/{FILLER}", f"worker/{CHECKER}"} <= set(record.refs)


def test_what_holds_too_much_must_be_drained_and_is_weighed_again_after_that(house: FloorHouse) -> None:
    _fill_and_carry_over(house, TARE_G + 15_400)
    house.scan(CHECK, 1, *SEAL)
    weighed, checked = _checked(house)
    view = house.now.lane(CHECK).view
    assert house.now.lane(CHECK).state is LaneState.REFUSED
    assert view.message == words.OVER_LIMIT
    assert (weighed.within_limit, checked.passed) == (False, False)
    assert [item.item for item in checked.items if not item.passed] == ["Q1"]
    assert view.ticket is not None
    assert (view.ticket.outcome, view.ticket.rack, view.ticket.codes) == ("HOLD", "white", ("Q1",))
    house.scales[CHECK].carry(TARE_G + 14_450)
    house.scan(CHECK, 1, *SEAL)
    assert house.now.lane(CHECK).state is LaneState.CHECKED
    assert [event.within_limit for event in house.events(Reweighed)] == [False, True]
    assert [event.passed for event in house.events(PostfillChecked)] == [False, True]


@pytest.mark.parametrize(
    ("finding", "item"),
    [
        ("leaking", "Q2"),
        ("bulging", "Q3"),
        ("fittings_missing", "Q4"),
        ("labels_missing", "Q5"),
        ("body_damaged", "Q3"),
    ],
)
def test_a_fault_that_the_checker_shows_keeps_the_cylinder_here(house: FloorHouse, finding: str, item: str) -> None:
    _fill_and_carry_over(house)
    house.take(Finding(CHECK, finding, False))
    house.scan(CHECK, 1, *SEAL)
    _, checked = _checked(house)
    assert [item.item for item in checked.items if not item.passed] == [item]
    assert house.now.lane(CHECK).view.message == words.CHECK_FAILED
    house.scan(CHECK, 1, *SEAL)
    assert house.now.lane(CHECK).state is LaneState.CHECKED, "the fault was about the cylinder scanned then"


def test_without_the_numbers_of_seal_and_label_it_does_not_leave_and_its_weight_stands(house: FloorHouse) -> None:
    _fill_and_carry_over(house)
    house.scan(CHECK, 1)
    assert house.now.lane(CHECK).view.message == words.NUMBERS_MISSING
    assert (len(house.events(Reweighed)), house.events(PostfillChecked)) == (1, [])
    house.scan(CHECK, 1, *SEAL)
    assert house.now.lane(CHECK).state is LaneState.CHECKED
    assert len(house.events(Reweighed)) == 1


def test_the_filler_cannot_check_the_own_work(house: FloorHouse) -> None:
    house.take(Badge(CHECK, FILLER, False))
    _fill_and_carry_over(house)
    house.scan(CHECK, 1, *SEAL)
    assert house.now.lane(CHECK).view.message == words.SECOND_PERSON
    assert house.events(Reweighed) == house.events(PostfillChecked) == []
    assert [note["what"] for note in house.now.journal.notes()] == ["not_checked"]


@pytest.mark.parametrize(("checker", "said"), [(None, words.NO_CHECKER), (STRANGER, words.NOT_CERTIFIED)])
def test_nobody_and_nobody_certified_checks_anything(house: FloorHouse, checker: str | None, said: words.Said) -> None:
    house.now.lane(CHECK).checker_id = checker
    _fill_and_carry_over(house)
    house.scan(CHECK, 1, *SEAL)
    assert house.now.lane(CHECK).view.message == said
    assert house.events(PostfillChecked) == []


def test_a_cylinder_that_was_not_filled_here_is_held(house: FloorHouse) -> None:
    house.scales[CHECK].carry(31_000)
    house.scan(CHECK, 2, *SEAL)
    assert house.now.lane(CHECK).view.message == words.NO_FILL_HERE
    house.scan(CHECK, "no code at all")
    assert house.now.lane(CHECK).view.message == words.NOT_READ_AFTER
    assert house.now.lane(CHECK).state is LaneState.REFUSED


def test_a_station_without_a_check_lane_weighs_again_where_it_fills(house: FloorHouse) -> None:
    _fill_and_carry_over(house)
    house.take(Badge(FILL, "worker-3", False), Statement(FILL, "checker", False), Badge(FILL, CHECKER, False))
    house.scan(FILL, 1, "reweigh", *SEAL)
    assert house.now.lane(FILL).state is LaneState.CHECKED
    assert house.events(Reweighed)[0].scale_id == "scale-1"
    assert len(house.scales[FILL].events("valve_opened")) == 1


def test_a_check_lane_never_opens_a_valve(house: FloorHouse) -> None:
    house.scales[CHECK].carry(EMPTY_G)
    house.scan(CHECK, 1)
    assert house.scales[CHECK].events("valve_opened") == []


def test_a_card_about_the_full_cylinder_is_turned_away_where_the_next_one_is_empty(house: FloorHouse) -> None:
    house.take(Finding(FILL, "leaking", False))
    assert house.said("dropped")[-1]["reason"] == "after_only"
    house.fill(1, FILL)
    assert len(house.events(Filled)) == 1


def test_after_a_restart_the_station_still_knows_what_it_filled_and_what_was_not_weighed_again(
    house: FloorHouse,
) -> None:
    house.fill(1, FILL)
    house.fill(2, FILL)
    house.restart()
    house.take(Badge(CHECK, CHECKER, False))
    house.scales[CHECK].carry(house.events(Filled)[0].full_gross_g)
    house.scan(CHECK, 1, *SEAL)
    assert house.now.lane(CHECK).state is LaneState.CHECKED
    missing = house.now.recorder.fills.not_reweighed()
    assert [fill.cylinder_id for fill in missing] == ["cyl_00000000000000000000000002"]


def test_a_scale_that_does_not_answer_leaves_the_check_undone(house: FloorHouse) -> None:
    _fill_and_carry_over(house)
    house.scales[CHECK].lost = True
    house.take(Scan(CHECK, code_of(1), False))
    house.settle(CHECK)
    assert house.now.lane(CHECK).state is LaneState.FAULT
    assert house.events(Reweighed) == []
