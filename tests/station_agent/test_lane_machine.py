"""A floor of two filling lanes and one that checks, under whatever may happen in whatever order (工位状态机).

Judged at the scales: at each moment at which a valve opens, by the scale's own log, exactly one start is on record
there, under a live permit of this boot for this cylinder at this scale, for which no valve was opened before, and
nothing forbids the fill.  In the end each opening has its one record of a fill, or none where no gas came out of it.
"""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cylinder_trace.events import FillDecided, Filled
from station_agent.devices.scale_model import Change
from station_agent.devices.scanner import Badge, Finding, Scan, ScannerEvent, StampSeen, Statement
from station_agent.filling import NO_GAS_G
from station_agent.lane import LaneState
from stations.floors import CHECKER, EMPTY_G, FILLER, STRANGER, FloorHouse, code_of, cylinder

FILLING, LANES, CYLINDERS = (1, 2), (1, 2, 3), tuple(range(1, 13))
START_WITHIN_MS = 180_000
_BREAK = "create trigger if not exists {0}_full before insert on {0} begin select raise(abort, 'full'); end"
_MEND = "drop trigger if exists {0}_full"

_MOMENTS = st.sampled_from([0.0, 0.005, 0.02, 0.05, 0.2, 0.31, 0.5, 2.0])
"""Seconds: before the weight, before and behind the decision, the start, the opening; in the middle of the gas."""
lanes = st.sampled_from(LANES)
numbers = st.sampled_from(CYLINDERS)
events = st.one_of(
    st.builds(Badge, lanes, st.sampled_from([FILLER, CHECKER, STRANGER]), st.booleans()),
    st.builds(Finding, lanes, st.sampled_from(["valve_damaged", "leaking"]), st.just(False)),
    st.builds(
        Statement,
        lanes,
        st.sampled_from(["checked", "checker", "handover", "reweigh", "damaged", "seal=S1", "label=L1"]),
        st.just(False),
    ),
    st.builds(StampSeen, lanes, st.just('{"serial":"A22050001","tare_g":16500}'), st.just(False)),
    st.builds(Scan, lanes, st.sampled_from(["no code", ""]), st.booleans()),
)


class Judge:
    """Looks at the disk at the moment at which a valve opens."""

    def __init__(self) -> None:
        self.openings: list[tuple[str, int, int]] = []
        """Check id, scale and gross weight of each."""
        self.faults: list[str] = []

    def opened(self, house: FloorHouse, number: int, change: Change) -> None:
        starts = house.now.journal.open_starts(f"scale-{number}")
        if len(starts) != 1:
            self.faults.append(f"scale {number} opened with {len(starts)} starts on record")
            return
        start = starts[0]
        decided = house.now.journal.find(start.check_id)
        event = decided.event() if decided else None
        assert isinstance(event, FillDecided)
        request, decision, told_at = event.request, event.decision, house.scales[number].told_to_open_at
        held = {
            "it is permitted": decision.permits,
            "for this cylinder": decision.cylinder_id == start.cylinder_id,
            "that was scanned": request.code == code_of(int(start.cylinder_id.removeprefix("cyl_"))),
            "at this scale": request.scale_id == f"scale-{number}" == start.scale_id,
            "in this boot": request.boot_id == house.now.boot_id,
            "in time": house.case.now + told_at - request.requested_at <= START_WITHIN_MS,
            "for the first time": start.check_id not in [check_id for check_id, *_ in self.openings],
            "at a lane that fills": number in FILLING,
            "that shows it": house.now.lane(number).state is LaneState.FILLING,
            "and is not locked": f"scale-{number}" not in house.locked,
            "nor is the cylinder flagged": not house.cylinders[int(start.cylinder_id.removeprefix("cyl_"))].flags,
            "nor under way elsewhere": not self._elsewhere(house, start.cylinder_id, number),
        }
        self.faults += [f"scale {number}, {start.check_id}: not {what}" for what, holds in held.items() if not holds]
        self.openings.append((start.check_id, number, change.gross_g))

    def _elsewhere(self, house: FloorHouse, cylinder_id: str, number: int) -> bool:
        others = (start for start in house.now.journal.open_starts() if start.scale_id != f"scale-{number}")
        return any(start.cylinder_id == cylinder_id for start in others)


class StationMachine(RuleBasedStateMachine):
    """Scans, badges, cards, locks, late denials, lost links, broken disks and power cuts."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.judge = Judge()
        slowness = Random(20)
        self.house = FloorHouse(
            Path(self.folder.name),
            cylinders={number: cylinder(number) for number in CYLINDERS},
            opened=self.judge.opened,
            simulated_s_per_read=4.0,
            hold_up=lambda: slowness.choice([0.0, 0.0, 0.004, 0.021, 0.3]),
        )
        for lane in FILLING:
            self.house.people(lane)

    def _let(self, seconds: float) -> None:
        self.house.runner.run(asyncio.sleep(seconds))

    # ------------------------------------------------------------ people

    @rule(lane=lanes, number=numbers, then_s=_MOMENTS)
    def put_and_scan(self, lane: int, number: int, then_s: float) -> None:
        self._prepare(lane)
        self.house.take(Scan(lane, code_of(number), False), then_s=then_s)

    @rule(number=numbers, then_s=_MOMENTS)
    def scan_at_both_lanes(self, number: int, then_s: float) -> None:
        for lane in FILLING:
            self._prepare(lane)
        self.house.take(*(Scan(lane, code_of(number), False) for lane in FILLING), then_s=then_s)

    def _prepare(self, lane: int) -> None:
        """An empty cylinder on a free scale, and somebody who may fill it."""
        if self.house.now.lane(lane).is_ready:
            self._carry(lane, EMPTY_G)
        if self.house.now.lane(lane).worker_id is None:
            self.house.take(Badge(lane, FILLER, False))

    @rule(event=events, then_s=st.sampled_from([0.0, 0.2]))
    def show(self, event: ScannerEvent, then_s: float) -> None:
        self.house.take(event, then_s=then_s)

    @rule(lane=lanes, gross_g=st.sampled_from([None, EMPTY_G, 31_000, 32_000]))
    def put(self, lane: int, gross_g: int | None) -> None:
        self._carry(lane, gross_g)

    def _carry(self, lane: int, gross_g: int | None) -> None:
        """People leave a cylinder whose fill is not on record yet where it is, as the screen says."""
        if not self.house.now.journal.open_starts(f"scale-{lane}"):
            self.house.scales[lane].carry(gross_g)

    # ------------------------------------------------------------ the rest of the world

    @rule(number=numbers, then_s=_MOMENTS)
    def flag_one_that_is_scanned(self, number: int, then_s: float) -> None:
        """The news comes at any moment of its way."""
        self.put_and_scan(1, number, then_s)
        self.house.cylinders[number] = cylinder(number, flags=("black",))
        self.house.learn()

    @rule(number=numbers, then_s=_MOMENTS)
    def lock_a_scale_that_is_busy(self, number: int, then_s: float) -> None:
        """The lock comes at any moment of a scan's way, and does not last."""
        self.put_and_scan(1, number, then_s)
        self.house.locked = frozenset({"scale-1"})
        self.house.learn()
        self._let(1.0)
        self.house.locked = frozenset()
        self.house.learn()

    @rule(says=st.sampled_from(["gone", "allow", "deny"]), delay_s=st.sampled_from([0.0, 0.4, 1.0]))
    def service(self, says: str, delay_s: float) -> None:
        base, number = self.house.case, 1
        flags = {"allow": (), "deny": ("black",)}.get(says, ())
        self.house.service.case = None if says == "gone" else replace(base, cylinder=cylinder(number, flags=flags))
        self.house.service.delay_s = delay_s

    @rule(lane=lanes, lost_s=_MOMENTS)
    def lose_a_scale(self, lane: int, lost_s: float) -> None:
        self.house.scales[lane].lost = True
        self._let(lost_s)
        self.house.scales[lane].lost = False

    @rule(table=st.sampled_from(["records", "starts", "notes"]), number=numbers, full_s=_MOMENTS)
    def fill_the_disk(self, table: str, number: int, full_s: float) -> None:
        self.house.now.journal._rows(_BREAK.format(table))
        self.put_and_scan(2, number, full_s)
        self.house.now.journal._rows(_MEND.format(table))

    @rule(minutes=st.sampled_from([1, 4, 25]), number=numbers, then_s=_MOMENTS)
    def time_jumps(self, minutes: int, number: int, then_s: float) -> None:
        """The machine slept in the middle of something."""
        self.put_and_scan(2, number, then_s)
        self.house.late_ms += minutes * 60_000
        self._let(0.1)

    @rule(seconds=st.sampled_from([0.05, 0.5, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self._let(seconds)

    @rule(number=numbers, then_s=_MOMENTS)
    def power_cut(self, number: int, then_s: float) -> None:
        self.put_and_scan(1, number, then_s)
        self.house.restart()
        # People leave the cylinders where they are until the lanes have looked at them.
        self.house.wait_for(lambda: not self.house.now.journal.open_starts())

    # ------------------------------------------------------------ the judgement

    @invariant()
    def no_valve_opened_that_had_to_stay_shut(self) -> None:
        assert self.judge.faults == []

    def teardown(self) -> None:
        try:
            self._end()
        finally:
            self.house.close()
            self.folder.cleanup()

    def _end(self) -> None:
        """Everything works again: what was begun gets its record, and the chain is whole."""
        house = self.house
        for table in ("records", "starts", "notes"):
            house.now.journal._rows(_MEND.format(table))
        for scale in house.scales.values():
            scale.lost = False
        house.restart()
        house.wait_for(lambda: not house.now.journal.open_starts())
        house.now.journal.verify()
        self.no_valve_opened_that_had_to_stay_shut()
        filled = [fill.check_id for fill in house.events(Filled)]
        assert len(filled) == len(set(filled)), "no fill has two records"
        for check_id, number, gross_g in self.judge.openings:
            if check_id not in filled:
                assert self._heaviest_after(check_id, number, gross_g) < gross_g + 2 * NO_GAS_G

    def _heaviest_after(self, check_id: str, number: int, gross_g: int) -> int:
        """The most that this scale showed between this opening and its next weight or opening of something else."""
        log = self.house.scales[number].log
        places = [place for place, change in enumerate(log) if change.event == "valve_opened"]
        nth = [opening[0] for opening in self.judge.openings if opening[1] == number].index(check_id)
        after = log[places[nth] + 1 :]
        until = next(
            (n for n, change in enumerate(after) if change.event in ("valve_opened", "placed", "removed")), None
        )
        return max((change.gross_g for change in after[:until]), default=gross_g)


def test_no_valve_opens_without_a_live_permit_whatever_happens_at_the_lanes() -> None:
    run_state_machine_as_test(StationMachine, settings=settings(max_examples=20, stateful_step_count=25, deadline=None))


def test_the_judge_finds_a_valve_that_is_opened_by_another_hand(tmp_path: Path) -> None:
    """The judgement itself is tried: gas without a start is a fault."""
    judge = Judge()
    house = FloorHouse(tmp_path, opened=judge.opened)
    house.scales[1].carry(EMPTY_G)
    house.runner.run(house.scales[1].open_valve(31_000))
    house.runner.run(house.scales[1].read())
    house.close()
    assert judge.faults == ["scale 1 opened with 0 starts on record"]
