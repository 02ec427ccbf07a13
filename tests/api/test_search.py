"""Finding cylinders over HTTP: by any name, by the stamp, by a sale, and in lists, by those who may see them."""

import time
from typing import Any

import httpx
import pytest
from api_house import Bottle, House, new_id, now

from cylinder_trace import events
from cylinder_trace.dates import format_day, local_day

BUYER = {"name": "演示用户", "id_number": "ZZ-1", "phone": "ZZ-2", "address": "演示路1号"}


def settled(house: House) -> None:
    """Wait until the lists hold all that was recorded."""
    size, deadline = house.running.ledger.reader.size(), time.monotonic() + 30
    client = house.as_("regulator")
    while client.get("/v1/cylinders", params={"limit": 1}).json()["complete_to"]["entries"] < size:
        assert time.monotonic() < deadline, "the lists do not follow"
        time.sleep(0.05)


def found(client: httpx.Client, **query: Any) -> list[str]:
    """The ids of a whole list, page by page."""
    ids: list[str] = []
    while True:
        answer = client.get("/v1/cylinders", params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        ids += [item["cylinder_id"] for item in page["items"]]
        if page["next"] is None:
            assert "link" not in answer.headers
            return ids
        assert f"cursor={page['next']}" in answer.headers["link"]
        assert answer.headers["link"].endswith('>; rel="next"')
        query["cursor"] = page["next"]


@pytest.mark.parametrize("code", ["own", "grai:09520001123450ZJ33010000017", "giai:9520001ZJ1", "province:浙A-000123"])
def test_a_cylinder_is_found_by_each_of_its_names(house: House, code: str) -> None:
    bottle = house.new_bottle()
    names = {"own": bottle.code, "grai:09520001123450ZJ33010000017": "(8003)09520001123450ZJ33010000017",
             "giai:9520001ZJ1": "(8004)9520001ZJ1", "province:浙A-000123": "province:浙A-000123"}  # fmt: skip
    if code != "own":
        if found(house.as_("regulator"), code=names[code]):
            return  # bound in an earlier run over this home
        scheme = code.partition(":")[0]
        house.append(bottle.subject, events.CodeBound(code=code, scheme=scheme))  # type: ignore[arg-type]
    assert found(house.as_("regulator"), code=names[code]) == [bottle.cylinder_id]
    assert found(house.as_("company"), code=bottle.cylinder_id) == [bottle.cylinder_id]
    assert found(house.as_("company", "token-of-company-2"), code=bottle.cylinder_id) == []


def test_a_cylinder_is_found_by_two_of_the_facts_in_its_steel_and_not_by_a_serial_alone(house: House) -> None:
    bottle = house.new_bottle(serial="S-77-1", maker="某厂", manufactured_month="2021-05")
    house.new_bottle(serial="S-77-1", maker="另厂", manufactured_month="2019-05")
    settled(house)
    inspector = house.as_("regulator")
    assert found(inspector, serial="S-77-1", maker="某厂") == [bottle.cylinder_id]
    assert found(inspector, serial="S-77-1", made="2021") == [bottle.cylinder_id]
    assert found(inspector, maker="某厂", made="2021-05") == [bottle.cylinder_id]
    refused = inspector.get("/v1/cylinders", params={"serial": "S-77-1"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


def sell(house: House, bottle: Bottle) -> tuple[str, str]:
    sale = {
        "id": new_id("sale"), "code": bottle.code, "order_no": new_id("order"), "point_id": "pt_1",
        "worker_id": "dw_1", "customer": BUYER, "safety_check_passed": True, "occurred_at": now(),
    }  # fmt: skip
    answer = house.as_("delivery").post("/v1/sales", json=sale, headers={"Idempotency-Key": str(sale["id"])})
    assert answer.status_code == 201, answer.text
    return str(sale["id"]), str(sale["order_no"])


def test_a_cylinder_is_found_by_its_sale_and_by_the_order_at_once(house: House) -> None:
    bottle = house.new_bottle()
    sale, order = sell(house, bottle)
    for client in (house.as_("regulator"), house.as_("company"), house.as_("station")):
        assert found(client, sale=sale) == found(client, order=order) == [bottle.cylinder_id]
    assert found(house.as_("company", "token-of-company-2"), order=order) == []
    assert found(house.as_("regulator"), order="no-such-order") == []


def test_a_list_tells_what_is_overdue_due_soon_black_lost_or_at_the_customers(house: House) -> None:
    today = local_day(now())
    overdue = house.new_bottle(manufactured_month="2020-02")
    fresh = house.new_bottle(manufactured_month=format_day(today)[:7])
    for kind in ("black", "lost"):
        house.append(overdue.subject, events.Flagged(flag=kind, authority_id="au_1", cause="x"))
    sell(house, fresh)
    settled(house)
    client = house.as_("regulator")
    for condition in ({"overdue": True}, {"black": True}, {"lost": True}, {"marked": "black"}):
        ids = found(client, **condition, limit=3)
        assert overdue.cylinder_id in ids
        assert fresh.cylinder_id not in ids
        assert len(ids) == len(set(ids))
    assert fresh.cylinder_id in found(client, status="at_customer")
    assert fresh.cylinder_id in found(client, due_within_days=1600)
    assert overdue.cylinder_id not in found(client, due_within_days=1600)
    assert found(client, overdue=True, black=True, status="destroyed") == []
    listed = client.get("/v1/cylinders", params={"overdue": True, "serial": "-", "maker": "x"}).json()
    assert listed["items"] == []
    assert listed["complete_to"]["rulebook"] == "cn-default@2026.1"
    assert listed["complete_to"]["age_ms"] == 0


def test_a_listed_cylinder_says_what_a_person_looks_for(house: House) -> None:
    bottle = house.new_bottle(maker="清单厂", manufactured_month="2024-03")
    settled(house)
    (item,) = house.as_("company").get("/v1/cylinders", params={"maker": "清单厂"}).json()["items"]
    said = {name: item[name] for name in ("cylinder_id", "code", "status", "owner_id", "made", "last_day", "district")}
    assert said == {
        "cylinder_id": bottle.cylinder_id, "code": bottle.code, "status": "empty", "owner_id": "co_1",
        "made": "2024-03", "last_day": "2028-03-01", "district": "R",
    }  # fmt: skip
    found_now = house.new_bottle(maker="清单厂")
    by_code = house.as_("company").get("/v1/cylinders", params={"code": found_now.code}).json()["items"]
    assert [item["cylinder_id"] for item in by_code] == [found_now.cylinder_id]


def test_a_company_and_its_station_list_their_own_cylinders_alone(house: House) -> None:
    mine, theirs = house.new_bottle(), house.new_bottle(owner="co_2")
    settled(house)
    for client in (house.as_("company"), house.as_("station")):
        ids = found(client, limit=500)
        assert mine.cylinder_id in ids
        assert theirs.cylinder_id not in ids
        assert client.get("/v1/cylinders", params={"owner": "co_2"}).json()["code"] == "other_owner"
    assert {mine.cylinder_id, theirs.cylinder_id} <= set(found(house.as_("auditor"), limit=500))


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "nonsense"},
        {"cursor": "W251bGwsImN5bF8xIiwiMDAiXQ"},
        {"code": "x", "black": True},
        {"overdue": True, "due_within_days": 3},
        {"made": "21"},
        {"limit": 0},
        {"limit": 501},
        {"status": "nowhere"},
        {"colour": "red"},
    ],
)
def test_a_question_that_does_not_fit_is_refused_by_the_name_of_what_is_wrong(
    one_house: House, query: dict[str, Any]
) -> None:
    answer = one_house.as_("regulator").get("/v1/cylinders", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    assert next(iter(query)) in answer.json()["detail"] or "page" in answer.json()["detail"]


def test_a_cursor_is_good_for_its_own_question_alone(house: House) -> None:
    for _ in range(3):
        house.new_bottle()
    settled(house)
    client = house.as_("regulator")
    cursor = client.get("/v1/cylinders", params={"limit": 1}).json()["next"]
    assert client.get("/v1/cylinders", params={"limit": 2, "cursor": cursor}).status_code == 200
    other = client.get("/v1/cylinders", params={"limit": 1, "black": True, "cursor": cursor})
    assert (other.status_code, other.json()["code"]) == (422, "invalid")


def test_a_bundle_comes_with_the_name_of_a_file(house: House) -> None:
    bottle = house.new_bottle()
    answer = house.as_("company").get(f"/v1/cylinders/{bottle.code}/bundle")
    assert answer.headers["content-disposition"] == f'attachment; filename="{bottle.cylinder_id}.bundle.json"'


def test_a_cylinder_whose_code_fits_no_scheme_is_listed_without_one(house: House) -> None:
    bottle = house.new_bottle(maker="旧账厂")
    house.append(bottle.subject, events.CodeVoided(code=bottle.code, cause="x"))
    house.append(bottle.subject, events.CodeBound(code=f"BOUND-BEFORE-{new_id('c')}"))
    settled(house)
    (item,) = house.as_("company").get("/v1/cylinders", params={"maker": "旧账厂"}).json()["items"]
    assert (item["cylinder_id"], item["code"]) == (bottle.cylinder_id, None)
