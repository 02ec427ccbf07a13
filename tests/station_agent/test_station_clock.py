"""What a station does about its clock: a scan at a doubtful hour is refused with R65, and by nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_trace.rulebook import parse_rulebook
from station_agent.agent import Agent
from station_agent.care import _clock_check
from station_agent.clock import TrustedClock
from stations.bench import Bench, Home, bench_for, frozen_clock, home_in, restarted_clock
from vectors.admission.cases import Case, base_case

CODE = make_code(bytes(10), TagKey("tests", bytes(32))).text
MINUTE, HOUR = 60_000, 3_600_000
BASE = base_case()
assert BASE.cylinder is not None
CASE = replace(BASE, cylinder=BASE.cylinder.model_copy(update={"codes": (CODE,)}))


STRICT_TEXT = CASE.book_text.replace("clock_unchecked_hours = 2", "clock_unchecked_hours = 0")
STRICT = replace(CASE, book=parse_rulebook(STRICT_TEXT), book_text=STRICT_TEXT)


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


def _scanned(home: Home, clock: TrustedClock, case: Case = CASE) -> tuple[str, ...]:
    """The reasons given to a good cylinder at this hour."""
    bench: Bench = bench_for(case, home, remembers=False)
    bench.station._deciding._clock = bench.recorder.clock = bench.station._clock = clock
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


def test_after_a_restart_of_the_agent_the_clock_is_as_good_as_before_and_after_one_of_the_machine_it_is_unknown(
    home: Home,
) -> None:
    machine = Machine()
    before = machine.clock()
    before.learn(machine.wall, machine.steady, machine.steady)
    agent_again, machine_again = machine.clock(), machine.clock("boot-b")
    agent_again.restore(before.reference)
    machine_again.restore(before.reference)
    assert _scanned(home, agent_again) == ()
    assert _scanned(home, machine_again, STRICT) == ("R65",), "by a rulebook that grants no hours"
    machine_again.learn(machine.wall, machine.steady, machine.steady)
    assert _scanned(home, machine_again, STRICT) == ()


class Plugged:
    """A station PC without a network, which whoever works there may switch off, and set while it is off."""

    def __init__(self, home: Home) -> None:
        self.home, self.machine, self.boots = home, Machine(), 0
        clock = self.machine.clock("boot-0")
        clock.learn(self.machine.wall, self.machine.steady, self.machine.steady)
        self.clock = clock

    def switch_off_and_on(self, wall: int) -> None:
        """The machine starts anew, with its clock at `wall`, and what lies on its disk."""
        kept = self.clock.reference
        self.boots += 1
        self.machine.wall, self.machine.steady = wall, 10
        self.clock = self.machine.clock(f"boot-{self.boots}")
        self.clock.restore(kept, self.home.journal.last_at)

    def scanned(self, later_ms: int = MINUTE) -> tuple[str, ...]:
        """What a scan some time later is answered."""
        self.machine.wall += later_ms
        self.machine.steady += later_ms
        return _scanned(self.home, self.clock)


def test_a_power_cut_together_with_a_network_cut_stops_nobody_within_the_hours_that_the_rulebook_grants(
    home: Home,
) -> None:
    station = Plugged(home)
    assert station.scanned() == ()
    station.switch_off_and_on(station.machine.wall + 20 * MINUTE)
    assert station.scanned() == ()
    facts = bench_for(CASE, home, remembers=False).decided().station
    assert (facts.clock_skew_ms, facts.clock_unchecked_ms) == (0, 21 * MINUTE)
    station.machine.wall += 2 * HOUR
    station.machine.steady += 2 * HOUR
    assert station.scanned() == ("R65",), "the hours are over"


@pytest.mark.parametrize("back_ms", [1, HOUR, 30 * 24 * HOUR])
def test_a_clock_set_back_while_the_machine_is_off_is_refused(home: Home, back_ms: int) -> None:
    station = Plugged(home)
    assert station.scanned() == ()
    station.switch_off_and_on(home.journal.last_at - MINUTE - back_ms)
    assert "R65" in station.scanned()


def test_who_sets_the_clock_back_at_every_restart_gains_the_hours_once_and_no_more(home: Home) -> None:
    station, answers = Plugged(home), []
    for day in range(6):
        if day:  # each evening off, each morning on again just behind what was recorded last
            station.switch_off_and_on(home.journal.last_at + 1)
        answers += [station.scanned(10 * MINUTE) for _ in range(5)]
    allowed = [not codes for codes in answers]
    assert allowed == [True] * (5 + 11) + [False] * 14, "the first day, and then less than two hours in all"
    assert set(answers[16:]) == {("R65",)}


@pytest.mark.parametrize(
    ("clock", "ok", "said"),
    [
        (frozen_clock(CASE.now, 120_000), True, "120000 ms ahead"),
        (frozen_clock(CASE.now, 120_001), False, "120001 ms ahead"),
        (frozen_clock(CASE.now, None), False, "nobody has told the right time yet"),
        (restarted_clock(CASE.now, 0, 30 * MINUTE), True, "believed for 90 more minutes"),
        (restarted_clock(CASE.now, 0, 2 * HOUR), False, "nobody has told the right time yet"),
    ],
    ids=["near enough", "too far", "never told", "after a restart", "long after one"],
)
def test_the_self_test_tells_of_the_clock_what_the_rules_make_of_it(
    home: Home, clock: TrustedClock, ok: bool, said: str
) -> None:
    bench_for(CASE, home)
    check = _clock_check(cast(Agent, SimpleNamespace(clock=clock, replica=home.replica)))
    assert (check.ok, said in check.said, bool(check.mend)) == (ok, True, said != "120000 ms ahead")
