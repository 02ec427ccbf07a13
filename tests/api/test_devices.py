"""A station's device: let in with a one-time code, answered again alike, cut off at once wherever it is connected."""

import uuid
from typing import Any

import pytest
from api_house import DEVICE, Device, House, listening, now
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from test_machine_tokens import ask, assertion

from cylinder_api.acts.journal import SignedHead, read_lines, take_records
from cylinder_api.refusals import Refused
from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace.events import Returned, record_text
from cylinder_trace.store.accounts import read_row, secret_sha256
from cylinder_trace.store.tables import AccountRow

KEY = SigningKey("new-device", b"\x05" * 32)


def new_code(house: House, station_id: str = "st_1", role: str = "admin") -> str:
    answer = house.as_(role).post("/v1/devices/codes", json={"station_id": station_id})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


def enrolled(house: House, key: SigningKey = KEY) -> dict[str, Any]:
    """A new device of st_1."""
    body = {"code": new_code(house), "vkey": format_vkey(key.verifying_key)}
    answer = house.as_(None).post("/v1/devices/enrol", json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_device_whose_answer_was_lost_asks_again_and_gets_the_same_bytes(house: House) -> None:
    body = {"code": new_code(house), "vkey": format_vkey(KEY.verifying_key)}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first, second = (house.as_(None).post("/v1/devices/enrol", json=body, headers=key) for _ in range(2))
    assert first.status_code == 200
    assert first.content == second.content
    assert house.as_(None, second.json()["token"]).get("/v1/stations/st_1/replica").status_code == 200
    other = {**body, "vkey": format_vkey(SigningKey("thief", b"\x06" * 32).verifying_key)}
    for stolen, header in ((other, {}), (body, {"Idempotency-Key": uuid.uuid4().hex})):
        answer = house.as_(None).post("/v1/devices/enrol", json=stolen, headers=header)
        assert (answer.status_code, answer.json()["code"]) == (403, "enrolment_code_invalid")
    assert house.as_(None).post("/v1/devices/enrol", json=other, headers=key).json()["code"] == "id_conflict"


def test_a_code_that_was_asked_for_twice_with_one_key_is_one_code(house: House) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    asked = [house.as_("admin").post("/v1/devices/codes", json={"station_id": "st_1"}, headers=key) for _ in range(2)]
    assert asked[0].content == asked[1].content
    assert asked[0].json()["code"] != new_code(house)


def test_a_code_that_is_too_old_lets_nobody_in_and_is_not_answered_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    ahead = [0]
    with House(tmp_path_factory.mktemp("clock"), clock=lambda: now() + ahead[0]) as house:
        body = {"code": new_code(house), "vkey": format_vkey(KEY.verifying_key)}
        key = {"Idempotency-Key": uuid.uuid4().hex}
        assert house.as_(None).post("/v1/devices/enrol", json=body, headers=key).status_code == 200
        ahead[0] = 24 * 3_600_000 + 1
        again = house.as_(None).post("/v1/devices/enrol", json=body, headers=key)
        assert again.json()["code"] == "enrolment_code_invalid"


def test_a_stolen_device_is_cut_off_with_one_call_and_its_streams_end(house: House) -> None:
    told = enrolled(house)
    device = house.as_(None, told["token"])
    with listening(device) as stream:
        next(stream)
        answer = house.as_("manager").post(f"/v1/devices/{told['device_id']}/cut-off", json={"cause": "stolen"})
        assert answer.status_code == 200, answer.text
        rest = list(stream)
    assert len(rest) < 20, "the stream ended by itself"
    assert device.get("/v1/stations/st_1/replica").json()["code"] == "device_cut_off", "so its agent fills no more"
    signed = assertion(Ed25519PrivateKey.from_private_bytes(KEY.seed), client=told["device_id"])
    assert ask(house, signed).json()["error"] == "invalid_client"
    again = house.as_("admin").post(f"/v1/devices/{told['device_id']}/cut-off", json={"cause": "again"})
    assert again.json()["receipt"]["index"] == answer.json()["receipt"]["index"], "it is cut off once"
    listed = house.as_("manager").get("/v1/stations/st_1/devices").json()["items"]
    ended = {item["device_id"]: item["revoked_at"] for item in listed}
    assert ended[told["device_id"]]
    assert ended[DEVICE] is None
    assert house.audit() == []


def test_a_stream_ends_at_another_process_too_when_its_token_is_revoked_in_the_database(one_house: House) -> None:
    told = enrolled(one_house)
    with listening(one_house.as_(None, told["token"])) as stream:
        next(stream)

        digest = secret_sha256(told["token"])
        row = read_row(one_house.running.ledger.engine, AccountRow, digest)
        assert row is not None
        one_house.running.ledger.transact(lambda unit: unit.put(row.model_copy(update={"revoked_at": now()})))
        assert len(list(stream)) < 20


def test_what_a_device_signed_before_it_was_cut_off_stands_and_what_it_sends_after_is_not_taken(house: House) -> None:
    told = enrolled(house)
    own = Device(KEY, told["device_id"])
    bottle = house.new_bottle()
    own.record(Returned(station_id="st_1"), bottle.subject)
    client = house.as_(None, told["token"])
    assert client.post("/v1/stations/st_1/entries", json=own.upload()).json()["problem"] is None
    late = own.record(Returned(station_id="st_1"), bottle.subject)
    house.as_("company").post(f"/v1/devices/{told['device_id']}/cut-off", json={"cause": "stolen"})
    assert client.post("/v1/stations/st_1/entries", json=own.upload([late])).json()["code"] == "device_cut_off"

    head = SignedHead(**own.upload()["head"])
    lines, trouble = read_lines([record_text(late).decode()], told["device_id"], head)
    with pytest.raises(Refused, match="was cut off"):
        house.running.ledger.transact(lambda unit: take_records(unit, told["device_id"], lines, trouble, head))
    assert house.audit() == []
    house.running.ledger.append([late])
    assert {fault.kind for fault in house.audit()} == {"forged_author"}, "the audit names what came after"


def test_only_who_answers_for_the_station_cuts_its_devices_off(one_house: House) -> None:
    for role, code in (("station", "not_allowed"), ("filler", "not_allowed"), ("auditor", "not_allowed")):
        answer = one_house.as_(role).post("/v1/devices/dev_2/cut-off", json={"cause": "no"})
        assert answer.json()["code"] == code
    for role in ("manager", "company"):
        answer = one_house.as_(role).post("/v1/devices/dev_2/cut-off", json={"cause": "no"})
        assert answer.json()["code"] == "other_station"
        assert one_house.as_(role).get("/v1/stations/st_2/devices").json()["code"] == "other_station"
    unknown = one_house.as_("admin").post("/v1/devices/dev_unknown/cut-off", json={"cause": "no"})
    assert unknown.json()["code"] == "device_unknown"
    for odd in ("..%2Fdev_1", "dev_1%0d%0aX-A%3a%201", "%00", "a" * 300):
        answer = one_house.as_("admin").post(f"/v1/devices/{odd}/cut-off", json={"cause": "no"})
        assert answer.status_code in (404, 422), odd
