"""What the record alone says of a cylinder is what the one decision says: no second opinion for the public."""

import pytest

from cylinder_trace.admission import OF_THE_CYLINDER, OF_THE_RECORD, decide_fill, judge_record
from cylinder_trace.rulebook import ShadowRules
from vectors.admission.cases import Case, base_case, load_cases

CASES = load_cases()


def codes_of(refusals: tuple[object, ...]) -> set[str]:
    return {refusal.code for refusal in refusals}  # type: ignore[attr-defined]


def test_every_rule_of_the_record_is_a_rule_of_the_cylinder() -> None:
    assert set(OF_THE_CYLINDER) >= OF_THE_RECORD


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.name}")
def test_the_record_never_says_more_than_the_decision_at_the_scale(case: Case) -> None:
    if case.cylinder is None or case.request.code is None or case.cylinder.status == "withdrawn":
        return
    decision = decide_fill(case.request, case.cylinder, case.station, case.book, case.now)
    said = judge_record(case.cylinder, case.request.code, case.book, case.now)
    assert codes_of(said.reasons) <= codes_of(decision.reasons) | {"R13"}
    assert said.outcome == ("DENY" if said.reasons else "WARN" if said.warnings else "ALLOW")
    if decision.outcome == "WARN":
        assert said.warnings == decision.warnings
    for refusal in said.reasons:
        if refusal.code in codes_of(decision.reasons) - {"R03", "R30", "R38"}:
            same = next(other for other in decision.reasons if other.code == refusal.code)
            assert refusal == same or "because" in same.detail, "the same sentence with the same facts"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.name}")
def test_the_record_says_no_less_than_a_scan_at_which_nothing_was_found(case: Case) -> None:
    cylinder, request = case.cylinder, case.request
    if cylinder is None or request.code is None or cylinder.status == "withdrawn" or request.findings:
        return
    empty_g = request.empty_gross_g - (request.residue_g or 0)
    if request.stamp_seen or abs(empty_g - cylinder.stamp.tare_g) > case.book.fill.tare_drift_g:
        return
    decision = decide_fill(request, cylinder, case.station, case.book, case.now)
    said = judge_record(cylinder, request.code, case.book, case.now)
    of_the_scan = {"R03", "R13"}  # seen elsewhere just before, the mark of the company that asks
    assert codes_of(decision.reasons) & (OF_THE_RECORD - of_the_scan) <= codes_of(said.reasons)


def test_where_it_was_seen_last_and_who_has_it_changes_nothing() -> None:
    good = base_case()
    assert good.cylinder is not None
    for update in ({"status": "at_customer"}, {"last_seen_station_id": "st_9", "last_seen_at": good.now}):
        cylinder = good.cylinder.model_copy(update=update)
        assert judge_record(cylinder, cylinder.codes[0], good.book, good.now).outcome == "ALLOW"


def test_a_rule_on_trial_is_not_told_to_the_public() -> None:
    good = base_case()
    assert good.cylinder is not None
    unregistered = good.cylinder.model_copy(update={"registration_no": None, "in_service_on": "2020-01-01"})
    strict = judge_record(unregistered, unregistered.codes[0], good.book, good.now)
    assert codes_of(strict.reasons) == {"R11"}
    on_trial = good.book.model_copy(update={"shadow": ShadowRules(rules=("R11",))})
    tried = judge_record(unregistered, unregistered.codes[0], on_trial, good.now)
    assert tried.outcome == "ALLOW"
