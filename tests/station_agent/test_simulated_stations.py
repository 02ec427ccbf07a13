"""Stations in virtual time: months with cuts, crashes, wrong clocks, full disks and tricks; the same laws after each.

A seed that fails is named in the test's name, and replays exactly: ``python tests/stations/simulated SEED 5 5 12``.
"""

import dataclasses
from random import Random

import pytest

from station_agent.devices.scale_model import Change
from stations.simulated.days import FATAL, FAULTS, TRICKS, drawn
from stations.simulated.simulation import LawBroken, check_valves, simulate

_SEEDS = range(1, 6)


@pytest.mark.parametrize("seed", _SEEDS)
def test_days_of_five_stations_hold_every_law(seed: int) -> None:
    report = simulate(seed, stations=5, days=5, fills=10)
    assert report.fills >= 100


def test_the_same_seed_gives_the_same_ledger_byte_for_byte() -> None:
    one, other = (simulate(77, stations=2, days=4, fills=8) for _ in range(2))
    assert dataclasses.asdict(one) == dataclasses.asdict(other)
    assert one.digest != simulate(78, stations=2, days=4, fills=8).digest


def test_every_trick_and_every_fault_is_drawn_by_some_seed_of_a_soak() -> None:
    drawn_words = {word for seed in range(50) for _, word in drawn(Random(seed), 30)}
    assert drawn_words == (TRICKS - FATAL) | FAULTS


def test_the_judge_sees_gas_that_no_decision_stands_behind() -> None:
    opened = Change(1_000, 1, "valve_opened", "cyl_1", 3_400, "command", 5_250)
    with pytest.raises(LawBroken, match="without a permit"):
        check_valves("st_001", "sc_1", [opened], [])
