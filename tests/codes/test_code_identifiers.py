"""Codes and cylinder ids: made, written, checked, and what the check digits find."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_codes.authenticity import TagKey, tag_is_genuine, tag_of
from cylinder_codes.base32 import ALPHABET, encode_base32
from cylinder_codes.identifiers import (
    Code,
    CodeError,
    check_digits,
    format_code,
    format_code_human,
    format_link,
    is_cylinder_id,
    make_code,
    new_cylinder_id,
    parse_code,
    parse_link,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/codes/codes.json").read_text(encoding="utf-8"))
KEY = TagKey("example", bytes(range(32)))
OTHER_KEY = TagKey("example", bytes(32))

codes = st.binary(min_size=10, max_size=10).map(lambda payload: make_code(payload, KEY))
places = st.integers(0, 25)


@pytest.mark.parametrize("vector", VECTORS["codes"], ids=lambda v: v["code"])
def test_a_code_is_made_as_published(vector: dict[str, str]) -> None:
    code = make_code(bytes.fromhex(vector["payload_bytes"]), KEY)
    assert format_code(code) == vector["code"]
    assert format_code_human(code) == vector["human_text"]
    assert format_link(code) == vector["link"]
    assert code.tag == vector["tag"]


@pytest.mark.parametrize("vector", VECTORS["check_digits"], ids=lambda v: v["body"])
def test_check_digits_are_those_of_iban_and_lei(vector: dict[str, str]) -> None:
    assert check_digits(vector["body"]) == vector["check_digits"]


@pytest.mark.parametrize("vector", VECTORS["cylinder_ids"], ids=lambda v: v["cylinder_id"])
def test_a_cylinder_id_is_made_as_published(vector: dict[str, str]) -> None:
    assert new_cylinder_id(bytes.fromhex(vector["random_bytes"])) == vector["cylinder_id"]
    assert is_cylinder_id(vector["cylinder_id"])


@pytest.mark.parametrize(
    "text", ["", "cyl_", "cyl_8" + "0" * 25, "cyl_" + "0" * 25, "CYL_" + "0" * 26, "cyl_0" + "u" * 25]
)
def test_other_texts_are_no_cylinder_ids(text: str) -> None:
    assert not is_cylinder_id(text)


@given(st.binary(min_size=10, max_size=10))
def test_the_tag_is_the_first_forty_bits_of_the_keyed_hash(payload_random: bytes) -> None:
    code = make_code(payload_random, KEY)
    digest = hmac.new(KEY.secret, b"pinglian-code-v1\0" + code.payload.encode(), hashlib.sha256).digest()
    bits = "".join(f"{byte:08b}" for byte in digest[:5])
    assert code.tag == "".join(ALPHABET[int(bits[start : start + 5], 2)] for start in range(0, 40, 5))


@given(codes)
def test_a_code_is_genuine_under_its_key_alone(code: Code) -> None:
    assert tag_is_genuine(code, KEY)
    assert not tag_is_genuine(code, OTHER_KEY)


def test_a_well_formed_code_with_a_guessed_tag_is_not_genuine() -> None:
    body = "0123456789ABCDEF" + "00000000"
    guessed = parse_code(body + check_digits(body))
    assert not tag_is_genuine(guessed, KEY)
    assert tag_of(guessed.payload, KEY) == "NBNBC9SH"


def test_a_tag_key_never_shows_its_secret() -> None:
    assert repr(KEY) == "TagKey(name='example')"
    assert repr(KEY.secret) not in str(KEY)


@given(codes)
def test_the_whole_number_of_a_code_leaves_one_when_divided_by_97(code: Code) -> None:
    digits = "".join(str(int(char, 36)) for char in code.text)
    assert int(digits) % 97 == 1


@given(codes)
def test_a_code_and_its_links_read_back(code: Code) -> None:
    assert parse_code(format_code(code)) == code
    assert parse_link(format_link(code)) == code
    assert parse_link(format_link(code).upper()) == code
    assert parse_link(format_link(code, "Codes.Example"), "codes.example") == code


@given(codes, places, st.sampled_from(ALPHABET))
def test_a_wrong_digit_for_a_digit_or_letter_for_a_letter_is_always_found(code: Code, place: int, char: str) -> None:
    old = code.text[place]
    if char == old or char.isdigit() != old.isdigit():
        return
    with pytest.raises(CodeError) as caught:
        parse_code(code.text[:place] + char + code.text[place + 1 :])
    assert caught.value.kind == "wrong_check_digits"


@given(codes, st.integers(0, 24))
def test_two_exchanged_neighbours_are_always_found_but_for_three_pairs(code: Code, place: int) -> None:
    first, second = code.text[place], code.text[place + 1]
    exchanged = code.text[:place] + second + first + code.text[place + 2 :]
    same_digits = {first, second} in ({"1", "B"}, {"2", "M"}, {"3", "X"}) and place < 23
    if first == second or same_digits:
        return
    with pytest.raises(CodeError):
        parse_code(exchanged)


def test_each_of_the_three_pairs_spells_the_same_digits_either_way_round() -> None:
    for pair in ("1B", "2M", "3X"):
        assert check_digits("0" * 10 + pair + "0" * 12) == check_digits("0" * 10 + pair[::-1] + "0" * 12)


def test_a_digit_for_a_letter_slips_through_about_once_in_97_and_is_then_not_genuine() -> None:
    changed = passed = 0
    for seed in range(200):
        code = make_code(hashlib.sha256(bytes([seed])).digest()[:10], KEY)
        for place, old in enumerate(code.text[:24]):
            for char in ALPHABET[10:] if old.isdigit() else ALPHABET[:10]:
                body = code.text[:place] + char + code.text[place + 1 : 24]
                changed += 1
                if check_digits(body) == code.text[24:]:
                    passed += 1
                    assert not tag_is_genuine(parse_code(body + code.text[24:]), KEY)
    assert 0.005 < passed / changed < 0.015


@pytest.mark.parametrize(
    ("text", "kind", "position"),
    [
        ("04HMASW9NF6YZZPW1011YN698", "wrong_length", 26),
        ("04HMASW9NF6YZZPW1011YN69844", "wrong_length", 27),
        ("", "wrong_length", 1),
        ("04hmASW9NF6YZZPW1011YN6984", "wrong_character", 3),
        ("04HM-ASW9-NF6Y-ZZPW-1011-YN69-84", "wrong_character", 5),
        ("O4HMASW9NF6YZZPW1011YN6984", "wrong_character", 1),
        ("04HMASW9NF6YZZPW1011YN69A4", "wrong_character", 25),
        ("04HMASW9NF6YZZPW1011YN698A", "wrong_character", 26),
        ("04HMASW9NF6YZZPW1011YN6985", "wrong_check_digits", 25),
        ("04HMASW9NF6YZZPW1011YN6984\n", "wrong_character", 27),
        ("０4HMASW9NF6YZZPW1011YN6984", "wrong_character", 1),
    ],
)
def test_a_text_that_is_no_code_is_refused_with_kind_and_place(text: str, kind: str, position: int) -> None:
    with pytest.raises(CodeError) as caught:
        parse_code(text)
    assert (caught.value.kind, caught.value.position) == (kind, position)
    with pytest.raises(CodeError):
        Code(text)


def test_check_digits_97_apart_are_refused_although_the_remainder_is_right() -> None:
    bodies = (make_code(bytes([0] * 9 + [n]), KEY).text for n in range(256))
    low = next(text for text in bodies if text.endswith("02"))
    with pytest.raises(CodeError, match="check digits"):
        parse_code(low[:-2] + "99")


@pytest.mark.parametrize(
    ("link", "kind", "position"),
    [
        ("https://elsewhere.example/c/04HMASW9NF6YZZPW1011YN6984", "foreign_link", 1),
        ("http://id.pinglian.example/c/04HMASW9NF6YZZPW1011YN6984", "foreign_link", 1),
        ("https://id.pinglian.example/x/04HMASW9NF6YZZPW1011YN6984", "foreign_link", 1),
        ("04HMASW9NF6YZZPW1011YN6984", "not_a_link", 1),
        ("https://id.pinglian.example/c/04HMASW9NF6YZZPW1011YN6985", "wrong_check_digits", 55),
        ("https://id.pinglian.example/c/", "wrong_length", 31),
    ],
)
def test_a_link_that_is_not_ours_is_refused_with_kind_and_place(link: str, kind: str, position: int) -> None:
    with pytest.raises(CodeError) as caught:
        parse_link(link)
    assert (caught.value.kind, caught.value.position) == (kind, position)


@pytest.mark.parametrize("length", [0, 9, 11])
def test_a_code_is_not_made_from_too_little_randomness_or_too_much(length: int) -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        make_code(bytes(length), KEY)


def test_a_cylinder_id_is_not_made_from_too_little_randomness() -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        new_cylinder_id(bytes(15))


def test_a_tag_key_of_another_length_cannot_exist() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TagKey("short", bytes(16))


@given(st.integers(1, 30), st.data())
def test_base32_counts_in_32_and_keeps_the_order_of_numbers(length: int, data: st.DataObject) -> None:
    numbers = st.integers(0, 32**length - 1)
    one, two = data.draw(numbers), data.draw(numbers)
    value = 0
    for char in encode_base32(one, length):
        value = value * 32 + ALPHABET.index(char)
    assert value == one
    assert len(encode_base32(one, length)) == length
    assert (one < two) == (encode_base32(one, length) < encode_base32(two, length))


@pytest.mark.parametrize("number", [-1, 32**3])
def test_base32_refuses_a_number_that_does_not_fit(number: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode_base32(number, 3)
