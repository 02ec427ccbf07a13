"""What people read of a refusal: one sentence in their own language, whatever the finding."""

from cylinder_codes.reading import ReadFailureKind
from cylinder_codes.stamps import STAMP_FIELDS
from cylinder_trace.cylinder import STATUS_ZH
from cylinder_trace.reasons import REASONS, sentence


def test_every_reading_failure_is_said_in_chinese_and_in_plain_english() -> None:
    for kind in ReadFailureKind:
        zh = sentence(REASONS["R01"], {"why": kind.value}, "zh")
        assert kind.value not in zh
        assert "_" not in sentence(REASONS["R01"], {"why": kind.value}, "en")


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
