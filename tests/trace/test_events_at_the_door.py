"""What arrives at a door of the ledger: the table of accepted and refused records, and laws about arbitrary bytes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_trace.canonical import LONGEST_ENTRY, CanonicalError
from cylinder_trace.chain import EMPTY, seal
from cylinder_trace.events import EventError, event_version, parse_entry, parse_record, record_text

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "vectors/events.json").read_text("utf-8")
)


def arrived(vector: dict[str, Any]) -> bytes:
    """The bytes of a vector; in a grown one every @ stands for a long piece."""
    grown = vector.get("grown")
    text: str = vector["text"].replace("@", grown["piece"] * grown["times"]) if grown else vector["text"]
    return text.encode()


@pytest.mark.parametrize("vector", VECTORS["accepted"], ids=lambda vector: str(vector["says"]))
def test_a_record_in_order_is_accepted_as_it_stands(vector: dict[str, Any]) -> None:
    record = parse_record(arrived(vector))
    assert parse_record(record_text(record)) == record
    sealed = seal(record, EMPTY, record.occurred_at)
    assert parse_entry(sealed.text).event() == record.event()


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: str(vector["says"]))
def test_a_bad_record_is_refused_and_the_refusal_names_what_is_wrong(vector: dict[str, Any]) -> None:
    with pytest.raises((EventError, CanonicalError)) as refusal:
        parse_record(arrived(vector))
    assert vector["because"]
    assert vector["because"] in str(refusal.value)
    assert len(str(refusal.value)) < LONGEST_ENTRY


def test_each_sentence_of_the_table_stands_there_once() -> None:
    sentences = [vector["says"] for table in ("accepted", "refused") for vector in VECTORS[table]]
    assert len(sentences) == len(set(sentences))


def _at_random(draw: st.DrawFn, good: bytes) -> bytes:
    at = draw(st.integers(0, len(good) - 1))
    piece = draw(st.sampled_from([b"", b"true", b"1.5", b"null", b'"', b"\xff", b"{", b"}", b",", b"NaN", b"-", b" "]))
    return good[:at] + piece + good[at + draw(st.integers(0, 3)) :]


@st.composite
def _bent(draw: st.DrawFn) -> bytes:
    return _at_random(draw, arrived(draw(st.sampled_from(VECTORS["accepted"]))))


@given(_bent())
def test_a_bent_record_is_read_as_what_it_says_or_refused_by_name(text: bytes) -> None:
    try:
        record = parse_record(text)
    except (EventError, CanonicalError) as refusal:
        assert str(refusal)  # noqa: PT017 - most bent records are refused, and some still say something
    else:
        assert type(record.v) is int
        assert json.loads(record_text(record)).items() >= json.loads(text).items()


@pytest.mark.parametrize(
    ("word", "version"), [("inspected", 1), ("inspected_v2", 2), ("inspected_v12", 12), ("code_voided", 1), ("_v2", 1)]
)
def test_the_version_of_an_event_is_told_by_its_word(word: str, version: int) -> None:
    assert event_version(word) == version
