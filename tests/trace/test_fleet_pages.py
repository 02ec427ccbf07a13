"""Lists of the fleet: every condition, alone and joined, page after page, gives what going through all rows gives."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import parse_day
from cylinder_trace.store.fleet import pages
from cylinder_trace.store.fleet.pages import Listed, Wanted, read_page
from cylinder_trace.store.tables import FleetRow
from cylinder_trace.store.unit import table_of
from cylinder_trace.store.upsert import upsert
from cylinder_trace.subjects import format_state
from ledgers.homes import STAMP, START, Home

DAY = parse_day("2026-09-01")
COUNT = 240


def row(number: int) -> FleetRow:
    """A cylinder whose facts are drawn from its number, so that all of them meet."""
    marks = [mark for mark, each in (("black", 8), ("lost", 9), ("recall", 7)) if number % each == 0]
    state = CylinderState(
        cylinder_id=f"cyl_{number:04}", n=1, stamp=STAMP, owner_id=f"co_{number % 3}", in_service_on="2024-04-01",
        status_since=START,
    )  # fmt: skip
    return FleetRow(
        cylinder_id=state.cylinder_id,
        owner_id=state.owner_id,
        station_id=f"st_{number % 4}" if number % 5 else None,
        district=["330106", "330110", "3302", None][number % 4],
        maker=f"maker {number % 2}",
        serial=f"A{number % 60}",
        model=["YSP35.5", "YSP118"][number % 3 == 0],
        made=f"20{10 + number % 9}-0{1 + number % 3}" if number % 11 else None,
        status=["empty", "at_customer", "condemned", "filled", "at_customer"][number % 5],
        due_day=None if number % 5 == 2 else DAY + number % 13 * 30,
        lot_id=f"lot_{number % 10}" if number % 2 else None,
        black="black" in marks,
        lost="lost" in marks,
        marks="".join(f"|{mark}" for mark in marks) + "|" * bool(marks),
        state=format_state(state),
        memo="{}",
    )


ROWS = [row(number) for number in range(COUNT)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    from servers.postgres import fresh_database

    folder = tmp_path_factory.mktemp("fleet")
    if request.param == "sqlite":
        yield from _filled(Home(f"sqlite:///{folder}/ledger.db", folder))
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        yield from _filled(Home(url, folder))


def _filled(home: Home) -> Iterator[Engine]:
    with home.open() as ledger:
        with ledger.engine.begin() as connection:
            upsert(connection, table_of(FleetRow), [found.model_dump() for found in ROWS])
        yield ledger.engine


CONDITIONS: dict[str, tuple[Wanted, Callable[[FleetRow], bool]]] = {
    "serial": (Wanted(serial="A7"), lambda row: row.serial == "A7"),
    "lost": (Wanted(lost=True), lambda row: row.lost),
    "black": (Wanted(black=True), lambda row: row.black),
    "recalled": (Wanted(mark="recall"), lambda row: "|recall|" in row.marks),
    "lot": (Wanted(lot_id="lot_3"), lambda row: row.lot_id == "lot_3"),
    "overdue": (Wanted(due_to=DAY + 59), lambda row: row.due_day is not None and row.due_day < DAY + 60),
    "due": (
        Wanted(due_from=DAY + 60, due_to=DAY + 120),
        lambda row: row.due_day is not None and DAY + 60 <= row.due_day <= DAY + 120,
    ),
    "station": (Wanted(station_id="st_1"), lambda row: row.station_id == "st_1"),
    "owner": (Wanted(owner_id="co_2"), lambda row: row.owner_id == "co_2"),
    "district": (Wanted(district="3301"), lambda row: (row.district or "").startswith("3301")),
    "maker": (Wanted(maker="maker 1"), lambda row: row.maker == "maker 1"),
    "model": (Wanted(model="YSP118"), lambda row: row.model == "YSP118"),
    "year": (Wanted(made="2014"), lambda row: (row.made or "").startswith("2014")),
    "month": (Wanted(made="2014-02"), lambda row: row.made == "2014-02"),
    "status": (Wanted(status="at_customer"), lambda row: row.status == "at_customer"),
    "none": (Wanted(), lambda row: True),
}


def whole_list(engine: Engine, wanted: Wanted, limit: int) -> list[Listed]:
    """Every page of a list, one behind the other."""
    rows, behind = list[Listed](), None
    for _ in range(2 * COUNT):
        with engine.connect() as connection:
            page = read_page(connection, wanted, behind, limit)
        assert len(page.rows) <= limit
        rows += page.rows
        if (behind := page.next) is None:
            return rows
    raise AssertionError("the list does not end")


def both(one: str, other: str) -> Wanted:
    given = [CONDITIONS[name][0] for name in (one, other)]
    fields = {
        name: next((getattr(wanted, name) for wanted in given if getattr(wanted, name)), None)
        for name in Wanted.__dataclass_fields__
    }
    return Wanted(**{name: value for name, value in fields.items() if value is not None})


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_lists_the_cylinders_that_meet_it_each_once(engine: Engine, name: str) -> None:
    wanted, meets = CONDITIONS[name]
    for limit in (7, 1000):
        listed = [found.cylinder.cylinder_id for found in whole_list(engine, wanted, limit)]
        assert sorted(listed) == [found.cylinder_id for found in ROWS if meets(found)]
        assert listed


def test_two_conditions_list_what_meets_both_however_few_rows_a_page_looks_at(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_LOOKED_AT", 11)
    apart = [{"due", "overdue"}, {"year", "month"}]
    for one, other in itertools.combinations(CONDITIONS, 2):
        if {one, other} in apart:
            continue
        listed = [found.cylinder.cylinder_id for found in whole_list(engine, both(one, other), 5)]
        meets = [found.cylinder_id for found in ROWS if CONDITIONS[one][1](found) and CONDITIONS[other][1](found)]
        assert sorted(listed) == meets, (one, other)


def test_what_is_due_comes_first_that_is_due_first(engine: Engine) -> None:
    days = [found.due_day for found in whole_list(engine, Wanted(due_to=DAY + 400), 50)]
    assert days == sorted(day for day in days if day is not None)


INDEXES = {
    "serial": "fleet_by_serial (serial=? AND cylinder_id>? AND cylinder_id<?)",
    "lost": "fleet_lost (cylinder_id>? AND cylinder_id<?)",
    "black": "fleet_black (cylinder_id>? AND cylinder_id<?)",
    "recalled": "fleet_marked (cylinder_id>? AND cylinder_id<?)",
    "lot": "fleet_by_lot (lot_id=? AND cylinder_id>? AND cylinder_id<?)",
    "overdue": "fleet_by_due ((due_day,cylinder_id)>(?,?) AND (due_day,cylinder_id)<(?,?))",
    "station": "fleet_by_station (station_id=? AND cylinder_id>? AND cylinder_id<?)",
    "owner": "fleet_by_owner (owner_id=? AND cylinder_id>? AND cylinder_id<?)",
    "district": "fleet_by_district ((district,cylinder_id)>(?,?) AND (district,cylinder_id)<(?,?))",
    "maker": "fleet_by_maker (maker=? AND cylinder_id>? AND cylinder_id<?)",
    "status": "fleet_by_status (status=? AND cylinder_id>? AND cylinder_id<?)",
    "none": "sqlite_autoindex_fleet_1 (cylinder_id>? AND cylinder_id<?)",
}
"""On SQLite; PostgreSQL plans by what is in the table."""


@pytest.mark.parametrize("name", INDEXES)
def test_a_page_runs_along_one_index_between_two_bounds_whatever_else_is_asked(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(pages, "_LOOKED_AT", 3)
    asked: list[tuple[str, Any]] = []
    with engine.connect() as connection, listening(connection, asked):
        read_page(connection, both(name, "model"), None, 2)
    said, given = asked[1]
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}", given).all()
        assert [step.detail for step in plan] == [f"SEARCH fleet USING INDEX {INDEXES[name]}"]


@contextmanager
def listening(connection: Connection, asked: list[tuple[str, Any]]) -> Iterator[None]:
    def heard(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", heard)
    yield
    event.remove(connection, "before_cursor_execute", heard)
