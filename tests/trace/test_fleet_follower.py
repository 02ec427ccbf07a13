"""Lists and figures follow the log, beside the append path: on both homes they are what its entries add up to."""

import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cylinder_trace import events
from cylinder_trace.audit import StoredEntry
from cylinder_trace.cylinder import StateError
from cylinder_trace.dates import DAY_MS, parse_day, start_of_day_ms
from cylinder_trace.events import Entry, Event, Record, parse_entry, state_event
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.fleet.follower import Follower
from cylinder_trace.store.fleet.place import FIGURE, FLEET, forget, read_followed
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.unit import CodeTaken, Unit
from cylinder_trace.subjects import parse_state
from ledgers.homes import STAMP, START, bound, condemned, registered, returned

ROOT = Path(__file__).parents[2]
BOOK = (ROOT / "trace/cylinder_trace/rulebooks/cn-default.toml").read_text("utf-8")
STORED = [
    parse_entry(entry["text"].encode())
    for entry in json.loads((ROOT / "tests/vectors/entries.json").read_text("utf-8"))["entries"]
]
Row = dict[str, Any]


@pytest.fixture
def follower(ledger: Ledger) -> Follower:
    return Follower(ledger.engine, ledger.reader, "cn-default")


def fleet(ledger: Ledger) -> dict[str, Row]:
    with ledger.engine.connect() as connection:
        return {row.cylinder_id: dict(row._mapping) for row in connection.execute(select(FLEET))}


def figures(ledger: Ledger) -> dict[tuple[Any, ...], int]:
    with ledger.engine.connect() as connection:
        rows = connection.execute(select(FIGURE)).all()
    return {tuple(row)[:5]: row.value for row in rows if row.value}


def stock(ledger: Ledger, month: int = 0) -> dict[str, int]:
    sums: dict[str, int] = {}
    for (of, word, *_), value in figures(ledger).items():
        if of == month:
            sums[word] = sums.get(word, 0) + value
    return sums


def said(subject: str, event: Event, id: str, at: int = START) -> Record:
    return state_event(event, id=id, subject=subject, occurred_at=at, by="account_1")


def published(text: str = BOOK, version: str = "2026.1", id: str = "book.1") -> Record:
    event = events.RulebookPublished(rulebook_id="cn-default", version=version, text=text)
    return said("rulebook/cn-default", event, id)


def licensed(station: str, company: str, region: str, id: str) -> Record:
    event = events.StationLicensed(company_id=company, licence_no="L", valid_until="2099-12-31", region=region)
    return said(f"station/{station}", event, id)


def test_each_cylinder_has_one_row_with_the_state_that_its_chain_adds_up_to(ledger: Ledger, follower: Follower) -> None:
    ledger.append([registered(1), registered(2, owner="co_2"), bound(1), bound(2), returned(1, "r1"), condemned(2)])
    assert follower.catch_up() == 6
    rows = fleet(ledger)
    assert set(rows) == {"cyl_1", "cyl_2"}
    for cylinder_id, row in rows.items():
        assert parse_state(f"cylinder/{cylinder_id}", row["state"]) == ledger.reader.state(f"cylinder/{cylinder_id}")
    assert (rows["cyl_2"]["owner_id"], rows["cyl_2"]["status"], rows["cyl_2"]["serial"]) == (
        "co_2",
        "condemned",
        "A0002",
    )
    assert stock(ledger) == {"stock.empty": 1, "stock.condemned": 1}


def test_the_rows_and_sums_are_the_same_in_whatever_steps_the_log_was_followed(
    ledger: Ledger, follower: Follower
) -> None:
    ledger.transact(live)
    ends = []
    for limit in (1, 3, 1000):
        follower.rebuild() if limit == 1000 else _again(follower, ledger, limit)
        with ledger.engine.connect() as connection:
            ends.append((fleet(ledger), figures(ledger), read_followed(connection)))
    assert ends[0] == ends[1] == ends[2]
    assert ends[0][2].place.size == ledger.reader.size() > 40
    assert all(json.loads(row["state"])["cylinder_id"] == key for key, row in ends[0][0].items())
    assert {month for month, *_ in ends[0][1]} - {0}


def live(unit: Unit) -> None:
    """Every kind of entry that there is, a day apart, so that months close between them."""
    first = start_of_day_ms(parse_day("2026-09-24"))
    for number, entry in enumerate([published(), registered(3), licensed("st_1", "co_1", "330106", "l.1"), *STORED]):
        with suppress(StateError, CodeTaken):  # the vectors are single entries, and not all of them follow
            record = entry.record() if isinstance(entry, Entry) else entry
            unit.append(record, first + number * DAY_MS)


def _again(follower: Follower, ledger: Ledger, limit: int) -> None:
    with ledger.engine.begin() as connection:
        forget(connection)
    while follower.step(limit) >= 0:
        pass


def test_a_due_day_is_reckoned_by_the_rulebook_in_force_and_anew_when_another_comes_into_force(
    ledger: Ledger, follower: Follower
) -> None:
    ledger.append([published(), registered(1), registered(2)])
    follower.catch_up()
    assert [row["due_day"] for row in fleet(ledger).values()] == [parse_day("2028-03-01")] * 2
    longer = BOOK.replace('version = "2026.1"', 'version = "2026.2"').replace(
        "interval_months = 48", "interval_months = 60"
    )
    longer = longer.replace('valid_from = "2026-01-01"', 'valid_from = "2026-02-01"')
    assert longer.count("2026.2") == longer.count("interval_months = 60") == longer.count("2026-02-01") == 1
    ledger.append([published(longer, "2026.2", "book.2"), registered(3)])
    follower.catch_up()
    assert [row["due_day"] for row in fleet(ledger).values()] == [parse_day("2029-03-01")] * 3
    assert {word: count for word, count in stock(ledger).items() if word.startswith("due.")} == {
        f"due.{parse_day('2029-03-01'):07}": 3
    }


def test_a_cylinder_lies_in_its_own_region_or_where_its_owners_station_is_licensed(
    ledger: Ledger, follower: Follower
) -> None:
    bound_to = events.CylinderRegistered(stamp=STAMP, owner_id="co_1", in_service_on="2024-04-01", region="330200")
    ledger.append([licensed("st_1", "co_1", "330106", "l.1"), registered(1), said("cylinder/cyl_9", bound_to, "reg.9")])
    follower.catch_up()
    assert {key: row["district"] for key, row in fleet(ledger).items()} == {"cyl_1": "330106", "cyl_9": "330200"}
    ledger.append([licensed("st_1", "co_1", "330110", "l.2")])
    follower.catch_up()
    assert {key: row["district"] for key, row in fleet(ledger).items()} == {"cyl_1": "330110", "cyl_9": "330200"}
    assert {key[2] for key in figures(ledger) if key[1] == "stock.empty"} == {"330110", "330200"}


class OvertakenReader(Reader):
    """Each time it has read entries, another follower goes a step on before they are folded."""

    other: Follower

    def entries(self, start: int = 0, limit: int = 1000) -> list[StoredEntry]:
        found = super().entries(start, limit)
        self.other.step(2)
        return found


def test_who_catches_up_while_another_follows_goes_on_from_where_that_one_is(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append([published(), *(registered(number) for number in range(1, 10))])
    reader = OvertakenReader(ledger.engine, LogFiles(tmp_path / "files"), "no key")
    reader.other = Follower(ledger.engine, ledger.reader, "cn-default")
    assert Follower(ledger.engine, reader, "cn-default").catch_up() == 10
    assert (len(fleet(ledger)), stock(ledger)["stock.empty"]) == (9, 9)


def test_two_followers_at_once_fold_each_entry_once(ledger: Ledger, follower: Follower) -> None:
    ledger.append([registered(number) for number in range(1, 60)])
    ledger.append([bound(number) for number in range(1, 60)])
    other = Follower(ledger.engine, ledger.reader, "cn-default")
    for one in (follower, other):
        one.start()
    waited = threading.Event()
    for _ in range(400):
        with ledger.engine.connect() as connection:
            if read_followed(connection).place.size == 118:
                break
        waited.wait(0.05)
    for one in (follower, other):
        one.stop()
    assert len(fleet(ledger)) == 59
    assert stock(ledger) == {"stock.empty": 59}
    assert sum(value for (_, word, *_), value in figures(ledger).items() if word == "registered") == 59
