"""One act, one id (一事一号); and law 5: what a station decided alone is kept, and looked at again."""

import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from api_house import Bottle, Device, House, check_body, new_id, now

from cylinder_api.acts.enrolment import trust_device
from cylinder_codes.keys import SigningKey
from cylinder_trace import events
from servers.keyed import HEADER

HOUR_MS = 3_600_000


@pytest.fixture
def device(house: House) -> Device:
    """A device of st_1 with nothing recorded; its token is its id."""
    name = new_id("dev")
    device = Device(SigningKey(name, bytes(range(2, 34))), name)
    house.running.ledger.transact(lambda unit: trust_device(unit, name, "st_1", device.key.verifying_key, name))
    return device


def ask(house: House, device: Device, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = house.as_(None, device.device_id).post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    said: dict[str, Any] = answer.json()
    return said


def send(house: House, device: Device, records: int) -> dict[str, Any]:
    """Upload the newest records."""
    return ask(house, device, "/v1/stations/st_1/entries", device.upload(device.records[-records:]))


def ask_and_vanish(house: House, device: Device, path: str, body: dict[str, Any], key: str) -> None:
    """Send a whole request and hang up at the first byte of its answer: the act is over, and nobody was told of it."""
    reader = house.running.ledger.reader
    size = reader.size()
    request = httpx.Request("POST", f"{house.url}{path}", json=body)
    head = {**request.headers, "Authorization": f"Bearer {device.device_id}", HEADER: key, "Connection": "close"}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    place = urlsplit(house.url)
    with socket.create_connection((str(place.hostname), int(place.port or 0))) as line:
        line.sendall("\r\n".join(lines).encode() + request.content)
        line.settimeout(60)
        assert line.recv(1)
    assert reader.size() > size


def types_of(house: House, bottle: Bottle) -> list[str]:
    return [entry.type for entry in house.entries_of(bottle.subject)][2:]


def flag(house: House, bottle: Bottle, at: int) -> None:
    house.append(bottle.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"), at=at)


@pytest.mark.parametrize("own", ["ALLOW", "DENY"])
def test_a_check_whose_answer_was_lost_gets_the_station_s_own_decision_attached(
    house: House, device: Device, own: Any
) -> None:
    bottle = house.new_bottle()
    body = check_body(bottle)
    ask_and_vanish(house, device, "/v1/fill-checks", body, body["check_id"])
    device.decide(bottle, own, check_id=body["check_id"])
    (answer,) = send(house, device, 1)["answers"]
    if own == "ALLOW":  # both said the same: the record links to the entry and adds none
        assert (answer["status"], answer["id"]) == ("linked", body["check_id"])
        assert types_of(house, bottle) == ["fill_decided"]
    else:
        assert (answer["status"], answer["id"]) == ("disputed", f"{body['check_id']}.station")
        assert types_of(house, bottle) == ["fill_decided", "fill_decided", "dispute_raised"]
        assert house.disputes(bottle.subject) == ["outcomes_differ"]
    again = ask(house, device, "/v1/fill-checks", body)
    assert again["receipt"]["index"] == house.running.ledger.reader.history(bottle.subject)[2].index


def test_a_fill_whose_answer_was_lost_is_one_entry_however_often_it_is_told(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    check = check_body(bottle)
    ask(house, device, "/v1/fill-checks", check)
    body = {
        "id": new_id("fill"), "check_id": check["check_id"], "scale_id": "sc_1_1", "lane": 1, "worker_id": "fl_1",
        "started_at": now(), "ended_at": now(), "empty_gross_g": 16_600, "full_gross_g": 31_000, "net_g": 14_400,
        "ended_because": "limit_reached",
    }  # fmt: skip
    ask_and_vanish(house, device, "/v1/fills", body, body["id"])
    first = ask(house, device, "/v1/fills", body)
    assert ask(house, device, "/v1/fills", body) == first
    assert types_of(house, bottle) == ["fill_decided", "filled"]


def test_an_upload_whose_answer_was_lost_is_known_when_it_comes_again(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    device.fill(bottle, device.decide(bottle).id)
    ask_and_vanish(house, device, "/v1/stations/st_1/entries", device.upload(), new_id("upload"))
    again = send(house, device, 2)
    assert [answer["status"] for answer in again["answers"]] == ["known", "known"]
    assert (again["next_seq"], types_of(house, bottle)) == (2, ["fill_decided", "filled"])


def test_a_lone_permit_for_a_cylinder_flagged_before_is_kept_and_disputed(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    flag(house, bottle, at=now() - 2 * HOUR_MS)  # the station was cut off and could not know
    device.fill(bottle, device.decide(bottle, requested_at=now() - HOUR_MS).id)
    told = send(house, device, 2)
    assert [answer["status"] for answer in told["answers"]] == ["disputed", "stored"]
    assert types_of(house, bottle) == ["flagged", "fill_decided", "dispute_raised", "filled"]
    (dispute,) = (entry for entry in house.entries_of(bottle.subject) if entry.type == "dispute_raised")
    assert (dispute.data["kind"], dispute.data["about_id"]) == ("refused_by_then", device.records[0].id)
    assert dispute.data["message"].endswith("refused, R32")
    assert send(house, device, 2)["answers"][0]["status"] == "known"


def test_what_befell_the_cylinder_only_afterwards_is_no_dispute(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    flag(house, bottle, at=now() - HOUR_MS)
    device.decide(bottle, requested_at=now() - 2 * HOUR_MS)
    assert send(house, device, 1)["answers"][0]["status"] == "stored"


def test_where_a_cylinder_was_may_be_told_later_still_and_is_no_dispute(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    sold = events.Sold(
        order_no="o-1", point_id="pt_1", worker_id="dl_1", customer_id="cus_1", identity_commitment="ab" * 32,
        safety_check_passed=True,
    )  # fmt: skip
    house.append(bottle.subject, sold, at=now() - 2 * HOUR_MS)
    device.decide(bottle, requested_at=now() - HOUR_MS)
    assert send(house, device, 1)["answers"][0]["status"] == "stored"


def test_a_lone_refusal_is_never_disputed_for_what_the_ledger_knows(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    flag(house, bottle, at=now() - 2 * HOUR_MS)
    device.decide(bottle, "DENY", requested_at=now() - HOUR_MS)
    assert send(house, device, 1)["answers"][0]["status"] == "stored"
