"""GRAI, GIAI and the codes cylinders had before: one class, each with its own form and its own errors."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_codes.authenticity import TagKey, issuing_key, tag_is_genuine
from cylinder_codes.base32 import ALPHABET
from cylinder_codes.check_digits import GS1_PUNCTUATION, check_digits, gs1_check_digit
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import (
    Code,
    format_code_human,
    legacy_code,
    make_code,
    make_giai,
    make_grai,
    stamp_code,
    typed_check_digits,
)
from cylinder_codes.schemes import LEGACY_SCHEMES, SCHEMES, Scheme, fold

KEY = TagKey("example", bytes(range(32)))
OTHER_KEY = TagKey("other", bytes(32))
SERIAL_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" + GS1_PUNCTUATION

asset_types = st.text("0123456789", min_size=12, max_size=12)
serials = st.text(SERIAL_CHARACTERS, min_size=1, max_size=16)
seals = st.binary(min_size=6, max_size=6)


def refusal(text: str) -> tuple[str, int] | None:
    """Kind and position of the error that refuses a text; None when it is a code."""
    try:
        Code(text)
    except CodeError as error:
        return error.kind.value, error.position
    return None


@pytest.mark.parametrize(
    ("text", "scheme", "human"),
    [
        ("04HMASW9NF6YZZPW1011YN6955", Scheme.OWN, "04HM-ASW9-NF6Y-ZZPW-1011-YN69-55"),
        ("grai:04007537168421100034022", Scheme.GRAI, "(8003) 04007537168421 100034022 #69"),
        ("grai:09520001123450ZJ33010000017", Scheme.GRAI, "(8003) 09520001123450 ZJ33010000017 #24"),
        ("giai:9520001VLV-0098231", Scheme.GIAI, "(8004) 9520001VLV-0098231 #40"),
        ("province:ZJ330100000017", Scheme.PROVINCE, "ZJ330100000017"),
        ("registration:3330120000001", Scheme.REGISTRATION, "3330120000001"),
        ("stamp:XF|2019-03|00123", Scheme.STAMP, "XF|2019-03|00123"),
        ("tid:E2801160600002084F1A7B3C", Scheme.TID, "E2801160600002084F1A7B3C"),
        ("maker:HZ-LPG-2019-00123", Scheme.MAKER, "HZ-LPG-2019-00123"),
    ],
)
def test_a_code_of_every_scheme_is_kept_in_one_text(text: str, scheme: Scheme, human: str) -> None:
    code = Code(text)
    assert (code.text, code.scheme, format_code_human(code)) == (text, scheme, human)
    assert code.value == text.partition(":")[2] or code.scheme == Scheme.OWN


@pytest.mark.parametrize(
    ("text", "kind", "position"),
    [
        ("grai:9520001123450ZJ33010000017", "missing_filler", 6),
        ("grai:09520001123459ZJ33010000017", "wrong_check_digits", 19),
        ("grai:0952000112345", "wrong_length", 19),
        ("grai:09520001123450", "missing_serial", 20),
        ("grai:0952000112345012345678901234567", "serial_too_long", 36),
        ("grai:09520001123450zj", "wrong_character", 20),
        ("grai:09520001123450Z#", "wrong_character", 21),
        ("grai:0952O001123450ZJ", "wrong_character", 10),
        ("grai:", "wrong_length", 6),
        ("giai:95A0001VLV", "wrong_character", 8),
        ("giai:9520", "wrong_length", 10),
        ("giai:9520001VLV 1", "wrong_character", 16),
        ("giai:9520" + "1" * 27, "serial_too_long", 36),
        ("province:zj330100000017", "wrong_character", 10),
        ("province:ZJ 330100000017", "wrong_character", 12),
        ("province:", "wrong_length", 10),
        ("province:" + "1" * 81, "wrong_length", 90),
        ("province:1\u202e2", "wrong_character", 11),
        ("stamp:XF|2019-13|00123", "wrong_character", 7),
        ("stamp:XF|2019-03|", "wrong_character", 7),
        ("own:04HMASW9NF6YZZPW1011YN6955", "unknown_scheme", 1),
        ("sscc:106141412345678908", "unknown_scheme", 1),
        ("GRAI:09520001123450ZJ", "unknown_scheme", 1),
    ],
)
def test_a_text_that_breaks_its_scheme_is_refused_with_kind_and_place(text: str, kind: str, position: int) -> None:
    assert refusal(text) == (kind, position)


def test_the_check_digit_of_a_grai_is_the_14th_character_not_the_13th() -> None:
    real = "04007537168421" + "100034022"
    assert refusal("grai:" + real) is None
    computed_at_13 = "0" + "40075371684" + gs1_check_digit("040075371684") + "1" + "100034022"
    assert refusal("grai:" + computed_at_13) is not None


@given(asset_types, st.integers(0, 13), st.data())
def test_one_wrong_digit_of_a_grai_is_always_found(asset_type: str, place: int, data: st.DataObject) -> None:
    digits = f"0{asset_type}{gs1_check_digit(asset_type)}"
    wrong = data.draw(st.sampled_from("0123456789".replace(digits[place], "")))
    assert refusal(f"grai:{digits}X") is None
    assert refusal(f"grai:{digits[:place]}{wrong}{digits[place + 1 :]}X") is not None


@given(asset_types, serials, st.data())
def test_one_wrong_character_of_a_typed_gs1_code_is_always_found(
    asset_type: str, serial: str, data: st.DataObject
) -> None:
    code = Code(f"grai:0{asset_type}{gs1_check_digit(asset_type)}{serial}")
    place = data.draw(st.integers(0, len(serial) - 1))
    wrong = data.draw(st.sampled_from(SERIAL_CHARACTERS.replace(serial[place], "")))
    other = Code(code.text[: 19 + place] + wrong + code.text[20 + place :])
    assert typed_check_digits(other) != typed_check_digits(code)


def test_no_two_characters_of_a_gs1_value_weigh_the_same() -> None:
    assert len({check_digits(char) for char in SERIAL_CHARACTERS}) == len(SERIAL_CHARACTERS) == 56


@given(asset_types, seals)
def test_a_sealed_grai_is_genuine_under_its_key_and_no_other(asset_type: str, seal: bytes) -> None:
    code = make_grai(asset_type, seal, KEY)
    assert (code.scheme, len(code.value)) == (Scheme.GRAI, 30)
    assert tag_is_genuine(code, KEY)
    assert not tag_is_genuine(code, OTHER_KEY)
    assert issuing_key(code, [OTHER_KEY, KEY]) == KEY
    assert issuing_key(code, [OTHER_KEY]) is None


@given(st.text("0123456789", min_size=4, max_size=12), seals)
def test_a_sealed_giai_is_genuine_under_its_key_and_no_other(prefix: str, seal: bytes) -> None:
    code = make_giai(prefix, seal, KEY)
    assert code.text.startswith(f"giai:{prefix}")
    assert tag_is_genuine(code, KEY)
    assert not tag_is_genuine(code, OTHER_KEY)


@given(asset_types, seals, st.data())
def test_a_sealed_code_with_another_character_is_not_genuine(asset_type: str, seal: bytes, data: st.DataObject) -> None:
    code = make_grai(asset_type, seal, KEY)
    place = data.draw(st.integers(19, 34))
    wrong = data.draw(st.sampled_from(ALPHABET.replace(code.text[place], "")))
    assert not tag_is_genuine(Code(code.text[:place] + wrong + code.text[place + 1 :]), KEY)


def test_a_seal_does_not_move_to_another_type_of_cylinder() -> None:
    code = make_grai("952000112345", bytes(6), KEY)
    other = f"grai:0952000112346{gs1_check_digit('952000112346')}{code.value[14:]}"
    assert not tag_is_genuine(Code(other), KEY)


@pytest.mark.parametrize("text", ["grai:09520001123450ZJ33010000017", "giai:9520001VLV-0098231", "province:ZJ33010"])
def test_a_code_that_others_made_has_no_tag_and_is_never_genuine(text: str) -> None:
    assert Code(text).tag == ""
    assert not tag_is_genuine(Code(text), KEY)


def test_a_forged_tag_made_of_nothing_is_not_genuine() -> None:
    class Untagged:
        payload = "04HMASW9NF6YZZPW"
        tag = ""

    assert not tag_is_genuine(Untagged(), KEY)


@pytest.mark.parametrize("asset_type", ["95200011234", "9520001123456", "95200011234X", ""])
def test_a_grai_needs_twelve_digits_before_its_check_digit(asset_type: str) -> None:
    with pytest.raises(ValueError, match="12 digits"):
        make_grai(asset_type, bytes(6), KEY)


@pytest.mark.parametrize("prefix", ["952", "9520001123456", "95X0001"])
def test_a_giai_needs_a_company_prefix(prefix: str) -> None:
    with pytest.raises(ValueError, match="company prefix"):
        make_giai(prefix, bytes(6), KEY)


@pytest.mark.parametrize("length", [0, 5, 7])
def test_a_sealed_code_is_not_made_from_too_little_randomness_or_too_much(length: int) -> None:
    with pytest.raises(ValueError, match="6 random bytes"):
        make_grai("952000112345", bytes(length), KEY)


@pytest.mark.parametrize(
    "writing", ["ZJ330100000017", "zj 3301 0000 0017", "ＺＪ３３０１００００００１７", "\tzj330100000017\n"]
)
def test_a_code_from_before_is_one_code_in_every_writing(writing: str) -> None:
    assert legacy_code(Scheme.PROVINCE, writing) == Code("province:ZJ330100000017")


def test_leading_zeros_of_a_code_from_before_are_kept() -> None:
    assert legacy_code(Scheme.MAKER, "00123").text == "maker:00123"


def test_the_same_text_under_two_schemes_is_two_codes() -> None:
    assert legacy_code(Scheme.PROVINCE, "00123") != legacy_code(Scheme.REGISTRATION, "00123")


def test_a_stamp_is_maker_month_and_serial_together() -> None:
    assert stamp_code("某某 气瓶厂", "2019-03", "a00123") == Code("stamp:某某气瓶厂|2019-03|A00123")
    with pytest.raises(CodeError):
        stamp_code("XF|2019-03", "2019-03", "1")


@pytest.mark.parametrize("scheme", [Scheme.OWN, Scheme.GRAI, Scheme.GIAI])
def test_a_code_that_can_be_checked_is_never_taken_as_opaque_text(scheme: Scheme) -> None:
    with pytest.raises(CodeError):
        legacy_code(scheme, "09520001123450ZJ33010000017")


@given(st.sampled_from(sorted(LEGACY_SCHEMES)), st.text(max_size=60))
def test_any_text_is_a_code_from_before_or_refused_and_keeps_its_one_writing(scheme: Scheme, text: str) -> None:
    try:
        code = legacy_code(scheme, text)
    except CodeError:
        return
    assert Code(code.text) == code
    assert fold(code.value) == code.value
    assert unicodedata.normalize("NFC", code.text) == code.text


@given(st.text(max_size=60))
def test_no_text_brings_anything_but_a_code_or_the_named_error(text: str) -> None:
    assert refusal(text) is None or isinstance(refusal(text), tuple)


def test_every_scheme_has_a_name_in_both_languages() -> None:
    assert set(SCHEMES) == set(Scheme)
    assert all(facts.name_zh and facts.name_en.isascii() for facts in SCHEMES.values())


def test_our_own_codes_are_as_they_always_were() -> None:
    assert make_code(bytes(10), KEY).text == "0000000000000000S82R7JKW09"
