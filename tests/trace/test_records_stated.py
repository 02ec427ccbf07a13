"""A record is checked and written once, by its author; the ledger puts a place into the text, and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_trace.canonical import CanonicalError, canonical_json
from cylinder_trace.chain import Head, seal
from cylinder_trace.events import (
    DeviceLink,
    Entry,
    EventError,
    Record,
    Returned,
    parse_entry,
    parse_record,
    record_text,
    state_event,
)
from cylinder_trace.values import Frozen, built, changed

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}", fullmatch=True)
SUBJECTS = st.from_regex(r"[a-z]{1,8}/[A-Za-z0-9][A-Za-z0-9_.:-]{0,9}", fullmatch=True)
HASHES = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
MOMENTS = st.integers(0, 4_000_000_000_000)
LINKS = st.builds(DeviceLink, id=IDS, seq=st.integers(0, 2**53 - 1), prev=HASHES)
RECORDS = st.builds(
    Record,
    id=IDS,
    subject=SUBJECTS,
    type=st.just("corrected"),
    occurred_at=MOMENTS,
    by=IDS,
    refs=st.lists(SUBJECTS, max_size=4).map(tuple),
    act_id=st.none() | IDS,
    device=st.none() | LINKS,
    data=st.fixed_dictionaries(
        {
            "entry_id": IDS,
            "entry_type": IDS,
            "field": st.just("stamp.maker"),
            "now": st.sampled_from(["瓶", "x", 'a"\\b', ',"id":"x","n":9,', "}", "“", 0, 2**53 - 1]),
            "reason": st.sampled_from(["ok", '"', ',"occurred_at":1,', "误填"]),
            "approver_id": IDS,
        }
    ),
)
RETURNED = state_event(
    Returned(station_id="station-1"), id="act-1", subject="cylinder/cyl_1", occurred_at=1, by="account-1"
)


@given(RECORDS, st.integers(0, 2**53 - 1), HASHES, MOMENTS)
def test_the_text_of_an_entry_is_the_canonical_text_of_all_its_fields(
    record: Record, n: int, prev: str, recorded_at: int
) -> None:
    sealed = seal(record, Head(n, prev), recorded_at)
    fields = record.model_dump(mode="json", exclude_none=True) | {"n": n, "prev": prev, "recorded_at": recorded_at}
    assert sealed.text == canonical_json(fields)
    assert sealed.entry == parse_entry(sealed.text)


@given(RECORDS)
def test_a_record_that_was_checked_says_the_same_as_one_that_was_not(record: Record) -> None:
    unchecked = record.model_copy()
    assert record.event() == record.stated().event == unchecked.event()
    assert record_text(record) == record_text(unchecked)
    assert record == unchecked
    assert record.stated() == parse_record(record_text(unchecked)).stated()


@given(RECORDS.filter(lambda record: not record.refs))
def test_a_text_that_leaves_out_what_may_be_left_out_says_the_same_as_the_whole(record: Record) -> None:
    fields = record.model_dump(mode="json", exclude_none=True, exclude={"v", "refs"})
    assert parse_record(canonical_json(fields)).stated() == record.stated()


def test_a_copy_that_says_something_else_is_checked_anew() -> None:
    elsewhere = RETURNED.model_copy(update={"data": {"station_id": "station-2"}})
    assert elsewhere.event() == Returned(station_id="station-2")
    assert b"station-2" in seal(elsewhere, Head(0, "0" * 64), 1).text
    with pytest.raises(EventError, match="returned: station_id"):
        RETURNED.model_copy(update={"data": {"station_id": 2}}).stated()


def test_what_is_stored_is_what_was_checked_whatever_becomes_of_the_data_meanwhile() -> None:
    record = RETURNED.model_copy(update={"data": {"station_id": "station-1"}})
    assert record.stated().event == Returned(station_id="station-1")
    record.data["station_id"] = 2
    sealed = seal(record, Head(0, "0" * 64), 1)
    assert parse_entry(sealed.text).event() == record.event() == Returned(station_id="station-1")


@pytest.mark.parametrize("moment", [1.0, float("nan"), None, 2**53, b"1"])
def test_a_moment_that_no_canonical_text_can_hold_is_not_sealed(moment: Any) -> None:
    with pytest.raises(CanonicalError, match=r"recorded_at"):
        seal(RETURNED, Head(0, "0" * 64), moment)


def test_whoever_states_what_cannot_be_recorded_is_told_when_it_is_to_be_sealed() -> None:
    decomposed = Returned.model_construct(station_id="e\u0301")
    record = state_event(decomposed, id="act-1", subject="cylinder/cyl_1", occurred_at=1, by="account-1")
    with pytest.raises(EventError, match="NFC"):
        seal(record, Head(0, "0" * 64), 1)


def test_an_object_made_around_pydantic_is_what_pydantic_makes() -> None:
    fields = {**RETURNED.__dict__, "n": 3, "prev": "0" * 64, "recorded_at": 5}
    same_in_all(built(Entry, fields, set(fields)), Entry.model_construct(**fields))
    update = {"act_id": "act-2", "refs": ("station/station-1",)}
    same_in_all(changed(RETURNED, update), RETURNED.model_copy(update=update))


def same_in_all(ours: Frozen, pydantics: Frozen) -> None:
    assert type(ours) is type(pydantics)
    assert ours == pydantics
    assert ours.model_fields_set == pydantics.model_fields_set
    assert (ours.model_extra, ours.__pydantic_private__) == (pydantics.model_extra, pydantics.__pydantic_private__)
    assert list(ours.__dict__) == list(pydantics.__dict__)
    assert ours.model_dump_json() == pydantics.model_dump_json()
    with pytest.raises(ValueError, match="frozen"):
        ours.id = "act-9"  # type: ignore[attr-defined]
