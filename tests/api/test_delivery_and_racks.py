"""Out of the station, the check at the user's home, and thirty cylinders of a rack inspected with one act."""

from typing import Any

import pytest
from api_house import Bottle, House, new_id, now

from cylinder_api.examples import RACK, SALE
from cylinder_trace.events import Condemned


def rack_of(bottles: list[Bottle], **changes: Any) -> dict[str, Any]:
    said = {"id": new_id("rack"), "occurred_at": now(), "codes": [bottle.code for bottle in bottles]}
    return {**RACK, **said, **changes}


def last_of(house: House, bottle: Bottle) -> Any:
    return house.entries_of(bottle.subject)[-1]


def test_thirty_cylinders_are_inspected_with_one_act_and_only_the_exceptions_are_named(house: House) -> None:
    bottles = [house.new_bottle() for _ in range(30)]
    exceptions = [
        {"code": bottles[7].code, "result": "failed"},
        {"code": bottles[9].code, "result": "passed", "tare_g": 16_420},
    ]
    answer = house.as_("inspector").post("/v1/inspections/racks", json=rack_of(bottles, exceptions=exceptions))
    assert answer.status_code == 201, answer.text
    results = [last_of(house, bottle).data["result"] for bottle in bottles]
    assert results == ["passed"] * 7 + ["failed"] + ["passed"] * 22
    assert last_of(house, bottles[9]).data["tare_g"] == 16_420
    assert {last_of(house, bottle).by for bottle in bottles} == {"inspector_1"}
    assert [receipt["index"] for receipt in answer.json()["receipts"]] == [
        house.running.ledger.reader.history(bottle.subject)[-1].index for bottle in bottles
    ]


def test_a_rack_with_a_cylinder_that_does_not_fit_is_not_recorded_and_each_fault_is_named(house: House) -> None:
    bottles = [house.new_bottle() for _ in range(5)]
    house.append(bottles[3].subject, Condemned(body_id="ib_1", cause="dented"))
    size = house.running.ledger.reader.size()
    body = rack_of(bottles, exceptions=[{"code": "nobody's", "result": "failed"}])
    body["codes"][1] = "rubbish"
    body["codes"][4] = bottles[0].cylinder_id
    answer = house.as_("inspector").post("/v1/inspections/racks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    said = {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}
    assert said["/body/codes/1"].startswith("code_unreadable: ")
    assert said["/body/codes/4"] == "这与 /body/codes/0 是同一只气瓶"
    assert "/body/exceptions/0" in said
    assert house.stated_since(size, "inspector_1", "ib_1") == []


def test_a_rack_sent_twice_is_recorded_once_and_its_id_stands_for_no_other(house: House) -> None:
    bottles = [house.new_bottle() for _ in range(3)]
    body, inspector = rack_of(bottles), house.as_("inspector")
    first = inspector.post("/v1/inspections/racks", json=body)
    assert inspector.post("/v1/inspections/racks", json=body).content == first.content
    for other in (bottles[:2], [*bottles, house.new_bottle()]):
        changed = {**body, "codes": [bottle.code for bottle in other]}
        assert inspector.post("/v1/inspections/racks", json=changed).json()["code"] == "id_conflict"
    assert [entry.type for entry in house.entries_of(bottles[0].subject)].count("inspected") == 1


def test_a_passed_rack_needs_every_mandatory_item(house: House) -> None:
    body = rack_of([house.new_bottle()], items=["appearance"])
    answer = house.as_("inspector").post("/v1/inspections/racks", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/body/codes/0"


def test_a_full_cylinder_leaves_the_station_with_a_worker(house: House) -> None:
    bottle = house.new_bottle()
    act = {"id": new_id("out"), "code": bottle.code, "station_id": "st_1", "worker_id": "dl_1", "occurred_at": now()}
    assert house.as_("station").post("/v1/departures", json=act).status_code == 201
    assert last_of(house, bottle).type == "left_station"
    found = house.as_("station").get(f"/v1/cylinders/{bottle.code}").json()
    assert "in_delivery" in str(found)
    abroad = {**act, "id": new_id("out"), "station_id": "st_2"}
    for role in ("station", "delivery"):
        assert house.as_(role).post("/v1/departures", json=abroad).json()["code"] == "other_station"


@pytest.mark.parametrize(
    ("outcome", "results", "status"),
    [
        ("passed", ["passed", "not_applicable"], 201),
        ("rectify", ["passed", "rectify"], 201),
        ("not_met", [], 201),
        ("passed", ["stop_supply"], 422),
        ("refused", ["passed"], 422),
    ],
)
def test_the_check_at_a_home_says_what_its_items_say(
    house: House, outcome: str, results: list[str], status: int
) -> None:
    bottle = house.new_bottle()
    delivery = house.as_("delivery")
    sale = {**SALE, "id": new_id("sale"), "code": bottle.code, "occurred_at": now(), "order_no": new_id("order")}
    customer = delivery.post("/v1/sales", json=sale).json()["customer_id"]
    items = [{"item": f"H{number}", "result": result} for number, result in enumerate(results, start=1)]
    act = {
        "id": new_id("safety"), "code": bottle.code, "order_no": sale["order_no"], "customer_id": customer,
        "worker_id": "dl_1", "outcome": outcome, "items": items, "occurred_at": now(),
    }  # fmt: skip
    answer = delivery.post("/v1/safety-checks", json=act)
    assert answer.status_code == status, answer.text
    assert (last_of(house, bottle).type == "safety_checked") == (status == 201)
    stranger = {**act, "id": new_id("safety"), "customer_id": "cus_0"}
    assert delivery.post("/v1/safety-checks", json=stranger).json()["code"] == "customer_unknown"
