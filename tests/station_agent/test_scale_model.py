"""The simulated scale when it is not well, or not honest: its log tells what it shows and what really stands on it."""

import pytest

from station_agent.devices.scale_model import OPEN, SHUT, Change, Condition, Controls, SimulatedScale, condition_of

EMPTY_G, STOP_G = 16_800, 20_000


class Platform:
    """One scale, its log, and time that passes when it is let."""

    def __init__(self, **condition: float) -> None:
        self.log: list[Change] = []
        self.scale = SimulatedScale(1, self.log.append, Condition(**condition))
        self.now_ms, self.beat = 1_000_000, 0
        self.scale.place("C", EMPTY_G, self.now_ms)

    def wait(self, seconds: float, *, refresh: bool = False) -> "Platform":
        for step in range(int(seconds / 0.02)):
            self.now_ms += 20
            if refresh and step % 25 == 0:
                self.say(self.scale.controls.command)
            self.scale.step(0.02, self.now_ms)
        return self

    def say(self, command: int) -> "Platform":
        self.beat += 1
        self.scale.obey(Controls(command, self.beat, STOP_G, 1), self.now_ms)
        return self

    def fill(self) -> "Platform":
        return self.say(SHUT).say(OPEN).wait(40, refresh=True)

    @property
    def shown_g(self) -> int:
        return self.scale.indication().gross_g

    @property
    def load_g(self) -> int:
        return self.log[-1].load_g

    def causes(self, event: str) -> list[str | None]:
        return [change.cause for change in self.log if change.event == event]


def test_a_scale_that_is_well_shows_what_stands_on_it() -> None:
    platform = Platform().fill()
    assert abs(platform.shown_g - platform.load_g) <= 5
    assert STOP_G <= platform.load_g <= STOP_G + 30


def test_nobody_reads_the_stop_weight_off_a_scale_whose_valve_is_still_open() -> None:
    platform = Platform(noise_g=30).say(SHUT).say(OPEN)
    for _ in range(1_000):
        platform.wait(0.02).say(OPEN)
        assert platform.shown_g < STOP_G or not platform.scale.valve_open
    assert platform.causes("valve_shut") == ["stop_weight"]


def test_a_tampered_tare_fills_by_so_much_too_little_and_the_log_shows_both() -> None:
    platform = Platform(tare_offset_g=500).fill()
    assert abs(platform.shown_g - STOP_G) <= 30
    assert abs(platform.load_g - (STOP_G - 500)) <= 30


def test_a_zero_that_drifts_moves_the_weight_of_a_cylinder_at_rest() -> None:
    platform = Platform(drift_g_per_min=60).wait(120)
    assert (platform.shown_g, platform.scale.indication().stable) == (EMPTY_G + 120, True)
    assert platform.load_g == EMPTY_G


def test_a_scale_that_overshoots_goes_on_filling_after_its_valve_has_shut() -> None:
    platform = Platform(overshoot_g=300).fill()
    assert platform.causes("valve_shut") == ["stop_weight"]
    assert STOP_G + 300 <= platform.load_g <= STOP_G + 360


def test_a_weight_that_sticks_lets_gas_flow_beyond_the_stop_weight_until_the_host_shuts() -> None:
    platform = Platform().say(SHUT).say(OPEN).wait(4, refresh=True)
    platform.scale.set_fault("sticky_weight", platform.now_ms)
    shown_g = platform.shown_g
    platform.wait(20, refresh=True)
    assert platform.shown_g == shown_g
    assert platform.scale.valve_open
    assert platform.load_g > STOP_G
    platform.say(SHUT).scale.set_fault(None, platform.now_ms)
    assert platform.wait(3).shown_g > STOP_G


def test_gas_through_a_bypass_raises_the_weight_and_opens_no_valve() -> None:
    platform = Platform()
    platform.scale.set_condition(platform.now_ms, bypass_g_s=100)
    platform.wait(20)
    platform.scale.set_condition(platform.now_ms, bypass_g_s=0)
    platform.wait(3)
    assert abs(platform.load_g - EMPTY_G - 2_000) <= 20
    assert platform.causes("valve_opened") == []
    assert platform.causes("condition") == ["bypass_g_s 100", "bypass_g_s 0"]
    assert platform.scale.indication().stable


def test_gas_through_a_bypass_flows_on_after_the_valve_has_shut() -> None:
    platform = Platform(bypass_g_s=20).fill()
    assert platform.causes("valve_shut") == ["stop_weight"]
    assert platform.load_g > STOP_G + 300


def test_noise_is_as_loud_as_it_was_set_and_the_same_at_every_run() -> None:
    def weights(noise_g: float) -> list[int]:
        platform, seen = Platform(noise_g=noise_g, bypass_g_s=1), list[int]()
        for _ in range(200):
            seen.append(platform.wait(0.02).shown_g)
        return seen

    assert weights(60) == weights(60)
    assert max(weights(60)) - min(weights(60)) > 10 * (max(weights(0)) - min(weights(0)))


def test_frozen_electronics_say_the_same_for_ever_and_still_shut_in_silence() -> None:
    platform = Platform().say(SHUT).say(OPEN).wait(2, refresh=True)
    platform.scale.set_fault("frozen", platform.now_ms)
    before = platform.scale.indication()
    assert platform.wait(2).scale.indication() == before
    platform.wait(2)
    assert platform.causes("valve_shut") == ["watchdog"]


@pytest.mark.parametrize(
    "numbers", [{}, {"rust": 1}, {"noise_g": -1}, {"bypass_g_s": 10_000}, {"drift_g_per_min": True}, {"noise_g": "4"}]
)
def test_a_condition_beyond_its_limits_is_refused(numbers: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be a number|what can be set"):
        condition_of(numbers)
