"""Customers' personal data over HTTP: each reading is on record, an erasure is for good, and breaks no proof."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from api_house import House, new_id, now

Body = dict[str, Any]
BUYER = {"name": "ZZ演示姓名", "id_number": "ZZ-ID-81", "phone": "ZZ-PHONE-82", "address": "ZZ演示路83号"}


def post(house: House, role: str, path: str, token: str | None = None, **body: Any) -> Any:
    act = {"id": new_id("act"), "occurred_at": now(), **body}
    return house.as_(role, token).post(path, json=act, headers={"Idempotency-Key": act["id"]})


def sold(house: House, customer: dict[str, str] | None = None) -> str:
    """A customer who bought a cylinder; the id under which they are kept."""
    answer = sell(house, customer or BUYER)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


def sell(house: House, customer: dict[str, str], code: str | None = None) -> Any:
    return post(
        house, "delivery", "/v1/sales", code=code or house.new_bottle().code, order_no=new_id("order"), point_id="pt_1",
        worker_id="dw_1", customer=customer, safety_check_passed=True,
    )  # fmt: skip


def test_personal_data_are_shown_for_a_purpose_and_the_reading_is_on_record_before(house: House) -> None:
    customer = sold(house)
    for role in ("company", "delivery", "regulator"):
        answer = post(house, role, f"/v1/customers/{customer}/readings", purpose="safety_check", case_no="order-1")
        assert (answer.status_code, answer.json()["customer"]) == (201, BUYER)
        assert answer.headers["cache-control"] == "no-store"
    entries = house.entries_of(f"customer/{customer}")
    assert [(entry.type, entry.by) for entry in entries] == [
        ("personal_data_read", "company_1"),
        ("personal_data_read", "delivery_1"),
        ("personal_data_read", "regulator_1"),
    ]
    assert entries[2].data == {"org_id": "au_1", "purpose": "safety_check", "case_no": "order-1"}
    assert house.audit() == []


def test_the_same_reading_sent_again_shows_the_same_and_is_one_entry(house: House) -> None:
    customer = sold(house)
    body: Body = {"id": new_id("reading"), "purpose": "complaint", "occurred_at": now()}
    first = post(house, "company", f"/v1/customers/{customer}/readings", **body)
    again = post(house, "company", f"/v1/customers/{customer}/readings", **body)
    assert (again.status_code, again.content) == (201, first.content)
    assert len(house.entries_of(f"customer/{customer}")) == 1


def test_an_old_reading_does_not_show_personal_data_again(tmp_path: Path) -> None:
    at = [now() - 86_400_000]
    with House(tmp_path, clock=lambda: at[0]) as house:
        made = house.new_bottle()
        order: Body = {"order_no": "o.1", "point_id": "pt_1", "worker_id": "dw_1", "customer": BUYER}
        order |= {"code": made.code, "safety_check_passed": True, "occurred_at": at[0]}
        customer = post(house, "delivery", "/v1/sales", **order).json()["customer_id"]
        body: Body = {"id": "reading.1", "purpose": "complaint", "occurred_at": at[0]}
        assert post(house, "company", f"/v1/customers/{customer}/readings", **body).status_code == 201
        at[0] += 600_001
        late = post(house, "company", f"/v1/customers/{customer}/readings", **body)
        assert (late.status_code, late.json()["code"]) == (409, "reading_over")
        assert BUYER["name"] not in late.text


@pytest.mark.parametrize("purpose", ["curiosity", "演示姓名 asked for it", ""])
def test_a_purpose_is_one_of_some_words_so_that_no_name_comes_into_the_ledger(house: House, purpose: str) -> None:
    answer = post(house, "company", f"/v1/customers/{sold(house)}/readings", purpose=purpose)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_another_company_neither_reads_nor_erases(house: House) -> None:
    customer = sold(house)
    acts: tuple[tuple[str, Body], ...] = (("readings", {"purpose": "complaint"}), ("erase", {"cause": "own_request"}))
    for path, body in acts:
        answer = post(house, "company", f"/v1/customers/{customer}/{path}", token="token-of-company-2", **body)
        assert (answer.status_code, answer.json()["code"]) == (403, "other_company")
        unknown = post(house, "company", f"/v1/customers/cus_0/{path}", **body)
        assert (unknown.status_code, unknown.json()["code"]) == (404, "customer_unknown")
    assert house.entries_of(f"customer/{customer}") == []


def test_who_was_erased_cannot_be_read_by_anybody_and_every_proof_still_holds(house: House) -> None:
    bottle = house.new_bottle()
    customer = str(sell(house, BUYER, bottle.code).json()["customer_id"])
    act: Body = {"id": new_id("erasure"), "cause": "own_request", "occurred_at": now()}
    done = post(house, "company", f"/v1/customers/{customer}/erase", **act)
    again = post(house, "company", f"/v1/customers/{customer}/erase", **act)
    assert (done.status_code, again.status_code, again.content) == (201, 201, done.content)
    for role in ("company", "delivery", "regulator"):
        answer = post(house, role, f"/v1/customers/{customer}/readings", purpose="accident")
        assert (answer.status_code, answer.json()["code"]) == (410, "customer_erased")
    second = post(house, "company", f"/v1/customers/{customer}/erase", cause="own_request")
    assert (second.status_code, second.json()["code"]) == (410, "customer_erased")
    to_nobody = sell(house, {"customer_id": customer})
    assert (to_nobody.status_code, to_nobody.json()["code"]) == (410, "customer_erased")
    assert house.as_("company").get(f"/v1/cylinders/{bottle.code}/bundle").status_code == 200
    assert [entry.type for entry in house.entries_of(f"customer/{customer}")] == ["personal_data_erased"]
    assert house.audit() == []


def test_a_sale_sent_again_after_the_erasure_gets_its_receipt_and_brings_nobody_back(house: House) -> None:
    bottle, sale = house.new_bottle(), new_id("sale")
    body: Body = {"id": sale, "occurred_at": now(), "order_no": new_id("o"), "point_id": "pt_1", "worker_id": "dw_1"}
    send: Body = {"code": bottle.code, "customer": BUYER, "safety_check_passed": True, **body}
    first = post(house, "delivery", "/v1/sales", **send)
    customer = first.json()["customer_id"]
    assert post(house, "company", f"/v1/customers/{customer}/erase", cause="own_request").status_code == 201
    assert post(house, "delivery", "/v1/sales", **send).content == first.content
    assert post(house, "company", f"/v1/customers/{customer}/readings", purpose="recall").status_code == 410


def test_the_data_key_of_who_was_erased_is_nowhere_on_the_disk_any_more(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        kept, gone = sold(house), sold(house)
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
            rows = dict(database.execute("SELECT customer_id, wrapped_key FROM person").fetchall())
        assert post(house, "company", f"/v1/customers/{gone}/erase", cause="retention_ended").status_code == 201
    database_file = (tmp_path / "ledger.db").read_bytes()
    assert not list(tmp_path.glob("ledger.db-wal"))
    assert rows[kept] in database_file
    assert rows[gone] not in database_file
