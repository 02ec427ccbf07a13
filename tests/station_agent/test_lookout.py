"""The lookout: what lanes see and hear becomes alarms that are told, counted, recorded, and wait for no lane."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_trace.events import AlarmRaised
from station_agent.journal import JournalBroken
from station_agent.lane import HandOver, Lane, Shift
from station_agent.lookout import Lookout
from station_agent.replica import open_answer
from stations.bench import LOG_KEY, Bench, Home, bench_for, frozen_clock, home_in, replica_text
from vectors.admission.cases import base_case

CODE = make_code(bytes(10), TagKey("tests", bytes(32))).text
NOW = base_case().now


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = home_in(tmp_path)
    yield home
    home.close()


@pytest.fixture
def bench(home: Home) -> Bench:
    case = base_case()
    assert case.cylinder is not None
    return bench_for(replace(case, cylinder=case.cylinder.model_copy(update={"codes": (CODE,)})), home)


def lookout_of(bench: Bench, ahead_ms: int = 0) -> Lookout:
    """A lookout whose machine's clock is so far ahead of the service's."""

    def tell(event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
        bench.told.append({"event": event, "lane": lane.number if lane else None, **fields})

    lookout = Lookout("station-1", bench.replica, frozen_clock(NOW + ahead_ms, ahead_ms), tell, Random(1).getrandbits)
    lookout.attach(bench.lane)
    bench.lane.shift = Shift(since=NOW - 3_600_000)
    return lookout


def hand_over(lane: Lane, lookout: Lookout, **page: Any) -> None:
    """The page of a shift is told."""
    facts: dict[str, Any] = {"unsent": 0, "disputed": 0, "open_fills": 0, "not_reweighed": (), "lot_id": None}
    assert lane.shift is not None
    about = {"lane": lane.number, "at": NOW, "worker_id": "worker-1", "checker_id": None, "shift": lane.shift}
    lane.handover = HandOver(**{**facts, "stock_g": None, **about, **page})
    lookout.hear("handover", lane, {})


async def written(bench: Bench, lookout: Lookout) -> None:
    writing = asyncio.create_task(lookout.write_for_ever(bench.recorder))
    try:
        await lookout.all_written()
    finally:
        writing.cancel()


def alarms(bench: Bench) -> list[AlarmRaised]:
    return [event for record in bench.records() if isinstance(event := record.event(), AlarmRaised)]


def test_what_a_lanes_scale_shows_is_seen_on_its_way_and_recorded_in_the_stations_own_history(bench: Bench) -> None:
    lookout = lookout_of(bench)
    bench.scale.model.set_condition(0, tare_offset_g=-400)
    bench.runner.run(bench.lane.scale.read())
    (told,) = bench.said("alarm")
    assert (told["kind"], told["lane"], told["facts"]["zero_g"]) == ("zero_changed", bench.lane.number, -400)
    assert bench.lane.shift is not None
    assert bench.lane.shift.alarms == 1
    bench.runner.run(written(bench, lookout))
    (record,) = [record for record in bench.records() if record.type == "alarm_raised"]
    assert (record.id, record.subject, record.occurred_at) == (told["id"], "station/station-1", NOW)
    assert alarms(bench)[0].en == told["en"]


def test_an_alarm_that_the_journal_cannot_take_is_told_at_once_and_written_when_there_is_room(bench: Bench) -> None:
    lookout = lookout_of(bench)
    pages = bench.journal._db.execute("pragma page_count").fetchone()[0]
    bench.journal._db.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(JournalBroken):
        bench.journal.note(NOW, {"what": "x" * 100_000})
    for n in range(300):  # more than still fits
        hand_over(bench.lane, lookout, at=NOW + n, not_reweighed=("cyl_1",), shift=Shift(since=NOW - 1, fills=2))
    assert len(bench.said("alarm")) == 300

    async def until_there_is_room() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(written(bench, lookout), timeout=1)
        bench.journal._db.execute("pragma max_page_count = 1000000")
        hand_over(bench.lane, lookout, at=NOW + 300, not_reweighed=("cyl_1",), shift=Shift(since=NOW - 1, fills=2))
        await written(bench, lookout)

    bench.runner.run(until_there_is_room())
    assert [alarm.to_at for alarm in alarms(bench)] == list(range(NOW, NOW + 301))


def test_cylinders_of_a_shift_that_nobody_weighed_again_are_told_at_the_hand_over(bench: Bench) -> None:
    lookout = lookout_of(bench)
    shift = Shift(since=NOW - 8 * 3_600_000, fills=10)
    hand_over(bench.lane, lookout, not_reweighed=("cyl_1", "cyl_2"), shift=shift)
    (told,) = bench.said("alarm")
    assert (told["kind"], told["facts"]) == ("reweigh_missing", {"missing": 2, "filled": 10})


def test_an_alarm_of_a_lane_at_which_nobody_is_names_nobody_who_handed_over_before(bench: Bench) -> None:
    lookout = lookout_of(bench)
    hand_over(bench.lane, lookout, not_reweighed=("cyl_1",), shift=Shift(since=NOW - 1, fills=2))
    bench.lane.worker_id = bench.lane.shift = None
    bench.scale.model.set_condition(0, tare_offset_g=-400)
    bench.runner.run(bench.lane.scale.read())
    assert [(told["kind"], told["worker_id"]) for told in bench.said("alarm")] == [
        ("reweigh_missing", "worker-1"),
        ("zero_changed", None),
    ]


def test_an_alarm_raised_by_a_hand_over_counts_for_the_shift_that_is_handed_over(bench: Bench) -> None:
    lookout = lookout_of(bench)
    ended = Shift(since=NOW - 1, fills=2)
    hand_over(bench.lane, lookout, not_reweighed=("cyl_1",), shift=ended)
    assert ended.alarms == 1


@pytest.mark.parametrize(("filled_g", "kinds"), [(2_000_000, []), (1_900_000, ["mass_balance"])])
def test_a_tanks_levels_at_two_hand_overs_are_held_against_what_was_filled(
    bench: Bench, filled_g: int, kinds: list[str]
) -> None:
    lookout = lookout_of(bench)
    bench.lane.lot_id = "lot-1"
    hand_over(bench.lane, lookout, lot_id="lot-1", stock_g=20_000_000)
    for gain_g in (filled_g // 2, filled_g // 2):
        fields = {"full_gross_g": gain_g, "empty_gross_g": 0, "check_id": "chk_1"}
        lookout.hear("filled", bench.lane, fields)
    hand_over(bench.lane, lookout, lot_id="lot-1", stock_g=18_000_000)
    assert [told["kind"] for told in bench.said("alarm")] == kinds


def test_while_nothing_is_under_way_the_lane_is_looked_at_by_itself(bench: Bench) -> None:
    lookout = lookout_of(bench)
    bench.scale.model.set_condition(0, tare_offset_g=-400)

    async def look() -> None:
        looking = asyncio.create_task(lookout.look_for_ever(bench.lane))
        await bench.scale.carries(-400)
        looking.cancel()

    bench.runner.run(look())
    assert [told["kind"] for told in bench.said("alarm")] == ["zero_changed"]


def test_it_looks_by_the_rules_of_the_day_that_decisions_are_taken_by_whatever_the_wall_clock_says(
    home: Home, bench: Bench
) -> None:
    case, this_year = base_case(), base_case().book_text
    later = this_year.replace('version = "2026.1"', 'version = "2027.1"').replace("2026-01-01", "2027-01-01", 1)
    later = later.replace("zero_g = 100 ", "zero_g = 500 ")
    text = replica_text(case, (), since=10, version=11, rulebooks_to_come=[later])
    bench.replica.take(open_answer(text, "station-1", LOG_KEY.verifying_key))
    lookout_of(bench, ahead_ms=365 * 86_400_000)
    bench.scale.model.set_condition(0, tare_offset_g=-400)
    bench.runner.run(bench.lane.scale.read())
    assert [told["kind"] for told in bench.said("alarm")] == ["zero_changed"], "the rules of this year still hold"
