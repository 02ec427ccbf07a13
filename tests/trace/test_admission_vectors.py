"""The one decision, asked every case of the admission vectors."""

import json

import pytest

from cylinder_trace.admission import decide_fill
from cylinder_trace.decision import Decision
from cylinder_trace.reasons import REASONS, WARNINGS, next_step, sentence
from cylinder_trace.rulebook import parse_rulebook
from vectors.admission.cases import FOLDER, Case, base_case, load_cases, rulebook_text, variant, variants

CASES = load_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.name}")
def test_the_decision_is_the_one_the_regulation_gives(case: Case) -> None:
    decision = decide_fill(case.request, case.cylinder, case.station, case.book, case.now)
    assert decision.outcome == case.expected_outcome
    assert decision.codes == case.expected_reasons
    assert tuple(warning.code for warning in decision.warnings) == case.expected_warnings
    if case.expected_max_net_g is not None:
        assert decision.max_net_g == case.expected_max_net_g


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.name}")
def test_what_is_told_at_the_scale_is_a_whole_sentence_in_both_languages(case: Case) -> None:
    decision = decide_fill(case.request, case.cylinder, case.station, case.book, case.now)
    for refusal in (*decision.reasons, *decision.warnings):
        reason = (REASONS | WARNINGS)[refusal.code]
        for text in (sentence(reason, refusal.detail, "zh"), sentence(reason, refusal.detail, "en")):
            assert text
            assert "{" not in text
            assert "None" not in text
        assert next_step(reason, "zh")
        assert next_step(reason, "en")


def test_a_decision_is_what_pydantic_would_have_let_through() -> None:
    for case in CASES:
        decision = decide_fill(case.request, case.cylinder, case.station, case.book, case.now)
        checked = Decision.model_validate_json(decision.model_dump_json())
        assert checked == decision, case.name
        assert decision.model_fields_set == set(Decision.model_fields)
        assert repr(checked) == repr(decision), case.name


def test_the_base_case_is_permitted_without_a_warning() -> None:
    case = base_case()
    decision = decide_fill(case.request, case.cylinder, case.station, case.book, case.now)
    assert (decision.outcome, decision.reasons, decision.warnings) == ("ALLOW", (), ())
    assert (decision.max_net_g, decision.target_net_g) == (14_900, 14_500)
    assert decision.start_before == case.now + 180_000


def test_every_refusal_and_warning_has_a_file_with_a_case_for_and_a_case_against() -> None:
    for code in (*REASONS, *WARNINGS):
        cases = load_cases(code)
        told = [code in (*case.expected_reasons, *case.expected_warnings) for case in cases]
        assert True in told, f"{code} has no case in which it is told"
        assert False in told, f"{code} has no case in which it is not told"


def test_no_two_cases_ask_the_same_under_one_name() -> None:
    names = [(case.file, case.name) for case in CASES]
    assert len(set(names)) == len(names)
    assert len(names) >= 250


def test_every_case_names_what_its_expectation_comes_from() -> None:
    for path in FOLDER.glob("*.json"):
        for case in json.loads(path.read_text("utf-8")).get("cases", ()):
            assert case.get("basis"), f"{path.name}: {case['name']}"


@pytest.mark.parametrize("name", variants())
def test_a_rulebook_of_the_vectors_differs_from_the_one_it_is_based_on_in_one_line(name: str) -> None:
    own = variant(name)
    said = {key: value for key, value in own.items() if key not in ("based_on", "title")}
    ((_place, value),) = said.items()
    assert len(value) == 1 if isinstance(value, dict) else isinstance(value, str)
    assert parse_rulebook(rulebook_text(name)) != parse_rulebook(rulebook_text(own["based_on"]))
