"""The journal of a device that was cut off, handed in by somebody else: kept whole, marked, followed by nobody."""

from typing import Any

import httpx
import pytest
from api_house import Bottle, Device, House, new_id
from test_forked_journals import clone_of, enrolled, full_audit, rows_of, upload

from cylinder_api.acts.enrolment import revoke_device
from cylinder_codes.keys import SigningKey
from cylinder_trace.store.unit import Unit


def cut_off(house: House, device: Device) -> None:
    def cut(unit: Unit) -> None:
        state = unit.device(device.device_id)
        assert state is not None
        revoke_device(unit, state, "stolen", "tests")

    house.running.ledger.transact(cut)


def hand_in(
    house: House, device: Device, records: int, role: str = "manager", station_id: str = "st_1"
) -> httpx.Response:
    """Bring the newest of the device's records."""
    body = device.upload(device.records[-records:])
    return house.as_(role).post(f"/v1/stations/{station_id}/entries/handed-in", json=body)


def late(house: House) -> tuple[Device, Bottle]:
    """A device that was cut off before it had uploaded its last fill."""
    device, bottle = enrolled(house), house.new_bottle()
    device.decide(house.new_bottle())
    assert upload(house, device, 1).json()["problem"] is None
    device.fill(bottle, device.decide(bottle).id)
    cut_off(house, device)
    assert upload(house, device, 2).json()["code"] == "device_cut_off"
    return device, bottle


def disputes(house: House, subject: str, device: Device) -> list[dict[str, Any]]:
    entries = (entry for entry in house.entries_of(subject) if entry.type == "dispute_raised")
    return [entry.data for entry in entries if device.device_id in entry.data["message"]]


@pytest.mark.parametrize("role", ["manager", "station", "auditor"])
def test_what_a_device_had_not_uploaded_when_it_was_cut_off_is_kept_and_marked(house: House, role: str) -> None:
    device, bottle = late(house)
    taken = hand_in(house, device, 2, role).json()
    assert taken["problem"] is None
    assert [(answer["seq"], answer["status"]) for answer in taken["answers"]] == [(1, "disputed"), (2, "disputed")]
    assert [seq for seq, _text in rows_of(house, "journal", device)] == [0, 1, 2]
    assert [kept.decode() for _seq, kept in rows_of(house, "journal", device)] == device.upload()["records"]
    (told,) = disputes(house, bottle.subject, device)
    assert told["kind"] == "told_after_cut_off"
    assert "fill_decided, filled" in told["message"]
    (brought,) = disputes(house, "station/st_1", device)
    assert device.upload()["head"]["signature"] in brought["message"]
    assert full_audit(house) == []


def test_nothing_follows_from_it_by_itself(house: House) -> None:
    device, bottle = late(house)
    before = house.running.ledger.reader.state(bottle.subject)
    hand_in(house, device, 2)
    after = house.running.ledger.reader.state(bottle.subject)
    assert before is not None
    assert after == before.model_copy(update={"n": before.n + 1})


def test_handed_in_again_nothing_changes_and_in_parts_it_goes_on(house: House) -> None:
    device, _bottle = late(house)
    first = clone_of(device, since=2)
    part = hand_in(house, first, 1)
    assert part.json().get("next_seq") == 2, part.text
    size = house.running.ledger.reader.size()
    again = hand_in(house, first, 2).json()
    assert [answer["status"] for answer in again["answers"]] == ["known", "known"]
    assert house.stated_since(size, "service", "manager_1") == []
    taken = hand_in(house, device, 3).json()
    assert [answer["status"] for answer in taken["answers"]] == ["known", "known", "disputed"]
    assert full_audit(house) == []


def test_the_rest_of_a_second_branch_is_kept_behind_it(house: House) -> None:
    device = enrolled(house)
    for _ in range(3):
        device.decide(house.new_bottle())
    upload(house, device, 3)
    clone = clone_of(device, since=1)
    for _ in range(4):
        clone.decide(house.new_bottle())
    part = clone_of(clone, since=3)
    assert upload(house, part, 2).json()["problem"]["code"] == "journal_forked"
    taken = hand_in(house, clone, 2).json()
    assert [(answer["seq"], answer["status"]) for answer in taken["answers"]] == [(3, "disputed"), (4, "disputed")]
    assert [seq for seq, _text in rows_of(house, "journal_branch", device)] == [1, 2, 3, 4]
    device.decide(house.new_bottle())
    assert hand_in(house, device, 1).json()["answers"][0]["status"] == "disputed", "the first branch goes on too"
    assert [seq for seq, _text in rows_of(house, "journal", device)] == [0, 1, 2, 3]
    assert full_audit(house) == []


def test_what_fits_to_neither_branch_or_is_not_signed_is_not_taken(house: House) -> None:
    device, _bottle = late(house)
    for _ in range(2):
        device.decide(house.new_bottle())
    size = house.running.ledger.reader.size()
    assert hand_in(house, device, 1).json()["problem"]["code"] == "gap"
    other = clone_of(device, since=0)
    other.decide(house.new_bottle())
    assert hand_in(house, other, 1).json()["problem"]["code"] == "chain_broken"
    stranger = Device(SigningKey(device.device_id, bytes(32)), device.device_id)
    stranger.records = device.records
    assert hand_in(house, stranger, 4).json()["problem"]["code"] == "bad_signature"
    assert house.stated_since(size, "service", "manager_1") == []


def test_a_device_in_force_uploads_by_itself_and_another_stations_is_none_of_ones_business(house: House) -> None:
    device = enrolled(house)
    device.decide(house.new_bottle())
    refused = hand_in(house, device, 1)
    assert (refused.status_code, refused.json()["code"]) == (422, "cannot_follow")
    assert hand_in(house, device, 1, station_id="st_2").json()["code"] == "other_station"
    assert hand_in(house, device, 1, "auditor", "st_2").json()["code"] == "device_unknown"
    stranger = Device(device.key, new_id("dev"))
    stranger.decide(house.new_bottle())
    assert hand_in(house, stranger, 1).json()["code"] == "device_unknown"
