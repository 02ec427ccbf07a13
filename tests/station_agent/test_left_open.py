"""A fill that has begun and has no end on record (未结充装): it gets one as soon as that can be had, without a scan."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cylinder_trace.events import DisputeRaised, Filled
from station_agent import words
from station_agent.devices.scanner import Badge, Scan
from station_agent.journal import Start
from station_agent.lane import LaneState
from station_agent.link import LinkState
from station_agent.screen.board import Memory
from stations.floors import EMPTY_G, FILLER, TARE_G, FloorHouse, code_of

FLOWED_G = EMPTY_G + 2_000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FloorHouse]:
    house = FloorHouse(tmp_path, simulated_s_per_read=0.1)  # slow enough to come in between
    house.take(Badge(1, FILLER, False))
    yield house
    house.close()


def _gas_flows(house: FloorHouse) -> None:
    house.scales[1].carry(EMPTY_G)
    house.take(Scan(1, code_of(1), False))
    house.wait_for(lambda: (house.now.lane(1).view.gross_g or 0) >= FLOWED_G)


def _started_anew_while_the_scale_is_silent(house: FloorHouse) -> None:
    """The agent is killed and starts at once; the valve is still open, and the scale does not answer."""
    house.kill()
    house.scales[1].lost = True
    house.start()
    house.wait_for(lambda: house.now.lane(1).state is LaneState.FAULT)


def _closed(house: FloorHouse) -> bool:
    return not house.now.journal.open_starts()


def _pass(house: FloorHouse, seconds: float) -> None:
    until = house.passed_ms() + int(seconds * 1000)
    house.wait_for(lambda: house.passed_ms() >= until)


def test_a_fill_left_open_is_shut_and_recorded_as_soon_as_the_scale_answers_again(house: FloorHouse) -> None:
    _gas_flows(house)
    _started_anew_while_the_scale_is_silent(house)
    _pass(house, 60)
    assert house.scales[1].events("valve_shut") == []
    assert house.events(Filled) == []
    house.scales[1].lost = False
    house.wait_for(lambda: _closed(house))
    (shut,) = house.scales[1].events("valve_shut")
    assert shut.cause == "command"
    (fill,) = house.events(Filled)
    assert (fill.ended_because, fill.full_gross_g) == ("fault", house.scales[1].model.indication().gross_g)
    assert len(house.said("scanned")) == 1, "nobody scanned anything again"
    assert house.now.lane(1).view.message == words.FILL_FAULT
    _pass(house, 60)
    assert len(house.events(Filled)) == 1


def test_meanwhile_the_screen_says_what_is_open_and_that_is_noted_once(house: FloorHouse) -> None:
    _gas_flows(house)
    _started_anew_while_the_scale_is_silent(house)
    _pass(house, 60)
    lane, now = house.now.lane(1), house.case.now
    board = Memory("station-1").photograph([lane], LinkState(), house.now.replica.known, 0, now)
    assert (board.lane(1).says, board.lane(1).code) == (words.LEFT_OPEN, code_of(1))
    (start,) = house.now.journal.open_starts()
    assert [line["check_id"] for line in house.said("fault", 1)] == [start.check_id]
    assert [note["what"] for note in house.now.journal.notes()] == ["fault"]


def test_a_scan_meanwhile_gets_no_gas_and_the_screen_goes_on_saying_what_is_open(house: FloorHouse) -> None:
    _gas_flows(house)
    _started_anew_while_the_scale_is_silent(house)
    house.scan(1, 2)
    view = house.now.lane(1).view
    assert (view.message, view.code) == (words.LEFT_OPEN, code_of(1))
    house.scales[1].lost = False
    house.wait_for(lambda: _closed(house))
    assert [fill.check_id for fill in house.events(Filled)] == [house.said("filling")[0]["check_id"]]
    assert len(house.scales[1].events("valve_opened")) == 1


def test_a_start_without_gas_is_told_of_as_soon_as_the_scale_answers_again(house: FloorHouse) -> None:
    house.scales[1].carry(EMPTY_G)
    house.now.journal.begin(
        Start("chk_1", code_of(1), "cyl_1", "scale-1", 1, FILLER, TARE_G, EMPTY_G, TARE_G + 14_500, 5, EMPTY_G)
    )
    _started_anew_while_the_scale_is_silent(house)
    house.scales[1].lost = False
    house.wait_for(lambda: _closed(house))
    assert house.events(Filled) == []
    (dispute,) = house.events(DisputeRaised)
    assert dispute.kind == "not_seen_to_end"
    assert house.now.lane(1).view.message == words.NOT_SEEN_TO_END


def test_a_fill_whose_end_the_disk_did_not_take_is_recorded_as_it_was_seen_once_there_is_room(
    house: FloorHouse,
) -> None:
    _gas_flows(house)
    house.now.journal._rows("create trigger full before insert on records begin select raise(abort, 'full'); end")
    house.settle(1)
    assert house.now.lane(1).state is LaneState.FAULT
    _pass(house, 10)
    assert house.events(Filled) == []
    house.now.journal._rows("drop trigger full")
    house.wait_for(lambda: _closed(house))
    (fill,) = house.events(Filled)
    assert fill.ended_because == "limit_reached"
    assert house.now.lane(1).view.message == words.RECORDED_LATE
