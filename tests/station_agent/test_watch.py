"""Watching a lane: each alarm on both sides of its threshold, from curves of the scale model; none for honest work."""

from dataclasses import dataclass, field, replace

import pytest

from cylinder_trace.events import parse_event
from cylinder_trace.rulebook import WatchRules
from cylinder_trace.values import plain
from station_agent.devices.scale import ScaleReading
from station_agent.devices.scale_model import DIVISION_G, OPEN, SHUT, Controls, SimulatedScale
from station_agent.watch import (
    SENTENCES,
    Alarm,
    AlarmKind,
    FillSeen,
    LaneFacts,
    LaneWatch,
    ScanSeen,
    TankLevels,
    mass_balance,
    reweigh_missing,
)

RULES = WatchRules()
NOON = 1_795_312_800_000
TARE_G, TARGET_G, MOST_G = 16_500, 14_500, 14_900
_STEP_S = 0.05


@dataclass
class Watched:
    """A scale of the model, its cylinders and its watch; time passes as the test lets it."""

    rules: WatchRules = RULES
    ms: int = 1_000_000
    facts: LaneFacts = field(default_factory=LaneFacts)
    alarms: list[Alarm] = field(default_factory=list)
    watch: LaneWatch = field(default_factory=LaneWatch)

    def __post_init__(self) -> None:
        self.model = SimulatedScale(1, lambda _: None)
        self._beats = 0

    @property
    def kinds(self) -> list[AlarmKind]:
        return [alarm.kind for alarm in self.alarms]

    @property
    def now(self) -> int:
        return NOON + self.ms

    @property
    def shown_g(self) -> int:
        return self.model.indication().gross_g

    def meddle(self, **numbers: float) -> None:
        """Somebody makes the scale another one: its zero, its drift, a pipe past the valve."""
        self.model.set_condition(self.ms, **numbers)

    def leak(self, seconds: float, g_s: float) -> None:
        """Gas flows past the valve for so long."""
        self.meddle(bypass_g_s=g_s)
        self.wait(seconds)
        self.meddle(bypass_g_s=0)

    def wait(self, seconds: float, every_s: float = 0.5) -> None:
        """Time passes, and the lane looks at its scale twice a second, or as often as a fill does."""
        for step in range(round(seconds / _STEP_S)):
            self.ms += round(_STEP_S * 1000)
            self.model.step(_STEP_S, self.ms)
            if step % round(every_s / _STEP_S) == 0:
                self.look()

    def look(self) -> None:
        said = self.model.indication()
        reading = ScaleReading(self.ms, said.gross_g, said.stable, said.valve_open, said.fault, False)
        self.alarms += self.watch.see(self.now, reading, self.facts, self.rules)

    def place(self, label: str, gross_g: int = TARE_G + 100, stays_s: float = 4) -> None:
        self.model.place(label, gross_g, self.ms)
        self.wait(stays_s)

    def take_away(self) -> None:
        self.model.remove(self.ms)
        self.wait(3)

    def scan(self, cylinder_id: str, check_id: str, **about: int) -> None:
        """A scan and its decision."""
        empty_g = self.shown_g
        self.facts = LaneFacts(check_id=check_id, cylinder_id=cylinder_id, empty_gross_g=empty_g)
        self.watch.scanned()
        seen = ScanSeen(check_id, cylinder_id, TARE_G, empty_g, **about)
        self.alarms += self.watch.decided(self.now, seen, self.rules)

    def start(self, stop_at_g: int = TARE_G + TARGET_G) -> None:
        """A permit is used up and the valve opens."""
        self.facts = replace(self.facts, permitted=True)
        self.look()
        self.facts = replace(self.facts, permitted=False, filling=True)
        self._say(SHUT, stop_at_g)
        self._say(OPEN, stop_at_g)

    def fill(self, seconds: float = 90) -> None:
        """A whole fill, as the lane walks it."""
        self.start()
        for _ in range(round(seconds)):
            self._say(OPEN, TARE_G + TARGET_G)
            self.wait(1, every_s=0.05)
            if not self.model.valve_open:
                break
        self._say(SHUT, TARE_G + TARGET_G)
        self.wait(2, every_s=0.05)
        self.facts = replace(self.facts, filling=False)
        self.wait(4)

    def _say(self, command: int, stop_at_g: int) -> None:
        self._beats += 1
        self.model.obey(Controls(command, self._beats, stop_at_g, 1), self.ms)


# ------------------------------------------------------------ honest work


def test_an_honest_shift_with_noise_drift_and_residue_raises_no_alarm() -> None:
    lane = Watched()
    for number in range(60):
        lane.meddle(tare_offset_g=(number % 11 - 5) * DIVISION_G)  # the zero wanders by five divisions
        residue_g = number * 37 % 400
        lane.place(f"cyl_{number}", TARE_G + 40 + residue_g)
        lane.scan(f"cyl_{number}", f"chk_{number}")
        if number % 7:
            lane.fill()
        lane.take_away()
    assert lane.alarms == []


def test_a_cylinder_set_down_slowly_leant_on_and_rocked_raises_no_alarm() -> None:
    lane = Watched()
    for gross_g in (0, 900, 4_000, 9_500, 14_800, 17_300, 16_350, 16_600, 16_600, 19_800, 16_590, 16_210, 16_600):
        lane.ms += 500
        reading = ScaleReading(lane.ms, gross_g, False, False, None, False)
        lane.alarms += lane.watch.see(lane.now, reading, LaneFacts(), RULES)
    assert lane.alarms == []


def test_what_changed_while_nobody_could_look_raises_no_alarm() -> None:
    lane = Watched()
    lane.place("cyl_1")
    lane.wait(10)
    lane.meddle(bypass_g_s=250)
    lane.wait(58, every_s=1_000)
    lane.meddle(bypass_g_s=0)
    lane.wait(10)
    assert lane.alarms == []


# ------------------------------------------------------------ gas and no permit


@pytest.mark.parametrize(("gained_g", "told"), [(RULES.rise_g - 40, []), (RULES.rise_g + 40, ["rise_without_permit"])])
def test_gas_through_a_bypass_pipe_is_told_from_the_threshold_on(gained_g: int, told: list[str]) -> None:
    lane = Watched()
    lane.place("cyl_1")
    lane.leak(gained_g / 100, g_s=100)
    lane.wait(10)
    assert lane.kinds == told


def test_a_whole_fill_past_the_valve_is_one_episode_and_the_next_cylinder_another() -> None:
    lane = Watched()
    for number in range(2):
        lane.place(f"cyl_{number}")
        lane.leak(60, g_s=240)
        lane.take_away()
    assert lane.kinds == ["rise_without_permit"] * 2
    assert lane.alarms[0].facts["from_g"] == pytest.approx(TARE_G + 100, abs=600)
    assert lane.alarms[0].check_id is None


def test_gas_after_a_refusal_names_the_scan() -> None:
    lane = Watched()
    lane.place("cyl_1")
    lane.scan("cyl_1", "chk_1")
    lane.leak(10, g_s=100)
    assert [(alarm.kind, alarm.check_id, alarm.cylinder_id) for alarm in lane.alarms] == [
        ("rise_without_permit", "chk_1", "cyl_1")
    ]


@pytest.mark.parametrize(("gained_g", "told"), [(RULES.rise_g - 50, []), (RULES.rise_g + 50, ["gas_after_permit"])])
def test_gas_after_the_permits_end_is_told_from_the_threshold_on(gained_g: int, told: list[str]) -> None:
    lane = Watched()
    lane.place("cyl_1")
    lane.scan("cyl_1", "chk_1")
    lane.fill()
    lane.leak(gained_g / 100, g_s=100)
    lane.wait(10)
    assert lane.kinds == told
    assert [alarm.check_id for alarm in lane.alarms] == ["chk_1"] * len(told)


def test_a_valve_that_stays_open_is_told_before_much_has_flowed() -> None:
    lane = Watched()
    lane.place("cyl_1")
    lane.scan("cyl_1", "chk_1")
    lane.model.set_fault("stuck_valve", lane.ms)
    lane.fill()
    assert lane.kinds == ["gas_after_permit"]
    assert lane.alarms[0].facts["valve_open"] == 1


# ------------------------------------------------------------ one permit, one cylinder


def curve_of(falls_g: int) -> list[AlarmKind]:
    """A fill in whose middle so much goes off the scale, and gas flows on."""
    watch, alarms = LaneWatch(), []
    facts = LaneFacts(filling=True, check_id="chk_1", cylinder_id="cyl_1", empty_gross_g=TARE_G)
    weights = [*range(TARE_G, TARE_G + 8_000, 10), *range(TARE_G + 8_000 - falls_g, TARE_G + 14_000, 10)]
    for place, gross_g in enumerate(weights):
        reading = ScaleReading(place * 40, gross_g, False, True, None, False)
        alarms += watch.see(NOON + place * 40, reading, facts, RULES)
    return [alarm.kind for alarm in alarms]


def test_several_curves_under_one_permit_are_told_from_the_threshold_on_and_once() -> None:
    assert curve_of(RULES.curve_fall_g - 20) == []
    assert curve_of(RULES.curve_fall_g + 20) == ["several_curves"]
    assert curve_of(8_000) == ["several_curves"]


@pytest.mark.parametrize(("shift_g", "told"), [(190, []), (-190, []), (210, ["weight_shifted"])])
def test_another_weight_at_the_start_than_at_the_scan_is_told_from_the_threshold_on(
    shift_g: int, told: list[str]
) -> None:
    lane = Watched()
    lane.place("cyl_1", TARE_G)
    lane.scan("cyl_1", "chk_1")
    lane.meddle(tare_offset_g=shift_g)
    lane.fill()
    assert lane.kinds == told


@pytest.mark.parametrize(
    ("hours", "gross_g", "told"),
    [
        (1, TARE_G + 100, ["same_code_again"]),
        (1, TARE_G + TARGET_G, []),
        (1, TARE_G + TARGET_G - 990, []),
        (23, TARE_G + TARGET_G - 1_010, ["same_code_again"]),
        (25, TARE_G + 100, []),
    ],
)
def test_a_code_filled_here_and_scanned_again_on_an_empty_cylinder(hours: int, gross_g: int, told: list[str]) -> None:
    lane = Watched()
    lane.place("card", gross_g)
    before = lane.now - hours * 3_600_000 + 1_000
    lane.scan("cyl_1", "chk_1", filled_at=before, filled_net_g=TARGET_G)
    lane.scan("cyl_1", "chk_2", filled_at=before, filled_net_g=TARGET_G)
    assert lane.kinds == told


# ------------------------------------------------------------ the scale itself


@pytest.mark.parametrize(("empty_g", "told"), [(TARE_G - 290, []), (TARE_G - 300, ["tare_drift"]), (TARE_G + 490, [])])
def test_an_empty_cylinder_lighter_than_its_stamp_is_told_from_the_threshold_on(empty_g: int, told: list[str]) -> None:
    lane = Watched()
    lane.place("cyl_1", empty_g)
    lane.scan("cyl_1", "chk_1")
    lane.scan("cyl_1", "chk_2")
    assert lane.kinds == told


@pytest.mark.parametrize(("then_g", "told"), [(TARE_G - 90, []), (TARE_G - 100, ["tare_drift"])])
def test_an_empty_cylinder_lighter_than_ever_before_is_told_from_the_threshold_on(then_g: int, told: list[str]) -> None:
    lane = Watched()
    for check, gross_g in enumerate((TARE_G + 400, TARE_G + 200, then_g)):
        lane.place("cyl_1", gross_g)
        lane.scan("cyl_1", f"chk_{check}")
        lane.take_away()
    assert lane.kinds == told


@pytest.mark.parametrize(("light_g", "told"), [(140, []), (150, ["tare_drift"])])
def test_a_scale_on_which_ten_cylinders_are_all_too_light_is_told_once(light_g: int, told: list[str]) -> None:
    lane = Watched()
    for number in range(14):
        lane.place(f"cyl_{number}", TARE_G - light_g)
        lane.scan(f"cyl_{number}", f"chk_{number}")
        lane.take_away()
    assert lane.kinds == told


@pytest.mark.parametrize(("offset_g", "told"), [(-90, []), (-100, ["zero_changed"]), (-400, ["zero_changed"])])
def test_a_zero_keyed_below_is_told_once_while_it_lasts(offset_g: int, told: list[str]) -> None:
    lane = Watched()
    lane.wait(5)
    lane.meddle(tare_offset_g=offset_g)
    lane.wait(60)
    assert lane.kinds == told
    lane.meddle(tare_offset_g=0)
    lane.wait(5)
    lane.meddle(tare_offset_g=-500)
    lane.wait(5)
    assert lane.kinds == [*told, "zero_changed"]


@pytest.mark.parametrize(("cylinders", "told"), [(2, []), (3, ["zero_changed"]), (9, ["zero_changed"])])
def test_a_zero_keyed_above_is_told_after_three_cylinders(cylinders: int, told: list[str]) -> None:
    lane = Watched()
    lane.meddle(tare_offset_g=400)
    lane.wait(5)
    for number in range(cylinders):
        lane.place(f"cyl_{number}")
        lane.scan(f"cyl_{number}", f"chk_{number}")
        lane.take_away()
    assert lane.kinds == told


@pytest.mark.parametrize(("net_g", "told"), [(MOST_G + 40, []), (MOST_G + 50, ["overfill"])])
def test_more_than_the_limit_is_told_from_the_threshold_on(net_g: int, told: list[str]) -> None:
    seen = FillSeen("chk_1", "cyl_1", NOON - 60_000, net_g, MOST_G)
    assert [alarm.kind for alarm in LaneWatch().filled(NOON, seen, RULES)] == told


# ------------------------------------------------------------ scanner and shift


@pytest.mark.parametrize(
    ("visits", "apart_s", "told"), [(4, 60, []), (5, 60, ["idle_scanner"]), (9, 60, ["idle_scanner"]), (9, 540, [])]
)
def test_cylinders_on_the_scale_and_no_scan_are_told_once_until_something_is_scanned(
    visits: int, apart_s: int, told: list[str]
) -> None:
    lane = Watched()
    for number in range(visits):
        lane.place(f"cyl_{number}", stays_s=8)
        lane.take_away()
        lane.wait(apart_s)
    assert lane.kinds == told


def test_a_scan_ends_the_episode_of_the_idle_scanner() -> None:
    lane = Watched()
    for number in range(9):
        lane.place(f"cyl_{number}", stays_s=8)
        if number == 4:
            lane.scan(f"cyl_{number}", "chk_1")
        lane.take_away()
    assert lane.alarms == []


@pytest.mark.parametrize(("filled", "missing", "told"), [(10, 0, 0), (10, 1, 1), (10, 10, 0), (0, 0, 0)])
def test_fills_not_weighed_again_are_told_where_others_were(filled: int, missing: int, told: int) -> None:
    assert len(reweigh_missing(NOON - 1, NOON, filled, missing, RULES)) == told


def test_where_each_fill_must_be_weighed_again_none_weighed_is_told_too() -> None:
    (alarm,) = reweigh_missing(NOON - 1, NOON, 10, 10, RULES.model_copy(update={"reweigh": "required"}))
    assert alarm.facts == {"missing": 10, "filled": 10}


@pytest.mark.parametrize(
    ("lost_g", "filled_g", "told"),
    [
        (4_000_000, 3_960_000, []),
        (4_000_000, 3_959_999, ["mass_balance"]),
        (3_959_000, 4_000_000, ["mass_balance"]),
        (500_000, 481_000, []),
        (500_000, 479_000, ["mass_balance"]),
        (-20_000_000, 4_000_000, []),
    ],
)
def test_gas_filled_is_held_against_what_the_tank_lost(lost_g: int, filled_g: int, told: list[str]) -> None:
    tank = TankLevels("lot_1", NOON - 1, 30_000_000, 30_000_000 - lost_g)
    assert [alarm.kind for alarm in mass_balance(NOON, tank, filled_g, RULES)] == told


# ------------------------------------------------------------ what is told


def test_an_alarm_is_recorded_with_its_evidence_and_its_sentence_in_both_languages() -> None:
    alarm = Alarm("rise_without_permit", NOON - 5_000, NOON, {"gain_g": 340, "from_g": 16_600, "limit_g": 300})
    event = alarm.event("st_1", 2, "sc_2", "fl_1")
    assert event.zh == "没有准充令而重量上升 340 g。请到工位查看阀门和管路。"
    assert event.en == "The weight rose by 340 g without a permit. Look at the valve and the pipes."
    assert [(fact.name, fact.value) for fact in event.facts] == [("gain_g", 340), ("from_g", 16_600), ("limit_g", 300)]
    assert parse_event(event.type, plain(event)) == event


def test_no_sentence_accuses_anybody() -> None:
    for zh, en in SENTENCES.values():
        assert not set("骗假贼罪盗") & set(zh)
        assert not {"cheat", "fraud", "steal", "guilty", "illegal"} & set(en.lower().replace(".", " ").split())
        assert zh.endswith("。")
        assert en.endswith(".")
