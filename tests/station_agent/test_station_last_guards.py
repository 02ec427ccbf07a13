"""The last guards at a valve: what the host does when scale, disk, people or the service do the unexpected."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_trace.events import DisputeRaised, Filled
from station_agent.devices.scale import ScaleFault, ScaleReading
from station_agent.devices.scale_model import OPEN, SHUT
from station_agent.filling import Ending, Watch, fill
from station_agent.journal import Start
from station_agent.lane import LaneState
from station_agent.permit import Permits
from stations.bench import Bench, BenchScale, Home, bench_for, home_in
from vectors.admission.cases import Case, base_case

CODE = make_code(bytes(10), TagKey("tests", bytes(32))).text
EMPTY_G, TARE_G, STOP_AT_G = 16_600, 16_500, 31_000


def _good_case() -> Case:
    case = base_case()
    assert case.cylinder is not None
    return replace(case, cylinder=case.cylinder.model_copy(update={"codes": (CODE,)}))


CASE = _good_case()
assert CASE.cylinder is not None
CYLINDER_ID = CASE.cylinder.cylinder_id


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = home_in(tmp_path)
    yield home
    home.close()


def _bench(home: Home, scale: BenchScale | None = None) -> Bench:
    bench = bench_for(CASE, home, scale=scale)
    bench.scale.model.place("here", EMPTY_G, 0)
    return bench


def _scan(bench: Bench, raw_scan: str) -> None:
    bench.runner.run(asyncio.wait_for(bench.scan(raw_scan), 20))


def _fills(bench: Bench) -> list[Filled]:
    return [event for record in bench.records() if isinstance(event := record.event(), Filled)]


class DeafScale(BenchScale):
    """A scale whose own cut-off stands far too high."""

    async def open_valve(self, stop_at_gross_g: int) -> None:
        self._say(SHUT, stop_at_gross_g + 20_000)
        self._say(OPEN, stop_at_gross_g + 20_000)


def test_a_scale_that_does_not_shut_at_the_stop_weight_is_shut_by_the_host(home: Home) -> None:
    bench = _bench(home, DeafScale(simulated_s_per_read=0.5))
    _scan(bench, CODE)
    (filled,) = _fills(bench)
    assert filled.ended_because == "limit_reached"
    assert filled.full_gross_g < STOP_AT_G + 400
    assert bench.scale.events("valve_shut")[0].cause == "command"


def _fill(bench: Bench, denied: list[bool], *, deny_at_begin: bool) -> Ending:
    permits = Permits("boot-1")
    _scan(bench, "no code at all")
    decided = bench.decided()
    decision = decided.decision.model_copy(
        update={"outcome": "ALLOW", "cylinder_id": CYLINDER_ID, "target_net_g": 14_500, "start_before": 2**50}
    )
    permit = permits.issue(decided.request, decision, TARE_G, 0)

    async def begin() -> None:
        denied[0] = deny_at_begin

    async def noted(_gross_g: int) -> None:
        return None

    watch = Watch(lambda: 0, lambda: denied[0], lambda _gross_g: None, noted, 900_000)
    return bench.runner.run(
        fill(bench.scale, permit, permits, cylinder_id=CYLINDER_ID, scale_id="scale-1", begin=begin, watch=watch)
    )


def test_a_denial_that_arrives_while_the_start_is_written_leaves_the_valve_shut(home: Home) -> None:
    bench = _bench(home, BenchScale(simulated_s_per_read=0.2))
    ending = _fill(bench, [False], deny_at_begin=True)
    assert (ending.because, ending.gross_g) == ("stopped", EMPTY_G)
    assert bench.scale.events("valve_opened") == []


class EarlyScale(BenchScale):
    """A scale without a stop weight of its own, that is shut so early as its driver says."""

    overshoot_g = 400

    async def read(self) -> ScaleReading:
        reading = await super().read()
        if reading.gross_g >= STOP_AT_G - self.overshoot_g:
            await self.shut_valve()
        return reading


def test_a_scale_that_is_shut_as_early_as_its_driver_says_has_filled_to_its_limit(home: Home) -> None:
    bench = bench_for(CASE, home, scale=EarlyScale(simulated_s_per_read=0.2))
    bench.scale.model.place("here", STOP_AT_G - 1_000, 0)
    ending = _fill(bench, [False], deny_at_begin=False)
    assert ending.gross_g is not None
    assert STOP_AT_G - 400 <= ending.gross_g < STOP_AT_G - 100
    assert ending.because == "limit_reached"


class FaultyScale(BenchScale):
    """A scale that reports a fault and would open all the same."""

    async def read(self) -> ScaleReading:
        return replace(await super().read(), fault="sensor")


def test_a_scale_that_reports_a_fault_is_not_opened(home: Home) -> None:
    bench = _bench(home, FaultyScale())
    _scan(bench, CODE)
    assert bench.scale.events("valve_opened") == []
    assert bench.lane.state is LaneState.FAULT
    assert _fills(bench) == []
    assert home.journal.open_starts() == []


def _start(seen_gross_g: int) -> Start:
    return Start("chk_1", CODE, CYLINDER_ID, "scale-1", 1, "w", TARE_G, EMPTY_G, STOP_AT_G, 5, seen_gross_g)


def _disputes(bench: Bench) -> list[DisputeRaised]:
    return [event for record in bench.records() if isinstance(event := record.event(), DisputeRaised)]


@pytest.mark.parametrize("now_g", [EMPTY_G, EMPTY_G + 40, EMPTY_G - 40])
def test_a_start_whose_end_nobody_saw_is_on_record_although_the_scale_shows_no_gas(home: Home, now_g: int) -> None:
    bench = _bench(home)
    bench.scale.model.remove(0)
    bench.scale.model.place("another", now_g, 0)
    home.journal.begin(_start(seen_gross_g=EMPTY_G))
    _scan(bench, "no code at all")
    _scan(bench, "nor a second time")
    (dispute,) = _disputes(bench)
    assert (dispute.about_id, dispute.kind) == ("chk_1", "not_seen_to_end")
    assert f"{EMPTY_G} g before it, {now_g} g now" in dispute.message
    assert _fills(bench) == []
    assert home.journal.open_starts() == []


def test_a_valve_that_was_watched_and_gave_no_gas_is_no_dispute(home: Home) -> None:
    bench = _bench(home)
    bench.scale.model.set_fault("overload", 0)
    _scan(bench, CODE)
    assert _disputes(bench) == []
    assert home.journal.open_starts() == []


def test_a_fill_cut_short_is_not_forgotten_when_an_empty_cylinder_stands_there_after_the_crash(home: Home) -> None:
    bench = _bench(home)
    home.journal.begin(_start(seen_gross_g=27_000))
    _scan(bench, "no code at all")
    (filled,) = _fills(bench)
    assert (filled.check_id, filled.full_gross_g, filled.ended_because) == ("chk_1", 27_000, "fault")


class WildScale(BenchScale):
    """A scale that shows the largest number there is once so much has flowed in."""

    wild_from_g = 0

    async def read(self) -> ScaleReading:
        reading = await super().read()
        return replace(reading, gross_g=2**31 - 1) if reading.gross_g >= self.wild_from_g else reading


def test_a_weight_that_no_cylinder_has_is_a_fault_of_the_scale_and_the_lane_goes_on(home: Home) -> None:
    scale = WildScale()
    bench = _bench(home, scale)
    _scan(bench, CODE)
    assert bench.lane.state is LaneState.FAULT
    assert home.journal.notes()[0]["what"] == "fault"
    scale.wild_from_g = 10**9
    _scan(bench, CODE)
    assert len(_fills(bench)) == 1


def test_a_weight_gone_wild_in_mid_fill_shuts_and_the_last_true_weight_is_recorded(home: Home) -> None:
    scale = WildScale(simulated_s_per_read=1.0)
    scale.wild_from_g = 20_000
    bench = _bench(home, scale)
    _scan(bench, CODE)
    (filled,) = _fills(bench)
    assert filled.ended_because == "fault"
    assert 19_000 < filled.full_gross_g < 20_000
    assert not bench.scale.model.indication().valve_open


def test_a_scan_that_grows_when_it_is_normalised_is_refused_and_recorded_like_any_other(home: Home) -> None:
    bench = _bench(home)
    _scan(bench, "\u0958" * 512)
    assert bench.decided().decision.codes == ("R01",)
    assert bench.decided().request.raw_scan.startswith("\u0915\u093c")


class LateScale(BenchScale):
    """A scale that is switched on a moment after the station."""

    def __init__(self) -> None:
        super().__init__()
        self._is_on = False

    async def shut_valve(self) -> None:
        if not self._is_on:
            self._is_on = True
            await asyncio.sleep(0.05)
            raise ScaleFault("The scale does not answer.")
        await super().shut_valve()


def test_a_scan_that_comes_while_an_old_fill_cannot_be_closed_is_walked_once_the_scale_answers(home: Home) -> None:
    bench = _bench(home, LateScale())
    home.journal.begin(_start(seen_gross_g=EMPTY_G))
    _scan(bench, CODE)
    assert len(bench.said("fault")) == 1
    assert [filled.check_id for filled in _fills(bench)] == [bench.decided().decision.check_id]
