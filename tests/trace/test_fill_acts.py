"""The acts around a fill: what does not fit is doubted by name; what fits is not."""

from typing import Any

import pytest

from cylinder_trace.admission import decide_fill
from cylinder_trace.events import CheckItem, FillDecided, Filled, PostfillChecked, PrefillChecked, Reweighed
from cylinder_trace.fill_acts import (
    POSTFILL,
    PREFILL,
    Doubt,
    doubts_about_fill,
    doubts_about_postfill,
    doubts_about_prefill,
    doubts_about_reweighing,
)
from vectors.admission.cases import Case, base_case, load_cases

CASE = base_case()
assert CASE.cylinder is not None
SUBJECT = f"cylinder/{CASE.cylinder.cylinder_id}"
NOW = CASE.now


def decided(case: Case = CASE, skew_ms: int = 0) -> FillDecided:
    station = case.station.model_copy(update={"clock_skew_ms": skew_ms})
    decision = decide_fill(case.request, case.cylinder, station, case.book, case.now)
    return FillDecided(request=case.request, station=station, decision=decision, decided_by="service")


def filled(**changes: Any) -> Filled:
    told = {"check_id": "check-0001", "station_id": "station-1", "scale_id": "scale-1", "lane": 1, "worker_id": "w-1"}
    told |= {"started_at": NOW + 5_000, "ended_at": NOW + 65_000, "empty_gross_g": 16_600, "full_gross_g": 31_000}
    return Filled(**{**told, "net_g": 14_500, "ended_because": "limit_reached", **changes})


def kinds(doubts: list[Doubt]) -> list[str]:
    return [doubt.kind for doubt in doubts]


# --- the fill -----------------------------------------------------------------------------------------------


def test_a_fill_under_its_permit_is_not_doubted() -> None:
    assert doubts_about_fill(filled(), SUBJECT, decided(), CASE.book) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"net_g": 14_900}, []),
        ({"net_g": 14_901}, ["overfilled"]),
        ({"full_gross_g": 31_600}, ["overfilled"]),
        ({"scale_id": "scale-2"}, ["other_scale"]),
        ({"started_at": NOW + 181_000}, []),
        ({"started_at": NOW + 181_001, "ended_at": NOW + 200_000}, ["permit_expired"]),
        ({"started_at": NOW - 1_000}, []),
        ({"started_at": NOW - 1_001}, ["before_the_permit"]),
        ({"ended_at": NOW + 905_000}, []),
        ({"ended_at": NOW + 906_000}, ["fill_too_long"]),
        ({"ended_at": NOW + 3_000}, ["ends_before_it_begins"]),
        ({"station_id": "station-2"}, ["fill_without_permit"]),
        ({"net_g": 15_500, "scale_id": "scale-2"}, ["overfilled", "other_scale"]),
    ],
)
def test_what_does_not_fit_the_permit_is_doubted_by_name(changes: dict[str, Any], expected: list[str]) -> None:
    told = {"ended_at": NOW + 190_000, **changes} if "started_at" in changes and "ended_at" not in changes else changes
    assert kinds(doubts_about_fill(filled(**told), SUBJECT, decided(), CASE.book)) == expected


def test_two_clocks_that_were_known_to_differ_are_not_held_against_the_station() -> None:
    late = filled(started_at=NOW + 240_000, ended_at=NOW + 300_000)
    assert kinds(doubts_about_fill(late, SUBJECT, decided(), CASE.book)) == ["permit_expired"]
    assert doubts_about_fill(late, SUBJECT, decided(skew_ms=60_000), CASE.book) == []


def test_gas_after_a_refusal_or_of_another_cylinder_or_without_a_decision_has_no_permit() -> None:
    refused = next(case for case in load_cases("R20") if case.expected_reasons == ("R20",))
    for doubts in (
        doubts_about_fill(filled(), SUBJECT, decided(refused), CASE.book),
        doubts_about_fill(filled(), "cylinder/cyl_other", decided(), CASE.book),
        doubts_about_fill(filled(), SUBJECT, None, None),
    ):
        assert kinds(doubts) == ["fill_without_permit"]


def test_gas_from_a_suspended_station_has_no_permit() -> None:
    suspended = next(case for case in load_cases("R60") if "R60" in case.expected_reasons)
    assert kinds(doubts_about_fill(filled(), SUBJECT, decided(suspended), CASE.book)) == ["fill_without_permit"]


# --- the lists ----------------------------------------------------------------------------------------------


def items(wanted: Any, *failed: str, without: str = "") -> tuple[CheckItem, ...]:
    return tuple(CheckItem(item=item, passed=item not in failed) for item in wanted if item != without)


def prefill(**changes: Any) -> PrefillChecked:
    told = {"check_id": "check-0001", "station_id": "station-1", "worker_id": "w-1"}
    return PrefillChecked(**{**told, "items": items(PREFILL), "passed": True, **changes})


def postfill(**changes: Any) -> PostfillChecked:
    told = {"check_id": "check-0001", "station_id": "station-1", "worker_id": "w-2", "seal_no": "1", "label_no": "2"}
    return PostfillChecked(**{**told, "items": items(POSTFILL), "passed": True, **changes})


def test_the_lists_have_the_items_of_the_regulation_in_both_languages() -> None:
    assert list(PREFILL) == [f"P{number}" for number in range(1, 18)]
    assert list(POSTFILL) == [f"Q{number}" for number in range(1, 7)]
    assert all(item.zh and item.en for item in (*PREFILL.values(), *POSTFILL.values()))


def test_whole_lists_that_passed_are_not_doubted() -> None:
    assert doubts_about_prefill(prefill(), decided()) == []
    assert doubts_about_postfill(postfill(), filled()) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"items": items(PREFILL, without="P17")}, ["items_missing"]),
        ({"items": ()}, ["items_missing"]),
        ({"items": (*items(PREFILL), CheckItem(item="P18", passed=True))}, ["items_unknown"]),
        ({"items": (*items(PREFILL), CheckItem(item="P1", passed=True))}, ["items_unknown"]),
        ({"items": items(PREFILL, "P10")}, ["passed_with_faults"]),
        ({"passed": False}, ["failed_without_fault", "permitted_all_the_same"]),
        ({"items": items(PREFILL, "P10"), "passed": False}, ["permitted_all_the_same"]),
        ({"station_id": "station-2"}, ["other_station"]),
    ],
)
def test_a_pre_fill_list_is_doubted_by_name(changes: dict[str, Any], expected: list[str]) -> None:
    assert kinds(doubts_about_prefill(prefill(**changes), decided())) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"worker_id": "w-1"}, ["same_person"]),
        ({"seal_no": None}, ["seal_or_label_missing"]),
        ({"label_no": None}, ["seal_or_label_missing"]),
        ({"items": items(POSTFILL, without="Q2")}, ["items_missing"]),
        ({"items": items(POSTFILL, "Q2")}, ["passed_with_faults"]),
        ({"items": items(POSTFILL, "Q2"), "passed": False, "seal_no": None}, []),
        ({"station_id": "station-2"}, ["other_station"]),
    ],
)
def test_a_post_fill_list_is_doubted_by_name(changes: dict[str, Any], expected: list[str]) -> None:
    assert kinds(doubts_about_postfill(postfill(**changes), filled())) == expected


def test_a_list_about_a_fill_that_is_not_on_record() -> None:
    assert kinds(doubts_about_postfill(postfill(), None)) == ["no_fill"]
    assert doubts_about_prefill(prefill(), None) == []


# --- weighed again ------------------------------------------------------------------------------------------


def reweighed(**changes: Any) -> Reweighed:
    told = {"check_id": "check-0001", "station_id": "station-1", "scale_id": "scale-9", "worker_id": "w-2"}
    return Reweighed(**{**told, "full_gross_g": 31_020, "net_g": 14_520, "within_limit": True, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"scale_id": "scale-1"}, ["same_scale"]),
        ({"worker_id": "w-1"}, ["same_person"]),
        ({"net_g": 14_900}, []),
        ({"net_g": 14_901}, ["overfilled", "limit_misjudged"]),
        ({"net_g": 14_901, "within_limit": False}, ["overfilled"]),
        ({"within_limit": False}, ["limit_misjudged"]),
        ({"full_gross_g": 31_500}, []),
        ({"full_gross_g": 31_501}, ["weights_differ"]),
    ],
)
def test_a_second_weight_is_doubted_by_name(changes: dict[str, Any], expected: list[str]) -> None:
    assert kinds(doubts_about_reweighing(reweighed(**changes), filled(), 14_900, CASE.book)) == expected
