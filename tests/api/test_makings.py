"""The maker's record (制造登记): before a cylinder is put on file, or of one on file; and the batch of a recall."""

from typing import Any

from api_house import Bottle, House, new_id, now
from test_imports_route import new_code
from test_inspection_acts import reasons, state_of
from test_recalls import close, marks, recall
from test_registration import STAMP, register, registration

from cylinder_trace.cylinder import CylinderState


def making(house: House, **changes: Any) -> dict[str, Any]:
    stamp = {**STAMP, "serial": new_id("S"), **changes.pop("stamp", {})}
    body = {
        "id": new_id("made"), "code": new_code(house, now() % 900), "stamp": stamp, "made_on": "2024-03-18",
        "certificate_no": "C-1", "batch_no": "B-1", "occurred_at": now(),
    }  # fmt: skip
    return {**body, **changes}


def make(house: House, body: dict[str, Any]) -> Any:
    return house.as_("maker").post("/v1/makings", json=body)


def found(house: House, code: str) -> CylinderState:
    cylinder_id = house.running.ledger.reader.cylinder_id(code)
    assert cylinder_id is not None
    return state_of(house, Bottle(cylinder_id, code))


def test_a_cylinder_begins_with_its_makers_record_and_is_put_on_file_by_its_owner(house: House) -> None:
    body = making(house)
    first = make(house, body)
    assert first.status_code == 201, first.text
    assert make(house, body).content == first.content
    made = found(house, body["code"])
    assert (made.status, made.owner_id) == ("made", "mk_1")
    assert set(reasons(house, Bottle("", body["code"]))) >= {"R11"}
    registered = registration(house, code=body["code"], stamp=body["stamp"])
    answer = register(house, registered)
    assert answer.status_code == 201, answer.text
    assert register(house, registered).content == answer.content
    state = found(house, body["code"])
    assert (state.cylinder_id, state.status, state.owner_id) == (made.cylinder_id, "empty", "co_1")
    assert state.made is not None
    assert (state.made.batch_no, state.codes) == ("B-1", made.codes)
    assert make(house, body).content == first.content
    assert register(house, {**registered, "id": new_id("reg")}).status_code == 409
    assert house.audit() == []


def test_a_cylinder_on_file_gets_its_makers_record_once_and_only_with_its_own_stamp(house: House) -> None:
    on_file = registration(house)
    register(house, on_file)
    body = making(house, code=on_file["code"], stamp=on_file["stamp"])
    other = make(house, {**body, "id": new_id("made"), "stamp": {**body["stamp"], "serial": new_id("S")}})
    assert (other.status_code, other.json()["code"]) == (422, "serial_differs")
    assert make(house, body).status_code == 201
    state = found(house, on_file["code"])
    assert state.made is not None
    assert (state.status, state.made.maker_id, state.made.batch_no) == ("empty", "mk_1", "B-1")
    again = make(house, {**body, "id": new_id("made")})
    assert (again.status_code, again.json()["code"]) == (422, "cannot_follow")


def test_a_stamp_that_is_on_file_under_another_code_is_not_made_again(house: House) -> None:
    on_file = registration(house)
    register(house, on_file)
    twin = make(house, making(house, stamp=on_file["stamp"]))
    assert (twin.status_code, twin.json()["code"]) == (409, "registered_twice")
    ahead = make(house, making(house, stamp={"manufactured_month": "2098-01"}))
    assert (ahead.status_code, ahead.json()["code"]) == (422, "invalid")
    late = make(house, making(house, occurred_at=now() + 86_400_000))
    assert late.json()["code"] == "occurred_in_future"
    invented = make(house, making(house, code="7K2M-9QRT-4XWZ-B8ND-PVHC-3J5E-69"))
    assert invented.json()["code"] == "code_unreadable"


def test_a_batch_that_is_stated_after_its_recall_opened_is_marked_at_once(house: House) -> None:
    maker = new_id("Maker ")
    on_file = registration(house, stamp={"maker": maker})
    register(house, on_file)
    bottle = Bottle(found(house, on_file["code"]).cylinder_id, on_file["code"])
    said = recall(house, maker=maker, batch_no="B-1").json()
    assert (said["cylinders"], said["batch_unknown"]) == (0, 1)
    assert make(house, making(house, code=bottle.code, stamp=on_file["stamp"])).status_code == 201
    assert marks(house, bottle) == [f"recall/{said['recall_id']}"]
    assert close(house, said["recall_id"]).json()["lifted"] == 1


def test_what_was_said_of_a_cylinder_before_it_was_put_on_file_goes_on(house: House) -> None:
    maker = new_id("Maker ")
    body = making(house, stamp={"maker": maker})
    make(house, body)
    recall_id = recall(house, maker=maker).json()["recall_id"]
    register(house, registration(house, code=body["code"], stamp=body["stamp"]))
    assert list(found(house, body["code"]).marks or {}) == [f"recall/{recall_id}"]
    assert "R36" in reasons(house, Bottle("", body["code"]))
