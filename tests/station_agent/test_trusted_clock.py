"""The station's time: what can be told of its error, and that doubt is never taken for certainty."""

from dataclasses import dataclass

import pytest

from station_agent.clock import Reference, TrustedClock

HOUR = 3_600_000
NOON = 1_800_000_000_000


@dataclass
class Machine:
    """A station PC whose clocks a test moves."""

    wall: int = NOON
    steady: int = 50_000
    boot: str = "boot-a"

    def pass_ms(self, ms: int) -> None:
        self.wall += ms
        self.steady += ms

    def clock(self) -> TrustedClock:
        return TrustedClock(wall=lambda: self.wall, steady=lambda: self.steady, boot=self.boot)

    def synchronised(self, server_at: int) -> TrustedClock:
        clock = self.clock()
        clock.learn(server_at, self.steady, self.steady)
        return clock


def test_nobody_can_tell_before_the_first_contact() -> None:
    assert Machine().clock().skew_ms() is None
    assert Machine().clock().trusted_now() is None


def test_the_services_time_is_carried_on_by_the_steady_clock() -> None:
    machine = Machine()
    clock = machine.synchronised(NOON - 7_000)
    machine.pass_ms(HOUR)
    assert clock.skew_ms() == 7_000
    assert clock.trusted_now() == NOON + HOUR - 7_000


def test_setting_the_clock_back_shows_at_once() -> None:
    machine = Machine()
    clock = machine.synchronised(NOON)
    machine.wall -= 24 * HOUR
    assert clock.skew_ms() == -24 * HOUR


def test_half_the_way_there_and_back_is_taken_off_and_a_slow_answer_says_nothing() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.pass_ms(400)
    clock.learn(NOON + 200, machine.steady - 400, machine.steady)
    assert clock.skew_ms() == 0
    machine.pass_ms(60_000)
    clock.learn(NOON + 9 * HOUR, machine.steady - 30_000, machine.steady)
    assert clock.skew_ms() == 0


def test_after_a_restart_of_the_agent_without_network_the_steady_clock_still_counts() -> None:
    machine = Machine()
    kept = machine.synchronised(NOON - 3_000).reference
    machine.pass_ms(5 * HOUR)
    machine.wall += HOUR
    clock = machine.clock()
    clock.restore(kept)
    assert clock.skew_ms() == HOUR + 3_000


def test_after_a_restart_of_the_machine_nobody_can_tell_how_long_it_was_off() -> None:
    machine = Machine()
    kept = machine.synchronised(NOON - 3_000).reference
    later = Machine(wall=NOON + 8 * HOUR, steady=10, boot="boot-b")
    clock = later.clock()
    clock.restore(kept)
    assert clock.skew_ms() is None


def test_where_the_system_gives_its_starts_no_name_a_kept_reference_is_not_used() -> None:
    machine = Machine(boot="")
    clock = machine.clock()
    clock.restore(Reference(NOON, NOON, machine.steady, ""))
    assert clock.skew_ms() is None


@pytest.mark.parametrize("by_ms", [-HOUR, HOUR, -60_000, 24 * HOUR])
def test_a_clock_that_was_set_and_put_right_again_is_doubted_until_the_service_says_the_time(by_ms: int) -> None:
    machine = Machine()
    clock = machine.synchronised(NOON)
    machine.wall += by_ms
    assert clock.skew_ms() in (None, by_ms)
    machine.wall -= by_ms
    machine.pass_ms(5_000)
    assert clock.skew_ms() is None
    assert clock.trusted_now() is None
    clock.learn(NOON + 5_000, machine.steady, machine.steady)
    assert clock.skew_ms() == 0


def test_the_small_corrections_of_a_time_server_are_no_setting_of_the_clock() -> None:
    machine = Machine()
    clock = machine.synchronised(NOON)
    for _ in range(10):
        machine.pass_ms(60_000)
        machine.wall += 400
        assert clock.skew_ms() is not None
    assert clock.skew_ms() == 4_000


def test_a_machine_that_slept_knows_the_time_where_its_steady_clock_counts_on() -> None:
    machine = Machine()
    clock = machine.synchronised(NOON)
    machine.pass_ms(8 * HOUR)
    assert clock.skew_ms() == 0


def test_a_machine_that_slept_doubts_its_clock_where_the_steady_one_stood_still() -> None:
    machine = Machine()
    clock = machine.synchronised(NOON)
    machine.wall += 8 * HOUR
    assert clock.skew_ms() == 8 * HOUR


def test_a_contact_settles_the_doubt() -> None:
    machine = Machine(boot="boot-b")
    clock = machine.clock()
    clock.restore(Reference(NOON, NOON, 1, "boot-a"))
    assert clock.skew_ms() is None
    clock.learn(NOON, machine.steady, machine.steady)
    assert clock.skew_ms() == 0


def test_a_kept_reference_reads_back() -> None:
    kept = Machine().synchronised(NOON).reference
    assert kept
    assert Reference.from_json(kept.to_json()) == kept


# ---------------------------------------------------------------- after a restart of the machine, unchecked


def restarted(before: Machine, wall: int, recorded_at: int = 0, ahead_ms: int = 0) -> tuple[Machine, TrustedClock]:
    """The machine of which `before` knew the time, switched on again with its clock at `wall`."""
    kept = before.synchronised(before.wall - ahead_ms).reference
    again = Machine(wall=wall, steady=10, boot="boot-b")
    clock = again.clock()
    clock.restore(kept, recorded_at)
    return again, clock


def test_after_a_restart_it_counts_from_the_last_moment_at_which_the_time_was_known() -> None:
    machine, clock = restarted(Machine(), NOON + HOUR, ahead_ms=3_000)
    assert clock.skew_ms() is None
    assert clock.unchecked() == (3_000, HOUR)
    machine.pass_ms(HOUR)
    assert clock.unchecked() == (3_000, 2 * HOUR)


def test_the_time_stays_known_while_the_agent_runs_alone_and_that_is_kept() -> None:
    before = Machine()
    clock = before.synchronised(NOON)
    before.pass_ms(5 * HOUR)
    kept = clock.reference
    again = Machine(wall=NOON + 6 * HOUR, steady=10, boot="boot-b").clock()
    again.restore(kept)
    assert again.unchecked() == (0, HOUR)


def test_a_clock_that_stands_before_what_was_known_or_recorded_is_behind() -> None:
    for wall, recorded_at, behind_ms in ((NOON - 1, 0, -1), (NOON + HOUR, NOON + HOUR + 5, -5)):
        _machine, clock = restarted(Machine(), wall, recorded_at)
        unchecked = clock.unchecked()
        assert unchecked is not None
        assert unchecked.beyond_ms == behind_ms


def test_what_is_done_to_the_wall_clock_after_the_restart_gains_nothing() -> None:
    machine, clock = restarted(Machine(), NOON + HOUR)
    machine.pass_ms(HOUR)
    machine.wall -= 20_000
    assert clock.unchecked() == (0, 2 * HOUR), "by the steady clock"
    for _ in range(2):
        machine.pass_ms(1_000)
        machine.wall -= 20_000
        clock.unchecked()
    assert clock.unchecked() is None, "also where it is set back in steps too small to be seen"


def test_nothing_is_said_of_a_clock_that_was_never_known_or_is_known() -> None:
    assert Machine().clock().unchecked() is None
    assert Machine().synchronised(NOON).unchecked() is None
