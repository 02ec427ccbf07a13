"""The page of all events is held to the truth: every word, its Chinese name, and the chains that it may join."""

import json
import re
from pathlib import Path

import pytest

from cylinder_trace.chain import EMPTY, Head, seal
from cylinder_trace.cylinder import StateError
from cylinder_trace.events import EVENT_CLASSES, parse_entry, state_event
from cylinder_trace.subjects import STATE_CLASSES, SubjectState, next_subject_state

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/events.md").read_text("utf-8")
ROWS = {
    row[0].strip("`"): row[1:] for row in re.findall(r"^\| (`\w+`) \| (.*?) \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
}
STORED = [
    parse_entry(entry["text"].encode())
    for entry in json.loads((ROOT / "tests/vectors/entries.json").read_text("utf-8"))["entries"]
]
EVERY = "every chain but a rulebook's"
FOREIGN = re.compile(r"is not an event of|cannot follow in a")


def chains_of(word: str) -> set[str]:
    """The kinds of chains that the page says a word may join."""
    column = ROWS[word][1]
    return set(STATE_CLASSES) - {"rulebook"} if column == EVERY else set(column.split(", "))


def lives() -> dict[str, SubjectState]:
    """One state of each kind, from the stored entries of one subject."""
    states: dict[str, SubjectState] = {}
    for subject in ("cylinder/cyl_4", "station/station-1", "device/device-1", "rulebook/cn-default", "recall/recall-1",
                    "lot/lot-1", "company/company-1", "worker/worker-1", "customer/customer-1",
                    "authority/authority-1", "capture/capture-1"):  # fmt: skip
        state: SubjectState | None = None
        for entry in STORED:
            if entry.subject == subject:
                state = next_subject_state(state, entry, entry.event())
        assert state is not None
        states[subject] = state
    return states


def test_every_event_is_on_the_page_in_the_order_of_the_union() -> None:
    assert list(ROWS) == list(EVENT_CLASSES)


@pytest.mark.parametrize("word", EVENT_CLASSES)
def test_an_events_chinese_name_on_the_page_is_the_one_beside_its_class(word: str) -> None:
    chinese, _, meaning = ROWS[word]
    assert f"({chinese})" in " ".join(str(EVENT_CLASSES[word].__doc__).split())
    assert meaning


@pytest.mark.parametrize("word", EVENT_CLASSES)
def test_an_event_is_stored_in_a_chain_that_the_page_names(word: str) -> None:
    kinds = {entry.subject.partition("/")[0] for entry in STORED if entry.type == word}
    assert kinds
    assert kinds <= chains_of(word)


@pytest.mark.parametrize("word", EVENT_CLASSES)
def test_an_event_is_foreign_to_every_chain_that_the_page_does_not_name(word: str) -> None:
    event = next(entry.event() for entry in STORED if entry.type == word)
    for subject, state in lives().items():
        kind = subject.partition("/")[0]
        if kind == "station":  # keeps whatever a station states, also what it could not put into another chain
            continue
        record = state_event(event, id="act", subject=subject, occurred_at=1, by="account-9")
        try:
            next_subject_state(state, seal(record, Head(state.n, EMPTY.hash), 2).entry, event)
            foreign = False
        except StateError as refusal:
            foreign = bool(FOREIGN.search(str(refusal)))
        assert foreign == (kind not in chains_of(word)), f"{word} in the chain of a {kind}"
