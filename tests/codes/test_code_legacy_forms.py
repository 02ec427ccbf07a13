"""Codes from before: read only in the forms that were named, after everything else, and never one of two."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_codes.identifiers import Code
from cylinder_codes.legacy_forms import LegacyForm, LegacyFormError, parse_legacy_forms
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.schemes import Scheme

FORMS = parse_legacy_forms(
    """
    province=ZJ{digits:12}
    province=https://qp.province.example/?id=(ZJ{digits:12})&v={digits:1-2}

    maker=HZ-{letters:2-4}-{digits:4}-{digits:5}
    tid=E28{hex:21}
    stamp={letters:2-4}|{digits:4}-{digits:2}|{any:1-12}
    """
)
PROVINCE = Code("province:ZJ330100000017")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("ZJ330100000017", "province:ZJ330100000017"),
        ("zj330100000017\r\n", "province:ZJ330100000017"),
        ("]C1ZJ330100000017", "province:ZJ330100000017"),
        ("ZJ 3301 0000 0017", "province:ZJ330100000017"),
        ("ＺＪ３３０１００００００１７", "province:ZJ330100000017"),
        ("ZJ330100000017\rZJ330100000017\r", "province:ZJ330100000017"),
        ("https://qp.province.example/?id=ZJ330100000017&v=2", "province:ZJ330100000017"),
        ("HTTPS://QP.PROVINCE.EXAMPLE/?ID=ZJ330100000017&V=12", "province:ZJ330100000017"),
        ("HZ-LPG-2019-00123", "maker:HZ-LPG-2019-00123"),
        ("E2801160600002084F1A7B3C", "tid:E2801160600002084F1A7B3C"),
        ("XF|2019-03|00123", "stamp:XF|2019-03|00123"),
    ],
)
def test_a_code_from_before_is_read_in_its_form(raw: str, text: str) -> None:
    assert read_scan(raw, legacy_forms=FORMS) == Code(text)


def test_what_was_not_named_is_not_read() -> None:
    for raw in ("ZJ330100000017", "HZ-LPG-2019-00123", "https://qp.province.example/?id=ZJ330100000017&v=2"):
        assert isinstance(read_scan(raw), ReadFailure)


@pytest.mark.parametrize(
    "raw", ["ZJ33010000001", "ZJ3301000000178", "XZJ330100000017", "XF|2019-13|00123", "ZJ33010000001人"]
)
def test_a_text_that_is_nearly_of_the_form_is_refused(raw: str) -> None:
    assert isinstance(read_scan(raw, legacy_forms=FORMS), ReadFailure)


def test_our_own_codes_and_gs1_links_are_read_before_any_form() -> None:
    for raw in ("04HMASW9NF6YZZPW1011YN6955", "https://brand.example/8003/09520001123450ZJ33010000017"):
        assert read_scan(raw, legacy_forms=FORMS) == read_scan(raw)


def test_a_text_that_two_schemes_claim_is_refused() -> None:
    read = read_scan("12345678", legacy_forms=parse_legacy_forms("province={digits:8}\nregistration={any:6-9}"))
    assert isinstance(read, ReadFailure)
    assert read.kind == "ambiguous"


def test_two_forms_of_one_scheme_may_match_when_they_give_one_code() -> None:
    forms = parse_legacy_forms("province={digits:8}\nprovince={any:6-9}")
    assert read_scan("12345678", legacy_forms=forms) == Code("province:12345678")


def test_a_number_that_is_also_a_grai_without_its_ai_is_refused() -> None:
    forms = parse_legacy_forms("province={digits:18}")
    assert read_scan("095200011234501234") == Code("grai:095200011234501234")
    read = read_scan("095200011234501234", legacy_forms=forms)
    assert isinstance(read, ReadFailure)
    assert read.kind == "ambiguous"


def test_two_different_codes_from_before_in_one_burst_are_two_codes() -> None:
    read = read_scan("ZJ330100000017\rZJ330100000018", legacy_forms=FORMS)
    assert isinstance(read, ReadFailure)
    assert read.kind == "two_codes"


def test_a_code_from_before_beside_our_own_is_refused() -> None:
    for raw in ("ZJ330100000017\r04HMASW9NF6YZZPW1011YN6955", "04HMASW9NF6YZZPW1011YN6955\rZJ330100000017"):
        assert isinstance(read_scan(raw, legacy_forms=FORMS), ReadFailure)


def test_brackets_that_stand_for_themselves_are_written_twice() -> None:
    (form,) = parse_legacy_forms(["maker=((LPG)) {{{digits:3}}}"])
    assert form.code_in("(LPG) {007}") == Code("maker:(LPG){007}")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("ZJ{digits:12}", "write scheme=pattern"),
        ("own={any:26}", "'own' is no scheme that takes a form"),
        ("grai=0{digits:13}", "'grai' is no scheme that takes a form"),
        ("number={digits:3}", "'number' is no scheme that takes a form"),
        ("province=ZJ", "holds no field"),
        ("province=(ZJ){digits:3}", "holds no field"),
        ("province={number:3}", "'number' in '{number:3}' is no kind of field"),
        ("province={digits:0}", "a length is 1 to 80"),
        ("province={digits:9-3}", "a length is 1 to 80"),
        ("province={digits:81}", "a length is 1 to 80"),
        ("province={digits}", "has a single { at 1"),
        ("province={digits:3", "has a single { at 1"),
        ("province=({digits:3})-({digits:3})", "one pair of brackets"),
        ("province=){digits:3}(", "one pair of brackets"),
        ("province={digits:1-3}{any:1-2}", "two fields of varying length touch"),
        ("province={digits:1-3}({any:1-2})", "two fields of varying length touch"),
        ("province={digits:1-3}-{any:1-2}-{any:1-2}", "has 3 fields of varying length"),
    ],
)
def test_a_form_that_cannot_be_used_is_refused_with_its_line_and_reason(line: str, complaint: str) -> None:
    with pytest.raises(LegacyFormError, match=r"^form 2: ") as refusal:
        parse_legacy_forms(["", line])
    assert complaint in str(refusal.value)


def test_a_form_made_in_a_program_is_checked_as_well() -> None:
    with pytest.raises(LegacyFormError):
        LegacyForm(Scheme.OWN, "{any:26}")
    with pytest.raises(LegacyFormError):
        LegacyForm(Scheme.MAKER, "no field")


fields = st.sampled_from(
    ["{digits:1-80}", "{any:1-80}", "{hex:2-79}", "{any:3}", "{digits:12}", "-", "0", "A", "((", "}}", "."]
)


@given(st.lists(fields, min_size=1, max_size=12).map("".join), st.sampled_from(["0", "A", "0A", "-0", "A-"]))
def test_no_form_that_is_taken_can_be_made_slow(pattern: str, piece: str) -> None:
    try:
        form = LegacyForm(Scheme.MAKER, pattern)
    except LegacyFormError:
        return
    started = time.perf_counter()
    form.code_in(piece * (512 // len(piece)) + "!")
    assert time.perf_counter() - started < 0.2, "two fields of 80 take less than a millisecond on an idle machine"


@given(st.text(max_size=40))
def test_any_line_is_a_form_or_refused_by_name(line: str) -> None:
    try:
        forms = parse_legacy_forms([f"province={line}"])
    except LegacyFormError:
        return
    assert len(forms) == 1
