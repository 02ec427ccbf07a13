"""The month's figures that a regulator asks for, counted by hand for a small town of one month."""

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_house import Bottle, House, database_of, filled, new_id

from cylinder_trace import events
from cylinder_trace.dates import DAY_MS, HOUR_MS, parse_day, start_of_day_ms
from cylinder_trace.decision import Decision, FillRequest, Refusal, StationFacts

MARCH = start_of_day_ms(parse_day("2027-03-02")) + 12 * HOUR_MS


class Month:
    """A town in March 2027 whose clock a test sets."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.at = MARCH
        self.house = House(folder, url, clock=lambda: self.at)

    def say(self, subject: str, event: events.Event, id: str | None = None) -> None:
        self.at += HOUR_MS
        self.house.append(subject, event, id, self.at)

    def check(self, bottle: Bottle, *reasons: str, lot_id: str | None = None) -> str:
        """A decision at st_1; the id of the check."""
        self.at += HOUR_MS
        request = FillRequest(
            check_id=new_id("chk"), raw_scan=bottle.code, code=bottle.code, station_id="st_1", scale_id="sc_1_1",
            lane=1, boot_id="b", worker_id="fl_1", empty_gross_g=16_600, requested_at=self.at, lot_id=lot_id,
        )  # fmt: skip
        decision = Decision(
            check_id=request.check_id, outcome="DENY" if reasons else "ALLOW", rulebook="cn-default@2026.1",
            reasons=tuple(Refusal(code=code, word="x") for code in reasons), data_as_of=self.at, decided_at=self.at,
        )  # fmt: skip
        facts = StationFacts(station_id="st_1", company_id="co_1", clock_skew_ms=0, data_as_of=self.at)
        event = events.FillDecided(request=request, station=facts, decision=decision, decided_by="service")
        self.house.append(bottle.subject, event, request.check_id, self.at)
        return request.check_id

    def fill(self, bottle: Bottle, check_id: str) -> None:
        self.at += HOUR_MS
        event = filled(check_id).model_copy(update={"started_at": self.at, "ended_at": self.at})
        self.house.append(bottle.subject, event, None, self.at)

    def sell(self, bottle: Bottle) -> None:
        event = events.Sold(
            order_no=new_id("o"), point_id="p", worker_id="w", customer_id="cus_1", identity_commitment="0" * 64,
            safety_check_passed=True,
        )  # fmt: skip
        self.say(bottle.subject, event)

    def figures(self, role: str = "regulator", month: str = "2027-03", **query: str) -> list[dict[str, Any]]:
        size, deadline = self.house.running.ledger.reader.size(), time.monotonic() + 30
        while True:
            answer = self.house.as_(role).get("/v1/figures", params={"month": month, **query})
            assert answer.status_code == 200, answer.text
            if answer.json()["complete_to"]["entries"] == size:
                items: list[dict[str, Any]] = answer.json()["items"]
                return items
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    with database_of(request) as url:
        month = Month(tmp_path_factory.mktemp("month"), url)
        with month.house:
            yield lived(month)


def lived(month: Month) -> Month:
    """Three cylinders of co_1 and one of co_2, and what happens to them in March."""
    house, say = month.house, month.say
    first, second, old = house.new_bottle(), house.new_bottle(), house.new_bottle(manufactured_month="2019-01")
    house.new_bottle(owner="co_2")
    month.fill(first, month.check(first, lot_id="lot_9"))
    month.sell(first)
    month.fill(first, month.check(first))
    month.fill(first, "never-asked")
    month.check(second, "R20", "R33")
    month.check(old, "R20")
    inspected = events.Inspected(
        body_id="ib_1", inspected_month="2027-03", next_due_month="2031-03", result="passed", report_no="r"
    )
    say(second.subject, inspected)
    say(old.subject, inspected.model_copy(update={"result": "failed", "next_due_month": None}))
    taken_over = inspected.model_copy(update={"inspected_month": "2026-01", "next_due_month": "2030-01"})
    say(second.subject, taken_over)
    say(old.subject, events.Condemned(body_id="ib_1", cause="thin"))
    month.at += 10 * DAY_MS
    say(old.subject, events.Destroyed(body_id="ib_1", method="cut", evidence_sha256=()))
    say(second.subject, events.Flagged(flag="black", authority_id="au_1", cause="c"))
    say(second.subject, events.ReportedLost(holder_id="co_1", cause="c"))
    return month


def test_a_months_figures_are_what_happened_in_it(town: Month) -> None:
    (item,) = town.figures()
    said = {name: value for name, value in item.items() if value not in (0, None, {})}
    assert said == {
        "on_file": 3, "filled_in_stock": 1, "black": 1, "lost": 1,
        "checked": 4, "refused": 2, "refused_by": {"R20": 2, "R33": 1}, "refusal_rate": 0.5,
        "filled": 3, "filled_g": 43_500, "scanned": 2, "coverage": 0.6667,
        "turned": 2, "turned_sold": 1, "real_name_rate": 0.5, "sold": 1, "safety_passed": 1,
        "inspected": 2, "inspected_passed": 1, "inspected_on_time": 1, "on_time_rate": 0.5,
        "condemned": 1, "destroyed": 1, "days_to_destruction": 10.0, "black_found": 1, "lost_reported": 1,
    }  # fmt: skip


def test_figures_come_apart_by_station_company_and_district_and_a_company_sees_its_own(town: Month) -> None:
    by_station = {item["of"]: item for item in town.figures(by="station")}
    assert (by_station["st_1"]["filled"], by_station["st_1"]["refused"]) == (3, 2)
    by_company = {item["of"]: item["on_file"] for item in town.figures(by="company")}
    assert by_company == {"co_1": 2, "co_2": 1}
    assert {item["of"]: item["filled"] for item in town.figures(by="district")} == {"R": 3}
    assert [item["filled"] for item in town.figures(district="R")] == [3]
    assert [item["filled"] for item in town.figures(district="S")] == [0]
    assert [item["on_file"] for item in town.figures("company")] == [2]
    refused = town.house.as_("company").get("/v1/figures", params={"month": "2027-03", "company": "co_2"})
    assert (refused.status_code, refused.json()["code"]) == (403, "other_owner")


def test_figures_are_a_table_for_who_asks_for_one(town: Month) -> None:
    town.figures()
    answer = town.house.as_("regulator").get(
        "/v1/figures", params={"month": "2027-03", "by": "station"}, headers={"Accept": "text/csv"}
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="figures-2027-03.csv"'
    head, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    station = dict(zip(head, next(row for row in rows if row[1] == "st_1"), strict=True))
    assert (station["month 月份"], station["filled 充装"], station["refused_by 拒充原因"]) == (
        "2027-03",
        "3",
        "R20:2 R33:1",
    )


def test_a_closed_month_keeps_its_stock_and_overdue_is_counted_at_its_end(tmp_path: Path) -> None:
    month = Month(tmp_path)
    with month.house as house:
        house.new_bottle(manufactured_month="2023-03")
        later = house.new_bottle(manufactured_month="2023-05")
        month.say(later.subject, events.Flagged(flag="black", authority_id="au_1", cause="c"))
        assert [(item["on_file"], item["overdue"], item["black"]) for item in month.figures()] == [(2, 1, 1)]
        month.at += 31 * DAY_MS
        month.say(later.subject, events.FlagCleared(flag="black", authority_id="au_1", cause="c"))
        month.at += 31 * DAY_MS
        house.new_bottle(manufactured_month="2027-01")
        of = {name: month.figures(month=name)[0] for name in ("2027-02", "2027-03", "2027-04", "2027-05")}
    stock = {name: (item["on_file"], item["overdue"], item["black"]) for name, item in of.items()}
    assert stock == {"2027-02": (0, 0, 0), "2027-03": (2, 1, 1), "2027-04": (2, 1, 0), "2027-05": (3, 2, 0)}
