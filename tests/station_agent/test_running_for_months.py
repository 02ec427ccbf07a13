"""An agent runs for months: what it needs no more it lets go of."""

import gc
import weakref
from pathlib import Path

import pytest

from cylinder_trace.admission import decide_fill
from cylinder_trace.decision import Decision, FillRequest
from cylinder_trace.events import FillDecided, Filled, Record, Reweighed, state_event
from cylinder_trace.rulebook import WatchRules
from station_agent import own_fills, pins, watch
from station_agent.own_acts import OwnActs
from station_agent.own_fills import OwnFills
from station_agent.permit import Permit, Permits
from station_agent.pins import Pins, set_pin
from station_agent.watch import LaneWatch, ScanSeen
from vectors.admission.cases import base_case

CASE = base_case()
TARE_G = 16_500


def scan(number: int) -> tuple[FillRequest, Decision]:
    """One of many scans, and what was decided."""
    request = CASE.request.model_copy(update={"check_id": f"chk_{number}"})
    return request, decide_fill(request, CASE.cylinder, CASE.station, CASE.book, CASE.now)


def decided(number: int) -> Record:
    """Its record; each is about a cylinder of its own."""
    request, decision = scan(number)
    event = FillDecided(request=request, station=CASE.station, decision=decision, decided_by="station")
    return state_event(event, id=request.check_id, subject=f"cylinder/cyl_{number}", occurred_at=CASE.now, by="st_1")


def test_an_own_act_that_the_replica_holds_is_let_go_of_although_its_cylinder_never_comes_again() -> None:
    assert CASE.cylinder is not None
    acts, record, later = OwnActs(), decided(1), decided(2)
    gone, kept = weakref.ref(record), weakref.ref(later)
    acts.add(record)
    acts.add(later)
    acts.settle(record.id, 40)
    acts.settle(later.id, 50)
    del record, later
    assert acts.on_top_of(CASE.cylinder, 45) == (CASE.cylinder, ())
    assert gone() is None
    assert kept() is not None, "the replica does not reach that far"


def test_an_own_act_counts_until_the_replica_holds_it_also_where_the_service_had_recorded_it_first() -> None:
    assert CASE.cylinder is not None
    acts, record = OwnActs(), decided(1)
    cylinder = CASE.cylinder.model_copy(update={"cylinder_id": "cyl_1"})
    acts.add(record, 40)
    assert acts.on_top_of(cylinder, 40)[1] == (record.id,)
    acts.settle(record.id, 40)
    assert acts.on_top_of(cylinder, 41)[1] == ()
    assert acts.on_top_of(cylinder, 40)[1] == ()


def test_permits_that_nobody_used_and_that_were_given_long_ago_are_let_go_of() -> None:
    permits, before = Permits(CASE.request.boot_id), living_permits()
    for number in range(1_200):
        request, decision = scan(number)
        permits.issue(request, decision, TARE_G, now=number * 200_000)
    assert living_permits() == before + 1


def living_permits() -> int:
    gc.collect()
    return sum(isinstance(thing, Permit) for thing in gc.get_objects())


def filled(number: int) -> Record:
    """The fill of a cylinder of its own."""
    event = Filled(
        check_id=f"chk_{number}", station_id="st_1", scale_id="sc_1", lane=1, worker_id="w1", started_at=1, ended_at=2,
        empty_gross_g=TARE_G, full_gross_g=31_000, net_g=14_500, ended_because="limit_reached",
    )  # fmt: skip
    return state_event(event, id=f"chk_{number}.filled", subject=f"cylinder/cyl_{number}", occurred_at=2, by="st_1")


def reweighed(number: int) -> Record:
    """The second weight of that fill."""
    event = Reweighed(
        check_id=f"chk_{number}", station_id="st_1", scale_id="sc_2", worker_id="w2", full_gross_g=31_000,
        net_g=14_500, within_limit=True,
    )  # fmt: skip
    return state_event(event, id=f"chk_{number}.reweighed", subject=f"cylinder/cyl_{number}", occurred_at=3, by="st_1")


def test_of_its_fills_a_station_remembers_the_youngest_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_fills, "KEPT", 3)
    fills = OwnFills(filled(number) for number in range(3))
    fills.add(filled(0))
    fills.add(filled(3))
    assert [fills.last_of(f"cyl_{number}") is not None for number in range(4)] == [True, False, True, True]
    fills.add(reweighed(1))
    fills.add(reweighed(2))
    assert [fill.cylinder_id for fill in fills.not_reweighed()] == ["cyl_0", "cyl_3"]


def test_a_lane_remembers_how_light_the_cylinders_were_that_came_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_REMEMBERED", 2)
    lane, rules = LaneWatch(), WatchRules()

    def told(number: int, empty_g: int) -> bool:
        return bool(lane.decided(1, ScanSeen(f"chk_{number}", f"cyl_{number}", TARE_G, empty_g), rules))

    heavy_g, light_g = TARE_G + 2 * rules.tare_light_g, TARE_G - 1
    assert not any(told(number, heavy_g) for number in (1, 2, 1, 3))
    assert told(1, light_g), "it was here just now, and was heavier"
    assert not told(2, light_g), "two others came since"


def test_whoever_types_one_id_after_the_other_fills_no_memory_and_frees_no_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pins, "_STRANGERS", 4)
    monkeypatch.setattr(pins, "_COST", {"n": 2, "r": 1, "p": 1})
    set_pin(tmp_path, "worker-1", "4711", bytes(16))
    tried = Pins(tmp_path, lambda: 0)
    assert [tried.try_pin("worker-1", "1111") for _ in range(5)][-1] == "locked"
    assert {tried.try_pin(f"stranger-{number}", "1111") for number in range(50)} == {"wrong"}
    assert len(tried._wrong) <= 6
    assert tried.try_pin("worker-1", "4711") == "locked"
