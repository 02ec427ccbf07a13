"""The screen and the JSON lines: one verdict in word and shape, one sentence, one next step, never an accusation."""

import io
import json
from typing import get_args

import pytest
from rich.console import Console

from cylinder_trace.admission import decide_fill
from cylinder_trace.decision import Decision, Finding, Refusal
from cylinder_trace.reasons import REASONS
from station_agent import words
from station_agent.headless import Headless
from station_agent.lane import Lane, LaneState, LaneView
from station_agent.replica import Known
from station_agent.screen import Screen, age, kilograms
from station_agent.sync import LinkState
from stations.bench import BenchScale, station_state
from vectors.admission.cases import Case, base_case, load_cases

CASE = base_case()
KNOWN = Known(10, CASE.now - 25 * 60_000, (CASE.book,), station_state(CASE))


def _drawn(lane: Lane, link: LinkState | None = None, known: Known | None = KNOWN) -> str:
    console = Console(file=io.StringIO(), width=110, record=True, color_system=None)
    screen = Screen(console, lambda: CASE.now)
    console.print(screen.drawn([lane], link or LinkState(online=True), known, True))
    return console.export_text()


def _decision(case: Case) -> Decision:
    return decide_fill(case.request, case.cylinder, case.station, case.book, case.now)


def _lane(state: LaneState, case: Case = CASE) -> Lane:
    view = LaneView(
        cylinder=case.cylinder, decision=_decision(case), gross_g=20_000, empty_gross_g=16_600, stop_at_gross_g=31_000
    )
    return Lane(1, "scale-1", BenchScale(), worker_id="worker-1", view=view, _state=state)


@pytest.mark.parametrize(
    ("state", "word", "shape"),
    [
        (LaneState.FILLING, "充装中", "✔"),
        (LaneState.PERMITTED, "可充", "✔"),
        (LaneState.REFUSED, "禁充", "✘"),
        (LaneState.FAULT, "停", "!"),
        (LaneState.IDLE, "请扫码", "○"),
    ],
)
def test_each_state_has_its_word_and_its_shape(state: LaneState, word: str, shape: str) -> None:
    text = _drawn(_lane(state))
    assert word in text
    assert shape in text


def test_a_refusal_says_what_was_found_and_what_to_do_in_chinese_first() -> None:
    case = next(case for case in load_cases("R20") if case.expected_reasons == ("R20",))
    text = _drawn(_lane(LaneState.REFUSED, case))
    assert text.index("检验已于") < text.index("Inspection was due") < text.index("挂黄牌")


def test_the_eye_finds_what_to_compare_with_the_steel_and_how_far_the_fill_is() -> None:
    text = _drawn(_lane(LaneState.FILLING))
    for fact in ("A22050001", "YSP35.5", "16.50 kg", "2030-05", "20.00 kg", "31.00 kg"):
        assert fact in text


def test_the_age_of_the_data_the_queue_and_the_link_are_always_there() -> None:
    text = _drawn(_lane(LaneState.IDLE), LinkState(online=False, unsent=12, disputed=1))
    for fact in ("离线", "25 分钟前", "待传 to send: 12", "争议 disputed: 1"):
        assert fact in text
    assert "没有" in _drawn(_lane(LaneState.IDLE), known=None)
    assert age(KNOWN, CASE.now + 3 * 3_600_000) == "3 小时前 h old"


def test_each_finding_has_a_card_with_words_in_both_languages_and_is_shown_until_the_scan() -> None:
    assert set(words.FINDINGS) == set(get_args(Finding))
    lane = _lane(LaneState.IDLE)
    lane.findings.append("threaded_collar")
    text = _drawn(lane)
    assert "螺纹护罩" in text
    assert "screwed-on collar" in text
    lane.take_findings()
    assert "螺纹护罩" not in _drawn(lane)


def test_a_reason_that_only_a_newer_service_knows_is_still_told() -> None:
    told = words.told(Refusal(code="R99", word="something_new"))
    assert "something_new" in told.zh
    assert told.next_zh


def test_a_reason_with_findings_of_another_version_is_still_told() -> None:
    assert words.told(Refusal(code="R20", word=REASONS["R20"].word)).next_zh


def test_a_json_line_holds_time_lane_and_event() -> None:
    out = io.StringIO()
    Headless(out, lambda: 17).tell("scanned", _lane(LaneState.SCANNED), {"code": "瓶"})
    assert json.loads(out.getvalue()) == {"at": 17, "lane": 1, "event": "scanned", "code": "瓶"}


@pytest.mark.parametrize(("grams", "text"), [(0, "0.00"), (16_500, "16.50"), (-30, "-0.03"), (999, "0.99")])
def test_kilograms(grams: int, text: str) -> None:
    assert kilograms(grams) == text
