"""What the simulated stations found: each as the shortest path that leads there."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_trace.events import Filled
from station_agent.devices.scale_model import OPEN, SHUT, Controls
from station_agent.lane import LaneState
from stations.bench import Home, bench_for, home_in
from stations.simulated.days import Month
from stations.simulated.simulation import town_in
from stations.simulated.station import Layout, People, SimulatedStation
from vectors.admission.cases import base_case

CODE = make_code(bytes(10), TagKey("tests", bytes(32))).text


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = home_in(tmp_path)
    yield home
    home.close()


def test_a_scale_that_shut_for_want_of_a_host_is_used_again_once_it_answers(home: Home) -> None:
    case = base_case()
    assert case.cylinder is not None
    bench = bench_for(replace(case, cylinder=case.cylinder.model_copy(update={"codes": (CODE,)})), home)
    model = bench.scale.model
    model.place("before", 16_600, 0)
    for beat, command in enumerate((SHUT, OPEN), start=1):
        model.obey(Controls(command, beat, 31_000, 1), 1)
    for ms in range(0, 9_000, 20):  # the line to the host is cut for longer than the host goes on asking for no gas
        model.step(0.02, ms)
    assert model.indication().watchdog_tripped
    model.remove(9_000)
    model.place("here", 16_600, 9_000)
    bench.scale._wall_ms = 9_000
    bench.scan_now(CODE)
    assert bench.lane.state is LaneState.DONE
    assert [type(record.event()) for record in bench.records()].count(Filled) == 1


def test_an_agent_that_ends_while_an_upload_is_under_way_sends_what_was_recorded_since(tmp_path: Path) -> None:
    with town_in(tmp_path, stations=1, cylinders=4) as (loop, town):
        layout = Layout({1: "fill"}, lists=False, checks=False)
        station = SimulatedStation(1, tmp_path / "station", town, Random(1), layout)
        station.people = {1: People("fl_1", "ck_1")}
        month = Month(station, Random(1), days=1, fills_a_day=2, cylinders=4)

        async def fill_two_and_end() -> None:
            await station.start()
            await month.fill_one()
            await asyncio.sleep(5)  # its records are on a line that takes a minute and more
            await month.fill_one()
            await station.stop()

        loop.run_until_complete(fill_two_and_end())
        assert [record.type for record, answered in station.records() if not answered] == []
