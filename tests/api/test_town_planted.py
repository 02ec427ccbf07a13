"""Every planted case is refused for its planted reason and for nothing else; every good scan is permitted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from cylinder_api.town.answer_key import NOT_PLANTED, PlantedScan
from cylinder_api.town.organisations import DEMO_STATION
from cylinder_api.town.plan import TownPlan
from cylinder_api.town.town import Town, generate_town
from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import Code
from cylinder_codes.reading import read_scan
from cylinder_trace.admission import decide_fill
from cylinder_trace.chain import NO_PREVIOUS
from cylinder_trace.cylinder import CylinderState, next_state
from cylinder_trace.dates import DAY_MS, HOUR_MS, MINUTE_MS, first_day, start_of_day_ms
from cylinder_trace.decision import Decision, FillRequest, Finding
from cylinder_trace.events import Entry, Event, FillDecided, Filled, state_event
from cylinder_trace.reasons import REASONS
from cylinder_trace.rulebook import Rulebook, parse_rulebook
from cylinder_trace.rules.deadlines import design_life_end_month, due_month, life_end_month
from cylinder_trace.station import StationState, facts_for
from cylinder_trace.subjects import SubjectState, next_subject_state

KEY = TagKey("town-test", bytes(range(32)))
DEMO = TownPlan(seed=20_211, as_of="2026-11-20", tag_key=KEY, cylinders=1_200)
PLANS = (
    DEMO,
    TownPlan(seed=1, as_of="2027-01-01", tag_key=KEY, cylinders=200),
    TownPlan(seed=2, as_of="2026-12-31", tag_key=KEY, cylinders=300),
    TownPlan(seed=3, as_of="2028-02-29", tag_key=KEY, cylinders=450),
    TownPlan(seed=4, as_of="2026-03-01", tag_key=KEY, cylinders=800),
)
TRICKS = {
    "trick future_dated_ring": {"R22"},
    "trick cloned_code": {"R03"},
    "trick revived_scrap": {"R05", "R30"},
    "trick foreign_cylinder": {"R10"},
    "trick transfer_laundering": {"R15"},
    "trick one_code_many_fills": {"R69"},
}


@dataclass
class World:
    """What the ledger knows once the town is in it."""

    town: Town
    book: Rulebook
    cylinders: Mapping[str, CylinderState]
    stations: Mapping[str, StationState]
    by_code: Mapping[str, CylinderState]

    def ask(
        self,
        raw_text: str,
        cylinder: CylinderState | None,
        place: tuple[str, str, int, str],
        empty_gross_g: int,
        at: int,
        findings: tuple[Finding, ...] = (),
    ) -> FillDecided:
        """The decision about one scan at (station, scale, lane, worker)."""
        station_id, scale_id, lane, worker_id = place
        read = read_scan(raw_text)
        request = FillRequest(
            check_id="chk_test",
            raw_scan=raw_text,
            code=read.text if isinstance(read, Code) else None,
            unreadable_because=None if isinstance(read, Code) else read.kind,
            station_id=station_id,
            scale_id=scale_id,
            lane=lane,
            boot_id="boot_test",
            worker_id=worker_id,
            findings=findings,
            empty_gross_g=empty_gross_g,
            requested_at=at,
        )
        facts = facts_for(self.stations.get(station_id), request, at, 0)
        decision = decide_fill(request, cylinder, facts, self.book, at)
        return FillDecided(request=request, station=facts, decision=decision, decided_by="service")

    def find(self, raw_text: str) -> CylinderState | None:
        """The cylinder that a scan leads to."""
        read = read_scan(raw_text)
        return self.by_code.get(read.text) if isinstance(read, Code) else None

    def decide(self, scan: PlantedScan, at: int) -> Decision:
        """The decision about a planted scan, its prelude played before."""
        cylinder = self.find(scan.raw_text)
        if scan.prelude and cylinder:
            cylinder = self.play(scan, cylinder, at)
        place = (scan.station_id, scan.scale_id, scan.lane, scan.worker_id)
        return self.ask(scan.raw_text, cylinder, place, scan.empty_gross_g, at, scan.findings).decision

    def play(self, scan: PlantedScan, cylinder: CylinderState, at: int) -> CylinderState:
        """The cylinder after the prelude of `scan`."""
        prelude = scan.prelude
        assert prelude is not None
        at -= prelude.minutes_before * MINUTE_MS or 2 * MINUTE_MS
        place = (prelude.station_id, prelude.scale_id, prelude.lane, prelude.worker_id)
        check = self.ask(scan.raw_text, cylinder, place, scan.empty_gross_g, at)
        cylinder = after(cylinder, check, at)
        if prelude.act == "check_elsewhere":
            return cylinder
        assert check.decision.outcome == "ALLOW"
        return after(cylinder, fill_after(check, at), at + MINUTE_MS)


def after(state: CylinderState, event: Event, at: int) -> CylinderState:
    """The state after `event` was recorded at `at`."""
    record = state_event(event, id="e", subject=f"cylinder/{state.cylinder_id}", occurred_at=at, by="test")
    entry = Entry.model_construct(**record.__dict__, n=state.n, prev=NO_PREVIOUS, recorded_at=at)
    return next_state(state, entry, event)


def fill_after(check: FillDecided, at: int) -> Filled:
    """The fill that an admission leads to."""
    request, net_g = check.request, check.decision.target_net_g
    assert net_g is not None
    return Filled(
        check_id=request.check_id,
        station_id=request.station_id,
        scale_id=request.scale_id,
        lane=request.lane,
        worker_id=request.worker_id or "",
        started_at=at,
        ended_at=at + MINUTE_MS,
        empty_gross_g=request.empty_gross_g,
        full_gross_g=request.empty_gross_g + net_g,
        net_g=net_g,
        ended_because="limit_reached",
    )


def world_of(town: Town) -> World:
    """Everything in the town, folded in the order of recording."""
    states: dict[str, SubjectState] = {}
    for recorded_at, record in town.records:
        state = states.get(record.subject)
        n = state.n if state else 0
        entry = Entry.model_construct(**record.__dict__, n=n, prev=NO_PREVIOUS, recorded_at=recorded_at)
        states[record.subject] = next_subject_state(state, entry, record.event())
    cylinders = {state.cylinder_id: state for state in states.values() if isinstance(state, CylinderState)}
    stations = {state.station_id: state for state in states.values() if isinstance(state, StationState)}
    by_code = {code: state for state in cylinders.values() for code in (*state.codes, *state.voided_codes)}
    return World(town, parse_rulebook(town.rulebook_text), cylinders, stations, by_code)


@pytest.fixture(scope="module", params=PLANS, ids=lambda plan: f"{plan.cylinders} on {plan.as_of}")
def world(request: pytest.FixtureRequest) -> World:
    plan: TownPlan = request.param
    return world_of(generate_town(plan))


@pytest.fixture(scope="module")
def demo() -> World:
    return world_of(generate_town(DEMO))


def test_every_planted_case_is_refused_for_its_reasons_and_nothing_else(world: World) -> None:
    for hour in (8, 17):
        at = start_of_day_ms(world.town.plan.today) + hour * HOUR_MS
        for scan in world.town.answer_key.planted:
            decision = world.decide(scan, at)
            assert decision.outcome == "DENY", scan
            assert decision.codes == scan.expected_reasons, scan


def test_every_good_scan_is_allowed_without_a_warning_at_any_scale_by_any_filler(world: World) -> None:
    station = world.town.organisations.station(DEMO_STATION)
    at = start_of_day_ms(world.town.plan.today) + 8 * HOUR_MS
    for index, scan in enumerate(world.town.answer_key.good):
        lane = index % len(station.scale_ids)
        filler = station.filler_ids[index % len(station.filler_ids)]
        place = (station.station_id, station.scale_ids[lane], lane + 1, filler)
        cylinder = world.find(scan.raw_text)
        assert cylinder is not None
        assert (cylinder.cylinder_id, cylinder.status) == (scan.cylinder_id, "empty")
        for later in (0, 40 * DAY_MS):
            check = world.ask(scan.raw_text, cylinder, place, scan.empty_gross_g, at + later)
            assert check.decision.outcome == "ALLOW", check.decision


def test_no_good_cylinder_is_within_seventy_days_of_a_deadline(world: World) -> None:
    bad = {scan.cylinder_id for scan in world.town.answer_key.planted}
    good = [state for state in world.cylinders.values() if state.cylinder_id not in bad]
    assert len(good) > 0.5 * len(world.cylinders)
    for state in good:
        ends = [due_month(state, world.book), life_end_month(state, world.book)]
        if not state.evaluated_until:
            ends.append(design_life_end_month(state))
        assert min(first_day(end) for end in ends if end) - world.town.plan.today > 70


def test_every_refusal_that_a_town_can_show_is_planted(world: World) -> None:
    shown = {code for scan in world.town.answer_key.planted for code in scan.expected_reasons}
    assert shown == set(REASONS) - set(NOT_PLANTED)
    first = {scan.kind.split()[0] for scan in world.town.answer_key.planted if not scan.kind.startswith("trick")}
    assert first == shown


def test_every_trick_is_planted_with_its_reasons(world: World) -> None:
    tricks = {
        scan.kind: set(scan.expected_reasons) for scan in world.town.answer_key.planted if scan.kind.startswith("trick")
    }
    assert tricks == TRICKS


def test_a_scan_is_of_its_own_cylinder_and_no_cylinder_is_both_good_and_bad(world: World) -> None:
    key = world.town.answer_key
    used = [scan.code for scan in key.planted if scan.code] + [scan.code for scan in key.good]
    assert len(set(used)) == len(used)
    for scan in key.planted:
        found = world.find(scan.raw_text)
        assert (found.cylinder_id if found else None) == scan.cylinder_id
        read = read_scan(scan.raw_text)
        assert (read.text if isinstance(read, Code) else None) == scan.code


def test_the_demonstration_station_can_scan_two_hundred(demo: World) -> None:
    key = demo.town.answer_key
    at_the_station = [scan for scan in key.planted if scan.station_id == DEMO_STATION]
    assert len(key.good) >= 150
    assert len(key.good) + len(at_the_station) >= 200
    station = demo.stations[DEMO_STATION]
    assert sum(not scale.locked for scale in station.scales.values()) >= 8
    assert len(demo.town.organisations.station(DEMO_STATION).filler_ids) >= 4
    assert len(key.expected) >= 12


def test_only_a_suspended_licence_is_planted_away_from_the_demonstration_station(demo: World) -> None:
    elsewhere = Counter(scan.kind for scan in demo.town.answer_key.planted if scan.station_id != DEMO_STATION)
    assert set(elsewhere) == {"R60 licence_invalid"}
