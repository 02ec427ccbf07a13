"""The words of CBV 2.0 are the standard's: no word missing, none invented, every writing of one understood."""

import json
from pathlib import Path

import pytest

from cylinder_trace.epcis.cbv import (
    ACTIONS,
    ALERT_TYPES,
    BIZ_STEPS,
    BIZ_TRANSACTION_TYPES,
    COMPONENTS,
    DISPOSITIONS,
    ERROR_REASONS,
    EVENT_TYPES,
    MEASUREMENT_TYPES,
    SOURCE_DEST_TYPES,
    Vocabulary,
)
from gs1.folder import conformance_folder
from gs1.schema import example_paths, schema_fault

WORDS = {
    "bizStep": BIZ_STEPS,
    "disposition": DISPOSITIONS,
    "bizTransaction-type": BIZ_TRANSACTION_TYPES,
    "source-dest-type": SOURCE_DEST_TYPES,
    "error-reason": ERROR_REASONS,
    "component": COMPONENTS,
    "measurementType": MEASUREMENT_TYPES,
    "sensorAlertType": ALERT_TYPES,
}


@pytest.mark.parametrize("name", WORDS)
def test_the_bare_words_are_those_of_the_schema(name: str, conformance_data: Path) -> None:
    schema = json.loads((conformance_data / "epcis/EPCIS-JSON-Schema.json").read_text("utf-8"))
    assert WORDS[name].words == set(schema["definitions"][name]["anyOf"][1]["enum"])


def test_there_are_forty_one_steps_and_thirty_three_dispositions_and_none_is_called_filling() -> None:
    assert (len(BIZ_STEPS.words), len(DISPOSITIONS.words), len(MEASUREMENT_TYPES.words)) == (41, 33, 72)
    assert BIZ_STEPS.word("filling") is None
    assert DISPOSITIONS.word("scrapped") is None
    assert (len(EVENT_TYPES), len(ACTIONS)) == (5, 3)


@pytest.mark.parametrize("vocabulary", WORDS.values(), ids=WORDS)
def test_every_writing_of_a_word_is_the_same_word(vocabulary: Vocabulary) -> None:
    for word in vocabulary.words:
        writings = [word, vocabulary.curie + word, vocabulary.uri + word]
        writings += [vocabulary.urn + word] if vocabulary.urn else []
        assert {vocabulary.word(writing) for writing in writings} == {word}
        assert {vocabulary.whole(writing) for writing in writings} == {vocabulary.uri + word}


@pytest.mark.parametrize(
    "text", ["", "Inspecting", "cbv:BizStep-", "cbv:BizStep-filling", "cbv:Disp-inspecting", "https://example.org/x"]
)
def test_what_is_no_word_of_the_standard_stays_what_it_is(text: str) -> None:
    assert BIZ_STEPS.word(text) is None
    assert BIZ_STEPS.whole(text) == text


def test_the_forty_seven_examples_are_valid_by_gs1s_schema_with_its_formats(conformance_data: Path) -> None:
    paths = list(example_paths(conformance_data))
    assert len(paths) == 47
    faults = {path.name: schema_fault(json.loads(path.read_text("utf-8")), conformance_data) for path in paths}
    assert {name: fault for name, fault in faults.items() if fault} == {}


def test_the_schema_is_asked_with_its_formats_or_a_bare_word_of_our_own_would_pass(conformance_data: Path) -> None:
    event = {
        "@context": "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
        "type": "ObjectEvent",
        "eventTime": "2026-03-01T09:00:00.000+08:00",
        "eventTimeZoneOffset": "+08:00",
        "action": "OBSERVE",
        "epcList": ["https://id.gs1.org/8004/9520001VLV-0098231"],
    }
    assert schema_fault(event, conformance_data) is None
    assert schema_fault({**event, "bizStep": "filling"}, conformance_data)
    assert schema_fault({**event, "eventTime": "2026-03-01T09:00:00.000"}, conformance_data)
    assert schema_fault({**event, "epcList": ["no address"]}, conformance_data)


def test_where_the_folder_is_named_it_must_be_whole_and_where_none_is_named_the_skip_says_what_is_missing(
    tmp_path: Path,
) -> None:
    with pytest.raises(pytest.skip.Exception, match="PINGLIAN_CONFORMANCE_DATA names the folder"):
        conformance_folder(None)
    with pytest.raises(pytest.fail.Exception, match=r"EPCIS-JSON-Schema\.json"):
        conformance_folder(str(tmp_path))
