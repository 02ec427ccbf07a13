"""Each parameter of EPCIS 2.0's query language: what it finds, what is refused (tests/vectors/epcis/queries.json)."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from epcis_rows import home_at, put_events
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from cylinder_trace.epcis.context import read_context
from cylinder_trace.epcis.faults import Faults
from cylinder_trace.epcis.indexing import format_instant, instant_of, number_text, short
from cylinder_trace.epcis.query import Query, QueryFault
from cylinder_trace.epcis.query_language import MOST_PER_PAGE, NAMES, parse_query_object, parse_url_query
from cylinder_trace.store.epcis.selecting import Visible, newest_seq, select_page

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "epcis" / "queries.json").read_text("utf-8"))
CONTEXT = read_context(VECTORS["context"], Faults(), ())


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with home_at(f"sqlite:///{tmp_path_factory.mktemp('epcis') / 'ledger.db'}") as engine:
        with engine.begin() as writing:
            put_events(writing, VECTORS["events"], context=json.dumps(VECTORS["context"]).encode())
        yield engine


def found(engine: Engine, query: Query) -> list[int]:
    with engine.connect() as reading:
        page = select_page(reading, query, Visible(), newest_seq(reading), None, query.limit or 100)
    return [event.mark.seq - 1 for event in page.events]


def as_url(ask: dict[str, Any]) -> list[tuple[str, str]]:
    """The same as parameters of a URL."""
    return [(name, "|".join(map(_text, _each(value)))) for name, value in ask.items()]


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return "true" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("case", VECTORS["queries"], ids=lambda case: "+".join(case["ask"]) or "everything")
def test_a_parameter_finds_what_it_says_in_an_object_and_in_a_url(engine: Engine, case: dict[str, Any]) -> None:
    as_object = found(engine, parse_query_object(case["ask"], CONTEXT.expand))
    in_url = found(engine, parse_url_query(as_url(case["ask"]), {"lpg": "https://ns.example.org/lpg/"}))
    if not case.get("in_order"):
        as_object, in_url = sorted(as_object), sorted(in_url)
    assert as_object == case["finds"]
    assert in_url == case["finds"]


def test_the_vectors_hold_every_parameter_that_has_one_name() -> None:
    asked = {name for case in VECTORS["queries"] for name in case["ask"]}
    same = {"GE_errorDeclaration_Time", "LT_errorDeclarationTime"}
    assert set(NAMES) - same <= asked


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: "+".join(case["ask"]))
def test_what_cannot_be_asked_is_refused_by_the_name_of_the_parameter(case: dict[str, Any]) -> None:
    with pytest.raises(QueryFault) as refused:
        parse_query_object(case["ask"], CONTEXT.expand)
    assert (refused.value.kind, refused.value.parameter) == (case["exception"], case["at"])
    assert refused.value.en.startswith(case["at"])
    assert refused.value.zh.startswith(case["at"])


@pytest.mark.parametrize(
    ("ask", "at"),
    [
        ({f"EQ_x:{number}": ["1"] for number in range(1000)}, "EQ_x:"),
        ({"MATCH_epc": [f"urn:x:{number}" for number in range(101)]}, "MATCH_epc"),
        ({"MATCH_epc": ["urn:x:" + "9" * 2000]}, "MATCH_epc"),
        ({"EQ_urn:" + "x" * 2000: ["1"]}, "EQ_urn:"),
    ],
)
def test_a_query_that_asks_for_too_much_at_once_is_told_which_parameter(ask: dict[str, Any], at: str) -> None:
    ways: list[tuple[Callable[[Any], Query], Any]] = [(parse_query_object, ask), (parse_url_query, as_url(ask))]
    for parse, said in ways:
        with pytest.raises(QueryFault) as refused:
            parse(said)
        assert refused.value.kind == "too_complex"
        assert refused.value.parameter.startswith(at)
        assert len(refused.value.en) < 500


@pytest.mark.parametrize("value", [None, 7, "text", ["list"], True])
def test_a_query_that_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(QueryFault) as refused:
        parse_query_object(value)
    assert refused.value.kind == "invalid"


def test_several_values_are_joined_by_a_bar_or_repeated() -> None:
    joined = parse_url_query([("EQ_bizStep", "shipping|receiving")])
    assert joined == parse_url_query([("EQ_bizStep", "receiving"), ("EQ_bizStep", "shipping")])


def test_a_page_is_never_larger_than_the_service_allows() -> None:
    assert parse_url_query([("perPage", "100000000")]).per_page == MOST_PER_PAGE
    assert parse_url_query([]).per_page == 30


def test_what_a_url_asks_for_with_a_bare_plus_is_understood() -> None:
    plus = parse_url_query([("GE_eventTime", "2026-04-01T08:00:00 08:00")])
    assert plus == parse_url_query([("GE_eventTime", "2026-04-01T08:00:00+08:00")])


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=3))
def test_whatever_is_asked_is_answered_or_refused_in_words(name: str, values: list[str]) -> None:
    for prefix in ("", "EQ_", "MATCH_", "GE_", "EXISTS_INNER_", "EQ_bizTransaction_", "EQ_x:"):
        try:
            query = parse_url_query([(prefix + name, "|".join(values))])
        except QueryFault as fault:
            assert fault.zh  # noqa: PT017
        else:
            assert query.per_page >= 1


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_texts_of_numbers_sort_as_the_numbers_do(one: float, other: float) -> None:
    assert (number_text(one) < number_text(other)) == (one < other)
    assert (number_text(one) == number_text(other)) == (one == other)


@given(st.integers(-62_000_000_000_000, 250_000_000_000_000))
def test_an_instant_is_written_and_read_to_the_millisecond(at: int) -> None:
    assert instant_of(format_instant(at)) == at


@given(st.text(max_size=600), st.text(max_size=600))
def test_a_long_value_is_shortened_and_stays_itself(one: str, other: str) -> None:
    assert len(short(one).encode()) <= 400
    assert (short(one) == short(other)) == (one == other)
