"""New rules are tried out in a district before they refuse anybody; the safety core never is."""

from collections.abc import Mapping
from typing import Any

import pytest

from cylinder_trace.admission import decide_fill, stricter
from cylinder_trace.decision import Decision
from cylinder_trace.rulebook import parse_rulebook
from vectors.admission.cases import base_case, load_cases, rulebook_text

CASE = base_case()
NATIONAL = rulebook_text("cn-default")


def tried(*codes: str, regions: tuple[str, ...] = ()) -> str:
    named = ", ".join(f'"{code}"' for code in codes)
    where = ", ".join(f'"{region}"' for region in regions)
    return NATIONAL.replace("rules = []", f"rules = [{named}]").replace("regions = []", f"regions = [{where}]")


def decided(text: str, request: Mapping[str, Any], region: str | None = None) -> Decision:
    station = CASE.station.model_copy(update={"region": region})
    asked = CASE.request.model_copy(update=dict(request))
    return decide_fill(asked, CASE.cylinder, station, parse_rulebook(text), CASE.now)


DAMAGED = {"findings": ("body_damaged", "valve_damaged")}


def codes(decision: Decision) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return decision.codes, tuple(refusal.code for refusal in decision.on_trial or ())


def test_what_a_rule_on_trial_would_refuse_is_recorded_and_permitted() -> None:
    decision = decided(tried("R40", "R41"), DAMAGED)
    assert (decision.outcome, codes(decision)) == ("ALLOW", ((), ("R40", "R41")))
    assert decision.max_net_g == 14_900


def test_the_other_rules_refuse_as_ever() -> None:
    decision = decided(tried("R40"), DAMAGED)
    assert (decision.outcome, codes(decision)) == ("DENY", (("R41",), ("R40",)))


@pytest.mark.parametrize(("region", "refused"), [("330100", False), ("330200", True), (None, True)])
def test_a_trial_is_for_its_districts_alone(region: str | None, refused: bool) -> None:
    decision = decided(tried("R40", "R41", regions=("330100", "330300")), DAMAGED, region)
    assert (decision.outcome == "DENY") is refused


def test_a_decision_without_anything_on_trial_is_written_as_before() -> None:
    assert "on_trial" not in decided(tried("R40"), {}).model_dump(exclude_none=True)


IN_FORCE = [case for case in load_cases() if not case.book.shadow.rules]


@pytest.mark.parametrize("case", IN_FORCE, ids=lambda case: f"{case.file}: {case.name}")
def test_no_trial_lifts_a_refusal_of_the_safety_core(case: Any) -> None:
    others = ("R03", "R04", "R05", "R10", "R11", "R15", "R40", "R41", "R46", "R60", "R61", "R62", "R69")
    shadow = parse_rulebook(tried(*others)).shadow
    book = case.book.model_copy(update={"shadow": shadow})
    decision = decide_fill(case.request, case.cylinder, case.station, book, case.now)
    core = [code for code in case.expected_reasons if "R20" <= code <= "R38"]
    assert [code for code in decision.codes if "R20" <= code <= "R38"] == core
    assert decision.permits is not any(code not in others for code in case.expected_reasons)


def test_the_stricter_of_two_decisions_keeps_what_either_has_on_trial() -> None:
    one, other = decided(tried("R40", "R41"), DAMAGED), decided(tried("R40"), DAMAGED)
    joined = stricter(one, other)
    assert (joined.outcome, codes(joined)) == ("DENY", (("R41",), ("R40", "R41")))
