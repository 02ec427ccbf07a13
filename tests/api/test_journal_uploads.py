"""Taking over a device's journal: the good prefix stands, nothing is lost, overwritten or doubled."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from api_house import DEVICE, TARE_G, Bottle, Device, House, check_body, filled, new_id, now

from cylinder_codes.keys import SigningKey
from cylinder_trace import events
from cylinder_trace.events import record_text
from cylinder_trace.fill_acts import POSTFILL, PREFILL
from cylinder_trace.vocabulary.inspecting import MANDATORY_ITEMS


@pytest.fixture(scope="module")
def chains() -> dict[str, Device]:
    """The device's one chain in each house: it goes on from test to test, as it does in life."""
    return {}


@pytest.fixture
def device(house: House, chains: dict[str, Device]) -> Iterator[Device]:
    """The device of st_1; what a test leaves unsent is taken back."""
    device = chains.setdefault(str(house.folder), Device())
    yield device
    sent = house.as_("station").post("/v1/stations/st_1/entries", json=device.upload(device.records[-1:])).json()
    del device.records[sent["next_seq"] :]


def send(house: House, body: dict[str, Any]) -> dict[str, Any]:
    answer = house.as_("station").post("/v1/stations/st_1/entries", json=body)
    assert answer.status_code == 200, answer.text
    taken: dict[str, Any] = answer.json()
    return taken


def statuses(taken: dict[str, Any]) -> list[str]:
    return [answer["status"] for answer in taken["answers"]]


def test_what_a_station_did_while_cut_off_comes_into_the_histories_with_its_own_time(
    house: House, device: Device
) -> None:
    bottle = house.new_bottle()
    an_hour_ago = now() - 3_600_000
    decided = device.decide(bottle, requested_at=an_hour_ago)
    device.fill(bottle, decided.id)
    taken = send(house, device.upload(device.records[-2:]))
    assert (statuses(taken), taken["problem"]) == (["stored", "stored"], None)
    assert taken["next_seq"] == len(device.records)
    entries = house.entries_of(bottle.subject)[-2:]
    assert [entry.type for entry in entries] == ["fill_decided", "filled"]
    assert entries[0].occurred_at == an_hour_ago < entries[0].recorded_at
    assert [answer["index"] for answer in taken["answers"]] == [
        house.running.ledger.reader.history(bottle.subject)[place].index for place in (-2, -1)
    ]


def test_the_same_upload_twice_changes_nothing(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    device.fill(bottle, device.decide(bottle).id)
    body = device.upload(device.records[-2:])
    first = send(house, body)
    size = house.running.ledger.reader.size()
    again = send(house, body)
    assert statuses(again) == ["known", "known"]
    assert [answer["index"] for answer in again["answers"]] == [answer["index"] for answer in first["answers"]]
    assert (again["next_seq"], house.stated_since(size, "st_1", device.device_id)) == (first["next_seq"], [])


def test_the_head_is_recorded_once_in_the_devices_own_history(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    device.decide(bottle)
    body = device.upload(device.records[-1:])
    send(house, body)
    send(house, body)
    heads = [entry.data["seq"] for entry in house.entries_of(f"device/{DEVICE}") if entry.type == "head_signed"]
    assert heads.count(len(device.records) - 1) == 1


def test_a_decision_that_the_service_took_too_links_to_it_and_adds_no_entry(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    body = check_body(bottle)
    online = house.as_("station").post("/v1/fill-checks", json=body).json()
    device.decide(bottle, "ALLOW", check_id=body["check_id"])
    taken = send(house, device.upload(device.records[-1:]))
    assert statuses(taken) == ["linked"]
    assert taken["answers"][0]["index"] == online["receipt"]["index"]
    assert [entry.type for entry in house.entries_of(bottle.subject)].count("fill_decided") == 1


def test_two_different_decisions_about_one_check_stand_side_by_side_as_a_dispute(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    house.append(bottle.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
    body = check_body(bottle)
    house.as_("station").post("/v1/fill-checks", json=body)
    device.decide(bottle, "ALLOW", check_id=body["check_id"])
    taken = send(house, device.upload(device.records[-1:]))
    assert statuses(taken) == ["disputed"]
    assert taken["answers"][0]["id"] == f"{body['check_id']}.station"
    assert house.disputes(bottle.subject) == ["outcomes_differ"]
    assert statuses(send(house, device.upload(device.records[-1:]))) == ["known"]


def test_gas_without_a_permit_is_kept_and_disputed(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    device.fill(bottle, device.decide(bottle, "DENY").id)
    other = house.new_bottle()
    device.fill(other, "nobody-checked")
    device.fill(house.new_bottle(), device.decide(other).id)
    taken = send(house, device.upload(device.records[-5:]))
    assert statuses(taken) == ["stored", "disputed", "disputed", "stored", "disputed"]
    assert house.disputes(bottle.subject) == ["fill_without_permit"]
    assert house.entries_of(bottle.subject)[-2].type == "filled"


def test_an_overfill_is_kept_and_disputed(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    device.fill(bottle, device.decide(bottle).id, net_g=15_000)
    assert statuses(send(house, device.upload(device.records[-2:]))) == ["stored", "disputed"]
    assert house.disputes(bottle.subject) == ["overfilled"]


def test_what_the_ledger_cannot_follow_is_kept_as_a_dispute_of_the_station(house: House, device: Device) -> None:
    ghost = Bottle(f"cyl_{'0' * 26}", "")
    device.record(filled("ghost"), ghost.subject)
    device.record(events.FlagCleared(flag="black", authority_id="au_1", cause="mine"), house.new_bottle().subject)
    device.record(filled("x", station_id="st_2"), house.new_bottle().subject)
    device.decide(house.new_bottle())
    taken = send(house, device.upload(device.records[-4:]))
    assert (statuses(taken), taken["problem"]) == (["disputed", "disputed", "disputed", "stored"], None)
    disputed = [entry for entry in house.entries_of("station/st_1") if entry.data.get("kind") == "not_followed"]
    ids = {record.id for record in device.records[-4:-1]}
    assert ids <= {entry.data["about_id"] for entry in disputed}


def test_a_station_does_not_inspect_what_it_uploads_as_an_inspection_is_kept_and_changes_nothing(
    house: House, device: Device
) -> None:
    bottle = house.new_bottle()
    before = house.running.ledger.reader.state(bottle.subject)
    passed = events.Inspected(
        body_id="ib_1", inspected_month="2026-01", result="passed", report_no="R", items=tuple(sorted(MANDATORY_ITEMS))
    )
    device.record(passed, bottle.subject)
    assert statuses(send(house, device.upload(device.records[-1:]))) == ["disputed"]
    assert house.running.ledger.reader.state(bottle.subject) == before


def test_a_changed_byte_stops_the_upload_there_and_the_good_prefix_stands(house: House, device: Device) -> None:
    bottles = [house.new_bottle() for _ in range(4)]
    for bottle in bottles:
        device.decide(bottle)
    texts = [record_text(record).decode() for record in device.records[-4:]]
    changed = [*texts[:2], texts[2].replace('"empty_gross_g":16600', '"empty_gross_g":16601'), texts[3]]
    taken = send(house, device.upload_texts(changed, device.records[-1]))
    assert (statuses(taken), taken["problem"]["code"]) == (["stored", "stored"], "chain_broken")
    assert taken["problem"]["seq"] == taken["next_seq"] == len(device.records) - 2
    assert len(house.entries_of(bottles[2].subject)) == 2
    healed = send(house, device.upload(device.records[-4:]))
    assert statuses(healed) == ["known", "known", "stored", "stored"]


@pytest.mark.parametrize("text", ["{}", "not json", '{"v":1}', "é" * 10])
def test_bytes_that_are_no_record_stop_the_upload_there(house: House, device: Device, text: str) -> None:
    device.decide(house.new_bottle())
    device.decide(house.new_bottle())
    good = record_text(device.records[-2]).decode()
    taken = send(house, device.upload_texts([good, text], device.records[-1]))
    assert (statuses(taken), taken["problem"]["code"]) == (["stored"], "bad_record")


def test_a_head_that_the_device_did_not_sign_brings_in_nothing(house: House, device: Device) -> None:
    device.decide(house.new_bottle())
    size = house.running.ledger.reader.size()
    stranger = Device(SigningKey("st_1-device", bytes(31) + b"1"))
    stranger.records = device.records
    for body in (stranger.upload(device.records[-1:]), device.upload(device.records[-1:], signature="AAAA")):
        taken = send(house, body)
        assert (taken["answers"], taken["problem"]["code"]) == ([], "bad_signature")
    assert house.stated_since(size, "st_1", device.device_id) == []


def test_a_gap_in_the_chain_is_not_jumped(house: House, device: Device) -> None:
    device.decide(house.new_bottle())
    device.decide(house.new_bottle())
    taken = send(house, device.upload(device.records[-1:]))
    assert (taken["answers"], taken["problem"]["code"]) == ([], "gap")
    assert taken["next_seq"] == len(device.records) - 2
    assert statuses(send(house, device.upload(device.records[-2:]))) == ["stored", "stored"]


def test_a_thousand_records_come_in_with_one_call_and_the_audit_still_passes(house: House, device: Device) -> None:
    bottles = [house.new_bottle() for _ in range(20)]
    for number in range(1_000):
        device.decide(bottles[number % 20], check_id=new_id("bulk"))
    taken = send(house, device.upload(device.records[-1_000:]))
    assert statuses(taken) == ["stored"] * 1_000
    indexes = [answer["index"] for answer in taken["answers"]]
    assert indexes == list(range(indexes[0], indexes[0] + 1_000))
    assert house.audit() == []


def test_another_device_or_station_may_not_upload_in_its_name(house: House, device: Device) -> None:
    device.decide(house.new_bottle())
    body = device.upload(device.records[-1:])
    stranger = house.as_(None, "token-of-station-2")
    assert stranger.post("/v1/stations/st_1/entries", json=body).json()["code"] == "other_station"
    assert stranger.post("/v1/stations/st_2/entries", json=body).json()["code"] == "other_device"


def test_two_uploads_that_meet_in_one_commit_do_not_double_anything(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    device.decide(bottle)
    body = device.upload(device.records[-1:])
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: send(house, body), range(4)))
    assert sorted(status for answer in answers for status in statuses(answer)) == ["known"] * 3 + ["stored"]
    assert len(house.entries_of(bottle.subject)) == 3


def test_the_signature_covers_what_the_protocol_says(device: Device, house: House) -> None:
    device.decide(house.new_bottle())
    head = device.upload(device.records[-1:])["head"]
    text = f"pinglian-device-head/1\n{DEVICE}\n{head['seq']}\n{head['hash']}\n".encode()
    assert device.key.verifying_key.verify(base64.b64decode(head["signature"]), text)


def test_a_station_cannot_state_a_decision_in_the_services_name(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    kept = len(house.entries_of(bottle.subject))
    honest = device.decide(bottle)
    device.records.pop()
    event = honest.event()
    assert isinstance(event, events.FillDecided)
    forged = event.model_copy(update={"decided_by": "service"})
    device.record(forged, bottle.subject, honest.id)
    assert statuses(send(house, device.upload(device.records[-1:]))) == ["disputed"]
    assert len(house.entries_of(bottle.subject)) == kept
    assert house.running.ledger.reader.entry(honest.id) is None


def test_a_record_in_somebody_elses_name_is_kept_as_a_dispute_and_not_followed(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    device.decide(bottle)
    for changes in ({"by": "service"}, {"by": "st_2"}, {"refs": ("station/st_2",)}, {"refs": ()}):
        device.records[-1] = device.records[-1].model_copy(update={"id": new_id("forged"), **changes})
        assert statuses(send(house, device.upload(device.records[-1:]))) == ["disputed"], changes
        device.decide(bottle)
    assert len(house.entries_of(bottle.subject)) == 2
    assert all("station/st_2" not in entry.refs for entry in house.entries_of("station/st_1"))
    assert statuses(send(house, device.upload(device.records[-1:]))) == ["stored"]


def test_a_decision_is_recorded_under_its_own_check_id_only(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    device.decide(bottle)
    device.records[-1] = device.records[-1].model_copy(update={"id": new_id("other")})
    assert statuses(send(house, device.upload(device.records[-1:]))) == ["disputed"]
    assert len(house.entries_of(bottle.subject)) == 2


def test_a_refusal_under_a_check_id_used_for_another_cylinder_is_not_swallowed_by_its_entry(
    house: House, device: Device
) -> None:
    bottle, other = house.new_bottle(owner="co_2"), house.new_bottle(owner="co_2")
    body = check_body(bottle)
    house.as_("station").post("/v1/fill-checks", json=body)
    device.decide(other, "DENY", check_id=body["check_id"])
    assert statuses(send(house, device.upload(device.records[-1:]))) == ["disputed"]
    about = [entry.data["about_id"] for entry in house.entries_of("station/st_1") if entry.type == "dispute_raised"]
    assert about[-1] == body["check_id"]


def test_a_second_fill_under_one_permit_is_kept_and_disputed(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    permit = device.decide(bottle).id
    device.fill(bottle, permit)
    device.record(filled(permit), bottle.subject, f"{permit}.again")
    assert statuses(send(house, device.upload(device.records[-3:]))) == ["stored", "stored", "disputed"]
    assert house.disputes(bottle.subject) == ["permit_used_twice"]


def checked_after(check_id: str, worker: str = "fl_2") -> events.PostfillChecked:
    items = tuple(events.CheckItem(item=item, passed=True) for item in POSTFILL)
    return events.PostfillChecked(
        check_id=check_id, station_id="st_1", worker_id=worker, items=items, passed=True, seal_no="1", label_no="2"
    )


def weighed_again(check_id: str, worker: str = "fl_2", scale: str = "sc_1_2") -> events.Reweighed:
    return events.Reweighed(
        check_id=check_id, station_id="st_1", scale_id=scale, worker_id=worker, full_gross_g=TARE_G + 14_500,
        net_g=14_500, within_limit=True,
    )  # fmt: skip


def test_the_checks_around_a_fill_belong_into_the_cylinder_s_history(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    check_id = device.decide(bottle).id
    before = tuple(events.CheckItem(item=item, passed=True) for item in PREFILL)
    listed = events.PrefillChecked(check_id=check_id, station_id="st_1", worker_id="fl_1", items=before, passed=True)
    device.record(listed, bottle.subject)
    device.fill(bottle, check_id)
    device.record(checked_after(check_id), bottle.subject)
    device.record(weighed_again(check_id), bottle.subject)
    device.record(events.LeftStation(station_id="st_1", worker_id="dw_1"), bottle.subject)
    assert statuses(send(house, device.upload(device.records[-6:]))) == ["stored"] * 6
    assert house.disputes(bottle.subject) == []
    types = [entry.type for entry in house.entries_of(bottle.subject)]
    assert types[-5:] == ["prefill_checked", "filled", "postfill_checked", "reweighed", "left_station"]


def test_a_filler_who_checks_the_own_work_on_the_own_scale_is_doubted_and_kept(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    check_id = device.decide(bottle).id
    device.fill(bottle, check_id)
    device.record(checked_after(check_id, worker="fl_1"), bottle.subject)
    device.record(weighed_again(check_id, worker="fl_1", scale="sc_1_1"), bottle.subject)
    assert statuses(send(house, device.upload(device.records[-4:]))) == ["stored", "stored", "disputed", "disputed"]
    assert house.disputes(bottle.subject) == ["same_person", "same_person", "same_scale"]


def test_a_check_about_no_fill_is_doubted_and_kept(house: House, device: Device) -> None:
    bottle = house.new_bottle()
    device.record(checked_after("nobody-filled"), bottle.subject)
    assert statuses(send(house, device.upload(device.records[-1:]))) == ["disputed"]
    assert house.disputes(bottle.subject) == ["no_fill"]


def test_a_fill_at_another_scale_or_after_the_permit_s_last_moment_is_doubted_and_kept(
    house: House, device: Device
) -> None:
    bottle = house.new_bottle()
    check_id = device.decide(bottle, scale_id="sc_1_2").id
    device.fill(bottle, check_id)
    assert statuses(send(house, device.upload(device.records[-2:]))) == ["stored", "disputed"]
    assert house.disputes(bottle.subject) == ["other_scale"]


def alarm(**changes: Any) -> events.AlarmRaised:
    """What a lane's watch states."""
    about = {"kind": "rise_without_permit", "lane": 1, "scale_id": "sc_1_1", "worker_id": "fl_1", "zh": "重量上升。"}
    gain = events.AlarmFact(name="gain_g", value=900)
    told = {"station_id": "st_1", "from_at": 1, "to_at": 2, "facts": (gain,), "en": "The weight rose.", **about}
    return events.AlarmRaised(**{**told, **changes})


def test_alarms_and_shifts_of_a_station_belong_into_its_own_history(house: House, device: Device) -> None:
    shift = events.ShiftChanged(station_id="st_1", lane=1, change="signed_on", worker_id="fl_1", checker_id="fl_2")
    device.record(alarm(), "station/st_1")
    device.record(shift, "station/st_1")
    assert statuses(send(house, device.upload(device.records[-2:]))) == ["stored", "stored"]
    assert [entry.type for entry in house.entries_of("station/st_1")[-2:]] == ["alarm_raised", "shift_changed"]


def test_an_alarm_about_another_station_or_in_a_cylinders_history_is_kept_and_not_followed(
    house: House, device: Device
) -> None:
    device.record(alarm(station_id="st_2"), "station/st_1")
    device.record(alarm(), house.new_bottle().subject)
    assert statuses(send(house, device.upload(device.records[-2:]))) == ["disputed", "disputed"]
    assert house.disputes("station/st_1")[-2:] == ["not_followed", "not_followed"]


def test_a_regulator_reads_the_alarms_of_a_station_with_their_evidence(house: House, device: Device) -> None:
    last = house.running.ledger.reader.by_type("alarm_raised", limit=1000)
    device.record(alarm(kind="zero_changed"), "station/st_1")
    device.record(alarm(), "station/st_1")
    send(house, device.upload(device.records[-2:]))
    asked: dict[str, Any] = {"station": "st_1", "after": last[-1].index if last else -1}
    page = house.as_("regulator").get("/v1/alarms", params=asked).json()
    assert [(item["kind"], item["facts"], item["en"]) for item in page["items"]] == [
        ("zero_changed", {"gain_g": 900}, "The weight rose."),
        ("rise_without_permit", {"gain_g": 900}, "The weight rose."),
    ]
    first = house.as_("regulator").get("/v1/alarms", params={**asked, "limit": 1}).json()
    assert first["next"] == first["items"][0]["index"]
    rest = house.as_("regulator").get("/v1/alarms", params={**asked, "after": first["next"]}).json()
    assert [item["kind"] for item in rest["items"]] == ["rise_without_permit"]
    assert house.as_("regulator").get("/v1/alarms", params={**asked, "kind": "overfill"}).json()["items"] == []
    assert house.as_("regulator").get("/v1/alarms", params={**asked, "station": "st_9"}).json()["items"] == []
