"""The other acts of a cylinder's life over HTTP: sale, return, inspection, condemning, transfer; and its story."""

from typing import Any

import pytest
from api_house import Bottle, House, check_body, filled, new_id, now

from cylinder_codes.identifiers import Code, format_code_human
from cylinder_codes.keys import parse_vkey
from cylinder_trace.proof import HistoryBundle, verify_bundle
from cylinder_trace.store.tables import PersonRow
from cylinder_trace.vocabulary.inspecting import MANDATORY_ITEMS

BUYER = {"name": "示例 用户", "id_number": "EX-330-1", "phone": "EX-139-1", "address": "示例路 1 号"}


def sale(bottle: Bottle, **changes: Any) -> dict[str, Any]:
    order = new_id("order")
    body = {
        "id": f"{order}.sale", "code": bottle.code, "order_no": order, "point_id": "pt_1", "worker_id": "dw_1",
        "customer": BUYER, "safety_check_passed": True, "occurred_at": now(),
    }  # fmt: skip
    return {**body, **changes}


def act(bottle: Bottle, **fields: Any) -> dict[str, Any]:
    return {"id": new_id("act"), "code": bottle.code, "occurred_at": now(), **fields}


def test_a_sale_puts_the_cylinder_at_a_customer_who_is_known_only_to_the_vault(house: House) -> None:
    bottle, client = house.new_bottle(), house.as_("delivery")
    body = sale(bottle)
    first = client.post("/v1/sales", json=body)
    assert first.status_code == 201
    assert client.post("/v1/sales", json=body).content == first.content
    sold = house.entries_of(bottle.subject)[-1]
    assert sold.data["customer_id"] == first.json()["customer_id"]
    assert not any(value in str(sold.data) for value in BUYER.values())
    row = house.running.ledger.transact(lambda unit: unit.find(PersonRow, first.json()["customer_id"]))
    assert row is not None
    assert row.commitment == sold.data["identity_commitment"]
    assert house.running.vault.open(row).name == BUYER["name"]
    assert house.as_("company").get(f"/v1/cylinders/{bottle.code}").json()["status"] == "at_customer"


def test_a_known_customer_buys_again_by_their_id_alone(house: House) -> None:
    client = house.as_("delivery")
    customer_id = client.post("/v1/sales", json=sale(house.new_bottle())).json()["customer_id"]
    again = client.post("/v1/sales", json=sale(house.new_bottle(), customer={"customer_id": customer_id}))
    assert (again.status_code, again.json()["customer_id"]) == (201, customer_id)
    nobody = client.post("/v1/sales", json=sale(house.new_bottle(), customer={"customer_id": "cus_nobody"}))
    assert (nobody.status_code, nobody.json()["code"]) == (404, "customer_unknown")


def test_the_same_sale_to_somebody_else_is_a_conflict_that_names_nobody(house: House) -> None:
    bottle, client = house.new_bottle(), house.as_("delivery")
    body = sale(bottle)
    client.post("/v1/sales", json=body)
    answer = client.post("/v1/sales", json={**body, "customer": {**BUYER, "name": "另一位"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "id_conflict")
    assert "另一位" not in answer.text


def test_a_sale_that_does_not_fit_repeats_no_personal_data(house: House) -> None:
    body = sale(house.new_bottle(), customer={**BUYER, "phone": "EX-139-1\u0000", "birthday": "EX-1970"})
    answer = house.as_("delivery").post("/v1/sales", json=body)
    assert answer.status_code == 422
    assert not any(value in answer.text for value in (*BUYER.values(), "EX-1970"))


def test_a_delivery_worker_sells_only_cylinders_of_their_own_company(house: House) -> None:
    answer = house.as_("delivery").post("/v1/sales", json=sale(house.new_bottle(owner="co_2")))
    assert (answer.status_code, answer.json()["code"]) == (403, "other_owner")


def test_an_empty_cylinder_comes_back_and_may_be_filled_again(house: House) -> None:
    bottle = house.new_bottle()
    house.append(bottle.subject, filled("x"))
    body = act(bottle, station_id="st_1")
    assert house.as_("station").post("/v1/returns", json=body).status_code == 201
    checked = house.as_("station").post("/v1/fill-checks", json=check_body(bottle)).json()
    assert checked["decision"]["outcome"] == "ALLOW"
    elsewhere = house.as_("station").post("/v1/returns", json=act(bottle, station_id="st_2"))
    assert elsewhere.json()["code"] == "other_station"
    by_delivery = house.as_("delivery").post("/v1/returns", json=act(bottle, station_id="st_2"))
    assert by_delivery.json()["code"] == "other_station"
    assert house.as_("delivery").post("/v1/returns", json=act(bottle, station_id="st_1")).status_code == 201


def test_a_passed_inspection_lifts_the_overdue_refusal_and_a_failed_one_refuses(house: House) -> None:
    bottle, inspector = house.new_bottle(manufactured_month="2019-01"), house.as_("inspector")
    reasons = house.as_("station").post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]["reasons"]
    assert [reason["code"] for reason in reasons] == ["R20"]
    passed = act(bottle, inspected_month="2026-01", next_due_month="2030-01", result="passed", report_no="E-1")
    passed["inspected_month"], passed["next_due_month"] = "2025-01", "2029-01"
    passed["items"] = sorted(MANDATORY_ITEMS)
    assert inspector.post("/v1/inspections", json=passed).status_code == 201
    decision = house.as_("station").post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]
    assert decision["outcome"] in ("ALLOW", "WARN")
    failed = act(bottle, inspected_month="2025-02", result="failed", report_no="E-2")
    inspector.post("/v1/inspections", json=failed)
    decision = house.as_("station").post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]
    assert "R21" in [reason["code"] for reason in decision["reasons"]]


def test_a_condemned_cylinder_is_refused_for_good_and_can_only_be_destroyed(house: House) -> None:
    bottle, inspector = house.new_bottle(), house.as_("inspector")
    assert inspector.post("/v1/condemnations", json=act(bottle, cause="corroded")).status_code == 201
    house.append(bottle.subject, filled("x"))
    decision = house.as_("station").post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]
    assert decision["reasons"][0]["code"] == "R30"
    destroyed = act(bottle, method="crushed", evidence_sha256=["0" * 64, "1" * 64, "2" * 64])
    assert inspector.post("/v1/destructions", json=destroyed).status_code == 201
    assert house.as_("regulator").get(f"/v1/cylinders/{bottle.code}").json()["status"] == "destroyed"


def test_only_the_owner_hands_a_cylinder_over_and_the_new_owner_waits_out_the_cooling_time(house: House) -> None:
    bottle = house.new_bottle(owner="co_2")
    body = act(bottle, to_owner_id="co_1")
    assert house.as_("company").post("/v1/transfers", json=body).json()["code"] == "other_owner"
    owner = house.as_(None, "token-of-company-2")
    first = owner.post("/v1/transfers", json=body)
    assert first.status_code == 201
    assert owner.post("/v1/transfers", json=body).content == first.content
    decision = house.as_("station").post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]
    assert [reason["code"] for reason in decision["reasons"]] == ["R15"]


@pytest.mark.parametrize("path", ["/v1/flags", "/v1/inspections", "/v1/sales"])
def test_an_act_dated_in_the_future_is_refused(house: House, path: str) -> None:
    bottle, later = house.new_bottle(), now() + 86_400_000
    bodies = {
        "/v1/flags": ("regulator", act(bottle, flag="lost", cause="x", occurred_at=later)),
        "/v1/inspections": (
            "inspector",
            act(bottle, inspected_month="2025-01", result="passed", report_no="E", occurred_at=later),
        ),
        "/v1/sales": ("delivery", sale(bottle, occurred_at=later)),
    }
    role, body = bodies[path]
    answer = house.as_(role).post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "occurred_in_future")


def test_an_act_about_nothing_on_file_is_refused_by_name(house: House) -> None:
    regulator = house.as_("regulator")
    unknown = act(Bottle("", "7K2M9QRT4XWZB8NDPVHC3J5E42"), flag="lost", cause="x")
    answer = regulator.post("/v1/flags", json=unknown)
    assert (answer.status_code, answer.json()["code"]) in ((404, "cylinder_unknown"), (422, "code_unreadable"))
    unreadable = act(Bottle("", "6901028075022"), flag="lost", cause="x")
    assert regulator.post("/v1/flags", json=unreadable).json()["code"] == "code_unreadable"
    lock = {"id": new_id("l"), "station_id": "st_9", "scale_id": "s", "locked": True, "cause": "x", "occurred_at": 1}
    assert regulator.post("/v1/locks", json=lock).json()["code"] == "station_unknown"


def test_a_cylinder_is_found_by_its_code_in_any_readable_form_and_by_its_id(house: House) -> None:
    bottle, client = house.new_bottle(), house.as_("regulator")
    for name in (bottle.code, bottle.code.lower(), format_code_human(Code(bottle.code)), bottle.cylinder_id):
        assert client.get(f"/v1/cylinders/{name}").json()["cylinder_id"] == bottle.cylinder_id
    assert client.get("/v1/cylinders/nonsense").json()["code"] == "code_unreadable"


def test_the_whole_history_is_told_and_proved_offline(house: House) -> None:
    bottle = house.new_bottle()
    house.as_("station").post("/v1/fill-checks", json=check_body(bottle))
    history = house.as_("regulator").get(f"/v1/cylinders/{bottle.code}/history").json()
    assert [item["entry"]["type"] for item in history["entries"]] == [
        "cylinder_registered", "code_bound", "fill_decided",
    ]  # fmt: skip
    answer = house.as_("regulator").get(f"/v1/cylinders/{bottle.code}/bundle")
    bundle = HistoryBundle.model_validate_json(answer.content)
    known = parse_vkey(house.as_(None).get("/log/keys").text)
    assert verify_bundle(bundle, [known]).entries == 3


def test_companies_and_stations_see_only_cylinders_of_their_own_company(house: House) -> None:
    bottle = house.new_bottle(owner="co_2")
    for role in ("company", "station"):
        for path in ("", "/history", "/bundle"):
            answer = house.as_(role).get(f"/v1/cylinders/{bottle.code}{path}")
            assert (answer.status_code, answer.json()["code"]) == (403, "other_owner")
    assert house.as_(None, "token-of-company-2").get(f"/v1/cylinders/{bottle.code}").status_code == 200


def test_after_all_these_acts_the_audit_finds_nothing(house: House) -> None:
    assert house.audit() == []
