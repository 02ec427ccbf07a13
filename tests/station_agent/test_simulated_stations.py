"""Stations in virtual time: months with cuts, crashes, wrong clocks, full disks and tricks; the same laws after each.

A seed that fails is named in the test's name and in its error, with the command that replays it.
"""

import dataclasses
from random import Random

import pytest

from station_agent.devices.scale_model import Change
from station_agent.watch import LaneWatch
from stations.simulated.days import FATAL, FAULTS, TRICKS, drawn
from stations.simulated.simulation import LawBroken, check_valves, simulate

_SEEDS = range(1, 5)
"""More of them: test_simulated_stations_more.py, for another process."""


@pytest.mark.parametrize("seed", _SEEDS)
def test_days_of_five_stations_hold_every_law(seed: int) -> None:
    report = simulate(seed, stations=5, days=5, fills=12)
    assert report.fills >= 200


def test_the_same_seed_gives_the_same_ledger_byte_for_byte() -> None:
    one, other = (simulate(77, stations=2, days=4, fills=8) for _ in range(2))
    assert dataclasses.asdict(one) == dataclasses.asdict(other)
    assert one.digest != simulate(78, stations=2, days=4, fills=8).digest


def test_a_seed_that_fails_is_named_and_fails_again_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LaneWatch, "see", lambda *_: [])  # a watch that sees nothing
    said = []
    for _ in range(2):
        with pytest.raises(LawBroken) as broken:
            simulate(_BYPASSED, stations=1, days=3, fills=4)
        said.append(str(broken.value))
    assert said[0] == said[1]
    assert said[0].startswith(f"seed {_BYPASSED}: station st_001: bypass_pipe at ")
    assert said[0].endswith(f"replay: python tests/stations/simulated {_BYPASSED} 1 3 4")


_BYPASSED = 77
"""A seed with a bypass pipe in its first days."""


def test_every_trick_and_every_fault_is_drawn_by_some_seed_of_a_soak() -> None:
    drawn_words = {word for seed in range(50) for _, word in drawn(Random(seed), 30)}
    assert drawn_words == (TRICKS - FATAL) | FAULTS


def test_the_judge_sees_gas_that_no_decision_stands_behind() -> None:
    opened = Change(1_000, 1, "valve_opened", "cyl_1", 3_400, "command", 5_250)
    with pytest.raises(LawBroken, match="without a permit"):
        check_valves("st_001", "sc_1", [opened], [])
