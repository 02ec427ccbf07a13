"""Versions of a rulebook follow on each other: published ahead, in force from their day on, never two at once."""

from typing import Any

import pytest

from cylinder_trace.cylinder import StateError
from cylinder_trace.dates import parse_day
from cylinder_trace.enactment import (
    RulebookState,
    in_force,
    next_rulebook_state,
    text_in_force,
    texts_to_come,
    version_named,
)
from cylinder_trace.events import Entry, Event, RulebookPublished, Seized
from vectors.admission.cases import rulebook_text

NATIONAL = rulebook_text("cn-default")


def version(number: str, first: str, last: str | None = None, interval: int = 48) -> str:
    text = NATIONAL.replace('version = "2026.1"', f'version = "{number}"')
    ends = f'\nvalid_until = "{last}"' if last else ""
    text = text.replace('valid_from = "2026-01-01"', f'valid_from = "{first}"{ends}')
    return text.replace("interval_months = 48", f"interval_months = {interval}")


def published(*texts: str) -> RulebookState:
    state: RulebookState | None = None
    for n, text in enumerate(texts):
        state = next_rulebook_state(state, entry(n), told(text))
    assert state is not None
    return state


def told(text: str) -> RulebookPublished:
    number = text.partition('version = "')[2].partition('"')[0]
    return RulebookPublished(rulebook_id="cn-default", version=number or "x", text=text)


def entry(n: int) -> Entry:
    place: dict[str, Any] = {"n": n, "prev": "0" * 64, "recorded_at": 1, "occurred_at": 1}
    return Entry(id=f"e{n}", subject="rulebook/cn-default", type="rulebook_published", by="au_1", data={}, **place)


def interval_on(state: RulebookState, day: str) -> int:
    book = in_force(state, parse_day(day))
    assert book is not None
    return book.inspection.interval_months


def test_a_version_published_ahead_decides_from_its_first_day_on_and_the_old_one_until_then() -> None:
    state = published(version("1", "2026-01-01"), version("2", "2027-01-01", interval=36))
    assert [interval_on(state, day) for day in ("2026-12-31", "2027-01-01", "2030-01-01")] == [48, 36, 36]


def test_what_is_published_and_not_yet_in_force_is_told_the_next_one_first() -> None:
    one, two, three = (version(str(year - 2025), f"{year}-01-01") for year in (2026, 2027, 2028))
    state = published(three, one, two, "# not a rulebook")
    told_ahead = [texts_to_come(state, parse_day(day)) for day in ("2026-12-31", "2027-01-01", "2028-01-01")]
    assert told_ahead == [(two, three), (three,), ()]


def test_a_version_is_found_by_its_name_before_and_after_it_is_in_force() -> None:
    state = published(version("1", "2026-01-01"), "# not a rulebook", version("2", "2027-01-01", interval=36))
    found = [version_named(state, name) for name in ("1", "2", "3")]
    assert [book and book.inspection.interval_months for book in found] == [48, 36, None]


def test_the_order_of_publishing_does_not_matter_for_what_is_in_force() -> None:
    state = published(version("2", "2027-01-01", interval=36), version("1", "2026-01-01"))
    assert [interval_on(state, day) for day in ("2026-12-31", "2027-01-01")] == [48, 36]


def test_before_the_first_day_of_all_the_first_version_is_asked_and_refuses_by_itself() -> None:
    book = in_force(published(version("1", "2026-01-01")), parse_day("2025-06-01"))
    assert book is not None
    assert not book.covers(parse_day("2025-06-01"))


def test_what_ended_without_a_successor_is_asked_and_refuses_by_itself() -> None:
    book = in_force(published(version("1", "2026-01-01", "2026-06-30")), parse_day("2026-07-01"))
    assert book is not None
    assert not book.covers(parse_day("2026-07-01"))


def test_the_same_text_published_twice_is_one_version() -> None:
    one = version("1", "2026-01-01")
    state = published(one, version("2", "2027-01-01"), one)
    assert (state.n, text_in_force(state, parse_day("2026-05-01"))) == (3, one)


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (("1", "2026-01-01"), ("1", "2027-01-01"), "version 1 was published with another text"),
        (("1", "2026-01-01"), ("2", "2026-01-01"), "versions 1 and 2 both begin on 2026-01-01"),
        (("1", "2026-01-01", "2026-12-31"), ("2", "2026-12-31"), "valid until 2026-12-31, and version 2 begins on"),
        (("1", "2026-06-01"), ("2", "2026-01-01", "2026-06-01"), "valid until 2026-06-01, and version 1 begins on"),
    ],
)
def test_two_versions_that_contradict_each_other_are_refused(first: Any, second: Any, says: str) -> None:
    with pytest.raises(StateError, match=says):
        published(version(*first), version(*second))


def test_a_version_may_begin_the_day_after_the_last_day_of_the_one_before() -> None:
    state = published(version("1", "2026-01-01", "2026-12-31"), version("2", "2027-01-01", interval=36))
    assert interval_on(state, "2026-12-31") == 48


def test_a_text_that_is_no_rulebook_stays_history_and_decides_nothing() -> None:
    assert in_force(published("# not a rulebook"), parse_day("2026-07-01")) is None
    state = published(version("1", "2026-01-01"), "# not a rulebook")
    assert interval_on(state, "2026-07-01") == 48


def test_nothing_else_is_told_about_a_rulebook() -> None:
    seized: Event = Seized(authority_id="au_1", document_no="1", cause="x")
    with pytest.raises(StateError, match="not an event of a rulebook"):
        next_rulebook_state(None, entry(0), seized)
