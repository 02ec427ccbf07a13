"""Codes and cylinder ids: made, written, checked, and what the check digits find."""

import hashlib
import hmac
import json
from itertools import combinations, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_codes.authenticity import TagKey, tag_is_genuine, tag_of
from cylinder_codes.base32 import ALPHABET, encode_base32
from cylinder_codes.check_digits import check_digits
from cylinder_codes.digital_link import format_link, parse_link
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import (
    Code,
    format_code_human,
    is_cylinder_id,
    make_code,
    new_cylinder_id,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/codes/codes.json").read_text(encoding="utf-8"))
KEY = TagKey("example", bytes(range(32)))
OTHER_KEY = TagKey("example", bytes(32))

codes = st.binary(min_size=10, max_size=10).map(lambda payload: make_code(payload, KEY))
bodies = st.text(ALPHABET, min_size=24, max_size=24)


def two_digits_each(body: str) -> str:
    """The number that check digits are computed from, spelled without the package."""
    return "".join(f"{'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'.index(char):02d}" for char in body)


def refusal(text: str) -> str | None:
    """The kind of error that refuses a text; None when it is a code."""
    try:
        Code(text)
    except CodeError as error:
        return error.kind
    return None


def exchanged(text: str, place: int) -> str:
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


@pytest.mark.parametrize("vector", VECTORS["codes"], ids=lambda v: v["code"])
def test_a_code_is_made_as_published(vector: dict[str, str]) -> None:
    code = make_code(bytes.fromhex(vector["payload_bytes"]), KEY)
    assert code.text == vector["code"]
    assert format_code_human(code) == vector["human_text"]
    assert format_link(code) == vector["link"]
    assert code.tag == vector["tag"]


@pytest.mark.parametrize("vector", VECTORS["check_digits"], ids=lambda v: v["body"])
def test_check_digits_are_as_published(vector: dict[str, str]) -> None:
    assert check_digits(vector["body"]) == vector["check_digits"]
    assert two_digits_each(vector["body"]) == vector["digits"]
    assert int(vector["digits"] + vector["check_digits"]) % 97 == 1


@given(bodies)
def test_check_digits_are_98_less_what_the_48_digits_times_100_leave(body: str) -> None:
    number = two_digits_each(body)
    assert len(number) == 48
    assert int(check_digits(body)) == 98 - int(number) * 100 % 97


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
    guessed = Code(body + check_digits(body))
    assert not tag_is_genuine(guessed, KEY)
    assert tag_of(guessed.payload, KEY) == "NBNBC9SH"


def test_a_tag_key_never_shows_its_secret() -> None:
    assert repr(KEY) == "TagKey(name='example')"
    assert repr(KEY.secret) not in str(KEY)


@given(codes)
def test_the_whole_number_of_a_code_leaves_one_when_divided_by_97(code: Code) -> None:
    assert int(two_digits_each(code.text[:24]) + code.text[24:]) % 97 == 1


@given(codes)
def test_a_code_and_its_links_read_back(code: Code) -> None:
    assert Code(code.text) == code
    assert parse_link(format_link(code)).code == code
    assert parse_link(format_link(code).upper()).code == code
    assert parse_link(format_link(code, "Codes.Example"), ["codes.example"]).code == code


@given(bodies, st.data())
def test_one_wrong_character_is_always_found(body: str, data: st.DataObject) -> None:
    text = body + check_digits(body)
    place = data.draw(st.integers(0, 25))
    char = data.draw(st.sampled_from(ALPHABET.replace(text[place], "")))
    letter_among_check_digits = place >= 24 and not char.isdigit()
    expected = "wrong_character" if letter_among_check_digits else "wrong_check_digits"
    assert refusal(text[:place] + char + text[place + 1 :]) == expected


@given(bodies, st.integers(0, 24))
def test_two_different_neighbours_exchanged_are_always_found(body: str, place: int) -> None:
    text = body + check_digits(body)
    if text[place] == text[place + 1]:
        assert refusal(exchanged(text, place)) is None
    else:
        letter_among_check_digits = place == 23 and not text[23].isdigit()
        expected = "wrong_character" if letter_among_check_digits else "wrong_check_digits"
        assert refusal(exchanged(text, place)) == expected


# The check digits are a sum over places, so what a change at one place or two does to them does not depend on the
# other places: the three tests below try every change there is, and with that every change of every code.


@pytest.mark.parametrize("body", ["0" * 24, "Z" * 24, "04HMASW9NF6YZZPW1011YN69"])
def test_at_every_place_the_32_characters_have_32_different_check_digits(body: str) -> None:
    for place in range(24):
        assert len({check_digits(body[:place] + char + body[place + 1 :]) for char in ALPHABET}) == 32


@pytest.mark.parametrize("body", ["0" * 24, "04HMASW9NF6YZZPW1011YN69"])
def test_at_every_place_every_pair_of_neighbours_has_other_check_digits_when_exchanged(body: str) -> None:
    for place in range(23):
        for one, two in combinations(ALPHABET, 2):
            front, back = body[:place], body[place + 2 :]
            assert check_digits(front + one + two + back) != check_digits(front + two + one + back), one + two


def test_at_the_check_digits_every_wrong_digit_and_every_exchange_is_found() -> None:
    bodies = ("0" * 21 + "".join(end) for end in product(ALPHABET, repeat=3))
    ends = {body[-1] + check_digits(body): body for body in bodies}
    assert len(ends) == 32 * 97, "every last character with all the check digits there are, 02 to 98"
    for end, body in ends.items():
        text = body + end[1:]
        wrong = {body + end[1] + digit for digit in "0123456789"} | {body + digit + end[2] for digit in "0123456789"}
        wrong |= {exchanged(text, 23), exchanged(text, 24)}
        assert [found for found in wrong if refusal(found) is None] == [text]


def test_two_wrong_characters_slip_through_about_once_in_97_and_are_then_not_genuine() -> None:
    changed = passed = 0
    for seed in range(100):
        code = make_code(hashlib.sha256(bytes([seed])).digest()[:10], KEY)
        for one, two in combinations(range(24), 2):
            chars = list(code.text)
            for place in (one, two):
                chars[place] = ALPHABET[(ALPHABET.index(chars[place]) + 1 + (seed + place) % 31) % 32]
            changed += 1
            if refusal("".join(chars)) is None:
                passed += 1
                assert not tag_is_genuine(Code("".join(chars)), KEY)
    assert 0.005 < passed / changed < 0.015


@pytest.mark.parametrize(
    ("text", "kind", "position"),
    [
        ("04HMASW9NF6YZZPW1011YN695", "wrong_length", 26),
        ("04HMASW9NF6YZZPW1011YN69555", "wrong_length", 27),
        ("", "wrong_length", 1),
        ("04hmASW9NF6YZZPW1011YN6955", "wrong_character", 3),
        ("04HM-ASW9-NF6Y-ZZPW-1011-YN69-55", "wrong_character", 5),
        ("O4HMASW9NF6YZZPW1011YN6955", "wrong_character", 1),
        ("04HMASW9NF6YZZPW1011YN69A5", "wrong_character", 25),
        ("04HMASW9NF6YZZPW1011YN695A", "wrong_character", 26),
        ("04HMASW9NF6YZZPW1011YN6956", "wrong_check_digits", 25),
        ("04HMASW9NF6YZZPW1011YN6955\n", "wrong_character", 27),
        ("０4HMASW9NF6YZZPW1011YN6955", "wrong_character", 1),
    ],
)
def test_a_text_that_is_no_code_is_refused_with_kind_and_place(text: str, kind: str, position: int) -> None:
    with pytest.raises(CodeError) as caught:
        Code(text)
    assert (caught.value.kind, caught.value.position) == (kind, position)


@pytest.mark.parametrize(("right", "wrong"), [("02", "99"), ("97", "00"), ("98", "01")])
def test_check_digits_97_apart_are_refused_although_the_remainder_is_right(right: str, wrong: str) -> None:
    bodies = ("0" * 22 + "".join(end) for end in product(ALPHABET, repeat=2))
    body = next(body for body in bodies if check_digits(body) == right)
    assert refusal(body + right) is None
    assert refusal(body + wrong) == "wrong_check_digits"


@pytest.mark.parametrize(
    ("link", "kind", "position"),
    [
        ("https://elsewhere.example/c/04HMASW9NF6YZZPW1011YN6955", "foreign_link", 26),
        ("https://id.pinglian.example/x/04HMASW9NF6YZZPW1011YN6955", "foreign_link", 28),
        ("04HMASW9NF6YZZPW1011YN6955", "not_a_link", 1),
        ("https://id.pinglian.example/c/04HMASW9NF6YZZPW1011YN6956", "wrong_check_digits", 55),
        ("https://id.pinglian.example/c/", "foreign_link", 28),
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
