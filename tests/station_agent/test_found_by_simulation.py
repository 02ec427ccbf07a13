"""What the simulated stations found: each as the shortest path that leads there."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_trace.events import Filled
from station_agent.devices.scale_model import OPEN, SHUT, Controls
from station_agent.lane import LaneState
from stations.bench import Home, bench_for, home_in
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
