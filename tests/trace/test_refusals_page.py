"""The page of all refusals is held to the truth: each code, where its rule stands, what is said, who may lift it."""

import inspect
import re
from pathlib import Path

import pytest

from cylinder_trace.admission import OF_THE_CYLINDER, OF_THE_STATION, WARNINGS_OF_THE_CYLINDER, WITHOUT_CYLINDER
from cylinder_trace.reasons import NEXT_STEPS, REASONS, WARNINGS, Reason

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/refusals.md").read_text("utf-8")
ROWS = {row[0]: row[1:] for row in re.findall(r"^\| (R\d\d) " + r"\| (.*?) " * 6 + r"\|$", PAGE, re.MULTILINE)}
WARNED = {row[0]: row[1:] for row in re.findall(r"^\| (W\d\d) " + r"\| (.*?) " * 5 + r"\|$", PAGE, re.MULTILINE)}
RULES = {**WITHOUT_CYLINDER, **OF_THE_CYLINDER, **OF_THE_STATION}
LIFT = {
    "never": "a new fact",
    "new_evidence_and_second_person": "evidence, second person",
    "flagging_authority": "the authority",
}


def test_every_refusal_is_on_the_page_in_the_order_of_its_code() -> None:
    assert list(ROWS) == list(REASONS)


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: str(reason.code))
def test_a_row_says_where_the_rule_stands_what_it_says_and_who_may_lift_it(reason: Reason) -> None:
    rule, zh, en, following, lift, basis = ROWS[reason.code]
    function = RULES[reason.code]
    assert rule == f"`{Path(inspect.getfile(function)).stem}.{reason.word}`"
    assert (zh, en) == (reason.zh, reason.en)
    assert following == NEXT_STEPS[reason.next_act][1].rstrip(".")
    assert lift == LIFT[reason.lift]
    assert basis == f"{reason.basis} ({reason.strength})"


def test_every_warning_is_on_the_page_with_what_it_says() -> None:
    assert list(WARNED) == list(WARNINGS)
    for code, (rule, zh, en, _how_long, basis) in WARNED.items():
        warning, function = WARNINGS[code], WARNINGS_OF_THE_CYLINDER[code]
        assert rule == f"`{Path(inspect.getfile(function)).stem}.{warning.word}`"
        assert (zh, en, basis) == (warning.zh, warning.en, f"{warning.basis} ({warning.strength})")
