"""The audit's patterns of known texts never accept what the long way refuses, and never read it otherwise."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cylinder_trace.auditing.references import refs_in
from cylinder_trace.auditing.shapes import Shapes
from cylinder_trace.auditing.texts import canonical_object
from cylinder_trace.canonical import canonical_json

VECTORS = Path(__file__).parents[1] / "vectors" / "entries.json"
WORDS = st.text(max_size=6).map(lambda text: unicodedata.normalize("NFC", text)) | st.sampled_from(
    ["瓶", "é", 'a"b', "\\", "\r", "\x0b", "\x7f", "\u2028", "1.5e3", 'x","n":1,"prev":"y', "\u0301"]
)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.sampled_from([0, -1, 10**15 - 1, 10**15, 2**53 - 1])
KEYS = st.text(st.characters(max_codepoint=127), max_size=4) | st.sampled_from(["a", "id", "\x01", '"', "%s", ".*"])
DATA = st.dictionaries(
    KEYS,
    st.recursive(
        WORDS | NUMBERS | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)
PLAIN = st.text("abc_.-/19", min_size=1, max_size=8)
ODD = [
    b" ", b"\n", b"0", b"-", b".", b"1.5", b"1e5", b"null", b"true", b"{", b"}", b"[", b"]", b",", b'"', b"\\", b"\\u",
    b"\\/", b"\\u000D", b"\\u0041", b"\\ud800", b"\xff", b"\xc3", b"\x00", b"\x1f", b"e\xcc\x81", b'"a":1,', b"9" * 8,
]  # fmt: skip


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    """Entries of any event, with and without a device, an act and references."""
    device = {"device": {"id": draw(PLAIN), "prev": draw(PLAIN), "seq": draw(st.integers(0, 2**53 - 1))}}
    return {
        **{name: draw(WORDS | PLAIN) for name in ("by", "id", "prev", "subject")},
        **{name: draw(NUMBERS) for name in ("n", "occurred_at", "recorded_at")},
        **(device if draw(st.booleans()) else {}),
        **({"act_id": draw(WORDS)} if draw(st.booleans()) else {}),
        "refs": draw(st.lists(WORDS, max_size=3)),
        "type": draw(st.sampled_from(["filled", "returned", "a.c", 'x"y'])),
        "v": 1,
        "data": draw(DATA),
    }


def told(found: Any) -> dict[str, Any]:
    """The groups as an entry's own members."""
    device_id, device_prev, seq, place, prev, refs, subject = found.groups()
    device = {"device": {"id": device_id, "prev": device_prev, "seq": int(seq)}} if seq is not None else {}
    return {"subject": subject, "prev": prev, "refs": refs_in(refs), **device, **json.loads('{"id":"' + place + "}")}


def agrees(found: Any, text: bytes) -> None:
    """What a pattern matched is canonical, and says what the text says."""
    entry = canonical_object(text)
    assert entry is not None
    for name, value in told(found).items():
        assert entry[name] == value


@settings(max_examples=150)
@given(entries(), entries(), st.data())
def test_what_a_pattern_accepts_is_canonical_and_says_the_same_whatever_was_changed_in_it(
    known: dict[str, Any], other: dict[str, Any], data: st.DataObject
) -> None:
    shapes = Shapes()
    shapes.learn(known)
    for text in (canonical_json(known), canonical_json({**known, "data": other["data"]}), canonical_json(other)):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 2)))
        changed = text[:start] + data.draw(st.sampled_from(ODD)) + text[end:]
        for one in (text, changed):
            if (found := shapes.match(known["type"], one)) is not None:
                agrees(found, one)


@settings(max_examples=10)
@given(entries())
def test_no_single_byte_changed_in_a_known_text_makes_a_pattern_accept_what_is_not_canonical(
    known: dict[str, Any],
) -> None:
    shapes, text = Shapes(), canonical_json(known)
    shapes.learn(known)
    for at in range(len(text)):
        for bit in range(8):
            changed = text[:at] + bytes([text[at] ^ 1 << bit]) + text[at + 1 :]
            if (found := shapes.match(known["type"], changed)) is not None:
                agrees(found, changed)


@given(st.lists(WORDS, max_size=3), WORDS, st.integers(0, 10**15 - 1))
def test_a_text_of_a_known_shape_is_recognised_whatever_its_values_are(refs: list[str], by: str, number: int) -> None:
    shapes = Shapes()
    entry = {
        "by": "b", "data": {"a": "x", "list": ["y"], "n": 1, "on": True}, "id": "i", "n": 0, "occurred_at": 1,
        "prev": "p", "recorded_at": 2, "refs": [], "subject": "s", "type": "filled", "v": 1,
    }  # fmt: skip
    shapes.learn(entry)
    other = {**entry, "by": by, "data": {"a": by, "list": [by, by], "n": number, "on": False}, "n": number}
    text = canonical_json({**other, "refs": refs})
    whole = unicodedata.is_normalized("NFC", text.decode())  # a mark behind an escape is left to the long way
    assert (shapes.match("filled", text) is not None) == whole


def test_texts_of_every_event_are_recognised_once_one_like_them_was_read() -> None:
    texts = [case["text"].encode() for case in json.loads(VECTORS.read_text(encoding="utf-8"))["entries"]]
    shapes = Shapes()
    for text in texts:
        entry = canonical_object(text)
        assert entry is not None
        shapes.learn(entry)
    known = [shapes.match(json.loads(text)["type"], text) for text in texts]
    assert [text for text, found in zip(texts, known, strict=True) if found is None] == []


@pytest.mark.parametrize("escape", [b"\\r", b"\\n", b"\\u000b", b"\\u001f", b'\\"', b"\\\\"])
def test_a_scan_with_its_return_key_is_recognised_and_an_escape_written_otherwise_is_not(escape: bytes) -> None:
    entry = {
        "by": "b", "data": {"raw_scan": "x"}, "id": "i", "n": 0, "occurred_at": 1, "prev": "p", "recorded_at": 2,
        "refs": [], "subject": "s", "type": "filled", "v": 1,
    }  # fmt: skip
    shapes, text = Shapes(), canonical_json(entry)
    shapes.learn(entry)
    assert shapes.match("filled", text.replace(b'"x"', b'"x' + escape + b'"')) is not None
    for other in (b"\\u000d", b"\\/", b"\\u000B", b"\\u0020", b"\\x0b", b"\\", b"\\ud83d\\ude00"):
        assert shapes.match("filled", text.replace(b'"x"', b'"x' + other + b'"')) is None
    in_a_column = text.replace(b'"id":"i"', b'"id":"i' + escape + b'"')
    assert shapes.match("filled", in_a_column) is None, "what is compared with a column holds no escape"
