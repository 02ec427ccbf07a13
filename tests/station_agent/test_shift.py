"""The shift (班次): who fills and who checks, told at once and on record, and what is handed over."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from cylinder_trace.events import FillDecided, ShiftChanged
from station_agent import words
from station_agent.devices.scanner import Badge, Finding, Scan, StampSeen, Statement
from station_agent.lane import NOTHING_STATED
from station_agent.pins import set_pin
from stations.floors import CHECKER, EMPTY_G, FILLER, STRANGER, FloorHouse, code_of

MINUTE_MS = 60_000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FloorHouse]:
    house = FloorHouse(tmp_path)
    yield house
    house.close()


def _changes(house: FloorHouse) -> list[ShiftChanged]:
    return house.events(ShiftChanged)


# ---------------------------------------------------------------- signing on


def test_filler_and_checker_sign_on_by_their_badges_and_both_are_on_record(house: FloorHouse) -> None:
    house.people(1)
    lane = house.now.lane(1)
    assert (lane.worker_id, lane.checker_id) == (FILLER, CHECKER)
    first, second = _changes(house)
    assert (first.change, first.worker_id, first.checker_id) == ("signed_on", FILLER, None)
    assert (second.worker_id, second.checker_id) == (FILLER, CHECKER)
    assert house.records()[-1].subject == "station/station-1"
    assert set(house.records()[-1].refs) == {"station/station-1", f"worker/{FILLER}", f"worker/{CHECKER}"}


def test_a_badge_read_twice_changes_nothing(house: FloorHouse) -> None:
    house.take(Badge(1, FILLER, False), Badge(1, FILLER, False))
    assert len(_changes(house)) == 1


def test_one_person_has_one_role(house: FloorHouse) -> None:
    house.people(1)
    house.take(Badge(1, CHECKER, False))
    lane = house.now.lane(1)
    assert (lane.worker_id, lane.checker_id) == (CHECKER, None)
    assert house.said("signed_on")[-1]["zh"] == words.OTHER_ROLE_LEFT[0]
    house.take(Statement(1, "checker", False), Badge(1, CHECKER, False))
    assert (lane.worker_id, lane.checker_id) == (None, CHECKER)


def test_at_a_check_lane_every_badge_is_the_checkers(house: FloorHouse) -> None:
    house.take(Badge(3, CHECKER, False))
    assert (house.now.lane(3).worker_id, house.now.lane(3).checker_id) == (None, CHECKER)


def test_the_certificate_is_told_at_once_and_the_rules_decide(house: FloorHouse) -> None:
    house.take(Badge(1, FILLER, False))
    assert house.said("signed_on")[-1]["certified"] is True
    house.take(Badge(1, STRANGER, False))
    assert house.said("signed_on")[-1]["certified"] is False
    assert house.said("signed_on")[-1]["zh"] == words.NOT_CERTIFIED[0]
    house.fill(1)
    assert house.events(FillDecided)[-1].decision.codes == ("R61",)


# ---------------------------------------------------------------- handing over


def test_the_hand_over_page_tells_what_was_done_and_what_is_left(house: FloorHouse) -> None:
    house.people(1)
    house.fill(1)
    house.scan(1, "no code")
    house.scan(1, 1)
    house.take(Statement(1, "lot=lot-7", False), Statement(1, "stock=20000000", False))
    house.take(Finding(1, "body_damaged", False), Statement(1, "handover", False))
    lane = house.now.lane(1)
    page = lane.handover
    assert page is not None
    assert (page.worker_id, page.checker_id) == (FILLER, CHECKER)
    assert (page.shift.fills, page.shift.refusals) == (1, 2)
    assert page.shift.net_g > 14_000
    assert (page.unsent, page.open_fills) == (len(house.records()) - 1, 0)
    assert page.not_reweighed == ("cyl_00000000000000000000000001",)
    assert (page.lot_id, page.stock_g) == ("lot-7", 20_000_000)
    assert (lane.worker_id, lane.checker_id, lane.shift) == (None, None, None)
    assert (lane.findings, lane.stated) == ([], NOTHING_STATED)
    last = _changes(house)[-1]
    assert (last.change, last.worker_id, last.left_worker_id, last.left_checker_id) == (
        "handed_over", None, FILLER, CHECKER,
    )  # fmt: skip
    assert (last.fills, last.refusals, last.net_g, last.stock_g) == (1, 2, page.shift.net_g, 20_000_000)
    assert house.said("handover")[0]["shift"]["fills"] == 1


def test_a_clock_that_is_put_right_during_a_shift_hides_no_fill_from_its_page(house: FloorHouse) -> None:
    house.people(1)
    house.wall_error_ms = -MINUTE_MS
    clock = house.now.recorder.clock
    clock.learn(clock.now() + MINUTE_MS, clock.steady(), clock.steady())  # what the service says
    house.fill(1)
    house.take(Statement(1, "handover", False))
    page = house.now.lane(1).handover
    assert page is not None
    assert page.not_reweighed == ("cyl_00000000000000000000000001",)


def test_nobody_hands_over_while_a_cylinder_is_under_way(house: FloorHouse) -> None:
    house.people(1)
    house.scales[1].carry(EMPTY_G)
    house.take(Scan(1, code_of(1), False), Statement(1, "handover", False))
    assert house.said("dropped")[-1]["zh"] == words.WAIT_FOR_END[0]
    house.settle(1)
    assert house.now.lane(1).worker_id == FILLER


def test_another_filler_ends_the_shift_of_the_one_before(house: FloorHouse) -> None:
    house.people(1)
    house.fill(1)
    house.take(Badge(1, "worker-3", False))
    last = _changes(house)[-1]
    assert (last.change, last.worker_id, last.left_worker_id, last.fills) == ("signed_on", "worker-3", FILLER, 1)
    shift = house.now.lane(1).shift
    assert shift is not None
    assert shift.fills == 0


def test_a_lane_left_alone_signs_off_by_itself(house: FloorHouse) -> None:
    house.people(1)
    house.late_ms += 19 * MINUTE_MS
    house.take(Finding(1, "body_damaged", False))
    house.late_ms += 19 * MINUTE_MS
    house.take(StampSeen(1, '{"serial":"A1"}', False))
    assert house.now.lane(1).worker_id == FILLER, "somebody did something meanwhile"
    house.late_ms += 21 * MINUTE_MS
    house.runner.run(_look_after(house))
    lane = house.now.lane(1)
    assert (lane.worker_id, lane.checker_id, lane.findings, lane.stamp_seen) == (None, None, [], None)
    assert (_changes(house)[-1].change, _changes(house)[-1].left_worker_id) == ("left_alone", FILLER)
    assert house.said("shift")[-1]["zh"] == words.LEFT_ALONE[0]


async def _look_after(house: FloorHouse) -> None:
    watching = asyncio.create_task(house.now.floor.watch_for_ever())
    await asyncio.sleep(11)
    watching.cancel()


def test_a_scan_after_everybody_left_is_nobodys(house: FloorHouse) -> None:
    house.people(1)
    house.late_ms += 21 * MINUTE_MS
    house.fill(1)
    assert house.events(FillDecided)[-1].decision.codes == ("R61",)
    assert house.events(FillDecided)[-1].request.worker_id is None


def test_people_sign_on_also_while_the_journal_cannot_be_written_and_that_is_told(house: FloorHouse) -> None:
    house.now.journal.close()
    house.take(Badge(1, FILLER, False))
    assert house.now.lane(1).worker_id == FILLER
    assert house.said("journal_broken")


# ---------------------------------------------------------------- PIN


@pytest.fixture
def with_pin(house: FloorHouse) -> FloorHouse:
    set_pin(house.folder, FILLER, "4711", bytes(16))
    return house


def test_whoever_types_the_worker_id_is_asked_for_the_pin(with_pin: FloorHouse) -> None:
    house = with_pin
    house.take(Badge(1, FILLER, True))
    assert (house.now.lane(1).worker_id, house.now.lane(1).asks_pin_of) == (None, FILLER)
    house.take(Scan(1, "4711", True))
    assert (house.now.lane(1).worker_id, house.now.lane(1).asks_pin_of) == (FILLER, None)


def test_a_wrong_pin_signs_nobody_on_and_is_never_on_record(with_pin: FloorHouse) -> None:
    house = with_pin
    house.take(Badge(1, FILLER, True), Scan(1, "4712", True))
    assert house.now.lane(1).worker_id is None
    assert house.said("dropped")[-1]["reason"] == "pin_wrong"
    house.take(Badge(1, STRANGER, True), Scan(1, "4711", True))
    assert house.said("dropped")[-1]["reason"] == "pin_wrong", "who has no PIN cannot be told from a wrong one"
    assert house.records() == []
    assert house.now.journal.notes() == []


def test_five_wrong_tries_lock_the_pin_for_five_minutes_and_not_the_badge(with_pin: FloorHouse) -> None:
    house = with_pin
    for _ in range(5):
        house.take(Badge(1, FILLER, True), Scan(1, "0000", True))
    house.take(Badge(1, FILLER, True), Scan(1, "4711", True))
    assert house.said("dropped")[-1]["reason"] == "pin_locked"
    house.late_ms += 5 * MINUTE_MS
    house.take(Badge(1, FILLER, True), Scan(1, "4711", True))
    assert house.now.lane(1).worker_id == FILLER
    house.take(Badge(2, FILLER, False))
    assert house.now.lane(2).worker_id == FILLER


def test_a_pin_that_comes_too_late_is_taken_for_nothing_at_all(with_pin: FloorHouse) -> None:
    house = with_pin
    house.take(Badge(1, FILLER, True))
    house.late_ms += 2 * MINUTE_MS
    house.take(Scan(1, "4711", True))
    assert house.said("dropped")[-1]["reason"] == "pin_too_late"
    assert (house.now.lane(1).worker_id, house.said("scanned")) == (None, [])


@pytest.mark.parametrize("pin", ["123", "12a4", "1234567890123", "１２３４"])
def test_a_pin_is_four_to_twelve_digits(house: FloorHouse, pin: str) -> None:
    with pytest.raises(ValueError, match="4 to 12 digits"):
        set_pin(house.folder, FILLER, pin, bytes(16))


def test_the_file_of_the_pins_holds_no_pin(with_pin: FloorHouse) -> None:
    text = (with_pin.folder / "pins.json").read_text("utf-8")
    assert "4711" not in text
    assert (with_pin.folder / "pins.json").stat().st_mode & 0o077 == 0
