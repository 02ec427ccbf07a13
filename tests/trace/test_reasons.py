"""Every refusal has one rule, one word, and sentences that help and never accuse."""

import inspect
import re
from collections.abc import Callable
from string import Formatter
from typing import Any, get_args

import pytest

from cylinder_trace.admission import (
    OF_THE_CYLINDER,
    OF_THE_STATION,
    WARNINGS_OF_THE_CYLINDER,
    WITHOUT_CYLINDER,
    decide_fill,
)
from cylinder_trace.reasons import BECAUSE, NEXT_STEPS, REASONS, WARNINGS, Lift, NextAct, Reason, next_step, sentence
from cylinder_trace.rules import condemned, condition, identity, inspection, ownership, station
from vectors.admission.cases import load_cases

RULES: dict[str, Callable[..., Any]] = {
    **WITHOUT_CYLINDER,
    **OF_THE_CYLINDER,
    **OF_THE_STATION,
    **WARNINGS_OF_THE_CYLINDER,
}
ALL: dict[str, Reason] = REASONS | WARNINGS
each_reason = pytest.mark.parametrize("reason", ALL.values(), ids=lambda reason: str(reason.code))


def placeholders(template: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in Formatter().parse(template) if name is not None}


def test_each_reason_has_a_rule_and_each_rule_a_reason() -> None:
    assert set(RULES) == set(ALL)
    tables = (WITHOUT_CYLINDER, OF_THE_CYLINDER, OF_THE_STATION, WARNINGS_OF_THE_CYLINDER)
    assert sum(len(table) for table in tables) == len(RULES), "no rule is asked twice"
    assert set(WARNINGS_OF_THE_CYLINDER) == set(WARNINGS)


def test_every_public_function_in_the_rules_is_asked() -> None:
    found = {
        function
        for module in (condemned, condition, identity, inspection, ownership, station)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert found == set(RULES.values())


@each_reason
def test_a_rule_is_called_by_its_reasons_word_and_begins_its_docstring_with_the_code(reason: Reason) -> None:
    rule = RULES[reason.code]
    assert rule.__name__ == reason.word
    assert (rule.__doc__ or "").startswith(f"{reason.code}: ")


def test_no_two_reasons_share_a_code_or_a_word() -> None:
    assert len({reason.word for reason in ALL.values()}) == len(ALL)
    assert all(code == reason.code for code, reason in ALL.items())
    assert len(REASONS) == 47
    assert list(REASONS) == sorted(REASONS)


@each_reason
def test_a_reason_is_told_in_both_languages_from_the_same_findings(reason: Reason) -> None:
    assert re.search(r"[\u4e00-\u9fff]", reason.zh)
    assert re.fullmatch(r"[A-Z].*", reason.en)
    zh, en = placeholders(reason.zh), placeholders(reason.en)
    assert {name.removesuffix("_zh") for name in zh} == {name.removesuffix("_zh") for name in en}


@each_reason
def test_the_rule_fills_every_place_in_its_sentences(reason: Reason) -> None:
    told = 0
    for case in load_cases(reason.code):
        decision = decide_fill(case.request, case.cylinder, case.station, case.book, case.now)
        for refusal in (*decision.reasons, *decision.warnings):
            if refusal.code != reason.code:
                continue
            zh, en = BECAUSE.get(str(refusal.detail.get("because")), (reason.zh, reason.en))
            assert placeholders(zh) | placeholders(en) <= set(refusal.detail)
            assert refusal.word == reason.word
            told += 1
    assert told


def test_each_cause_with_a_sentence_of_its_own_is_named_by_one_rule_and_told_in_both_languages() -> None:
    told: dict[str, set[str]] = {}
    for case in load_cases():
        decision = decide_fill(case.request, case.cylinder, case.station, case.book, case.now)
        for refusal in decision.reasons:
            if cause := refusal.detail.get("because"):
                told.setdefault(str(cause), set()).add(refusal.code)
    assert {cause: len(codes) for cause, codes in told.items()} == dict.fromkeys(BECAUSE, 1)
    for zh, en in BECAUSE.values():
        assert re.search(r"[\u4e00-\u9fff]", zh)
        assert re.fullmatch(r"[A-Z].*[^.]", en)
        assert placeholders(zh) == placeholders(en)


# A sentence at the scale says what was found. Whose fault it is, is for others to judge, and never for a machine.
ACCUSING_ZH = ("非法", "违法", "违规", "犯罪", "造假", "伪造", "盗", "骗", "罚", "责任", "故意", "擅自", "你", "您")
ACCUSING_EN = (
    r"\b(illegal|unlawful|fraud\w*|forg\w+|fake\w*|crim\w+|stole\w*|thief|theft|cheat\w*|guilty|violat\w+|fault)\b"
    r"|\b(offen[cd]\w*|you|your)\b"
)


@each_reason
def test_no_sentence_accuses_anybody(reason: Reason) -> None:
    zh, en = reason.zh + next_step(reason, "zh"), reason.en + next_step(reason, "en")
    assert not [word for word in ACCUSING_ZH if word in zh]
    assert not re.search(ACCUSING_EN, en, re.IGNORECASE)


@pytest.mark.parametrize("cause", BECAUSE)
def test_no_sentence_about_a_cause_accuses_anybody(cause: str) -> None:
    zh, en = BECAUSE[cause]
    assert not [word for word in ACCUSING_ZH if word in zh]
    assert not re.search(ACCUSING_EN, en, re.IGNORECASE)


def test_every_next_step_is_said_in_both_languages() -> None:
    assert set(NEXT_STEPS) == set(get_args(NextAct))
    for zh, en in NEXT_STEPS.values():
        assert zh.endswith("。")
        assert en.endswith(".")


@each_reason
def test_a_refusal_names_its_basis_and_who_may_lift_it(reason: Reason) -> None:
    assert reason.basis
    assert reason.lift in get_args(Lift)
    assert reason.next_act in get_args(NextAct)
    assert "TSG" not in reason.basis, "its clause numbers are known at second hand only"


# Written from the table of refusals: action S send to inspection, C collect for scrapping, F fix the data or the
# cylinder, X stop the station, H a human looks (H+S and then it is inspected anew), R return to the owner; override
# N never, D by correction with evidence and a second person, A by the authority that set the mark; strength law,
# published, practice.
THE_TABLE = """
R01 F N law · R02 F D law · R03 H N practice · R04 H D law · R05 C N law · R06 H D published
R10 R N law · R11 F N law · R12 F N law · R13 C N published · R14 H D published · R15 H D practice
R20 S N law · R21 C N law · R22 H+S N published · R23 S N law · R24 C N law · R25 C N published · R26 S N law
R30 C N law · R31 C N published · R32 C A published · R33 C N published · R34 C N published · R35 C N law
R36 C A published · R37 C N law · R38 H A practice
R40 S N published · R41 S N published · R42 S N published · R43 F N published · R44 S N published · R45 F N law
R46 S N published · R50 X N law · R51 X N published
R60 X N law · R61 X N law · R62 X N practice · R63 X N published · R64 F N law · R65 X N practice · R66 X N practice
R67 X N practice · R68 H N published · R69 H D practice
"""
ACTION: dict[NextAct, str] = {
    "inspect": "S", "scrap": "C", "return": "R", "correct": "F", "drain": "F", "mend": "F", "check": "F",
    "rescan": "F", "stop_station": "X", "investigate": "H", "reinspect": "H+S",
}  # fmt: skip
OVERRIDE: dict[Lift, str] = {"never": "N", "new_evidence_and_second_person": "D", "flagging_authority": "A"}


def test_what_is_done_who_may_lift_it_and_how_strong_its_basis_is_are_as_the_table_of_refusals_says() -> None:
    told = [f"{one.code} {ACTION[one.next_act]} {OVERRIDE[one.lift]} {one.strength}" for one in REASONS.values()]
    assert told == [row.strip() for row in THE_TABLE.replace("\n", " · ").split(" · ") if row.strip()]


@each_reason
def test_a_rule_is_short_enough_to_be_read_at_once(reason: Reason) -> None:
    lines, _start = inspect.getsourcelines(RULES[reason.code])
    doc = len((RULES[reason.code].__doc__ or "").strip().splitlines())
    assert len(lines) - 1 - doc <= 10


def test_findings_are_put_into_the_sentence() -> None:
    assert sentence(REASONS["R20"], {"due": "2026-10"}, "zh") == "检验已于 2026-10 到期"
    assert sentence(REASONS["R20"], {"due": "2026-10"}, "en") == "Inspection was due in 2026-10"
    assert sentence(REASONS["R01"], {"why": "{why}"}, "en") == "The code cannot be read: {why}"
