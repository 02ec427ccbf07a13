"""Events, records and entries: what was stored is read for ever, what is wrong is refused by its field's name."""

import json
import unicodedata
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_trace.canonical import CanonicalError
from cylinder_trace.chain import EMPTY, Head, next_head, next_link, record_hash, seal
from cylinder_trace.decision import FillRequest
from cylinder_trace.events import (
    EVENT_CLASSES,
    DeviceLink,
    EventError,
    FillDecided,
    Record,
    RulebookPublished,
    parse_entry,
    parse_event,
    parse_record,
    record_text,
    state_event,
)
from cylinder_trace.values import Frozen

STORED: list[dict[str, str]] = json.loads((Path(__file__).parents[1] / "vectors/entries.json").read_text("utf-8"))[
    "entries"
]
each_stored = pytest.mark.parametrize("stored", STORED, ids=lambda stored: str(stored["type"]))


def stored_data(type_word: str) -> dict[str, Any]:
    text = next(stored["text"] for stored in STORED if stored["type"] == type_word)
    data: dict[str, Any] = json.loads(text)["data"]
    return data


def record_fields(**changes: Any) -> bytes:
    """The text of a good record with fields replaced; a field set to ... is left out."""
    fields = {
        "v": 1,
        "id": "act-1",
        "subject": "cylinder/cyl_1",
        "type": "returned",
        "occurred_at": 1,
        "by": "account-1",
        "refs": [],
        "data": {"station_id": "station-1"},
    } | changes
    kept = {key: value for key, value in fields.items() if value is not ...}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def asked(**changes: Any) -> dict[str, Any]:
    """The request of the stored decision, with fields replaced."""
    return {**stored_data("fill_decided")["request"], **changes}


# --- the law of evolution -----------------------------------------------------------------------------------


@each_stored
def test_a_stored_entry_is_read_for_ever_and_hashes_to_the_same(stored: dict[str, str]) -> None:
    text = stored["text"].encode()
    entry = parse_entry(text)
    assert entry.event().type == stored["type"]
    assert sha256(b"\x00" + text).hexdigest() == stored["hash"]


@each_stored
def test_sealing_the_same_statement_again_gives_the_same_bytes(stored: dict[str, str]) -> None:
    entry = parse_entry(stored["text"].encode())
    sealed = seal(entry.record(), Head(entry.n, entry.prev), entry.recorded_at)
    assert sealed.text == stored["text"].encode()
    assert sealed.hash.hex() == stored["hash"]


@each_stored
def test_an_entry_gives_back_its_authors_statement(stored: dict[str, str]) -> None:
    fields = json.loads(stored["text"])
    for place in ("n", "prev", "recorded_at"):
        del fields[place]
    authors = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    record = parse_entry(stored["text"].encode()).record()
    assert type(record) is Record
    assert record_text(record) == authors
    assert parse_record(authors) == record


@each_stored
def test_an_event_comes_back_from_its_record(stored: dict[str, str]) -> None:
    event = parse_entry(stored["text"].encode()).event()
    record = state_event(event, id="act-1", subject="cylinder/cyl_1", occurred_at=1, by="account-1")
    again = parse_record(record_text(record))
    assert again == record
    assert again.event() == event


def test_every_event_class_has_a_stored_entry() -> None:
    assert {stored["type"] for stored in STORED} == set(EVENT_CLASSES)


def test_every_event_is_called_by_its_own_word_and_has_a_docstring() -> None:
    for word, cls in EVENT_CLASSES.items():
        assert cls.type == word
        assert word == "".join(f"_{char.lower()}" if char.isupper() else char for char in cls.__name__)[1:]
        assert cls.__doc__
        assert issubclass(cls, Frozen)


# --- what is not an event is refused by name ------------------------------------------------------------------


@pytest.mark.parametrize("type_word", EVENT_CLASSES)
def test_a_field_that_an_event_does_not_have_is_refused_by_name(type_word: str) -> None:
    with pytest.raises(EventError, match=rf"{type_word}: privilege_card: "):
        parse_event(type_word, {**stored_data(type_word), "privilege_card": True})


@pytest.mark.parametrize("type_word", EVENT_CLASSES)
def test_each_field_is_refused_by_name_when_it_is_of_another_kind(type_word: str) -> None:
    for name in stored_data(type_word):
        for value, says in (
            ({"a": 1}, name),
            (1.5, rf"\$\.{name}"),
            (None, rf"\$\.{name}"),
            (float("nan"), rf"\$\.{name}"),
        ):
            with pytest.raises(EventError, match=rf"{type_word}: {says}\b"):
                parse_event(type_word, {**stored_data(type_word), name: value})


@pytest.mark.parametrize("type_word", EVENT_CLASSES)
def test_a_required_field_that_is_absent_is_named(type_word: str) -> None:
    required = [name for name, field in EVENT_CLASSES[type_word].model_fields.items() if field.is_required()]
    assert required
    for name in required:
        data = {key: value for key, value in stored_data(type_word).items() if key != name}
        with pytest.raises(EventError, match=rf"{type_word}: {name}: Field required"):
            parse_event(type_word, data)


def test_an_unknown_word_is_refused_never_guessed() -> None:
    for word in ("", "fill", "Filled", "forced_fill", "filled "):
        with pytest.raises(EventError, match="no event is called"):
            parse_event(word, {})


CHANGED_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("returned", {"station_id": ""}, "station_id"),
    ("returned", {"station_id": "a" * 81}, "station_id"),
    ("returned", {"station_id": "station 1"}, "station_id"),
    ("returned", {"station_id": "station-1\n"}, "station_id"),
    ("returned", {"station_id": 1}, "station_id"),
    ("condemned", {"cause": "x" * 201}, "cause"),
    ("condemned", {"cause": ""}, "cause"),
    ("condemned", {"cause": "line\nline"}, "cause"),
    ("condemned", {"cause": "nul\x00"}, "cause"),
    ("condemned", {"cause": "escape\x1b[31m"}, "cause"),
    ("condemned", {"cause": "delete\x7f"}, "cause"),
    ("condemned", {"cause": "next line\x85"}, "cause"),
    ("condemned", {"cause": "csi\x9b31m"}, "cause"),
    ("condemned", {"cause": "e\u0301"}, r"\$\.cause: text is not in Unicode NFC"),
    ("inspected", {"inspected_month": "2026-13"}, "inspected_month"),
    ("inspected", {"inspected_month": "2026-05-01"}, "inspected_month"),
    ("inspected", {"inspected_month": "10000-01"}, "inspected_month"),
    ("inspected", {"inspected_month": "2026W05"}, "inspected_month"),
    ("inspected", {"result": "unknown"}, "result"),
    ("inspected", {"tare_g": -1}, "tare_g"),
    ("inspected", {"tare_g": 2_000_001}, "tare_g"),
    ("inspected", {"tare_g": "16500"}, "tare_g"),
    ("inspected", {"tare_g": True}, "tare_g"),
    ("scale_verified", {"valid_until": "10000-01-01"}, "valid_until"),
    ("scale_verified", {"valid_until": "2026-02-29"}, "valid_until"),
    ("scale_verified", {"valid_until": "2026-W01-1"}, "valid_until"),
    ("scale_verified", {"valid_until": "20270630"}, "valid_until"),
    ("destroyed", {"method": "burned"}, "method"),
    ("destroyed", {"evidence_sha256": ["AB" * 32]}, r"evidence_sha256\.0"),
    ("destroyed", {"evidence_sha256": "ab" * 32}, "evidence_sha256"),
    ("flagged", {"flag": "suspicious"}, "flag"),
    ("filled", {"ended_at": 253_402_300_800_000}, "ended_at"),
    ("filled", {"ended_at": -1}, "ended_at"),
    ("filled", {"lane": -1}, "lane"),
    ("sold", {"safety_check_passed": 1}, "safety_check_passed"),
    ("sold", {"identity_commitment": "ab" * 31}, "identity_commitment"),
    ("ownership_transferred", {"cosigned": "true"}, "cosigned"),
    ("rulebook_published", {"text": "x" * 40_001}, "text"),
    ("fill_decided", {"decided_by": "operator"}, "decided_by"),
    ("fill_decided", {"request": asked(code="7" * 201)}, r"request\.code"),
    ("fill_decided", {"request": asked(code="7K2M\r")}, r"request\.code"),
    ("fill_decided", {"request": asked(unreadable_because="x" * 201)}, r"request\.unreadable_because"),
    ("fill_decided", {"request": asked(raw_scan="7" * 513)}, r"request\.raw_scan"),
    ("fill_decided", {"request": asked(raw_scan="e\u0301")}, r"\$\.request\.raw_scan: text is not in Unicode NFC"),
]


@pytest.mark.parametrize(("type_word", "change", "field"), CHANGED_FIELDS)
def test_a_value_out_of_its_bounds_is_refused_by_the_fields_name(
    type_word: str, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(EventError, match=rf"^{type_word}: {field}"):
        parse_event(type_word, {**stored_data(type_word), **change})


def test_a_fault_deep_inside_is_named_by_its_path() -> None:
    data = stored_data("cylinder_registered")
    data["stamp"]["water_volume_ml"] = 0
    with pytest.raises(EventError, match=r"^cylinder_registered: stamp\.water_volume_ml: "):
        parse_event("cylinder_registered", data)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"v": 2}, "v: "),
        ({"v": ...}, None),
        ({"id": ""}, "id: "),
        ({"id": "a b"}, "id: "),
        ({"id": ...}, "id: Field required"),
        ({"subject": "cyl_1"}, "subject: "),
        ({"subject": "Cylinder/cyl_1"}, "subject: "),
        ({"subject": "cylinder/"}, "subject: "),
        ({"subject": "cylinder/a/b"}, "subject: "),
        ({"subject": "cylinder/../x"}, "subject: "),
        ({"type": "forced_fill"}, "type: no event is called"),
        ({"occurred_at": -1}, "occurred_at: "),
        ({"occurred_at": "2026-11-22"}, "occurred_at: "),
        ({"occurred_at": 253_402_300_800_000}, "occurred_at: "),
        ({"by": "a\tb"}, "by: "),
        ({"refs": ["station/1"] * 17}, "refs: "),
        ({"refs": ["station"]}, r"refs\.0: "),
        ({"device": {"id": "d", "seq": -1, "prev": "0" * 64}}, r"device\.seq: "),
        ({"device": {"id": "d", "seq": 0, "prev": "0"}}, r"device\.prev: "),
        ({"data": []}, "data: "),
        ({"data": {}}, "returned: station_id: Field required"),
        ({"n": 3}, "n: "),
        ({"signature": "x"}, "signature: "),
    ],
)
def test_a_record_that_says_it_wrongly_is_refused_by_the_fields_name(change: dict[str, Any], says: str | None) -> None:
    if says is None:
        assert parse_record(record_fields(**change)).v == 1
        return
    with pytest.raises(EventError, match=says):
        parse_record(record_fields(**change))


@pytest.mark.parametrize("value", [1.5, None, 2**53])
def test_a_record_with_a_number_that_has_no_one_text_is_refused_with_its_place(value: object) -> None:
    with pytest.raises(CanonicalError, match=r"\$\.data\.station_id|\$\.data: |not JSON"):
        parse_record(record_fields(data={"station_id": value}))


def test_a_record_is_read_in_canonical_form_only() -> None:
    good = record_fields()
    assert parse_record(good).id == "act-1"
    for text in (good + b"\n", good.replace(b":1,", b": 1,", 1), good.replace(b'"act-1"', b'"act\\u002d1"')):
        with pytest.raises(CanonicalError, match="canonical"):
            parse_record(text)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_whatever_arrives_as_a_record_is_read_or_refused_but_never_crashes(text: bytes) -> None:
    with pytest.raises((EventError, CanonicalError)):
        parse_record(text)


@pytest.mark.parametrize("raw", ["e\u0301", "\u212b", "]Q1\u1100\u1161\r", "\x00\x1b~3", ""])
def test_whatever_a_scanner_types_can_be_recorded(raw: str) -> None:
    event = parse_event("fill_decided", stored_data("fill_decided"))
    assert isinstance(event, FillDecided)
    request = FillRequest.model_validate({**event.request.model_dump(), "raw_scan": raw})
    told = event.model_copy(update={"request": request})
    record = state_event(told, id="act-1", subject="station/station-1", occurred_at=1, by="account-1")
    again = parse_record(record_text(record)).event()
    assert isinstance(again, FillDecided)
    assert again.request.raw_scan == unicodedata.normalize("NFC", raw)


def test_a_scan_too_long_in_its_normal_form_is_refused_before_it_is_recorded() -> None:
    with pytest.raises(ValueError, match="raw_scan"):
        FillRequest.model_validate({**asked(), "findings": (), "raw_scan": "\ufb1d" * 257})


# --- chains -------------------------------------------------------------------------------------------------


def said(number: int, **more: Any) -> Record:
    event = EVENT_CLASSES["returned"].model_validate({"station_id": "station-1"})
    return state_event(event, id=f"act-{number}", subject="cylinder/cyl_1", occurred_at=number, by="account-1", **more)


def test_an_entry_names_the_one_before_it_by_its_hash() -> None:
    head = EMPTY
    hashes: list[str] = []
    for number in range(5):
        sealed = seal(said(number), head, 100 + number)
        assert (sealed.entry.n, sealed.entry.prev) == (number, hashes[-1] if hashes else "0" * 64)
        assert sealed.hash == sha256(b"\x00" + sealed.text).digest()
        assert parse_entry(sealed.text) == sealed.entry
        hashes.append(sealed.hash.hex())
        head = next_head(sealed)
    assert head == Head(5, hashes[-1])


def test_the_place_and_the_clock_change_the_hash_but_not_the_statement() -> None:
    here, there = seal(said(1), EMPTY, 100), seal(said(1), Head(3, "ab" * 32), 100)
    later = seal(said(1), EMPTY, 101)
    assert len({here.hash, there.hash, later.hash}) == 3
    assert record_text(here.entry.record()) == record_text(there.entry.record()) == record_text(said(1))


def test_a_device_chains_its_own_records() -> None:
    first = said(0, device=next_link("device-1", None))
    second = said(1, device=next_link("device-1", first))
    assert first.device == DeviceLink(id="device-1", seq=0, prev="0" * 64)
    assert second.device == DeviceLink(id="device-1", seq=1, prev=record_hash(first))
    assert record_hash(first) == sha256(b"\x00" + record_text(first)).hexdigest()


def test_an_entry_longer_than_a_bundle_can_say_is_refused() -> None:
    book = RulebookPublished(rulebook_id="b", version="1", text="瓶" * 30_000)
    record = state_event(book, id="act-1", subject="rulebook/b", occurred_at=1, by="account-1")
    with pytest.raises(CanonicalError, match="more than 65535"):
        seal(record, EMPTY, 100)
