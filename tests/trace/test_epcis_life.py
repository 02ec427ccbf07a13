"""A cylinder's life in the words of EPCIS: valid for everybody, hashed like the reference, and exactly ours again."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from drawn_events import entries
from hypothesis import given, settings
from hypothesis import strategies as st
from told_in_epcis import CODE, STORED, TOLD, Row, told

from cylinder_trace.chain import Head, seal
from cylinder_trace.epcis.cbv import BIZ_STEPS, DISPOSITIONS
from cylinder_trace.epcis.cbv import PREFIXES as GS1_PREFIXES
from cylinder_trace.epcis.claims import named_where_we_speak, speaks_our_words
from cylinder_trace.epcis.context import PLAIN, Context
from cylinder_trace.epcis.event_hash import event_hash, prehash
from cylinder_trace.epcis.indexing import index_of
from cylinder_trace.epcis.life import (
    LIFE,
    NOT_OF_A_LIFE,
    PREFIXES,
    REFUSED,
    EpcisEvent,
    Known,
    document_of,
    epcis_of,
    record_of,
)
from cylinder_trace.events import EVENT_CLASSES, Event, parse_entry, parse_entry_and_event, record_text
from cylinder_trace.reasons import REASONS
from gs1.reference import all_prefixes, events_of, reference_prehashes
from gs1.schema import example_paths, schema_fault


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


CALLED = [
    CODE,
    "https://id.gs1.org/8003/09520001123450A%2FB%2BC%281%29'2;",
    "https://id.gs1.org/8004/9520001VLV-0098231",
]


@pytest.mark.parametrize("epc", CALLED)
def test_all_our_events_hash_like_the_reference(epc: str) -> None:
    made = [event for index, stored in enumerate(STORED) for event in told(stored, index, epc)]
    reference = reference_prehashes(document_of(made, 1_795_312_800_000))
    assert [prehash(event, PREFIXES) for event in made] == reference
    assert [event["eventID"] for event in made] == [event_hash(event, PREFIXES) for event in made]


def test_a_fill_puts_gas_into_the_cylinder_by_the_kilogram() -> None:
    fill: dict[str, Any] = next(event for event in TOLD if event["pl:type"].endswith("/filled"))
    assert (fill["type"], fill["action"], fill["bizStep"]) == ("AggregationEvent", "ADD", "packing")
    assert fill["parentID"] == CODE
    assert json.dumps(fill["childQuantityList"][0]["quantity"]) == "14.5"


# --- whatever happens ----------------------------------------------------------------------------------------

each_class = pytest.mark.parametrize("cls", LIFE, ids=lambda cls: cls.type)


@each_class
@settings(max_examples=8)
@given(st.data())
def test_whatever_a_class_can_say_comes_back_exactly(cls: type[Event], data: st.DataObject) -> None:
    sealed, event = data.draw(entries(cls))
    made = epcis_of(sealed.entry, event, Row(3, sealed.hash, sealed.text), Known(CODE))
    assert made
    for one in made:
        assert record_text(record_of(one)) == record_text(sealed.entry.record())
        assert record_of(one) == sealed.entry.record()
        assert (one["pl:logIndex"], one["pl:entryHash"]) == (3, sealed.hash.hex())
        assert one["eventID"] == event_hash(one, PREFIXES)


@settings(max_examples=50)
@given(st.data())
def test_whatever_happens_is_valid_by_gs1s_schema(conformance_data: Path, data: st.DataObject) -> None:
    sealed, event = data.draw(st.sampled_from(list(LIFE)).flatmap(entries))
    made = epcis_of(sealed.entry, event, Row(3, sealed.hash, sealed.text), Known(CODE))
    assert schema_fault(document_of(made, 0), conformance_data) is None
    for one in made:
        dispositions = [
            one.get("disposition"),
            *(word for words in one.get("persistentDisposition", {}).values() for word in words),
        ]
        assert BIZ_STEPS.word(one["bizStep"])
        assert {word for word in dispositions if word} <= DISPOSITIONS.words


# --- what a row says -----------------------------------------------------------------------------------------


def words(event: EpcisEvent) -> tuple[str, str, str, str | None]:
    """The four words of the table."""
    return event["type"], event["action"], event["bizStep"], event.get("disposition")


def of(word: str, **changes: Any) -> tuple[EpcisEvent, ...]:
    """What the first stored entry of a word is in EPCIS, with fields of its data replaced."""
    text = next(stored["text"] for stored in STORED if stored["type"] == word)
    entry = parse_entry(text.encode())
    record = entry.record().model_copy(update={"data": {**entry.data, **changes}})
    sealed = seal(record, Head(entry.n, entry.prev), entry.recorded_at)
    return epcis_of(sealed.entry, sealed.entry.event(), Row(0, sealed.hash, sealed.text), Known(CODE))


@pytest.mark.parametrize(
    ("word", "changes", "step", "left"),
    [
        ("prefill_checked", {"passed": True}, "inspecting", "conformant"),
        ("prefill_checked", {"passed": False}, "inspecting", "non_conformant"),
        ("postfill_checked", {"passed": True}, "inspecting", "sellable_not_accessible"),
        ("postfill_checked", {"passed": False}, "inspecting", "non_conformant"),
        ("reweighed", {"within_limit": True}, "inspecting", "conformant"),
        ("reweighed", {"within_limit": False}, "inspecting", "mismatch_quantity"),
        ("inspected", {"result": "passed"}, "inspecting", "conformant"),
        ("inspected", {"result": "failed"}, "inspecting", "non_conformant"),
        ("evaluated", {"passed": False}, "inspecting", "non_conformant"),
        ("condemned", {}, "holding", "non_sellable_other"),
        ("reported_lost", {"report_no": "P-1"}, "other", "stolen"),
        ("flagged", {"flag": "cloned"}, "holding", "mismatch_instance"),
        ("flag_cleared", {}, "other", None),
        ("recalled", {}, "holding", "recalled"),
        ("destroyed", {}, "destroying", "destroyed"),
        ("sold", {}, "retail_selling", "retail_sold"),
    ],
)
def test_the_outcome_decides_the_state_that_a_cylinder_is_left_in(
    word: str, changes: dict[str, Any], step: str, left: str | None
) -> None:
    (event,) = of(word, **changes)
    assert (event["bizStep"], event.get("disposition")) == (step, left)


@pytest.mark.parametrize(
    ("reasons", "left"),
    [
        (["not_owned_by_station", "inspection_overdue"], "expired"),
        (["cylinder_unknown"], "no_pedigree_match"),
        (["reported_lost"], "stolen"),
        (["body_damaged", "recalled"], "damaged"),
        (["scale_not_verified"], None),
        (["a_reason_of_tomorrow"], None),
    ],
)
def test_a_refused_fill_says_what_is_wrong_with_the_cylinder_and_nothing_where_the_station_is_at_fault(
    reasons: list[str], left: str | None
) -> None:
    decision = of("fill_decided")[0]["pl:record"]
    said = json.loads(decision)["data"]["decision"]
    refusals = [{"code": f"R{place}", "word": word, "detail": {}} for place, word in enumerate(reasons)]
    (event,) = of("fill_decided", decision={**said, "outcome": "DENY", "reasons": refusals})
    assert words(event) == ("ObjectEvent", "OBSERVE", "inspecting", left)
    assert (event["pl:decision"], event["pl:reasonCode"]) == ("DENY", [f"R{place}" for place in range(len(reasons))])


def test_every_reason_that_the_table_knows_is_a_reason_of_the_rules() -> None:
    assert set(REFUSED) <= {reason.word for reason in REASONS.values()}


def test_a_scan_that_leads_to_no_cylinder_is_told_of_none() -> None:
    stored = next(stored for stored in STORED if stored["type"] == "fill_decided")
    entry = parse_entry(stored["text"].encode()).model_copy(update={"subject": "station/station-1"})
    row = Row(0, b"\x00" * 32, stored["text"].encode())
    (event,) = epcis_of(entry, entry.event(), row, None)
    assert event["epcList"] == []


def test_a_new_valve_is_two_bonds_one_loosed_and_one_made() -> None:
    removed, put_in = of("valve_changed")
    assert words(removed) == ("AssociationEvent", "DELETE", "removing", None)
    assert words(put_in) == ("AssociationEvent", "ADD", "replacing", None)
    assert removed["childEPCs"] != put_in["childEPCs"]
    assert record_of(removed) == record_of(put_in)


def test_a_code_that_is_bound_stands_beside_what_the_cylinder_is_called_by() -> None:
    (event,) = of("code_bound", code="grai:09520001123450ZJ33010000017", scheme="grai")
    assert event["epcList"] == [CODE, "https://id.gs1.org/8003/09520001123450ZJ33010000017"]


def test_a_correction_declares_the_corrected_event_wrong_and_names_what_corrects_it() -> None:
    stored = next(stored for stored in STORED if stored["type"] == "corrected")
    text = stored["text"].encode()
    entry, event = parse_entry_and_event(text)
    original = of("cylinder_registered")
    known = Known(CODE, original)
    wrong, correction = epcis_of(entry, event, Row(56, bytes.fromhex(stored["hash"]), text), known)
    assert {**wrong, "errorDeclaration": ...} == {**original[0], "errorDeclaration": ...}
    assert wrong["errorDeclaration"]["reason"] == "incorrect_data"
    assert wrong["errorDeclaration"]["correctiveEventIDs"] == [correction["eventID"]]
    assert event_hash(wrong, PREFIXES) == original[0]["eventID"]
    assert record_of(correction) == parse_entry(text).record()


def test_nothing_of_who_bought_stands_outside_the_record_but_the_ledgers_own_opaque_ids() -> None:
    (sale,) = of("sold")
    open_part = json.dumps({name: value for name, value in sale.items() if name != "pl:record"})
    assert "identity" not in open_part
    assert "readPoint" not in sale
    assert sale["destinationList"][0]["destination"] == "https://id.pinglian.example/customer/customer-1"


@pytest.mark.parametrize(("grams", "kilograms"), [(14_523, "14.523"), (15_000, "15"), (1, "0.001"), (0, "0")])
def test_grams_become_kilograms_to_the_very_gram(grams: int, kilograms: str) -> None:
    (fill,) = of("filled", net_g=grams)
    assert json.dumps(fill["childQuantityList"][0]["quantity"]) == kilograms


@given(st.integers(0, 2_000_000))
def test_no_gram_is_lost_or_won(grams: int) -> None:
    (fill,) = of("filled", net_g=grams)
    assert Decimal(json.dumps(fill["childQuantityList"][0]["quantity"])) * 1000 == grams


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (0, "1970-01-01T08:00:00.000+08:00"),
        (1_795_312_800_014, "2026-11-22T10:00:00.014+08:00"),
        (1_767_196_799_999, "2025-12-31T23:59:59.999+08:00"),
        (1_767_196_800_000, "2026-01-01T00:00:00.000+08:00"),
    ],
)
def test_a_moment_is_told_by_the_clock_at_beijing_with_its_zone(at: int, written: str) -> None:
    assert document_of([], at)["creationDate"] == written


def test_an_author_whose_clock_runs_ahead_is_taken_at_the_moment_of_recording() -> None:
    stored = next(stored for stored in STORED if stored["type"] == "returned")
    entry = parse_entry(stored["text"].encode())
    record = entry.record().model_copy(update={"occurred_at": entry.recorded_at + 86_400_000})
    sealed = seal(record, Head(entry.n, entry.prev), entry.recorded_at)
    (event,) = epcis_of(sealed.entry, sealed.entry.event(), Row(0, sealed.hash, sealed.text), Known(CODE))
    assert event["eventTime"] == document_of([], entry.recorded_at)["creationDate"]
    assert record_of(event).occurred_at == record.occurred_at


def test_an_entry_whose_text_was_changed_behind_the_ledgers_back_and_is_still_one_is_told_as_it_stands() -> None:
    stored = next(stored for stored in STORED if stored["type"] == "returned")
    entry = parse_entry(stored["text"].encode())
    spaced = json.dumps(json.loads(stored["text"]), indent=1).encode()
    (event,) = epcis_of(entry, entry.event(), Row(0, bytes.fromhex(stored["hash"]), spaced), Known(CODE))
    assert record_of(event) == entry.record()


@pytest.mark.parametrize("record", [..., 7, "{}", '{"v":1}', "no record"])
def test_an_event_without_a_record_of_ours_gives_none_back(record: Any) -> None:
    event = {**TOLD[0], "pl:record": record}
    if record is ...:
        del event["pl:record"]
    with pytest.raises(ValueError, match=r"record|canonical|JSON|Field required"):
        record_of(event)


# --- who claims to be us -------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", TOLD, ids=lambda event: str(event["pl:type"]).rpartition("/")[2])
def test_our_own_events_sent_by_somebody_else_claim_to_be_ours(event: EpcisEvent) -> None:
    renamed = {name.replace("pl:", "mine:"): value for name, value in event.items()}
    for sent, prefixes in ((event, PREFIXES), (renamed, {"mine": PREFIXES["pl"]})):
        assert speaks_our_words(sent, Context({**GS1_PREFIXES, **prefixes}))


def test_no_event_of_gs1s_documents_claims_to_be_ours(conformance_data: Path) -> None:
    for path in example_paths(conformance_data):
        document = json.loads(path.read_text("utf-8"))
        context = Context(all_prefixes(document["@context"]))
        assert not any(speaks_our_words(event, context) for event in events_of(document))


ANYBODYS = frozenset("corrected retag_refused handed_over left_station sent_to_inspection returned".split())
"""Of these kinds what is left without our words anybody may tell: carried, received, collected, or nothing at all."""


def test_what_is_left_of_our_events_without_our_words_may_be_told_by_nobody_else_but_what_anybody_sees() -> None:
    def kind(event: EpcisEvent) -> str:
        return str(event["pl:type"]).rpartition("/")[2]

    def bare(event: EpcisEvent) -> EpcisEvent:
        return {name: value for name, value in event.items() if not name.startswith("pl:")}

    about = [event for event in TOLD if event.get("epcList") != []]  # an unreadable code is about no cylinder
    told = {kind(event) for event in about if not any(named_where_we_speak(index_of(bare(event), PLAIN.expand)))}
    assert told == ANYBODYS
