"""What may be captured: EPCIS documents are taken or refused as GS1's own schema has it, and each fault has a name."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cylinder_trace.epcis.document import LARGEST_EVENT, MOST_TERMS, Invalid, read_document, read_event
from cylinder_trace.epcis.faults import Fault
from cylinder_trace.store.epcis.capturing import Stretch, stretches
from gs1.schema import example_paths, validator

CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"ex": "https://ns.example.org/"}]
EVENT = {
    "type": "ObjectEvent",
    "eventTime": "2026-04-01T08:00:00.000+08:00",
    "eventTimeZoneOffset": "+08:00",
    "action": "OBSERVE",
    "bizStep": "inspecting",
    "epcList": ["https://id.gs1.org/8003/09520001123450ZJ33010000017"],
}
STRICTER = {
    "no_epcis_context": "GS1's context is not named",
    "unknown_context": "a context lies elsewhere, and nothing is fetched",
    "bad_context": "a prefix stands for nothing that begins an address",
    "nested_context": "a context holds or imports another",
    "prefix_taken": "cbv, epcis and gs1 mean what GS1 says",
    "undeclared_prefix": "nobody says what a prefix stands for",
    "unknown_word": "an address in the namespace of the CBV is no word of it",
    "wrong_check_digits": "the schema does not reckon",
    "wrong_length": "the schema does not know how long a key is",
    "wrong_character": "nor what it may hold",
    "foreign_link": "nor which keys there are",
    "bad_time": "an instant has more than twelve digits behind the second, or small letters",
    "unknown_field": "an event of somebody's own type has a field without a prefix",
    "wrong_kind": "an event of somebody's own type has a field of EPCIS that is not as EPCIS has it",
    "too_deep": "extensions are nested without end",
}
"""Where we refuse what the schema lets through, and why; there is nothing that we take and the schema refuses."""


def document(*events: Any, **frame: Any) -> dict[str, Any]:
    """A document that holds these events."""
    said = {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-04-01T08:00:00.000+08:00",
        "epcisBody": {"eventList": list(events)},
    }
    return {name: value for name, value in {**said, **frame}.items() if value is not ...}


def faults_of(said: Any) -> list[Fault]:
    """Everything that is wrong with a document, given as bytes or as what they would say."""
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    try:
        return list(read_document(data).faults)
    except Invalid as error:
        return list(error.faults)


def words_of(said: Any) -> set[tuple[str, str]]:
    """Pointer and word of each fault."""
    return {(fault.pointer, fault.word) for fault in faults_of(said)}


def changed(**fields: Any) -> dict[str, Any]:
    """A document with one event, which has these fields too, or not where they are given as `...`."""
    return document({name: value for name, value in {**EVENT, **fields}.items() if value is not ...})


def test_every_example_of_gs1_is_taken_and_each_event_keeps_its_own_text(conformance_data: Path) -> None:
    paths = list(example_paths(conformance_data))
    assert len(paths) == 47
    for path in paths:
        data = path.read_bytes()
        read = read_document(data)
        assert not read.faults
        assert read.size == len(read.events)
        for captured in read.events:
            assert captured.text in data
            assert json.loads(captured.text) == captured.event


ODD: tuple[Any, ...] = (
    None, True, 0, -1.5, 10**20, "", "bare", "ex:b", "no such:x", "urn:epcglobal:cbv:bizstep:shipping",
    "https://ref.gs1.org/cbv/BizStep-shipping", "cbv:Disp-active", "cbv:BizStep-nonsense", "shipping", "active", "ADD",
    "OBSERVE", "2020-01-01T00:00:00", "2020-02-30T00:00:00Z", "2020-01-01T00:00:00.123456+08:00", "+08:00", "+8:00",
    "2.0", [], ["urn:a:b"], ["bare"], ["urn:a:b", "urn:a:b"], {}, {"id": "urn:a:b"}, {"type": "po"}, {"urn:a:b": 1},
    "ObjectEvent", "TransactionEvent", "EPCISDocument", "KGM", "http://host:port/",
)  # fmt: skip
NAMES = (
    "bare", "urn:a:b", "example:foo", "epcList", "ilmd", "persistentDisposition", "action", "https://a/b", "eventID",
    "childEPCs", "parentID",
)  # fmt: skip


def places_in(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place below `value`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, held in inner:
        yield (*place, key)
        yield from places_in(held, (*place, key))


@st.composite
def mutations(draw: st.DrawFn, documents: list[Any]) -> Any:
    """One of the documents with one thing in it left out, exchanged, doubled or renamed."""
    said = copy.deepcopy(draw(st.sampled_from(documents)))
    *way, last = draw(st.sampled_from(list(places_in(said))))
    holder: Any = said
    for step in way:
        holder = holder[step]
    match draw(st.sampled_from(("leave out", "exchange", "exchange", "exchange", "double", "rename", "rename"))):
        case "leave out":
            del holder[last]
        case "double" if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))  # type: ignore[index]
        case "rename" if isinstance(holder, dict):
            holder[draw(st.sampled_from(NAMES))] = holder.pop(last)
        case _:
            holder[last] = draw(st.sampled_from(ODD))
    return said


def test_a_document_with_one_thing_changed_is_judged_as_gs1s_schema_judges_it(conformance_data: Path) -> None:
    documents = [json.loads(path.read_text("utf-8")) for path in example_paths(conformance_data)]

    @settings(max_examples=400)
    @given(mutations(documents))
    def judge(said: Any) -> None:
        ours = {fault.word for fault in faults_of(said)}
        if validator(conformance_data).is_valid(said):
            assert ours <= set(STRICTER)
        else:
            assert ours

    judge()


@pytest.mark.parametrize(
    ("said", "pointer", "word"),
    [
        (changed(bizStep="filling"), "bizStep", "unknown_word"),
        (changed(disposition="scrapped"), "disposition", "unknown_word"),
        (changed(bizStep="urn:epcglobal:cbv:bizstep:inspecting"), "bizStep", "old_word"),
        (changed(bizStep="cbv:BizStep-filling"), "bizStep", "unknown_word"),
        (changed(bizStep="lpg:filling"), "bizStep", "undeclared_prefix"),
        (changed(type="FillingEvent"), "type", "not_a_uri"),
        (changed(type="lpg:FillingEvent"), "type", "undeclared_prefix"),
        (changed(eventTime="2026-04-01T08:00:00.000"), "eventTime", "bad_time"),
        (changed(eventTime="2026-02-30T08:00:00.000Z"), "eventTime", "bad_time"),
        (changed(eventTimeZoneOffset="+8:00"), "eventTimeZoneOffset", "bad_offset"),
        (changed(weight=14), "weight", "unknown_field"),
        (changed(**{"lpg:weight": 14}), "lpg:weight", "undeclared_prefix"),
        (changed(**{"ex:weight": {"lpg:gross": 14}}), "ex:weight/lpg:gross", "undeclared_prefix"),
        (changed(ilmd={"ex:lot": "7"}), "ilmd", "only_when_made"),
        (changed(action="REMOVE"), "action", "not_one_of"),
        (changed(epcList=[]), None, None),
        (changed(epcList=...), "", "about_nothing"),
        (changed(persistentDisposition={}), "persistentDisposition", "about_nothing"),
        (changed(readPoint="https://id.gs1.org/414/9520001000010"), "readPoint", "wrong_kind"),
        (changed(errorDeclaration={"reason": "incorrect_data"}), "errorDeclaration", "missing"),
        (changed(sensorElementList=[{"sensorReport": [{"type": "Warmth"}]}]),
         "sensorElementList/0/sensorReport/0/type", "unknown_word"),
        (changed(epcList=["https://id.gs1.org/8003/09520001123451ZJ33010000017"]), "epcList/0", "wrong_check_digits"),
        (changed(epcList=["https://id.gs1.org/8003/9520001123450ZJ33010000017"]), "epcList/0", "missing_filler"),
        (changed(epcList=["https://id.gs1.org/8003/09520001123450ZJ330100000170000"]), "epcList/0", "serial_too_long"),
        (changed(epcList=["https://id.gs1.org/8003%2F09520001123450ZJ33010000017"]), "epcList/0", "foreign_link"),
        (changed(epcList=["https://id.gs1.org/01/09520001999994/21/7", "ex:7", "ex:7"]), "epcList", "repeated"),
        (changed(epcList=["urn:example:" + "7" * 2000]), "epcList/0", "uri_too_long"),
        (changed(**{"@context": {"lpg": "ex:lpg/"}, "lpg:weight": 14}), None, None),
        (changed(**{"@context": "https://elsewhere.example/context.jsonld"}), "@context", "unknown_context"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_event_has_a_place_and_a_name(said: Any, pointer: str | None, word: str | None) -> None:
    whole = f"/epcisBody/eventList/0/{pointer}".rstrip("/")
    assert words_of(said) == ({(whole, word)} if word else set())


@pytest.mark.parametrize(
    ("context", "place", "word"),
    [
        ("https://ref.gs1.org/standards/epcis/1.2.0/epcis-context.jsonld", "", "unknown_context"),
        ([{"ex": "https://ns.example.org/"}], "", "no_epcis_context"),
        ([CONTEXT[0], {"a": "b:x/", "b": "a:y/"}], "/a", "context_in_circle"),
        ([CONTEXT[0], {"a": "a:x/"}], "/a", "context_in_circle"),
        ([CONTEXT[0], {"a": {"@id": "https://a.example/", "@context": {"@vocab": "https://b.example/"}}}], "/1/a",
         "nested_context"),
        ([CONTEXT[0], {"@import": "https://elsewhere.example/context.jsonld"}], "/1/@import", "nested_context"),
        ([CONTEXT[0], {"cbv": "https://words.example/"}], "/cbv", "prefix_taken"),
        ([CONTEXT[0], {f"p{number}": "https://a.example/" for number in range(201)}], "", "context_too_large"),
        ([CONTEXT[0], {f"p{number}": {"@type": "@id"} for number in range(2000)}], "", "context_too_long"),
        ([CONTEXT[0], {"@vocab": ["https://a.example/"] * 9, "@graph": [[[]]]}], "/1/@graph", "bad_context"),
        ([CONTEXT[0], {"a": {"@id": "https://a.example/", "@nest": {"b": {}}}}], "/1/a", "bad_context"),
        ([CONTEXT[0], 7], "/1", "wrong_kind"),
    ],
)  # fmt: skip
def test_a_context_that_does_not_say_once_and_for_all_what_a_prefix_means_is_refused(
    context: Any, place: str, word: str
) -> None:
    assert (f"/@context{place}", word) in words_of(document(EVENT, **{"@context": context}))


def nested(depth: int) -> bytes:
    """A document whose event holds so many lists in each other."""
    return json.dumps(changed(**{"ex:deep": "here"})).replace('"here"', "[" * depth + "]" * depth).encode()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"type":"EPCISDocument"} x', "not_json"),
        (b'{"epcisBody":{"eventList":[{},]}}', "not_json"),
        (b"<epcis:EPCISDocument/>", "not_json"),
        (b'{"type":"\xff"}', "not_utf8"),
        (json.dumps(document(EVENT)).encode().replace(b'"action"', b'"action":"ADD","action"'), "named_twice"),
        (json.dumps(changed(**{"ex:n": 1})).encode().replace(b'n": 1', b'n": NaN'), "number_too_long"),
        (json.dumps(changed(**{"ex:n": 1})).encode().replace(b'n": 1', b'n": 1e999'), "number_too_long"),
        (json.dumps(changed(**{"ex:n": 1})).encode().replace(b'n": 1', b'n": ' + b"9" * 5000), "number_too_long"),
        (json.dumps(changed(**{"ex:n": "\ud800"})).encode(), "bad_text"),
        (json.dumps(changed(**{"ex:n": "\0"})).encode(), "bad_text"),
        (nested(40), "too_deep"),
        (nested(100_000), "too_deep"),
        (nested(800).replace(b'"inspecting"', b'"\\ud83d\\ude00"'), "too_deep"),
    ],
)
def test_a_text_that_two_readers_could_take_for_two_things_is_refused(data: bytes, word: str) -> None:
    assert word in {fault.word for fault in faults_of(data)}


def test_an_event_that_is_too_large_is_named_and_its_neighbours_are_not() -> None:
    large = {**EVENT, "ex:note": "7" * LARGEST_EVENT}
    read = read_document(json.dumps(document(EVENT, large, EVENT)).encode())
    assert [(fault.pointer, fault.word) for fault in read.faults] == [("/epcisBody/eventList/1", "event_too_large")]
    assert [captured.number for captured in read.events] == [0, 2]


def test_an_event_with_more_values_to_be_found_by_than_are_written_at_once_is_named() -> None:
    full = {**EVENT, "ex:numbers": list(range(MOST_TERMS))}
    read = read_document(json.dumps(document(EVENT, full)).encode())
    assert [(fault.pointer, fault.word) for fault in read.faults] == [("/epcisBody/eventList/1", "event_too_full")]
    assert [captured.number for captured in read.events] == [0]
    with pytest.raises(Invalid, match="more than 20000 values"):
        read_event(json.dumps({"@context": CONTEXT, **full}).encode())


def test_events_are_written_some_at_a_time_however_much_each_of_them_is_found_by() -> None:
    events = [{**EVENT, "ex:numbers": list(range(size))} for size in (1, 1, 1, 90, 200, 1, 1)]
    read = read_document(json.dumps(document(*events)).encode()).events
    assert [len(some) for some in stretches(read, Stretch(events=2, terms=100))] == [2, 2, 1, 2]
    assert [one for some in stretches(read, Stretch(events=2, terms=100)) for one in some] == read


def test_half_a_character_that_has_its_other_half_is_a_character() -> None:
    assert words_of(changed(**{"ex:note": "\U0001f600 \\u0000"})) == set()


def test_faults_never_repeat_what_was_sent() -> None:
    secret = "Wang-Xiaoming-13800000000"
    said = changed(bizStep=secret, eventTime=secret, epcList=[secret], readPoint=secret, action=secret)
    assert all(secret not in fault.en + fault.zh for fault in faults_of(said))


def test_after_a_hundred_faults_of_an_event_nothing_more_is_looked_for() -> None:
    assert len(faults_of(changed(epcList=["bare"] * 1000))) == 100


def test_a_document_whose_events_are_all_wrong_tells_a_hundred_faults_and_how_many_events_there_are() -> None:
    read = read_document(json.dumps(document(*[{**EVENT, "epcList": ["bare", "words"]}] * 300)).encode())
    assert (len(read.faults), len(read.events), read.size) == (100, 0, 300)


def test_a_single_event_says_its_own_context() -> None:
    read = read_event(json.dumps({"@context": CONTEXT, **EVENT}).encode())
    assert read.events[0].found_by.event_time == 1775001600000
    said: Any
    for said in (EVENT, document(EVENT), [], {"@context": CONTEXT}):
        with pytest.raises(Invalid):
            read_event(json.dumps(said).encode())
