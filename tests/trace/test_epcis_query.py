"""Whatever is asked of whatever events: the database finds what going through all of them finds, page by page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epcis_oracle as oracle
import pytest
from epcis_rows import forget_events, home_at, put_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from cylinder_trace.epcis.query import Query
from cylinder_trace.epcis.query_language import parse_query_object, parse_url_query
from cylinder_trace.store.epcis import selecting
from cylinder_trace.store.epcis.selecting import Mark, Visible, count_upto, newest_seq, select_page

ALL = Visible()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("epcis")
        with home_at(f"sqlite:///{folder / 'ledger.db'}") as engine:
            yield engine
    else:
        from servers.postgres import fresh_database

        with fresh_database(request.getfixturevalue("postgres_server")) as url, home_at(url) as engine:
            yield engine


def writings(*numbers: int) -> st.SearchStrategy[str]:
    return st.sampled_from([text for number in numbers for text in oracle.SAME[number]])


EPCS, CLASSES, PLACES = writings(0, 1, 2, 3, 4), writings(5, 6), writings(7, 8, 9, 10)
STEPS, DISPOSITIONS = writings(13, 14, 15), writings(16, 17)
TIMES = st.sampled_from(
    ["2026-04-01T08:00:00+08:00", "2026-04-01T00:00:00.000Z", "2026-04-01T00:00:00.001Z", "2025-12-31T23:59:59.5-01:00"]
)
NUMBERS = st.sampled_from([-1.5, 0, 14.5, 14.499, 200, 1e-7, 31.0])
LOOSE = st.one_of(st.sampled_from(["ALLOW", "DENY", "10", "10.0", "true", "", "气"]), TIMES, NUMBERS, st.booleans())
FIELD = st.recursive(
    LOOSE,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=2),
        st.dictionaries(st.sampled_from(["ex:a", "ex:b"]), inner, min_size=1, max_size=2),
    ),
    max_leaves=4,
)
EXTENSIONS = st.dictionaries(st.sampled_from(["ex:a", "ex:b", "cbvmda:lotNumber"]), FIELD, max_size=2)
QUANTITIES = st.lists(
    st.fixed_dictionaries(
        {"epcClass": CLASSES}, optional={"quantity": NUMBERS, "uom": st.sampled_from(["KGM", "LTR"])}
    ),
    max_size=2,
)
SENSORS = st.lists(
    st.fixed_dictionaries(
        {
            "sensorReport": st.lists(
                st.fixed_dictionaries(
                    {"type": writings(21)},
                    optional={
                        "value": NUMBERS,
                        "uom": st.sampled_from(["KGM", "LTR"]),
                        "deviceID": EPCS,
                        "stringValue": st.sampled_from(["leak", "tight"]),
                        "time": TIMES,
                    },
                ),
                min_size=1,
                max_size=2,
            )
        },
        optional={"sensorMetadata": st.fixed_dictionaries({}, optional={"deviceID": EPCS, "startTime": TIMES})},
    ),
    min_size=1,
    max_size=2,
)
ERROR = st.fixed_dictionaries(
    {"declarationTime": TIMES},
    optional={
        "reason": writings(20),
        "correctiveEventIDs": st.lists(st.sampled_from(["urn:uuid:a", "urn:uuid:b"]), min_size=1, max_size=2),
        "ex:why": LOOSE,
    },
)


def _lists_of(kind: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(kind, max_size=2)


def _pairs(field: str, types: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[list[Any]]:
    return _lists_of(st.fixed_dictionaries({field: values}, optional={"type": types}))


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    optional = {
        "action": st.sampled_from(["ADD", "OBSERVE", "DELETE"]),
        "bizStep": STEPS,
        "disposition": DISPOSITIONS,
        "readPoint": st.fixed_dictionaries({"id": PLACES}, optional={"ex:a": FIELD}),
        "bizLocation": st.fixed_dictionaries({"id": PLACES}),
        "epcList": _lists_of(EPCS),
        "childEPCs": _lists_of(EPCS),
        "parentID": EPCS,
        "inputEPCList": _lists_of(EPCS),
        "outputEPCList": _lists_of(EPCS),
        "transformationID": st.sampled_from(["urn:x:t1", "urn:x:t2"]),
        "quantityList": QUANTITIES,
        "inputQuantityList": QUANTITIES,
        "bizTransactionList": _pairs("bizTransaction", writings(18), writings(12)),
        "sourceList": _pairs("source", writings(19), writings(11)),
        "persistentDisposition": st.fixed_dictionaries({}, optional={"set": _lists_of(DISPOSITIONS)}),
        "ilmd": EXTENSIONS,
        "sensorElementList": SENSORS,
        "errorDeclaration": ERROR,
        "eventID": st.sampled_from(["urn:uuid:a", "urn:uuid:b", "urn:uuid:c"]),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(optional)), max_size=7))
    made = {
        "type": draw(st.sampled_from(["ObjectEvent", "AggregationEvent", "TransformationEvent"])),
        "eventTime": draw(TIMES),
        "eventTimeZoneOffset": "+08:00",
        **{name: draw(optional[name]) for name in sorted(chosen)},
    }
    return made | draw(EXTENSIONS)


_COMPARISONS = st.sampled_from(["EQ", "GT", "GE", "LT", "LE"])
_FIELDS = st.sampled_from(
    ["ex:a", "https://ns.example.org/b", "INNER_ex:a", "INNER_ex:b", "ILMD_ex:a", "INNER_ILMD_ex:b",
     "ILMD_cbvmda:lotNumber", "ERROR_DECLARATION_ex:why", "readPoint_ex:a", "INNER_readPoint_ex:b"]
)  # fmt: skip
_MATCHED = st.one_of(EPCS, CLASSES, st.sampled_from(sorted(oracle.PATTERNS)))
_ASKED: dict[str, st.SearchStrategy[str]] = {
    "eventType": st.sampled_from(["ObjectEvent", "AggregationEvent", "AssociationEvent"]),
    "EQ_action": st.sampled_from(["ADD", "OBSERVE"]),
    "EQ_bizStep": STEPS,
    "EQ_disposition": DISPOSITIONS,
    "EQ_persistentDisposition_set": DISPOSITIONS,
    "EQ_persistentDisposition_unset": DISPOSITIONS,
    "EQ_readPoint": PLACES,
    "WD_readPoint": PLACES,
    "EQ_bizLocation": PLACES,
    "WD_bizLocation": PLACES,
    "EQ_transformationID": st.sampled_from(["urn:x:t1", "urn:x:t3"]),
    "EQ_eventID": st.sampled_from(["urn:uuid:a", "urn:uuid:d"]),
    "EQ_errorReason": writings(20),
    "EQ_correctiveEventID": st.sampled_from(["urn:uuid:a", "urn:uuid:c"]),
    "EQ_bizTransaction_po": writings(12),
    "EQ_source_owning_party": writings(11),
    "EQ_destination_owning_party": writings(11),
    "EQ_type": writings(21),
    "EQ_deviceID": EPCS,
    "EQ_stringValue": st.sampled_from(["leak", "other"]),
    **dict.fromkeys(
        ["MATCH_epc", "MATCH_parentID", "MATCH_inputEPC", "MATCH_outputEPC", "MATCH_anyEPC", "MATCH_epcClass",
         "MATCH_inputEPCClass", "MATCH_outputEPCClass", "MATCH_anyEPCClass"], _MATCHED,
    ),
}  # fmt: skip


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, list[str]]:
    kind = draw(st.sampled_from(["list", "list", "number", "field", "time", "exists"]))
    if kind == "list":
        name = draw(st.sampled_from(sorted(_ASKED)))
        return name, draw(st.lists(_ASKED[name], min_size=1, max_size=3))
    if kind == "number":
        field = draw(st.sampled_from(["quantity", "quantity_KGM", "value_KGM"]))
        return f"{draw(_COMPARISONS)}_{field}", [str(draw(NUMBERS))]
    if kind == "field":
        asked = draw(st.one_of(st.sampled_from(["10", "14.5"]), TIMES))
        comparison = draw(_COMPARISONS)
        more = st.sampled_from(["ALLOW", "true", "10", asked])
        return f"{comparison}_{draw(_FIELDS)}", [draw(more)] if comparison == "EQ" else [asked]
    if kind == "time":
        times = ["eventTime", "errorDeclarationTime", "time", "startTime"]
        return f"{draw(st.sampled_from(['GE', 'LT']))}_{draw(st.sampled_from(times))}", [draw(TIMES)]
    field = draw(st.one_of(_FIELDS, st.sampled_from(["errorDeclaration", "sensorElementList"])))
    return f"EXISTS_{field}", [draw(st.sampled_from(["true", "true", "false"]))]


_ORDERS = st.sampled_from(
    [[], ["eventTime"], ["recordTime"], ["eventTime", "ASC"], ["recordTime", "ASC"], ["ex:a"], ["ex:b", "ASC"]]
)
_PREFIXES = {"ex": "https://ns.example.org/"}


def _given(asked: list[tuple[str, list[str]]], order: list[str]) -> list[tuple[str, str]]:
    said = [(name, "|".join(values)) for name, values in asked]
    return said + list(zip(("orderBy", "orderDirection"), order, strict=False))


def _pages(engine: Engine, query: Query, size: int, visible: Visible = ALL) -> Iterator[list[selecting.Found]]:
    behind: Mark | None = None
    with engine.connect() as reading:
        upto = newest_seq(reading)
        while True:
            page = select_page(reading, query, visible, upto, behind, size)
            yield list(page.events)
            if page.next is None:
                return
            behind = page.next


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    made=st.lists(events(), max_size=12),
    asked=st.lists(conditions(), max_size=3, unique_by=lambda condition: condition[0]),
    order=_ORDERS,
    size=st.integers(1, 5),
)
def test_the_database_finds_what_going_through_all_events_finds(
    engine: Engine, made: list[dict[str, Any]], asked: list[tuple[str, list[str]]], order: list[str], size: int
) -> None:
    with engine.begin() as writing:
        forget_events(writing)
        put_events(writing, made)
    wanted = {
        seq
        for seq, event in enumerate(made, 1)
        if oracle.matches(event, 0, event.get("eventID", ""), asked)
    }  # fmt: skip
    query = parse_url_query(_given(asked, order), _PREFIXES)
    found = [event for page in _pages(engine, query, size) for event in page]
    assert sorted(event.mark.seq for event in found) == sorted(wanted)
    _require_order(made, [event.mark.seq for event in found], order)
    with engine.connect() as reading:
        assert count_upto(reading, query, ALL, len(made), 10**9) == len(wanted)
    as_object: dict[str, Any] = {name: values for name, values in asked if not name.startswith("EXISTS")}
    if len(as_object) == len(asked):
        assert parse_query_object(as_object, _expand)._replace(order=query.order) == query


def _expand(text: str) -> str:
    return "https://ns.example.org/" + text.removeprefix("ex:") if text.startswith("ex:") else text


def _require_order(made: list[dict[str, Any]], found: list[int], order: list[str]) -> None:
    if order[:1] == ["eventTime"]:
        keys = [oracle.instant(made[seq - 1]["eventTime"]) for seq in found]
    elif order[:1] == ["recordTime"]:
        keys = found
    else:
        return
    assert keys == sorted(keys, reverse=order[1:] != ["ASC"])
