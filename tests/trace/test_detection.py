"""Detection over time: each trick leaves a signal with its evidence; a plain life leaves none; nobody is accused."""

from pathlib import Path
from typing import get_args

import pytest
from detection_log import (
    BLACK,
    DAY,
    HOUR,
    MIDNIGHT,
    MINUTE,
    NATIONAL,
    NOON,
    Log,
    cylinder,
    filled,
    inspected,
    kinds,
    moved,
    read,
    received,
    registered,
    returned,
    scanned,
    sold,
    stamp,
    taken_over,
)

from cylinder_trace import events
from cylinder_trace.detection.signals import WORDS, Kind, Signal, sentence
from cylinder_trace.detection.thresholds import DetectionRules
from cylinder_trace.events import Event


def test_a_plain_life_leaves_no_signal() -> None:
    log = Log()
    log.tell(cylinder(), registered(), NOON)
    for turn in range(5):
        at = NOON + turn * 10 * DAY
        log.tell(cylinder(), scanned(at), at)
        log.tell(cylinder(), filled(at + MINUTE), at + MINUTE)
        log.tell(cylinder(), sold(), at + 2 * HOUR)
        log.tell(cylinder(), returned(), at + 9 * DAY)
    log.tell(cylinder(), inspected("2026-12", "2030-12"), NOON + 60 * DAY)
    assert log.signals() == []


# --- codes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "found"), [(0, True), (29, True), (30, False)])
def test_one_code_at_two_stations_sooner_than_the_way_takes(minutes: int, found: bool) -> None:
    log = Log()
    first = log.tell(cylinder(), scanned(NOON, "st_1"), NOON)
    second = log.tell(cylinder(), scanned(NOON + minutes * MINUTE, "st_2"), NOON + minutes * MINUTE)
    told = [(signal.kind, signal.evidence) for signal in log.signals()]
    assert told == ([("two_places", (first, second))] if found else [])


def test_a_scan_at_another_station_told_late_counts_by_when_it_occurred() -> None:
    log = Log()
    log.tell(cylinder(), scanned(NOON, "st_1"), NOON)
    log.tell(cylinder(), scanned(NOON - 10 * MINUTE, "st_2"), NOON - 10 * MINUTE, recorded_at=NOON + 5 * HOUR)
    assert log.one().detail == {"minutes": 10, "first": "st_1", "second": "st_2"}


def test_a_scan_told_late_is_compared_with_what_was_seen_just_before_it_and_not_with_what_was_told_last() -> None:
    log = Log()
    morning = log.tell(cylinder(), scanned(NOON, "st_1"), NOON)
    log.tell(cylinder(), scanned(NOON + 4 * HOUR, "st_1"), NOON + 4 * HOUR)
    late = log.tell(cylinder(), scanned(NOON + 10 * MINUTE, "st_2"), NOON + 10 * MINUTE, recorded_at=NOON + 5 * HOUR)
    assert log.one().evidence == (morning, late)


def test_the_same_station_scans_a_cylinder_as_often_as_it_likes() -> None:
    log = Log()
    for minute in range(5):
        log.tell(cylinder(), scanned(NOON + minute * MINUTE), NOON + minute * MINUTE)
    assert log.signals() == []


@pytest.mark.parametrize("between", [returned(), inspected(), events.SentToInspection(body_id="ib_1")])
def test_two_fills_without_a_return_are_a_signal_and_with_one_are_none(between: Event) -> None:
    log, good = Log(), Log()
    evidence = (log.tell(cylinder(), filled(NOON), NOON), log.tell(cylinder(), filled(NOON + DAY), NOON + DAY))
    assert (log.one().kind, log.one().evidence) == ("filled_twice", evidence)
    good.tell(cylinder(), filled(NOON), NOON)
    good.tell(cylinder(), between, NOON + HOUR)
    good.tell(cylinder(), filled(NOON + DAY), NOON + DAY)
    assert good.signals() == []


def test_a_fill_told_after_the_return_that_followed_it_is_no_second_fill() -> None:
    log = Log()
    log.tell(cylinder(), filled(NOON), NOON)
    log.tell(cylinder(), returned("st_1"), NOON + DAY)
    log.tell(cylinder(), returned("st_2"), NOON + 3 * DAY)
    log.tell(cylinder(), filled(NOON + 2 * DAY, "st_1"), NOON + 2 * DAY, recorded_at=NOON + 4 * DAY)
    log.tell(cylinder(), filled(NOON + 5 * DAY, "st_2"), NOON + 5 * DAY)
    assert log.signals() == []


def test_a_fill_told_late_that_lies_between_two_others_is_compared_with_both() -> None:
    log = Log()
    log.tell(cylinder(), filled(NOON), NOON)
    log.tell(cylinder(), returned(), NOON + 3 * DAY)
    last = log.tell(cylinder(), filled(NOON + 4 * DAY), NOON + 4 * DAY)
    late = log.tell(cylinder(), filled(NOON + 3 * DAY + HOUR), NOON + 3 * DAY + HOUR, recorded_at=NOON + 5 * DAY)
    assert log.one().evidence == (last, late)


@pytest.mark.parametrize(("third", "found"), [(24 * HOUR - 1, True), (24 * HOUR, False)])
def test_one_code_filled_three_times_within_the_window(third: int, found: bool) -> None:
    log = Log()
    for after in (0, HOUR, third):
        log.tell(cylinder(), filled(NOON + after), NOON + after)
        log.tell(cylinder(), returned(), NOON + after + MINUTE)
    assert kinds(log.signals()) == (["many_fills"] if found else [])


@pytest.mark.parametrize(("fills", "found"), [(4, 0), (5, 1), (9, 1), (10, 2)])
def test_each_time_that_the_number_of_fills_is_reached_is_told_once(fills: int, found: int) -> None:
    log = Log()
    for turn in range(fills):
        log.tell(cylinder(), filled(NOON + turn * MINUTE), NOON + turn * MINUTE)
        log.tell(cylinder(), returned(), NOON + turn * MINUTE)
    assert kinds(log.signals(NATIONAL.replace("fills_in_window = 3", "fills_in_window = 5"))) == ["many_fills"] * found


@pytest.mark.parametrize(("late", "found"), [(0, False), (30 * HOUR, True)])
def test_a_fill_told_late_counts_in_the_hours_in_which_it_occurred(late: int, found: bool) -> None:
    log = Log()
    for at in (NOON + 40 * HOUR, NOON + 41 * HOUR):
        log.tell(cylinder(), filled(at), at)
        log.tell(cylinder(), returned(), at + MINUTE)
    log.tell(cylinder(), returned(), NOON + late + MINUTE)
    log.tell(cylinder(), filled(NOON + late), NOON + late, recorded_at=NOON + 42 * HOUR)
    assert kinds(log.signals()) == (["many_fills"] if found else [])


def test_the_same_stamp_on_two_cylinders_is_found_by_maker_serial_and_year() -> None:
    log = Log()
    first = log.tell(cylinder(1), registered(), NOON)
    log.tell(cylinder(2), registered(manufactured_month="2021-05"), NOON)
    log.tell(cylinder(3), registered(maker="M2"), NOON)
    second = log.tell(cylinder(4), registered(manufactured_month="2022-11"), NOON)
    signal = log.one()
    assert (signal.kind, signal.subject, signal.evidence) == ("duplicate_serial", cylinder(4), (first, second))


def test_the_maker_s_record_and_the_registration_of_one_cylinder_are_no_duplicate() -> None:
    log = Log()
    made = events.CylinderMade(maker_id="mk_1", stamp=stamp(), made_on="2022-05-10", certificate_no="1")
    log.tell(cylinder(), made, NOON)
    log.tell(cylinder(), registered(), NOON + DAY)
    assert log.signals() == []


# --- lives --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end",
    [
        events.Condemned(body_id="ib_1", cause="x"),
        events.Destroyed(body_id="ib_1", method="cut", evidence_sha256=()),
        events.RegistrationCancelled(authority_id="au_1", receipt_no="1", cause="x"),
    ],
)
@pytest.mark.parametrize("act", [scanned(NOON + DAY), filled(NOON + DAY), sold(), returned(), inspected()])
def test_whatever_happens_to_a_scrapped_cylinder_afterwards_is_a_signal(end: Event, act: Event) -> None:
    log = Log()
    ended = log.tell(cylinder(), end, NOON)
    seen = log.tell(cylinder(), act, NOON + DAY)
    signal = log.one()
    assert (signal.kind, signal.evidence, signal.detail["end"]) == ("after_its_end", (ended, seen), "2026-11-22")


def test_what_was_told_late_but_occurred_before_the_end_is_none() -> None:
    log = Log()
    log.tell(cylinder(), events.Condemned(body_id="ib_1", cause="x"), NOON)
    log.tell(cylinder(), returned(), NOON - DAY, recorded_at=NOON + DAY)
    assert log.signals() == []


def test_a_fill_while_the_record_has_it_at_a_customer() -> None:
    log = Log()
    log.tell(cylinder(), sold(), NOON)
    log.tell(cylinder(), filled(NOON + DAY, "st_2"), NOON + DAY)
    assert (log.one().kind, log.one().detail) == ("filled_at_customer", {"station": "st_2"})


def test_a_sale_told_after_the_return_that_followed_it_leaves_the_cylinder_at_the_station() -> None:
    log = Log()
    log.tell(cylinder(), returned(), NOON + DAY)
    log.tell(cylinder(), sold(), NOON, recorded_at=NOON + 2 * DAY)
    log.tell(cylinder(), filled(NOON + 3 * DAY), NOON + 3 * DAY)
    assert log.signals() == []


@pytest.mark.parametrize(("after", "found"), [(0, False), (1, True)])
def test_a_fill_told_after_the_sale_counts_by_when_it_occurred(after: int, found: bool) -> None:
    log = Log()
    log.tell(cylinder(), sold(), NOON)
    log.tell(cylinder(), filled(NOON + after), NOON + after, recorded_at=NOON + DAY)
    assert kinds(log.signals()) == (["filled_at_customer"] if found else [])


@pytest.mark.parametrize(("after", "found"), [(DAY, True), (30 * DAY, True), (30 * DAY + 1, False)])
def test_ownership_there_and_back_within_the_days(after: int, found: bool) -> None:
    log = Log()
    log.tell(cylinder(), filled(NOON - 1), NOON - 1)
    log.tell(cylinder(), returned(), NOON)
    log.tell(cylinder(), moved("co_1", "co_2"), NOON)
    log.tell(cylinder(), filled(NOON + HOUR), NOON + HOUR)
    log.tell(cylinder(), moved("co_2", "co_1"), NOON + after)
    told = [signal.detail["fills"] for signal in log.signals()]
    assert told == ([1] if found else [])


def test_ownership_moved_on_to_a_third_is_none() -> None:
    log = Log()
    log.tell(cylinder(), moved("co_1", "co_2"), NOON)
    log.tell(cylinder(), moved("co_2", "co_3"), NOON + DAY)
    assert log.signals() == []


@pytest.mark.parametrize(
    "known",
    [
        events.Flagged(flag="black", authority_id="au_1", cause="x"),
        events.Recalled(recall_id="rc_1", cause="x"),
        events.Seized(authority_id="au_1", document_no="1", cause="x"),
        events.Condemned(body_id="ib_1", cause="x"),
        inspected(result="failed"),
    ],
)
def test_what_becomes_known_late_lists_the_fills_before_it_and_the_last_holder(known: Event) -> None:
    log = Log()
    log.tell(cylinder(), filled(NOON - 200 * DAY), NOON - 200 * DAY)
    log.tell(cylinder(), returned(), NOON - 199 * DAY)
    recent = log.tell(cylinder(), filled(NOON - 10 * DAY), NOON - 10 * DAY)
    log.tell(cylinder(), sold("cu_7"), NOON - 9 * DAY)
    last = log.tell(cylinder(), known, NOON)
    signal = log.one()
    assert (signal.kind, signal.evidence) == ("known_late", (recent, last))
    assert (signal.detail["fills"], signal.detail["holder"]) == (1, "customer/cu_7")


@pytest.mark.parametrize(("before", "found"), [(0, True), (180 * DAY, True), (180 * DAY + 1, False), (-1, False)])
def test_fills_are_listed_from_the_days_before_what_became_known_was_recorded(before: int, found: bool) -> None:
    log = Log()
    if before >= 0:
        log.tell(cylinder(), filled(NOON - before), NOON - before)
    log.tell(cylinder(), BLACK, NOON - DAY, recorded_at=NOON)
    if before < 0:
        log.tell(cylinder(), filled(NOON - before), NOON - before)
    assert kinds(log.signals()) == (["known_late"] if found else [])


@pytest.mark.parametrize(("before", "found"), [(-1, False), (0, True), (HOUR, True), (180 * DAY, True)])
def test_a_fill_that_a_station_without_a_line_tells_after_the_flag_is_listed_too(before: int, found: bool) -> None:
    log = Log()
    flag = log.tell(cylinder(), BLACK, NOON)
    late = log.tell(cylinder(), filled(NOON - before, "st_9"), NOON - before, recorded_at=NOON + HOUR)
    told = [(signal.kind, signal.evidence, signal.detail) for signal in log.signals()]
    detail = {"word": "flagged", "days": 180, "fills": 1, "holder": "station/st_9"}
    assert told == ([("known_late", (flag, late), detail)] if found else [])


def test_a_fill_told_late_is_listed_once_under_the_first_of_what_became_known_after_it() -> None:
    log = Log()
    log.tell(cylinder(), BLACK, NOON - DAY)
    log.tell(cylinder(), events.Recalled(recall_id="rc_1", cause="x"), NOON)
    log.tell(cylinder(), events.Seized(authority_id="au_1", document_no="1", cause="x"), NOON + 1)
    log.tell(cylinder(), filled(NOON - HOUR), NOON - HOUR, recorded_at=NOON + HOUR)
    assert log.one().detail["word"] == "recalled"


@pytest.mark.parametrize(("flagged", "filled_at", "at"), [(0, -2 * HOUR, 0), (-3 * HOUR, -2 * HOUR, -2 * HOUR)])
@pytest.mark.parametrize("late", [False, True])
def test_what_is_known_late_stands_under_the_day_of_the_last_thing_that_makes_it_up(
    flagged: int, filled_at: int, at: int, late: bool
) -> None:
    log = Log()
    if not late:
        log.tell(cylinder(), filled(NOON + filled_at), NOON + filled_at)
    log.tell(cylinder(), BLACK, NOON + flagged, recorded_at=NOON)
    if late:
        log.tell(cylinder(), filled(NOON + filled_at), NOON + filled_at, recorded_at=NOON + 3 * DAY)
    assert log.one().at == NOON + at


def test_the_last_holder_is_who_had_it_last_and_not_who_was_told_last() -> None:
    log = Log()
    log.tell(cylinder(), sold("cu_7"), NOON - HOUR)
    log.tell(cylinder(), filled(NOON - 2 * HOUR), NOON - 2 * HOUR, recorded_at=NOON - MINUTE)
    log.tell(cylinder(), BLACK, NOON)
    assert log.one().detail["holder"] == "customer/cu_7"


def test_a_copied_code_with_thousands_of_fills_names_the_latest_of_them_and_counts_all() -> None:
    log = Log()
    fills = [log.tell(cylinder(), filled(NOON + number), NOON + number) for number in range(60)]
    flag = log.tell(cylinder(), BLACK, NOON + DAY)
    (signal,) = [signal for signal in log.signals() if signal.kind == "known_late"]
    assert (signal.detail["fills"], signal.evidence) == (60, (*fills[-50:], flag))


@pytest.mark.parametrize("body", ["ib_1", "ib_2"])
def test_what_the_body_that_has_the_cylinder_tells_asks_nobody_to_find_it(body: str) -> None:
    log = Log()
    log.tell(cylinder(), filled(NOON - 9 * DAY), NOON - 9 * DAY)
    log.tell(cylinder(), events.SentToInspection(body_id="ib_1"), NOON - DAY)
    log.tell(cylinder(), inspected(result="failed", body=body), NOON)
    assert kinds(log.signals()) == ([] if body == "ib_1" else ["known_late"])


# --- inspections --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "found"), [(2_000, 0), (2_001, 1), (3_000, 1)])
def test_more_inspections_a_day_than_a_line_can_make_are_told_once(count: int, found: int) -> None:
    log = Log()
    text = NATIONAL.replace("no_rejects = 500 ", "no_rejects = 99999 ")
    for number in range(count):
        log.tell(cylinder(number), inspected(), NOON)
    assert [signal.kind for signal in log.signals(text)] == ["inspection_rate"] * found


def test_inspections_are_counted_by_body_and_day() -> None:
    log = Log()
    few = NATIONAL.replace("inspections_a_day = 2000", "inspections_a_day = 2")
    for day in range(3):
        for body in ("ib_1", "ib_2"):
            log.tell(cylinder(), inspected("2026-11", "2030-11", body=body), NOON + day * DAY)
            log.tell(cylinder(), inspected("2026-11", "2030-11", body=body), NOON + day * DAY)
    assert log.signals(few) == []


def test_marks_of_cylinders_taken_over_were_not_made_on_the_day_on_which_they_were_recorded() -> None:
    log = Log()
    for number in range(2_001):
        log.tell(cylinder(number), taken_over(), NOON)
    assert log.signals() == []


@pytest.mark.parametrize(("before", "found"), [(19, False), (20, True)])
def test_the_same_wall_thickness_on_twenty_cylinders_in_a_row(before: int, found: bool) -> None:
    log = Log()
    for number in range(before):
        log.tell(cylinder(number), read(2_500), NOON)
    log.tell(cylinder(99), read(2_510), NOON)
    assert [signal.kind for signal in log.signals()] == (["inspection_readings"] if found else [])


@pytest.mark.parametrize(("passes", "found"), [(4, 0), (5, 1), (9, 1), (10, 2)])
def test_passes_in_a_row_without_a_reject_are_told_each_time_that_the_number_is_reached(
    passes: int, found: int
) -> None:
    log = Log()
    for number in range(passes):
        log.tell(cylinder(number), inspected(), NOON)
        log.tell(cylinder(100 + number), taken_over(), NOON)
    assert kinds(log.signals(NATIONAL.replace("no_rejects = 500", "no_rejects = 5"))) == ["no_rejects"] * found


def test_five_hundred_passes_in_a_row_and_one_reject_begins_anew() -> None:
    log = Log()
    few = NATIONAL.replace("no_rejects = 500", "no_rejects = 5")
    for number in range(4):
        log.tell(cylinder(number), inspected(), NOON)
    log.tell(cylinder(5), inspected(result="failed"), NOON)
    for number in range(6, 11):
        log.tell(cylinder(number), inspected(), NOON)
    assert [signal.kind for signal in log.signals(few)] == ["no_rejects"]


@pytest.mark.parametrize(
    ("month", "due", "found"),
    [
        ("2026-11", "2030-11", False),
        ("2026-12", "2030-12", True),
        ("2026-11", "2030-12", True),
        ("2026-11", "2029-11", False),
        ("2026-11", None, False),
    ],
)
def test_a_mark_ahead_of_its_month_or_longer_than_the_interval(month: str, due: str | None, found: bool) -> None:
    log = Log()
    log.tell(cylinder(), inspected(month, due), NOON)
    assert [signal.kind for signal in log.signals()] == (["ring_ahead"] if found else [])


# --- stations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mass_g", "found"), [(29_000, False), (28_713, False), (28_712, True)])
def test_more_gas_filled_than_received_beyond_the_tolerance(mass_g: int, found: bool) -> None:
    log = Log()
    log.tell("lot/lot_1", received(mass_g), NOON - DAY)
    for number in range(2):
        log.tell(cylinder(number), filled(NOON + number * MINUTE, net_g=14_500), NOON + number * MINUTE)
    assert [signal.kind for signal in log.signals()] == (["mass_balance"] if found else [])


def test_the_mass_balance_is_told_once_a_day_and_not_of_a_station_without_lots() -> None:
    log = Log()
    log.tell("lot/lot_1", received(1_000), NOON - DAY)
    for number in range(4):
        log.tell(cylinder(number), filled(NOON + number * MINUTE), NOON + number * MINUTE)
        log.tell(cylinder(10 + number), filled(NOON, "st_2", worker="w_2"), NOON)
    log.tell(cylinder(30), filled(NOON + DAY), NOON + DAY)
    days = [signal.detail["day"] for signal in log.signals()]
    assert days == ["2026-11-22", "2026-11-23"]


def test_a_day_on_which_more_was_filled_than_received_is_told_once_whatever_order_it_comes_in() -> None:
    log = Log()
    log.tell("lot/lot_1", received(1_000), NOON - DAY)
    for number, days in enumerate((0, 1, 0, 1)):
        at = NOON + days * DAY + number * MINUTE
        log.tell(cylinder(number), filled(at), at, recorded_at=NOON + 2 * DAY)
    assert [signal.detail["day"] for signal in log.signals()] == ["2026-11-22", "2026-11-23"]


@pytest.mark.parametrize(
    ("start", "found"),
    [(MIDNIGHT, True), (MIDNIGHT - HOUR, False), (MIDNIGHT + 4 * HOUR, True), (MIDNIGHT + 5 * HOUR, False)],
)
def test_many_fills_in_the_hours_in_which_nobody_looks(start: int, found: bool) -> None:
    log = Log()
    for number in range(20):
        log.tell(cylinder(number), filled(start + number * MINUTE), start + number * MINUTE)
    assert [signal.kind for signal in log.signals()] == (["night_fills"] if found else [])


@pytest.mark.parametrize(("fills", "found"), [(19, 0), (20, 1), (40, 1)])
def test_the_fills_of_a_night_are_counted_together_however_late_they_are_told(fills: int, found: int) -> None:
    log = Log()
    for number in range(fills):
        night, next_night = MIDNIGHT + number * MINUTE, MIDNIGHT + DAY + number * HOUR // 10
        log.tell(cylinder(number), filled(night), night, recorded_at=MIDNIGHT + 2 * DAY)
        if number < 19:
            log.tell(cylinder(100 + number), filled(next_night), next_night, recorded_at=MIDNIGHT + 2 * DAY)
    assert kinds(log.signals()) == ["night_fills"] * found


@pytest.mark.parametrize(("minutes", "found"), [(29, True), (30, False)])
def test_one_filler_at_two_stations_sooner_than_the_way_takes(minutes: int, found: bool) -> None:
    log = Log()
    log.tell(cylinder(1), filled(NOON, "st_1"), NOON)
    log.tell(cylinder(2), filled(NOON + minutes * MINUTE, "st_2"), NOON + minutes * MINUTE)
    assert [signal.kind for signal in log.signals()] == (["worker_in_two_places"] if found else [])


# --- words --------------------------------------------------------------------------------------------------

PLACES = (
    "minutes first second hours count other end word station days owner fills holder day limit item reading "
    "inspected due recorded interval filled_kg received_kg from_hour to_hour"
)
ACCUSING = ("伪造", "造假", "违法", "作弊", "fraud", "forg", "illegal", "cheat", "guilty", "crime")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_signal_is_said_in_both_languages_and_accuses_nobody(kind: Kind) -> None:
    signal = Signal(kind=kind, subject=cylinder(), at=0, detail=dict.fromkeys(PLACES.split(), "x"), evidence=())
    said = [*WORDS[kind][:2], sentence(signal, "zh"), sentence(signal, "en")]
    assert all(said)
    assert not any(word in text.lower() for text in said for word in ACCUSING)


def test_a_word_of_an_event_is_said_in_the_reader_s_language() -> None:
    log = Log()
    log.tell(cylinder(), events.Condemned(body_id="ib_1", cause="x"), NOON)
    log.tell(cylinder(), sold(), NOON + DAY)
    assert "“实名销售”" in sentence(log.one(), "zh")
    assert "“sold”" in sentence(log.one(), "en")


def test_the_page_about_detection_names_each_signal_and_each_threshold() -> None:
    page = (Path(__file__).parents[2] / "docs" / "detection.md").read_text(encoding="utf-8")
    named = [line for line in page.splitlines() if line.startswith("| `")]
    for kind in get_args(Kind):
        assert any(line.startswith(f"| `{kind}` {WORDS[kind].zh} |") for line in named), kind
    for threshold in DetectionRules.model_fields:
        assert f"`detection.{threshold}`" in page, threshold
