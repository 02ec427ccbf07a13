"""What scanners and people send is read to the right code or refused by name, and never to a wrong one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from cylinder_codes.authenticity import TagKey
from cylinder_codes.base32 import ALPHABET
from cylinder_codes.digital_link import format_link
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import DEFAULT_HOST, Code, format_code_human, make_code
from cylinder_codes.reading import ReadFailure, read_scan

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/codes/scans.json").read_text(encoding="utf-8"))
KEY = TagKey("example", bytes(range(32)))


def begins_like_a_grai(text: str) -> bool:
    """Nearly 14 digits, as one random code in 70,000 has: with a mistake it may be a GRAI, which is on no file."""
    return sum(char.isdigit() for char in text[:15]) >= 13


codes = (
    st.binary(min_size=10, max_size=10)
    .map(lambda payload: make_code(payload, KEY))
    .filter(lambda code: not begins_like_a_grai(code.text))
)


@pytest.mark.parametrize("vector", VECTORS["read"], ids=lambda v: v["sentence"])
def test_a_scan_is_read(vector: dict[str, str]) -> None:
    assert read_scan(vector["raw"]) == Code(vector.get("code", VECTORS["code"]))


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda v: v["sentence"])
def test_a_scan_is_refused_by_name(vector: dict[str, Any]) -> None:
    read = read_scan(vector["raw"])
    assert isinstance(read, ReadFailure)
    assert {"kind": read.kind, "position": read.position}.items() <= vector.items()


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda v: v["sentence"])
def test_a_refusal_says_why_in_both_languages(vector: dict[str, Any]) -> None:
    read = read_scan(vector["raw"])
    assert isinstance(read, ReadFailure)
    assert re.search("[a-z]{3}", read.text_en)
    assert re.search("[一-鿿]{3}", read.text_zh)


def test_links_of_several_hosts_are_read_when_they_are_named() -> None:
    code = Code(VECTORS["code"])
    hosts = ("old.example", "new.example")
    for host in hosts:
        assert read_scan(format_link(code, host).upper(), hosts) == code
    assert isinstance(read_scan(format_link(code), hosts), ReadFailure)


@st.composite
def printed_forms(draw: st.DrawFn) -> tuple[Code, str]:
    """A code, and one of the ways in which its printed form arrives from a scanner or a keyboard."""
    code = draw(codes)
    link = format_link(code)
    text = draw(st.sampled_from([code.text, format_code_human(code), link, link.upper(), link + "/", link + "?a=1"]))
    if draw(st.booleans()):
        text = text.swapcase()
    if draw(st.booleans()):
        text = text.replace(":", ";").replace("/", "-")
    elif draw(st.booleans()):
        text = "".join(chr(ord(char) + 0xFEE0) for char in text)
    front = draw(st.sampled_from(["", "]Q1", "]q1", "]d2", "\x02", "\ufeff", "  "]))
    back = draw(st.sampled_from(["", "\r", "\n", "\r\n", "\t", "\x03", " "]))
    times = draw(st.integers(1, 3))
    separator = draw(st.sampled_from(["\r\n", "\t", "\r]Q1"]))
    return code, front + separator.join([text] * times) + back


@given(printed_forms())
@settings(max_examples=400)
def test_every_printed_form_of_a_code_reads_back_to_that_code(form: tuple[Code, str]) -> None:
    code, raw = form
    assert read_scan(raw) == code


@given(codes, st.integers(1, 4), st.booleans())
def test_look_alikes_are_read_as_the_digits_they_look_like(code: Code, step: int, lower: bool) -> None:
    folded = {"0": "O", "1": "IL"[step % 2]}
    text = "".join(folded.get(char, char) if place % step == 0 else char for place, char in enumerate(code.text))
    assert read_scan(text.lower() if lower else text) == code


pieces = st.one_of(
    st.text(max_size=20),
    st.text(alphabet=ALPHABET + "OILUoilu-;:/.]\r\n\t \x1d", max_size=60),
    st.sampled_from(["https://", "HTTPS;--", DEFAULT_HOST, "/c/", "-C-", "]Q1", "~3", "?", VECTORS["code"]]),
    codes.map(lambda code: code.text),
    codes.map(format_link),
)


@given(st.lists(pieces, max_size=8).map("".join))
@settings(max_examples=1000)
@example("\ud800" * 512)
@example("]" * 512)
@example("https://" * 64)
def test_whatever_arrives_the_reader_answers_with_a_code_it_was_sent_or_a_reason(raw: str) -> None:
    read = read_scan(raw)
    if isinstance(read, Code):
        sent = re.sub("[- ]", "", plain(raw))
        assert read.value in sent
    else:
        assert read.position is None or 1 <= read.position <= len(raw) + 1


def plain(raw: str) -> str:
    """An independent and coarser undoing of what the reader may undo: full width, case, look-alikes."""
    narrow = "".join(chr(ord(char) - 0xFEE0) if "\uff01" <= char <= "\uff5e" else char for char in raw)
    dashes = re.sub("[\u00ad\u2010-\u2015\u2212\ufe63\u3000\u00a0]", "", narrow)
    return dashes.upper().translate(str.maketrans("OIL", "011"))


@given(codes, st.integers(0, 25), st.sampled_from(ALPHABET + "U*:"))
def test_one_wrong_character_is_always_refused(code: Code, place: int, char: str) -> None:
    read = read_scan(code.text[:place] + char + code.text[place + 1 :])
    if char == code.text[place]:
        assert read == code
    else:
        assert isinstance(read, ReadFailure)


@given(codes, st.integers(0, 24))
def test_two_different_neighbours_exchanged_are_always_refused(code: Code, place: int) -> None:
    first, second = code.text[place], code.text[place + 1]
    read = read_scan(code.text[:place] + second + first + code.text[place + 2 :])
    if first == second:
        assert read == code
    else:
        assert isinstance(read, ReadFailure)


@given(codes, st.integers(0, 25))
def test_a_lost_or_doubled_character_is_refused(code: Code, place: int) -> None:
    for wrong in (code.text[:place] + code.text[place + 1 :], code.text[: place + 1] + code.text[place:]):
        read = read_scan(wrong)
        assert isinstance(read, ReadFailure)
        assert read.kind == "wrong_length"


@given(codes, codes, st.sampled_from(["", "\r", "\n", " ", "]Q1", "\t"]))
def test_two_different_codes_in_one_burst_are_never_one(first: Code, second: Code, separator: str) -> None:
    for one, two in ((first.text, second.text), (format_link(first), format_link(second))):
        read = read_scan(one + separator + two)
        if first == second:
            assert read == first
        else:
            assert isinstance(read, ReadFailure)
            assert read.kind == "two_codes"


@given(st.text(alphabet=ALPHABET, min_size=26, max_size=26))
def test_what_the_strict_parser_refuses_the_reader_refuses_too(text: str) -> None:
    try:
        expected: Code | None = Code(text)
    except CodeError:
        assume(not begins_like_a_grai(text))
        expected = None
    read = read_scan(text)
    assert (read if isinstance(read, Code) else None) == expected
