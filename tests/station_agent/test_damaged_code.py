"""A damaged code (码损坏): the stamp says which cylinder it is, and it is not filled before it is tagged anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cylinder_trace.events import FillDecided
from station_agent import words
from station_agent.devices.scanner import Badge, StampSeen, Statement
from station_agent.lane import LaneState
from stations.floors import EMPTY_G, FILLER, FloorHouse, cylinder


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FloorHouse]:
    twin = cylinder(3)
    twin = twin.model_copy(update={"stamp": twin.stamp.model_copy(update={"serial": "A22050001", "maker": "Other"})})
    house = FloorHouse(tmp_path, cylinders={1: cylinder(1), 2: cylinder(2), 3: twin})
    house.take(Badge(1, FILLER, False))
    house.scales[1].carry(EMPTY_G)
    yield house
    house.close()


def _look_up(house: FloorHouse, stamp: str) -> None:
    house.take(StampSeen(1, stamp, False), Statement(1, "damaged", False))
    house.settle(1)


def test_two_fields_of_the_stamp_find_the_file_and_the_refusal_is_on_record(house: FloorHouse) -> None:
    _look_up(house, '{"serial":"a2205 OOO2","manufactured_month":"2022-05"}')
    lane = house.now.lane(1)
    assert lane.state is LaneState.REFUSED
    assert lane.view.cylinder is not None
    assert lane.view.cylinder.cylinder_id == cylinder(2).cylinder_id
    assert lane.view.message == words.DAMAGED_FOUND
    (decided,) = house.events(FillDecided)
    assert (decided.decision.outcome, decided.decision.codes) == ("DENY", ("R01",))
    assert (decided.request.unreadable_because, decided.request.stamp_seen.serial) == ("damaged", "a2205 OOO2")
    assert house.records()[-1].subject == "station/station-1"
    assert house.scales[1].events("valve_opened") == []


def test_the_filler_is_told_to_have_it_tagged_anew_and_not_to_wipe_it(house: FloorHouse) -> None:
    _look_up(house, '{"serial":"A22050002","tare_g":16500}')
    (refused,) = house.said("refused")
    assert (refused["told"][0]["zh"], refused["told"][0]["next_zh"]) == (
        "二维码读不出:二维码已损坏",
        "放入待处理区,办理换标后再充装。",
    )
    ticket = house.now.lane(1).view.ticket
    assert ticket is not None
    assert (ticket.rack, ticket.next_act, ticket.serial) == ("blue", "retag", "A22050002")


def test_a_service_that_would_allow_it_is_not_asked(house: FloorHouse) -> None:
    house.service.case = house.case
    _look_up(house, '{"serial":"A22050002","tare_g":16500}')
    assert house.service.asked == []
    assert house.scales[1].events("valve_opened") == []


@pytest.mark.parametrize(
    ("stamp", "said"),
    [
        ('{"serial":"A22059999","tare_g":16500}', words.DAMAGED_UNKNOWN),
        ('{"serial":"A22050002","tare_g":15200}', words.DAMAGED_UNKNOWN),
        ('{"serial":"A22050001","tare_g":16500}', words.DAMAGED_SEVERAL),
    ],
)
def test_none_or_several_files_are_told_and_none_is_shown(house: FloorHouse, stamp: str, said: words.Said) -> None:
    _look_up(house, stamp)
    assert house.now.lane(1).view.message == said
    assert house.now.lane(1).view.cylinder is None
    assert house.events(FillDecided)[-1].decision.codes == ("R01",)


@pytest.mark.parametrize("stamp", ['{"serial":"A22050002"}', '{"maker":"M","tare_g":16500}'])
def test_one_field_or_no_serial_is_too_little(house: FloorHouse, stamp: str) -> None:
    _look_up(house, stamp)
    assert house.said("dropped")[-1]["reason"] == "two_fields"
    assert house.events(FillDecided) == []


def test_the_next_scan_is_an_ordinary_one(house: FloorHouse) -> None:
    _look_up(house, '{"serial":"A22050002","tare_g":16500}')
    house.scan(1, 1)
    assert house.events(FillDecided)[-1].decision.permits
    assert len(house.scales[1].events("valve_opened")) == 1


def test_a_scale_that_fails_the_look_up_leaves_nothing_of_it_for_the_next_scan(house: FloorHouse) -> None:
    house.scales[1].lost = True
    _look_up(house, '{"serial":"A22050002","tare_g":16500}')
    assert house.now.lane(1).state is LaneState.FAULT
    house.scales[1].lost = False
    house.now.lane(1).stamp_seen = None
    house.scan(1, 1)
    assert house.events(FillDecided)[-1].decision.permits
