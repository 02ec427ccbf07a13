"""What people read of a refusal: one sentence in their own language, whatever the finding."""

from cylinder_codes.reading import ReadFailureKind
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
