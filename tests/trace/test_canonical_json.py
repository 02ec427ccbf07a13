"""Canonical JSON: one text for one value, compared with the standard library's writer."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_trace.canonical import LARGEST_INTEGER, LONGEST_ENTRY, CanonicalError, canonical_json, parse_canonical
from cylinder_trace.canonical import _checked_text as careful_text

KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
TEXTS = st.text(max_size=20).map(lambda text: unicodedata.normalize("NFC", text))
LEAVES = TEXTS | st.booleans() | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
OBJECTS = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))
)


@given(OBJECTS)
def test_what_is_written_is_read_back_and_written_the_same(value: dict[str, Any]) -> None:
    text = canonical_json(value)
    assert parse_canonical(text) == value
    assert canonical_json(parse_canonical(text)) == text


@given(OBJECTS)
def test_the_text_is_the_one_that_any_json_writer_with_sorted_keys_gives(value: dict[str, Any]) -> None:
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical_json(value) == expected.encode()


MARKS = st.text(st.sampled_from('ne\n"\\<\x01\u0301\u0303\u0338\u0323\u00e9\u1100\u1161\u0344\u212b瓶'), max_size=6)
ANYTHING = st.recursive(
    LEAVES | MARKS | st.none() | st.floats() | st.binary(max_size=2) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(MARKS | KEYS, inner, max_size=3),
)


@given(st.dictionaries(MARKS | KEYS, ANYTHING, max_size=3))
def test_the_quick_look_lets_nothing_pass_that_the_careful_one_refuses(value: dict[str, Any]) -> None:
    try:
        expected = careful_text(value)
    except CanonicalError:
        with pytest.raises(CanonicalError):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected


@pytest.mark.parametrize("point", [*range(0x100), 0x2028, 0x2029, 0xFEFF, 0xFFFD, 0xFFFF, 0x1F4A9, 0x10FFFF])
def test_each_character_is_escaped_as_rfc_8785_says(point: int) -> None:
    short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
    char = chr(point)
    escaped = short.get(point, f"\\u{point:04x}" if point < 0x20 else char)
    assert canonical_json({"c": char}) == f'{{"c":"{escaped}"}}'.encode()


def test_keys_are_sorted_at_every_depth() -> None:
    value = {"b": [{"z": 1, "a": 2}], "B": {"y": True, "x": False}, "a1": 3, "a": 4, "": 5}
    assert canonical_json(value) == b'{"":5,"B":{"x":false,"y":true},"a":4,"a1":3,"b":[{"a":2,"z":1}]}'


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (1.0, r"\$\.mass\[1\]\.kg: float"),
        (float("nan"), r"\$\.mass\[1\]\.kg: float"),
        (float("inf"), r"\$\.mass\[1\]\.kg: float"),
        (None, r"\$\.mass\[1\]\.kg: NoneType"),
        (2**53, r"\$\.mass\[1\]\.kg: integer beyond"),
        (-(2**53), r"\$\.mass\[1\]\.kg: integer beyond"),
        (10**400, r"\$\.mass\[1\]\.kg: integer beyond"),
        (b"bytes", r"\$\.mass\[1\]\.kg: bytes"),
        ({1, 2}, r"\$\.mass\[1\]\.kg: set"),
        ({"瓶": 1}, r"\$\.mass\[1\]\.kg: key '瓶'"),
        ({1: 1}, r"\$\.mass\[1\]\.kg: key 1"),
        ("e\u0301", r"\$\.mass\[1\]\.kg: text is not in Unicode NFC"),
        ("\u212b", r"\$\.mass\[1\]\.kg: text is not in Unicode NFC"),
    ],
)
def test_a_value_without_a_canonical_form_is_refused_with_its_place(value: object, says: str) -> None:
    with pytest.raises(CanonicalError, match=says):
        canonical_json({"a": "good", "mass": [1, {"kg": value}]})


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(CanonicalError):
        canonical_json({"a": "\ud800"})


def test_the_largest_integers_are_kept() -> None:
    assert canonical_json({"n": [LARGEST_INTEGER, -LARGEST_INTEGER]}) == b'{"n":[9007199254740991,-9007199254740991]}'


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"1",
        b"null",
        b'{"a":null}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":9007199254740992}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b' {"a":1}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\u000A"}',
        b'{"a":"\\u001F"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":"e\xcc\x81"}',
        '{"瓶":1}'.encode(),
        b'{"a":tru}',
        b'{"a":1,}',
        b'{"a":1}{"a":1}',
    ],
)
def test_a_text_that_is_not_its_own_canonical_form_is_refused(text: bytes) -> None:
    with pytest.raises(CanonicalError):
        parse_canonical(text)


def test_a_text_longer_than_an_entry_may_be_is_refused() -> None:
    longest = b'{"a":"' + b"x" * (LONGEST_ENTRY - 8) + b'"}'
    assert len(longest) == LONGEST_ENTRY
    assert parse_canonical(longest)
    with pytest.raises(CanonicalError, match="65536 bytes"):
        parse_canonical(longest[:-2] + b'x"}')


@pytest.mark.parametrize("depth", [100, 300, 900, 1020, 30_000])
def test_a_text_nested_deeper_than_anybody_needs_is_an_answer_not_a_crash(depth: int) -> None:
    text = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    if depth == 100:
        assert parse_canonical(text)
        return
    with pytest.raises(CanonicalError):
        parse_canonical(text)
