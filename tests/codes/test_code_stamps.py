"""The stamp on the steel is compared with the file: a copied code does not carry the steel with it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_codes.stamps import STAMP_FIELDS, StampReading, compare_stamps

FILE = StampReading(maker="C27", serial="A01001", manufactured_month="2019-03", model="YSP118-II", tare_g=16_500)

readings = st.builds(
    StampReading,
    maker=st.sampled_from([None, "C27", "D11"]),
    serial=st.sampled_from([None, "A01001", "A01002"]),
    manufactured_month=st.sampled_from([None, "2019-03", "2019-04"]),
    model=st.sampled_from([None, "YSP118-II", "YSP35.5"]),
    tare_g=st.sampled_from([None, 16_500, 16_600]),
)


def test_the_same_stamp_agrees_in_every_field_and_is_a_match() -> None:
    found = compare_stamps(FILE, FILE)
    assert found.agree == STAMP_FIELDS
    assert found.is_match


@pytest.mark.parametrize("serial", ["a01001", "AO1OO1", "AoIool", "A 01 001", "Ａ０１００１", "A0L00I"])
def test_case_spaces_full_width_and_look_alikes_make_no_other_serial(serial: str) -> None:
    assert compare_stamps(FILE, StampReading(serial=serial)).agree == ("serial",)


@pytest.mark.parametrize("serial", ["A01011", "A1001", "A0100", "A010010", "B01001", "A0-1001"])
def test_another_character_is_another_serial(serial: str) -> None:
    assert compare_stamps(FILE, StampReading(serial=serial)).differ == ("serial",)


def test_a_model_is_the_same_in_any_width_and_case_but_look_alikes_count() -> None:
    assert compare_stamps(FILE, StampReading(model="ｙｓｐ118-Ⅱ")).agree == ("model",)
    assert compare_stamps(FILE, StampReading(model="YSPII8-II")).differ == ("model",)


@pytest.mark.parametrize(("seen", "tolerance", "differs"), [
    (16_500, 0, False), (16_501, 0, True), (16_499, 0, True), (16_600, 100, False), (16_601, 100, True),
])  # fmt: skip
def test_a_tare_differs_beyond_the_tolerance_in_grams(seen: int, tolerance: int, differs: bool) -> None:
    assert bool(compare_stamps(FILE, StampReading(tare_g=seen), tolerance).differ) == differs


def test_one_field_that_agrees_is_no_match_yet_and_two_are() -> None:
    assert not compare_stamps(FILE, StampReading(serial="A01001")).is_match
    assert compare_stamps(FILE, StampReading(serial="A01001", tare_g=16_500)).is_match


def test_one_field_that_differs_spoils_any_match() -> None:
    seen = StampReading(maker="C27", serial="A01001", manufactured_month="2019-03", model="YSP118-II", tare_g=15_200)
    found = compare_stamps(FILE, seen)
    assert (found.differ, found.is_match) == (("tare_g",), False)


def test_what_is_not_on_file_cannot_differ() -> None:
    found = compare_stamps(StampReading(serial="A1"), StampReading(serial="A1", manufactured_month="2019-03"))
    assert found.differ == ()
    assert "manufactured_month" in found.not_read


@given(readings, readings)
def test_every_field_is_told_once_and_both_sides_say_the_same(one: StampReading, other: StampReading) -> None:
    found = compare_stamps(one, other)
    assert sorted((*found.agree, *found.differ, *found.not_read)) == sorted(STAMP_FIELDS)
    assert compare_stamps(other, one) == found


@pytest.mark.parametrize("field", ["maker", "serial", "model"])
@pytest.mark.parametrize("text", ["", "  ", "x" * 201, "a\nb", "a\x00"])
def test_a_text_that_cannot_stand_on_steel_is_refused_by_name(field: str, text: str) -> None:
    with pytest.raises(ValueError, match=field):
        replace(FILE, **{field: text})  # type: ignore[arg-type]


@pytest.mark.parametrize("month", ["2019", "2019-13", "2019-3", "201903", "1819-03", "２０１９-03"])
def test_a_month_that_is_none_is_refused(month: str) -> None:
    with pytest.raises(ValueError, match="manufactured_month"):
        StampReading(manufactured_month=month)


def test_a_tare_beyond_all_cylinders_is_refused() -> None:
    for tare_g in (-1, 2_000_001):
        with pytest.raises(ValueError, match="tare_g"):
            StampReading(tare_g=tare_g)
