"""What people read of a refusal: one sentence in their own language, whatever the finding."""

import pytest

from cylinder_codes.reading import ReadFailureKind
from cylinder_codes.stamps import STAMP_FIELDS
from cylinder_trace.cylinder import STATUS_ZH
from cylinder_trace.reasons import NEXT_STEPS, REASONS, next_act, next_step, sentence

WIPE = NEXT_STEPS["rescan"]


def test_every_reading_failure_is_said_in_chinese_and_in_plain_english() -> None:
    for kind in ReadFailureKind:
        zh = sentence(REASONS["R01"], {"why": kind.value}, "zh")
        assert kind.value not in zh
        assert "_" not in sentence(REASONS["R01"], {"why": kind.value}, "en")


@pytest.mark.parametrize(
    ("why", "act", "zh", "en"),
    [
        ("empty", "rescan", *WIPE),
        ("wrong_check_digits", "rescan", *WIPE),
        ("foreign_link", "return", "退回产权单位", "return it to its owner"),
        ("not_a_code", "rescan", "扫瓶上的码牌", "Scan the plate"),
        ("two_codes", "rescan", "遮住", "Cover the code"),
        ("wrong_layout", "rescan", "scanner-test", "scanner-test"),
        ("missing_serial", "investigate", "换标", "tagged anew"),
        ("damaged", "investigate", "换标", "tagged anew"),
    ],
)
def test_what_is_to_be_done_about_a_scan_that_is_no_code_fits_why_it_is_none(
    why: str, act: str, zh: str, en: str
) -> None:
    detail = {"why": why}
    assert next_act(REASONS["R01"], detail) == act
    assert zh in next_step(REASONS["R01"], "zh", detail)
    assert en in next_step(REASONS["R01"], "en", detail)


def test_wiping_is_asked_for_only_where_it_may_help() -> None:
    helped = {kind.value for kind in ReadFailureKind if next_step(REASONS["R01"], "en", {"why": kind.value}) == WIPE[1]}
    assert helped == {"empty", "too_long", "wrong_length", "wrong_character", "wrong_check_digits"}


def test_the_whereabouts_of_a_cylinder_are_said_in_chinese_and_in_plain_english() -> None:
    for status, zh in STATUS_ZH.items():
        assert zh in sentence(REASONS["R69"], {"status": status}, "zh")
        assert status.replace("_", " ") in sentence(REASONS["R69"], {"status": status}, "en")


def test_the_fields_of_a_stamp_that_differ_are_named_behind_the_sentence() -> None:
    assert sentence(REASONS["R04"], {}, "zh") == "钢印与档案不一致"
    found: dict[str, str | int] = {"stamp_fields": "serial tare_g"}
    assert sentence(REASONS["R04"], found, "zh") == "钢印与档案不一致:出厂编号、皮重"
    assert sentence(REASONS["R04"], found, "en") == "The stamp on the steel differs from the file: serial number, tare"
    for field in STAMP_FIELDS:
        assert field not in sentence(REASONS["R04"], {"stamp_fields": field}, "zh")
