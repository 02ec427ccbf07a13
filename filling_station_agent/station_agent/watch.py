"""Watching a lane (工位监视): what its scale shows against what was scanned, decided and filled there.

Everything here is pure: fed with readings and facts, it answers with alarms, each with the numbers that it was seen
from.  An alarm asks somebody to look.  It accuses nobody and refuses nothing: the rules decide, the valve obeys them.
One alarm is told for an episode and not for every reading: as long as the same thing stands on the scale, the zero is
off, or nobody scans.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cylinder_trace.events import AlarmFact, AlarmRaised
from cylinder_trace.rulebook import WatchRules
from station_agent.devices.scale import ScaleReading

AlarmKind = Literal[
    "rise_without_permit",
    "gas_after_permit",
    "several_curves",
    "weight_shifted",
    "same_code_again",
    "tare_drift",
    "overfill",
    "reweigh_missing",
    "idle_scanner",
    "mass_balance",
    "zero_changed",
]
Facts = Mapping[str, int | str]

_UNSEEN_MS = 2_000  # longer without a reading, nobody can say what was done to the platform meanwhile
_SETTLE_MS = 1_500  # after a hand or a valve moved, until the weight counts
_OPEN_MS = 1_000  # a valve takes a moment to shut
_STOOD_MS = 5_000  # what stands for a shorter time was only put down
_NOISE_G = 20  # two divisions of the scale
_FULL_G = 1_000  # so much below its full weight, a cylinder is not full any more
_EMPTIES = 10
_REMEMBERED = 10_000  # cylinders of which a lane knows how light they were: 2 MB, and no more after years
_OFF_ZERO_VISITS = 3  # something light may lie on an empty scale once

# fmt: off
SENTENCES: dict[AlarmKind, tuple[str, str]] = {
    "rise_without_permit": ("没有准充令而重量上升 {gain_g} g。请到工位查看阀门和管路。",
                            "The weight rose by {gain_g} g without a permit. Look at the valve and the pipes."),
    "gas_after_permit": ("充装结束后重量又上升 {gain_g} g。请关闭手阀并查看。",
                         "The weight rose by {gain_g} g after the fill had ended. Shut the hand valve and look."),
    "several_curves": ("一张准充令下出现 {curves} 条充装曲线。请核对秤上的气瓶。",
                       "There were {curves} fill curves under one permit. Compare the cylinder on the scale."),
    "weight_shifted": ("扫码后到开阀前,重量变化 {shift_g} g。请核对秤上的气瓶和秤的零点。",
                       "Between scan and start the weight changed by {shift_g} g. Compare the cylinder and the zero."),
    "same_code_again": ("{minutes} 分钟前在本站充满的码又扫到,秤上却只有 {gross_g} g。请核对瓶码与钢印。",
                        "Filled here {minutes} minutes ago, and now {gross_g} g: compare code and stamp."),
    "tare_drift": ("空瓶比钢印皮重或历次轻 {light_g} g。请核对皮重和秤的零点。",
                   "The empty cylinder is {light_g} g lighter than its tare or than before. Compare tare and zero."),
    "overfill": ("充装量超过上限 {over_g} g。请抽出多余的气,不得出站。",
                 "It holds {over_g} g more than it may. Draw the gas off; it must not leave."),
    "reweigh_missing": ("本班有 {missing} 只充装后未复秤。请补做复秤。",
                        "{missing} fills of this shift were not weighed again. Please weigh them."),
    "idle_scanner": ("{minutes} 分钟内有 {visits} 只瓶上下秤而没有扫码。请检查扫码枪,每瓶先扫码。",
                     "{visits} cylinders within {minutes} minutes and no scan. Test the scanner; scan each one."),
    "mass_balance": ("本班充出量与罐存变化相差 {gap_g} g。请核对液位、残液和管路。",
                     "Gas filled and the change in the tank differ by {gap_g} g. Compare level, residue and pipes."),
    "zero_changed": ("空秤显示 {zero_g} g,零点或皮重键可能被动过。请清空秤台并校零。",
                     "The empty scale shows {zero_g} g: its zero or tare may have been set. Clear it and set zero."),
}
"""What the screen shows of an alarm: what was seen, and what to do next."""
# fmt: on


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something to look at, and what it was seen from. Moments are those of the station's records, UTC ms."""

    kind: AlarmKind
    from_at: int
    to_at: int
    facts: Facts
    check_id: str | None = None
    cylinder_id: str | None = None

    @property
    def said(self) -> tuple[str, str]:
        """The sentence, in Chinese and in English."""
        zh, en = SENTENCES[self.kind]
        return zh.format_map(self.facts), en.format_map(self.facts)

    def event(self, station_id: str, lane: int, scale_id: str, worker_id: str | None) -> AlarmRaised:
        """The alarm as it is recorded."""
        zh, en = self.said
        return AlarmRaised(
            station_id=station_id,
            kind=self.kind,
            lane=lane,
            scale_id=scale_id,
            worker_id=worker_id,
            check_id=self.check_id,
            cylinder_id=self.cylinder_id,
            from_at=self.from_at,
            to_at=self.to_at,
            facts=tuple(AlarmFact(name=name, value=value) for name, value in self.facts.items()),
            zh=zh,
            en=en,
        )


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """What is going on at a lane while a reading is taken."""

    filling: bool = False
    """Whether gas may flow: a permit was used up, and its fill is not over."""
    permitted: bool = False
    """Whether a permit waits to be used."""
    check_id: str | None = None
    """The last scan."""
    cylinder_id: str | None = None
    empty_gross_g: int | None = None
    """What stood there at that scan."""


@dataclass(frozen=True, slots=True)
class ScanSeen:
    """A scan that was decided: the cylinder by its file, against what stands on the scale."""

    check_id: str
    cylinder_id: str
    tare_g: int
    empty_gross_g: int
    filled_at: int | None = None
    """When it was filled here the last time, if by the record it is still full."""
    filled_net_g: int = 0


@dataclass(frozen=True, slots=True)
class FillSeen:
    """A fill that is over: what the cylinder holds, and the most it may hold."""

    check_id: str
    cylinder_id: str
    started_at: int
    net_g: int
    max_net_g: int


@dataclass(frozen=True, slots=True)
class TankLevels:
    """What the tank behind a lane held before and after a shift, as somebody read and stated it (罐存)."""

    lot_id: str
    since: int
    before_g: int
    after_g: int


@dataclass(slots=True)
class _Visit:
    """Something stands on the scale."""

    at: int
    since_ms: int
    scans: int
    base_g: int
    base_at: int
    moved_ms: int
    after_check: str | None = None
    """The fill that ended while it stood there."""
    told: bool = False
    scanned: set[str] = field(default_factory=set)
    """Of which cylinders something was told while it stood there."""


@dataclass(slots=True)
class _Curve:
    """The weight during one fill."""

    check_id: str | None
    at: int
    peak_g: int
    low_g: int
    fall_g: int = 0
    fell: bool = False
    told: bool = False


@dataclass(slots=True)
class LaneWatch:
    """What was seen at one lane so far, as far as it is needed to judge what comes."""

    _last: ScaleReading | None = None
    _visit: _Visit | None = None
    _curve: _Curve | None = None
    _compared: str | None = None
    _open_since_ms: int | None = None
    _scans: int = 0
    _off_zero: int = 0
    _zero_told: bool = False
    _unscanned: deque[int] = field(default_factory=deque)
    _unscanned_told: bool = False
    _lightest: dict[str, int] = field(default_factory=dict)
    _lighter: deque[int] = field(default_factory=lambda: deque(maxlen=_EMPTIES))
    _lighter_told: bool = False

    # ------------------------------------------------------------ readings

    def see(self, at: int, reading: ScaleReading, facts: LaneFacts, rules: WatchRules) -> list[Alarm]:
        """Take one reading, `at` by the station's clock; the alarms that it completes."""
        last, self._last = self._last, reading
        if facts.filling:
            return self._see_fill(at, reading, facts, rules)
        if self._curve is not None:
            self._end_curve(at, reading)
        alarms = self._see_valve(at, reading, facts)
        if facts.permitted:
            alarms += self._compare_start(at, reading.gross_g, facts, rules)
        if reading.gross_g < rules.standing_g:
            return [*alarms, *self._see_empty(at, reading, rules)]
        return [*alarms, *self._see_standing(at, reading, last, facts, rules)]

    def _see_fill(self, at: int, reading: ScaleReading, facts: LaneFacts, rules: WatchRules) -> list[Alarm]:
        gross_g, curve = reading.gross_g, self._curve
        self._open_since_ms = None
        if curve is None or curve.check_id != facts.check_id:
            self._curve = _Curve(facts.check_id, at, gross_g, gross_g)
            return []
        if gross_g <= curve.peak_g - rules.curve_fall_g:
            curve.low_g = min(curve.low_g, gross_g) if curve.fell else gross_g
            curve.fell, curve.fall_g = True, curve.peak_g - curve.low_g
        curve.peak_g = max(curve.peak_g, gross_g)
        if curve.told or not curve.fell or gross_g < curve.low_g + rules.rise_g:
            return []
        curve.told = True
        seen = {"curves": 2, "fall_g": curve.fall_g, "gain_g": gross_g - curve.low_g, "limit_g": rules.curve_fall_g}
        return [Alarm("several_curves", curve.at, at, seen, facts.check_id, facts.cylinder_id)]

    def _compare_start(self, at: int, gross_g: int, facts: LaneFacts, rules: WatchRules) -> list[Alarm]:
        """What stands there when gas is about to flow, against what stood there at the scan."""
        if facts.empty_gross_g is None or self._compared == facts.check_id:
            return []
        shift_g = gross_g - facts.empty_gross_g
        if abs(shift_g) < rules.shift_g:
            return []
        self._compared = facts.check_id
        seen = {"shift_g": shift_g, "scanned_g": facts.empty_gross_g, "limit_g": rules.shift_g}
        return [Alarm("weight_shifted", at, at, seen, facts.check_id, facts.cylinder_id)]

    def _end_curve(self, at: int, reading: ScaleReading) -> None:
        """The fill is over; what flows from here on has no permit."""
        curve, self._curve = self._curve, None
        assert curve is not None  # noqa: S101 - the caller has looked
        ms = reading.at_ms
        self._visit = _Visit(at, ms, self._scans, reading.gross_g, at, ms, after_check=curve.check_id)

    def _see_valve(self, at: int, reading: ScaleReading, facts: LaneFacts) -> list[Alarm]:
        """A valve that says it is open while nothing may flow; its gas shows on the scale, too."""
        if not reading.valve_open:
            self._open_since_ms = None
            return []
        if self._open_since_ms is None:
            self._open_since_ms = reading.at_ms
        visit = self._visit
        if reading.at_ms - self._open_since_ms < _OPEN_MS or visit is None or visit.told:
            return []
        visit.told = True
        return [self._gas(visit, at, reading.gross_g - visit.base_g, facts, {"valve_open": 1})]

    def _see_standing(
        self, at: int, reading: ScaleReading, last: ScaleReading | None, facts: LaneFacts, rules: WatchRules
    ) -> list[Alarm]:
        gross_g, ms, visit = reading.gross_g, reading.at_ms, self._visit
        if visit is None:
            self._visit = _Visit(at, ms, self._scans, gross_g, at, ms)
            return []
        if last is not None and _moved_by_hand(last, reading, rules):
            visit.moved_ms = ms
        if ms - visit.moved_ms < _SETTLE_MS or gross_g < visit.base_g:
            visit.base_g, visit.base_at = gross_g, at
            return []
        gain_g = gross_g - visit.base_g
        if visit.told or gain_g < rules.rise_g:
            return []
        visit.told = True
        return [self._gas(visit, at, gain_g, facts, {"limit_g": rules.rise_g})]

    def _gas(self, visit: _Visit, at: int, gain_g: int, facts: LaneFacts, more: Facts) -> Alarm:
        seen = {"gain_g": gain_g, "from_g": visit.base_g, **more}
        if visit.after_check is not None:
            return Alarm("gas_after_permit", visit.base_at, at, seen, visit.after_check, facts.cylinder_id)
        scanned = facts.check_id if self._scans > visit.scans else None
        cylinder_id = facts.cylinder_id if scanned else None
        return Alarm("rise_without_permit", visit.base_at, at, seen, scanned, cylinder_id)

    def _see_empty(self, at: int, reading: ScaleReading, rules: WatchRules) -> list[Alarm]:
        visit = self._visit
        left = visit is not None and reading.stable
        alarms = self._see_zero(at, reading.gross_g, rules, left=left) if reading.stable else []
        if visit is None or not reading.stable:
            return alarms
        self._visit = None
        scanned = self._scans > visit.scans or visit.after_check is not None
        if scanned or reading.at_ms - visit.since_ms < _STOOD_MS:
            return alarms
        return [*alarms, *self._see_unscanned(visit.at, at, rules)]

    def _see_zero(self, at: int, zero_g: int, rules: WatchRules, *, left: bool) -> list[Alarm]:
        """An empty scale below zero was set so; above zero something may lie there, but not after each cylinder."""
        if abs(zero_g) < rules.zero_g:
            self._off_zero, self._zero_told = 0, False
            return []
        self._off_zero += left
        if self._zero_told or (zero_g > 0 and self._off_zero < _OFF_ZERO_VISITS):
            return []
        self._zero_told = True
        return [Alarm("zero_changed", at, at, {"zero_g": zero_g, "limit_g": rules.zero_g})]

    def _see_unscanned(self, from_at: int, at: int, rules: WatchRules) -> list[Alarm]:
        self._unscanned.append(from_at)
        while self._unscanned[0] < at - rules.unscanned_minutes * 60_000:
            self._unscanned.popleft()
        visits = len(self._unscanned)
        if self._unscanned_told or visits < rules.unscanned_visits:
            return []
        self._unscanned_told = True
        minutes = -(-(at - self._unscanned[0]) // 60_000)
        seen = {"visits": visits, "minutes": minutes, "limit": rules.unscanned_visits}
        return [Alarm("idle_scanner", self._unscanned[0], at, seen)]

    # ------------------------------------------------------------ scans and fills

    def scanned(self) -> None:
        """Something was scanned at the lane."""
        self._scans += 1
        self._unscanned.clear()
        self._unscanned_told = False

    def decided(self, at: int, scan: ScanSeen, rules: WatchRules) -> list[Alarm]:
        """A scan that led to a cylinder on file was decided. Of one on one visit to the scale it is told once."""
        alarms = _same_code(at, scan, rules) if scan.filled_at is not None else self._see_tare(at, scan, rules)
        if self._visit is None or not alarms:
            return alarms
        told_before = scan.cylinder_id in self._visit.scanned
        self._visit.scanned.add(scan.cylinder_id)
        return [] if told_before else alarms

    def _see_tare(self, at: int, scan: ScanSeen, rules: WatchRules) -> list[Alarm]:
        empty_g, light_g = scan.empty_gross_g, scan.tare_g - scan.empty_gross_g
        before_g = self._lightest.pop(scan.cylinder_id, empty_g)
        self._lightest[scan.cylinder_id] = min(before_g, empty_g)
        if len(self._lightest) > _REMEMBERED:  # whichever was not here for longest goes
            del self._lightest[next(iter(self._lightest))]
        self._lighter.append(light_g)
        mean = self._mean_told(rules)
        seen = {"tare_g": scan.tare_g, "empty_g": empty_g}
        if light_g >= rules.tare_light_g:
            seen |= {"light_g": light_g, "limit_g": rules.tare_light_g}
        elif before_g - empty_g >= rules.tare_light_g and light_g > 0:
            seen |= {"light_g": before_g - empty_g, "before_g": before_g, "limit_g": rules.tare_light_g}
        elif mean:
            seen |= mean
        else:
            return []
        return [Alarm("tare_drift", at, at, seen, scan.check_id, scan.cylinder_id)]

    def _mean_told(self, rules: WatchRules) -> dict[str, int]:
        """Each cylinder may be within bounds, and all of them together tell of the scale."""
        mean_g = sum(self._lighter) // _EMPTIES if len(self._lighter) == _EMPTIES else 0
        if mean_g < rules.tare_mean_g:
            self._lighter_told = False
            return {}
        if self._lighter_told:
            return {}
        self._lighter_told = True
        return {"light_g": mean_g, "cylinders": _EMPTIES, "limit_g": rules.tare_mean_g}

    def filled(self, at: int, fill: FillSeen, rules: WatchRules) -> list[Alarm]:
        """A fill was recorded."""
        over_g = fill.net_g - fill.max_net_g
        if over_g < rules.overfill_g:
            return []
        seen = {"over_g": over_g, "net_g": fill.net_g, "max_net_g": fill.max_net_g}
        return [Alarm("overfill", fill.started_at, at, seen, fill.check_id, fill.cylinder_id)]


def _moved_by_hand(last: ScaleReading, reading: ScaleReading, rules: WatchRules) -> bool:
    """Whether the weight changed faster than any gas flows, or nobody looked for too long to tell."""
    passed_ms = reading.at_ms - last.at_ms
    if passed_ms > _UNSEEN_MS:
        return True
    return abs(reading.gross_g - last.gross_g) > rules.flow_max_g_s * passed_ms // 1000 + _NOISE_G


def _same_code(at: int, scan: ScanSeen, rules: WatchRules) -> list[Alarm]:
    """Full by the record since a few hours, and what stands there is not full: another cylinder under this code."""
    if scan.filled_at is None or at - scan.filled_at > rules.same_code_hours * 3_600_000:
        return []
    full_g = scan.tare_g + scan.filled_net_g
    if scan.empty_gross_g > full_g - _FULL_G:
        return []
    minutes = max(0, at - scan.filled_at) // 60_000
    seen = {"minutes": minutes, "gross_g": scan.empty_gross_g, "full_g": full_g}
    return [Alarm("same_code_again", scan.filled_at, at, seen, scan.check_id, scan.cylinder_id)]


# ------------------------------------------------------------ the end of a shift


def reweigh_missing(since: int, at: int, filled: int, missing: int, rules: WatchRules) -> list[Alarm]:
    """Fills of a shift that nobody weighed again, where that must be or was done with others (逐瓶复验)."""
    asked = rules.reweigh == "required" or missing < filled
    if not missing or not asked:
        return []
    return [Alarm("reweigh_missing", since, at, {"missing": missing, "filled": filled})]


def mass_balance(at: int, tank: TankLevels, filled_g: int, rules: WatchRules) -> list[Alarm]:
    """Gas filled from a tank in a shift against what the tank lost (物料平衡).

    Of what came into the tank meanwhile nobody tells the station: a tank that gained says nothing.
    """
    lost_g = tank.before_g - tank.after_g
    if lost_g < 0:
        return []
    gap_g = lost_g - filled_g
    limit_g = max(rules.balance_least_g, max(lost_g, filled_g) * rules.balance_permille // 1000)
    if abs(gap_g) <= limit_g:
        return []
    seen: Facts = {"gap_g": gap_g, "lost_g": lost_g, "filled_g": filled_g, "limit_g": limit_g, "lot_id": tank.lot_id}
    return [Alarm("mass_balance", tank.since, at, seen)]
