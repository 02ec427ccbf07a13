"""The station decides as the shared vectors say: the same function, through the whole path of a scan."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from cylinder_codes.authenticity import TagKey
from cylinder_trace.reasons import NEXT_STEPS, REASONS
from station_agent.lane import LaneState
from stations.bench import Bench, Home, bench_for, home_in
from vectors.admission.cases import Case, base_case, load_cases, readable

# A journal that cannot be written cannot keep a decision either, and what is at another lane takes another lane: their
# own tests stand below, and in test_fill_endings.
CASES = [case for case in load_cases() if case.station.journal_writable is not False and case.station.busy_lane is None]
_TAG = TagKey("tests", bytes(32))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One journal and one replica for all cases: the disk is the slow part."""
    with closing(home_in(tmp_path_factory.mktemp("home"))) as home:
        yield home


def _scan(case: Case, home: Home) -> Bench:
    """Scan the case's cylinder on the case's scale."""
    case = readable(case, _TAG)
    facts = case.station
    bench = bench_for(case, home, skew_ms=facts.clock_skew_ms, unchecked_ms=facts.clock_unchecked_ms, remembers=False)
    if case.request.empty_gross_g:
        bench.scale.model.place("here", case.request.empty_gross_g, 0)
    bench.scan_now(case.request.code or case.request.raw_scan)
    return bench


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.name}")
def test_a_scan_at_the_station_is_decided_as_the_vectors_say(case: Case, home: Home, tmp_path: Path) -> None:
    if case.station.lock:  # which would stand in the cases after it too
        with closing(home_in(tmp_path)) as own:
            _decides_as_said(case, own)
    else:
        _decides_as_said(case, home)


def _decides_as_said(case: Case, home: Home) -> None:
    bench = _scan(_weighable(case), home)
    decision = bench.decided().decision
    if case.cylinder is not None and case.request.code is None:
        assert (decision.outcome, decision.codes) == ("DENY", ("R01",))  # here no code leads to no cylinder
    else:
        assert (decision.outcome, decision.codes) == (case.expected_outcome, case.expected_reasons)
    assert len(bench.scale.events("valve_opened")) == decision.permits


def _weighable(case: Case) -> Case:
    """The scale shows steps of 10 g; the case's weight moves to the next one, away from the tare."""
    request = case.request
    away = 9 if case.cylinder and request.empty_gross_g > case.cylinder.stamp.tare_g else 0
    weight = (request.empty_gross_g + away) // 10 * 10
    return replace(case, request=request.model_copy(update={"empty_gross_g": weight}))


@pytest.mark.parametrize(("empty_g", "stop_at_g"), [(16_300, 30_800), (16_900, 31_000)])
def test_the_scale_stops_at_the_target_above_the_lighter_of_stamp_and_scale(
    home: Home, empty_g: int, stop_at_g: int
) -> None:
    base = base_case()
    bench = _scan(replace(base, request=base.request.model_copy(update={"empty_gross_g": empty_g})), home)
    assert [change.stop_at_gross_g for change in bench.scale.events("valve_opened")] == [stop_at_g]


def test_what_was_said_is_the_first_thing_to_do_with_this_cylinder(home: Home) -> None:
    case = next(case for case in load_cases("R20") if case.expected_reasons == ("R20",))
    (refused,) = _scan(case, home).said("refused")
    assert refused["reasons"] == ["R20"]
    assert refused["told"][0]["next_zh"] == "挂黄牌,送检验机构。"


def test_where_the_journal_cannot_be_written_every_scan_is_refused_for_it(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    case = readable(base_case(), _TAG)
    try:
        bench = bench_for(case, home)
        bench.scale.model.place("here", case.request.empty_gross_g, 0)
        home.journal.close()
        bench.scan_now(case.request.code or "")
        assert bench.scale.events("valve_opened") == []
        (refused,) = bench.said("refused")
        assert refused["reasons"] == ["R67"]
        assert (refused["told"][0]["zh"], refused["told"][0]["next_zh"]) == (
            REASONS["R67"].zh,
            NEXT_STEPS["stop_station"][0],
        )
        assert bench.lane.state is LaneState.REFUSED
    finally:
        home.runner.close()
        home.replica.close()
