"""The screen: one verdict in word and shape, one sentence, one next step, never an accusation; and the JSON lines."""

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import get_args

import pytest

from cylinder_trace.admission import decide_fill
from cylinder_trace.decision import Decision, Finding, Refusal
from cylinder_trace.reasons import REASONS
from cylinder_trace.vocabulary.filling import CheckItem
from station_agent import words
from station_agent.headless import Headless
from station_agent.lane import Lane, LaneState, LaneView, Reweigh
from station_agent.link import Link, LinkState
from station_agent.replica import Known
from station_agent.screen.app import cannot_draw
from station_agent.screen.blocks import as_text
from station_agent.screen.board import Memory, age, kilograms
from station_agent.screen.desk import Desk
from station_agent.screen.pages import draw
from stations.bench import BenchScale, station_state
from vectors.admission.cases import Case, base_case, load_cases

CASE = base_case()
KNOWN = Known(10, CASE.now - 25 * 60_000, (CASE.book,), station_state(CASE))
HOUR_MS = 3_600_000


def _drawn(
    lanes: Lane | Iterable[Lane],
    link: LinkState | None = None,
    known: Known | None = KNOWN,
    memory: Memory | None = None,
    skew_ms: int | None = 0,
    unchecked_ms: int | None = None,
) -> str:
    lanes = [lanes] if isinstance(lanes, Lane) else list(lanes)
    memory = memory or Memory("station-1")
    board = memory.photograph(lanes, link or LinkState(online=True), known, skew_ms, CASE.now, unchecked_ms)
    return as_text(draw(board, Desk(), 110, 40))


def _decision(case: Case) -> Decision:
    return decide_fill(case.request, case.cylinder, case.station, case.book, case.now)


def _lane(state: LaneState, case: Case = CASE, number: int = 1) -> Lane:
    view = LaneView(
        cylinder=case.cylinder, decision=_decision(case), gross_g=20_000, empty_gross_g=16_600, stop_at_gross_g=31_000
    )
    return Lane(number, "scale-1", BenchScale(), worker_id="worker-1", view=view, _state=state)


@pytest.mark.parametrize(
    ("state", "word", "shape"),
    [
        (LaneState.FILLING, "充装中", "▶"),
        (LaneState.PERMITTED, "可充", "✔"),
        (LaneState.DONE, "已充", "✔"),
        (LaneState.REFUSED, "禁充", "✘"),
        (LaneState.FAULT, "停", "■"),
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
    for fact in ("A22050001", "YSP35.5", "16.50 kg", "2030-05", "20.00 kg", "31.00", "◆", "┃"):
        assert fact in text


def test_the_age_of_the_data_the_queue_and_the_link_are_always_there() -> None:
    text = _drawn(_lane(LaneState.IDLE), LinkState(online=False, unsent=12, disputed=1))
    for fact in ("离线", "25 分钟前", "待传 12", "争议 1", "还可 72 小时"):
        assert fact in text
    assert "没有站内数据,停止充装" in _drawn(_lane(LaneState.IDLE), known=None)
    assert age(KNOWN, CASE.now + 3 * HOUR_MS) == "3 小时前 3 h old"


def test_data_older_than_the_rulebook_allows_is_a_red_band_that_says_how_it_ends() -> None:
    old = replace(KNOWN, as_of=CASE.now - 73 * HOUR_MS)
    text = _drawn(_lane(LaneState.IDLE), LinkState(online=False), old)
    assert "离线已超过 72 小时,停止充装。接通网络后自动恢复。" in text


def test_a_clock_that_nobody_can_check_or_that_is_off_is_said() -> None:
    assert "时钟 ✔" in _drawn(_lane(LaneState.IDLE))
    assert "时钟未核对" in _drawn(_lane(LaneState.IDLE), skew_ms=None)
    assert "时钟不准" in _drawn(_lane(LaneState.IDLE), skew_ms=HOUR_MS)


def test_how_long_a_clock_that_was_not_checked_since_the_restart_is_believed_is_said() -> None:
    gone, lane = LinkState(online=False, link=Link.UNREACHABLE), _lane(LaneState.IDLE)
    text = _drawn(lane, gone, skew_ms=None, unchecked_ms=25 * 60_000)
    assert "时钟未核对" in text
    assert "还可 95 分钟 · 离线" in text, "that is over before the data is too old"
    for over_ms in (-1, 2 * HOUR_MS):
        assert "分钟 · 离线" not in _drawn(lane, gone, skew_ms=None, unchecked_ms=over_ms)


def test_who_typed_a_worker_id_is_told_to_type_the_pin_next_and_not_to_scan_a_badge() -> None:
    lane = _lane(LaneState.IDLE)
    lane.worker_id, lane.asks_pin_of = None, "fw_01"
    memory = Memory("station-1")
    memory.tell("asks_pin", lane, {"worker_id": "fw_01", **words.fields(words.TYPE_PIN)})
    text = _drawn(lane, memory=memory)
    assert text.count("输入口令") == 1
    assert "输入口令,按 Enter。" in text
    assert "刷上岗卡" not in text


def test_of_a_cylinder_that_was_never_inspected_the_first_due_month_is_shown() -> None:
    lane = _lane(LaneState.SCANNED)
    assert CASE.cylinder is not None
    stamp = CASE.cylinder.stamp.model_copy(update={"manufactured_month": "2024-03"})
    lane.view.cylinder = CASE.cylinder.model_copy(update={"inspection": None, "stamp": stamp})
    assert "2028-03" in _drawn(lane), "four years after it was made"


def test_a_lane_that_the_regulator_locked_says_so_before_anybody_scans() -> None:
    scale = KNOWN.station.scales["scale-1"].model_copy(update={"locked": True})
    station = KNOWN.station.model_copy(update={"scales": {"scale-1": scale}})
    text = _drawn(_lane(LaneState.IDLE), known=replace(KNOWN, station=station))
    assert "锁停" in text
    assert "本秤已被监管锁定" in text
    assert "停止本秤充装,通知站长。" in text


def test_alarms_and_notices_are_shown_with_the_newest_alarm_first() -> None:
    memory, lane = Memory("station-1"), _lane(LaneState.IDLE)
    memory.tell("busy", lane, words.fields(words.BUSY))
    assert "上一只还在进行中" in _drawn(lane, memory=memory)
    for n in (1, 2):
        memory.tell("alarm", lane, {"zh": f"第 {n} 次请看秤", "en": f"look at the scale, {n}"})
    text = _drawn(lane, memory=memory)
    assert "第 2 次请看秤  (+1)" in text


@pytest.mark.parametrize("end", ["filled", "refused", "fault"])
def test_that_a_cylinder_is_still_under_way_is_said_no_longer_than_it_is(end: str) -> None:
    memory, lane = Memory("station-1"), _lane(LaneState.DONE)
    memory.tell("busy", lane, words.fields(words.BUSY))
    memory.tell(end, lane, {"net_g": 14_500})
    assert "上一只还在进行中" not in _drawn(lane, memory=memory)


def test_that_no_certificate_of_somebody_is_known_is_said_at_the_badge() -> None:
    memory, lane = Memory("station-1"), _lane(LaneState.IDLE)
    memory.tell("signed_on", lane, words.fields(words.SIGNED_ON_FILLER))
    assert words.SIGNED_ON_FILLER[0] not in _drawn(lane, memory=memory)
    memory.tell("signed_on", lane, words.fields(words.NOT_CERTIFIED))
    assert words.NOT_CERTIFIED[0] in _drawn(lane, memory=memory)


def test_a_full_cylinder_is_told_from_an_empty_one() -> None:
    lane = _lane(LaneState.REFUSED)
    lane.view = LaneView(message=words.NO_CHECKER)
    assert "未检" in _drawn(lane)
    lane.view.list_items = (CheckItem(item="Q2", passed=False),)
    assert "禁出" in _drawn(lane)
    lane.view.reweigh = Reweigh("chk_1", 15_200, 14_900, "fw_01")
    assert "超装" in _drawn(lane)
    lane.move(LaneState.SCANNED)
    lane.move(LaneState.DECIDING)
    lane.move(LaneState.CHECKED)
    assert "合格" in _drawn(lane)


def test_a_terminal_without_a_full_screen_is_told_what_to_do_instead() -> None:
    assert cannot_draw({"TERM": "xterm-256color"}) is None
    assert cannot_draw({}) is None
    sentence = cannot_draw({"TERM": "dumb"})
    assert sentence is not None
    assert "--headless" in sentence


def test_the_last_ten_cylinders_are_tiles_with_their_weight_or_the_reason() -> None:
    memory, lane = Memory("station-1"), _lane(LaneState.IDLE)
    for n in range(11):
        memory.tell("filled", lane, {"net_g": 14_000 + 10 * n})
    memory.tell("refused", lane, {"reasons": ["R20", "R41"]})
    text = _drawn(lane, memory=memory)
    assert "✘R20   ✔14.10" in text
    assert "✔14.02" in text
    assert "✔14.01" not in text


def test_each_finding_has_words_in_both_languages_and_is_shown_until_the_scan() -> None:
    assert set(words.FINDINGS) >= set(get_args(Finding))
    lane = _lane(LaneState.IDLE)
    lane.findings.append("threaded_collar")
    assert "螺纹护罩" in _drawn(lane)
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
