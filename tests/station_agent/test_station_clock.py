"""What a station does about its clock: a scan at a doubtful hour is refused with R65, and by nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from station_agent.clock import TrustedClock
from stations.bench import Bench, Home, bench_for, home_in
from vectors.admission.cases import base_case

CODE = make_code(bytes(10), TagKey("tests", bytes(32))).text
HOUR = 3_600_000
BASE = base_case()
assert BASE.cylinder is not None
CASE = replace(BASE, cylinder=BASE.cylinder.model_copy(update={"codes": (CODE,)}))


class Machine:
    """The clocks of a station PC, which a test sets."""

    def __init__(self) -> None:
        self.wall, self.steady = CASE.now, 1_000_000

    def clock(self, boot: str = "boot-a") -> TrustedClock:
        return TrustedClock(wall=lambda: self.wall, steady=lambda: self.steady, boot=boot)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = home_in(tmp_path, CASE.request.station_id)
    yield home
    home.close()


def _scanned(home: Home, clock: TrustedClock) -> tuple[str, ...]:
    """The reasons given to a good cylinder at this hour."""
    bench: Bench = bench_for(CASE, home, remembers=False)
    bench.station._deciding._clock = clock
    bench.scale.model.place("here", 16_600, 0)
    bench.scan_now(CODE)
    codes = bench.decided().decision.codes
    assert bool(bench.scale.events("valve_opened")) == (not codes)
    return codes


def test_a_clock_set_a_day_back_is_refused_until_the_service_says_the_time(home: Home) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.learn(machine.wall, machine.steady, machine.steady)
    machine.wall -= 24 * HOUR
    assert "R65" in _scanned(home, clock)
    machine.wall += 24 * HOUR
    assert _scanned(home, clock) == ("R65",), "put right again by hand, nobody can tell"
    clock.learn(machine.wall, machine.steady, machine.steady)
    assert _scanned(home, clock) == ()


@pytest.mark.parametrize("by_ms", [HOUR, 11 * 60_000, -11 * 60_000])
def test_a_jump_is_refused(home: Home, by_ms: int) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.learn(machine.wall, machine.steady, machine.steady)
    machine.wall += by_ms
    assert "R65" in _scanned(home, clock)


def test_after_a_restart_of_the_machine_alone_every_scan_is_refused_and_after_one_of_the_agent_none(home: Home) -> None:
    machine = Machine()
    before = machine.clock()
    before.learn(machine.wall, machine.steady, machine.steady)
    agent_again, machine_again = machine.clock(), machine.clock("boot-b")
    agent_again.restore(before.reference)
    machine_again.restore(before.reference)
    assert _scanned(home, agent_again) == ()
    assert _scanned(home, machine_again) == ("R65",)
    machine_again.learn(machine.wall, machine.steady, machine.steady)
    assert _scanned(home, machine_again) == ()
