"""Putting a cylinder on file: one stamp is one cylinder, and its head bears no stranger's mark (建档)."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from api_house import House, new_id, now
from test_import_undo import code_of, data_of, send, state_of
from test_imports_route import new_code, table

from cylinder_trace.cylinder import CylinderState

STAMP = {
    "maker": "示例厂", "model": "YSP35.5", "manufactured_month": "2024-03", "tare_g": 16_500,
    "water_volume_ml": 35_500, "max_fill_g": 14_900,
}  # fmt: skip


def registration(house: House, serial: str = "", **changes: Any) -> dict[str, Any]:
    stamp = {**STAMP, "serial": serial or new_id("S"), **changes.pop("stamp", {})}
    body = {
        "id": new_id("reg"), "code": new_code(house, now() % 900), "stamp": stamp, "in_service_on": "2024-04-01",
        "occurred_at": now(),
    }  # fmt: skip
    return {**body, **changes}


def register(house: House, body: dict[str, Any], token: str = "token-of-company") -> Any:
    return house.as_(None, token).post("/v1/cylinders", json=body)


def test_a_cylinder_is_put_on_file_with_the_code_on_its_label_and_its_stamp_as_another(house: House) -> None:
    body = registration(house, registration_no="R-1", region="330000", technical={"certificate": "present"})
    first = register(house, body)
    assert first.status_code == 201, first.text
    assert register(house, body).content == first.content
    state = state_of(house, body["code"])
    assert state == state_of(house, f"stamp:示例厂|2024-03|{body['stamp']['serial'].upper()}")
    assert (state.owner_id, state.status, state.region, state.registration_no) == ("co_1", "empty", "330000", "R-1")
    assert state.technical is not None
    assert state.technical.certificate == "present"
    assert house.audit() == []


@pytest.mark.parametrize("token", ["token-of-company", "token-of-company-2"])
@pytest.mark.parametrize("month", ["2024-03", "2024-12"])
def test_the_same_maker_serial_and_year_is_refused_and_the_other_cylinder_named(
    house: House, token: str, month: str
) -> None:
    first = registration(house)
    assert register(house, first).status_code == 201
    second = registration(house, first["stamp"]["serial"], stamp={"manufactured_month": month})
    answer = register(house, second, token)
    assert (answer.status_code, answer.json()["code"]) == (409, "registered_twice")
    assert state_of(house, first["code"]).cylinder_id in answer.json()["detail"]
    assert house.running.ledger.reader.cylinder_id(second["code"]) is None


def test_of_many_who_register_one_stamp_at_the_same_moment_one_succeeds(house: House) -> None:
    serial = new_id("S")
    months = [f"2024-{month:02}" for month in range(1, 9)]
    bodies = [registration(house, serial, stamp={"manufactured_month": month}) for month in months]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(partial(register, house), bodies))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]


@pytest.mark.parametrize("other", [{"manufactured_month": "2023-12"}, {"maker": "另一厂"}, {"serial": "another"}])
def test_another_year_maker_or_serial_is_another_cylinder(house: House, other: dict[str, str]) -> None:
    first = registration(house)
    assert register(house, first).status_code == 201
    other = {name: new_id(value) if name == "serial" else value for name, value in other.items()}
    second = registration(house, first["stamp"]["serial"], stamp=other)
    assert register(house, second).status_code == 201


def test_the_stamp_of_a_scrapped_cylinder_is_not_registered_again(house: House) -> None:
    first = registration(house)
    register(house, first)
    body = {"id": new_id("act"), "code": first["code"], "cause": "腐蚀", "occurred_at": now()}
    assert house.as_("inspector").post("/v1/condemnations", json=body).status_code == 201
    assert register(house, registration(house, first["stamp"]["serial"])).json()["code"] == "registered_twice"


def test_a_table_with_a_stamp_of_the_same_year_on_file_is_told_both_cylinders(house: House) -> None:
    row = table(house, 1)[0]
    send(house, data_of([row]))
    twin = row.replace(code_of(row), new_code(house, 991)).replace("2021-03", "2021-11")
    assert twin.count("2021-11") == 1
    said = send(house, data_of([twin]))
    assert (said["registered"], said["known"]) == (0, 0)
    (error,) = said["errors"]
    assert error["column"] == "stamp"
    for name in (code_of(twin), state_of(house, code_of(row)).cylinder_id):
        assert name in error["message"]
        assert name in error["message_zh"]


@pytest.mark.parametrize(
    ("stamp", "told"), [({"manufactured_month": None}, "manufactured_month"), ({"maker": "a|b"}, "不能作为钢印")]
)
def test_a_stamp_that_cannot_be_read_is_not_put_on_file(house: House, stamp: dict[str, Any], told: str) -> None:
    answer = register(house, registration(house, stamp=stamp))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert told in answer.json()["detail"]


def test_a_code_that_nobody_issued_or_that_leads_elsewhere_registers_nothing(house: House) -> None:
    first = registration(house)
    register(house, first)
    assert register(house, registration(house, code=first["code"])).json()["code"] == "code_taken"
    invented = registration(house, code="7K2M-9QRT-4XWZ-B8ND-PVHC-3J5E-69")
    assert register(house, invented).json()["code"] == "code_unreadable"


# --- the mark in the head (封头凹印); the national rulebook asks for it from June 2021 on ----------------------------


def test_only_the_company_whose_mark_the_head_bears_registers_the_cylinder(house: House) -> None:
    body = registration(house, technical={"head_mark": "present", "head_mark_owner_id": "co_2"})
    answer = register(house, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "head_mark_foreign")
    assert "co_2" in answer.json()["detail"]
    assert register(house, {**body, "id": new_id("reg")}, "token-of-company-2").status_code == 201


@pytest.mark.parametrize(
    ("month", "technical"),
    [("2010-02", {"head_mark_owner_id": "co_2"}), ("2024-03", {"head_mark_owner_id": "co_1"}), ("2024-03", None)],
)
def test_a_mark_of_ones_own_or_of_an_older_cylinder_or_one_nobody_looked_at_is_no_hindrance(
    house: House, month: str, technical: Any
) -> None:
    body = registration(house, stamp={"manufactured_month": month}, technical=technical)
    assert register(house, body).status_code == 201
    assert isinstance(state_of(house, body["code"]), CylinderState)
