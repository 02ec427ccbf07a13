"""The page about EPCIS is held to the truth: its table is the code's table, its sample is what is made."""

import json
import re
from pathlib import Path

import pytest
from drawn_events import entries
from hypothesis import given, settings
from hypothesis import strategies as st
from told_in_epcis import CODE, STORED, Row, told

from cylinder_trace.epcis.cbv import DISPOSITIONS
from cylinder_trace.epcis.life import LIFE, NOT_OF_A_LIFE, REFUSED, Known, document_of, epcis_of
from cylinder_trace.events import EVENT_CLASSES, Event

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/epcis.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (.*?) \| (\w+Event) (\w+) \| (\w+) \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)


def words_in(state: str) -> set[str]:
    """The dispositions that a cell of the page names."""
    return set(DISPOSITIONS.words) & set(re.findall(r"\w+", state))


def test_the_table_of_the_page_is_the_table_of_the_code() -> None:
    said = [(word, kind, action, step) for word, _, kind, action, step, _, _ in ROWS]
    assert said == [(cls.type, row.kind, row.action, row.step) for cls, rows in LIFE.items() for row in rows]


def test_the_chinese_names_are_those_of_the_events() -> None:
    unmapped = re.findall(r"`(\w+)` ((?:EPCIS )?[一-鿿、]+)", PAGE.partition("## What does not map")[2])
    named = [(word, chinese) for word, chinese, *_ in ROWS] + unmapped
    for word, chinese in named:
        assert f"({chinese})" in " ".join(str(EVENT_CLASSES[word].__doc__).split())
    assert {word for word, _ in unmapped} == NOT_OF_A_LIFE


@pytest.mark.parametrize("cls", LIFE, ids=lambda cls: cls.type)
@settings(max_examples=4)
@given(st.data())
def test_a_cylinder_is_left_in_a_state_that_the_page_names(cls: type[Event], data: st.DataObject) -> None:
    sealed, event = data.draw(entries(cls))
    made = epcis_of(sealed.entry, event, Row(3, sealed.hash, sealed.text), Known(CODE))
    states = [state for word, *_, state, _ in ROWS if word == cls.type]
    for one, state, row in zip(made, states, LIFE[cls], strict=True):
        assert {one[name] for name in ("disposition",) if name in one} <= words_in(state)
        assert not row.disposition or words_in(state) == {row.disposition}


def test_the_page_names_every_state_that_a_refusal_may_tell() -> None:
    (state,) = [state for word, *_, state, _ in ROWS if word == "fill_decided"]
    assert words_in(state) == {"conformant", *REFUSED.values()}


def test_the_sample_is_the_stored_fill() -> None:
    sample = json.loads(re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0])
    index, stored = next((index, stored) for index, stored in enumerate(STORED) if stored["type"] == "filled")
    assert sample == document_of(told(stored, index), 1_795_312_800_000)
