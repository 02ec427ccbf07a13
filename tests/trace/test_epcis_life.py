"""A cylinder's life in the words of EPCIS: valid for everybody, hashed like the reference, and exactly ours again."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cylinder_trace.epcis.event_hash import event_hash, prehash
from cylinder_trace.epcis.life import (
    LIFE,
    NOT_OF_A_LIFE,
    PREFIXES,
    EpcisEvent,
    Known,
    document_of,
    epcis_of,
    record_of,
)
from cylinder_trace.events import EVENT_CLASSES, parse_entry, parse_entry_and_event
from gs1.reference import reference_prehashes
from gs1.schema import schema_fault

CODE = "https://id.pinglian.example/c/7K2M9QRT4XWZB8NDPVHC3J5E42"
STORED: list[dict[str, str]] = json.loads((Path(__file__).parents[1] / "vectors/entries.json").read_text("utf-8"))[
    "entries"
]


class Row(NamedTuple):
    """An entry's place in the log."""

    index: int  # type: ignore[assignment] # the ledger's word
    hash: bytes
    text: bytes


def told(stored: dict[str, str], index: int = 7) -> tuple[EpcisEvent, ...]:
    """What a stored entry is in EPCIS."""
    text = stored["text"].encode()
    entry, event = parse_entry_and_event(text)
    known = Known(CODE) if entry.subject.startswith("cylinder/") else None
    return epcis_of(entry, event, Row(index, bytes.fromhex(stored["hash"]), text), known)


TOLD: list[EpcisEvent] = [event for index, stored in enumerate(STORED) for event in told(stored, index)]


def test_every_event_is_in_the_table_or_named_as_not_of_a_cylinders_life() -> None:
    in_the_table = {cls.type for cls in LIFE}
    assert in_the_table | NOT_OF_A_LIFE == set(EVENT_CLASSES)
    assert not in_the_table & NOT_OF_A_LIFE


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: str(stored["type"]))
def test_an_event_of_ours_gives_back_exactly_its_record(stored: dict[str, str]) -> None:
    entry = parse_entry(stored["text"].encode())
    made = told(stored)
    assert [record_of(event) for event in made] == [entry.record()] * len(made)
    assert bool(made) == (entry.type not in NOT_OF_A_LIFE)


def test_all_our_events_are_valid_by_gs1s_schema_with_its_formats(conformance_data: Path) -> None:
    assert schema_fault(document_of(TOLD, 1_795_312_800_000), conformance_data) is None


def test_all_our_events_hash_like_the_reference() -> None:
    reference = reference_prehashes(document_of(TOLD, 1_795_312_800_000))
    assert [prehash(event, PREFIXES) for event in TOLD] == reference
    assert [event["eventID"] for event in TOLD] == [event_hash(event, PREFIXES) for event in TOLD]


def test_a_fill_puts_gas_into_the_cylinder_by_the_kilogram() -> None:
    fill: dict[str, Any] = next(event for event in TOLD if event["pl:type"].endswith("/filled"))
    assert (fill["type"], fill["action"], fill["bizStep"]) == ("AggregationEvent", "ADD", "packing")
    assert fill["parentID"] == CODE
    assert json.dumps(fill["childQuantityList"][0]["quantity"]) == "14.5"
