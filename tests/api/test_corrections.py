"""Corrections (更正): the entry stays, the state says what is true, and a second person agreed."""

from typing import Any

import pytest
from api_house import Bottle, House, new_id, now
from test_inspection_acts import inspect, state_of
from test_recalls import marks, recall
from test_registration import register, registration
from test_retagging import PICTURE


def correct(house: House, entry_id: str, field: str, value: Any, if_match: str | None = None, **changes: Any) -> Any:
    body = {
        "id": new_id("corr"), "entry_id": entry_id, "field": field, "now": value, "reason": "录入错误",
        "approver_id": "regulator_2", "evidence": PICTURE, "occurred_at": now(), **changes,
    }  # fmt: skip
    headers = {"If-Match": if_match} if if_match else {}
    return house.as_("regulator").post("/v1/corrections", json=body, headers=headers)


def on_file(house: House, **changes: Any) -> tuple[dict[str, Any], Bottle]:
    body = registration(house, **changes)
    assert register(house, body).status_code == 201
    cylinder_id = house.running.ledger.reader.cylinder_id(body["code"])
    assert cylinder_id is not None
    return body, Bottle(cylinder_id, body["code"])


def test_a_corrected_field_is_what_is_on_file_and_the_old_entry_stays(house: House) -> None:
    body, bottle = on_file(house, stamp={"tare_g": 16_500})
    act: dict[str, Any] = {"id": new_id("corr"), "occurred_at": now()}
    first = correct(house, body["id"], "stamp.tare_g", 16_050, **act)
    assert first.status_code == 201, first.text
    assert correct(house, body["id"], "stamp.tare_g", 16_050, **act).content == first.content
    assert state_of(house, bottle).stamp.tare_g == 16_050
    entries = house.entries_of(bottle.subject)
    assert entries[0].data["stamp"]["tare_g"] == 16_500
    assert (entries[-1].data["was"], entries[-1].data["entry_type"]) == (16_500, "cylinder_registered")
    assert house.audit() == []


def test_an_inspection_that_was_typed_wrongly_is_corrected_unless_a_newer_one_stands(house: House) -> None:
    bottle = house.new_bottle()
    entry_id = inspect(house, bottle, inspected_month="2025-12", next_due_month="2029-12").json()["receipt"]["id"]
    assert correct(house, entry_id, "inspected_month", "2025-11").status_code == 201
    inspection = state_of(house, bottle).inspection
    assert inspection is not None
    assert inspection.inspected_month == "2025-11"
    inspect(house, bottle)
    assert correct(house, entry_id, "next_due_month", "2029-11").status_code == 201
    inspection = state_of(house, bottle).inspection
    assert inspection is not None
    assert inspection.next_due_month == "2030-01"


def test_a_cylinder_is_found_by_its_corrected_stamp_and_takes_no_other_cylinders(house: House) -> None:
    (body, bottle), (other, _) = on_file(house), on_file(house)
    serial = new_id("S")
    assert correct(house, body["id"], "stamp.serial", serial).status_code == 201
    reader = house.running.ledger.reader
    assert reader.cylinder_id(f"stamp:示例厂|2024-03|{serial.upper()}") == bottle.cylinder_id
    size = reader.size()
    entry_id = house.entries_of(bottle.subject)[0].id
    again = correct(house, entry_id, "stamp.serial", other["stamp"]["serial"])
    assert again.status_code == 201, "the entry never said what is on file now: history only"
    assert state_of(house, bottle).stamp.serial == serial
    third, _bottle = on_file(house)
    taken = correct(house, third["id"], "stamp.serial", other["stamp"]["serial"])
    assert (taken.status_code, taken.json()["code"]) == (409, "registered_twice")
    assert reader.size() > size


def test_a_corrected_model_falls_under_the_recall_that_is_open(house: House) -> None:
    maker = new_id("Maker ")
    body, bottle = on_file(house, stamp={"maker": maker, "model": "YSP35.5"})
    recall_id = recall(house, maker=maker, model="YSP118").json()["recall_id"]
    assert marks(house, bottle) == []
    assert correct(house, body["id"], "stamp.model", "YSP118").status_code == 201
    assert marks(house, bottle) == [f"recall/{recall_id}"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"approver_id": "regulator_1"}, 403, "same_person"),
        ({"evidence": []}, 422, "invalid"),
        ({"entry_id": "no-such-entry"}, 404, "entry_unknown"),
        ({"field": "stamp"}, 422, "invalid"),
        ({"field": "no_such_field"}, 422, "invalid"),
        ({"field": "owner_id.x"}, 422, "invalid"),
        ({"field": "stamp.manufactured_month", "now": "not a month"}, 422, "cannot_follow"),
        ({"field": "stamp.tare_g", "now": -1}, 422, "invalid"),
        ({"field": "stamp.tare_g", "now": 10**15}, 422, "cannot_follow"),
        ({"occurred_at": now() + 10**8}, 422, "occurred_in_future"),
    ],
)
def test_a_correction_that_cannot_be_is_one_clear_refusal_and_changes_nothing(
    house: House, changes: dict[str, Any], status: int, code: str
) -> None:
    body, bottle = on_file(house)
    before = state_of(house, bottle)
    fields: dict[str, Any] = {"entry_id": body["id"], "field": "stamp.serial", "value": "X", **changes}
    value = fields.pop("now", fields.pop("value"))
    fields.pop("value", None)
    refused = correct(house, fields.pop("entry_id"), fields.pop("field"), value, **fields)
    assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
    assert state_of(house, bottle) == before


def test_a_correction_is_not_corrected_by_another_but_stated_anew(house: House) -> None:
    body, bottle = on_file(house)
    first = correct(house, body["id"], "stamp.model", "YSP12")
    second = correct(house, first.json()["receipt"]["id"], "now", "YSP15")
    assert (second.status_code, second.json()["code"]) == (404, "entry_unknown")
    assert state_of(house, bottle).stamp.model == "YSP12"
