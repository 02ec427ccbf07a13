"""May this cylinder be filled here, now? Asked over HTTP, on both homes."""

import json
import threading
import time

import httpx
import pytest
from api_house import TARE_G, House, check_body, new_id, now

from cylinder_trace import events
from cylinder_trace.decision_note import check_decision_note, inputs_hash
from cylinder_trace.events import FillDecided
from cylinder_trace.store.unit import Unit


def test_a_sound_cylinder_is_permitted_and_the_decision_is_on_the_ledger_before_the_answer(house: House) -> None:
    bottle = house.new_bottle()
    answer = house.as_("station").post("/v1/fill-checks", json=check_body(bottle))
    assert answer.status_code == 200
    decision, receipt = answer.json()["decision"], answer.json()["receipt"]
    assert (decision["outcome"], decision["max_net_g"], decision["target_net_g"]) == ("ALLOW", 14_900, 14_500)
    entry = house.entries_of(bottle.subject)[-1]
    event = entry.event()
    assert isinstance(event, FillDecided)
    assert event.decided_by == "service"
    assert (entry.id, entry.n) == (decision["check_id"], receipt["n"])
    assert {"station/st_1", "worker/fl_1", "company/co_1", "device/dev_1"} == set(entry.refs)


def test_a_refusal_is_an_answer_with_every_reason_in_two_languages_and_what_to_do_next(house: House) -> None:
    bottle = house.new_bottle(owner="co_2")
    body = check_body(bottle, empty_gross_g=TARE_G + 3_000, findings=["body_damaged"])
    answer = house.as_("station").post("/v1/fill-checks", json=body).json()
    assert answer["decision"]["outcome"] == "DENY"
    assert [told["code"] for told in answer["told"]] == ["R10", "R40", "R46"]
    first = answer["told"][0]
    assert first["en"] == "Its owner is co_2, not this station's company"
    assert "co_2" in first["zh"]
    assert all(first[name] for name in ("next_zh", "next_en", "basis", "word"))
    assert (first["next_act"], first["lift"], first["strength"]) == ("return", "never", "law")


def test_the_same_check_again_gets_the_same_answer_and_adds_nothing(house: House) -> None:
    bottle, client = house.new_bottle(), house.as_("station")
    body = check_body(bottle)
    first = client.post("/v1/fill-checks", json=body)
    entries = len(house.entries_of(bottle.subject))
    assert client.post("/v1/fill-checks", json=body).content == first.content
    assert len(house.entries_of(bottle.subject)) == entries


def test_a_check_id_used_for_another_question_is_a_conflict(house: House) -> None:
    bottle, client = house.new_bottle(), house.as_("station")
    body = check_body(bottle)
    client.post("/v1/fill-checks", json=body)
    answer = client.post("/v1/fill-checks", json={**body, "lane": 2})
    assert (answer.status_code, answer.json()["code"]) == (422, "id_conflict")
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_stored_decision_is_the_answer_even_after_the_cylinder_was_flagged(house: House) -> None:
    bottle, client = house.new_bottle(), house.as_("station")
    body = check_body(bottle)
    first = client.post("/v1/fill-checks", json=body)
    house.append(bottle.subject, events.Flagged(flag="black", authority_id="au_1", cause="found"))
    assert client.post("/v1/fill-checks", json=body).content == first.content
    assert client.post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]["reasons"][0]["code"] == "R32"


def test_an_answer_lost_after_the_commit_is_given_again(house: House) -> None:
    bottle = house.new_bottle()
    body = check_body(bottle)
    begun, lost = threading.Event(), threading.Event()

    def hold_everybody_up(_unit: Unit) -> None:
        begun.set()
        lost.wait(60)

    house.running.ledger.submit(hold_everybody_up)
    assert begun.wait(60)
    with pytest.raises(httpx.ReadTimeout):
        house.as_("station").post("/v1/fill-checks", json=body, timeout=httpx.Timeout(20, read=0.1))
    deadline = time.monotonic() + 60
    while house.running.ledger.waiting == 0:  # until the check stands behind the work that holds everybody up
        assert time.monotonic() < deadline
        time.sleep(0.005)
    lost.set()
    house.running.ledger.transact(lambda unit: None)
    answer = house.as_("station").post("/v1/fill-checks", json=body)
    assert answer.json()["decision"]["outcome"] == "ALLOW"
    decisions = [entry for entry in house.entries_of(bottle.subject) if entry.type == "fill_decided"]
    assert [entry.id for entry in decisions] == [body["check_id"]]
    assert decisions[0].recorded_at == answer.json()["receipt"]["recorded_at"]


def test_a_scan_without_a_cylinder_is_recorded_in_the_stations_history(house: House) -> None:
    answer = house.as_("station").post("/v1/fill-checks", json=check_body("6901028075022")).json()
    assert [reason["code"] for reason in answer["decision"]["reasons"]] == ["R01"]
    assert answer["receipt"]["subject"] == "station/st_1"
    unknown = house.as_("station").post("/v1/fill-checks", json=check_body("7K2M9QRT4XWZB8NDPVHC3J5E42")).json()
    assert unknown["decision"]["outcome"] == "DENY"


def test_the_service_reads_the_raw_scan_itself_and_not_what_the_client_says_it_read(house: House) -> None:
    overdue = house.new_bottle(manufactured_month="2018-01")
    good = house.new_bottle()
    answer = house.as_("station").post("/v1/fill-checks", json=check_body(overdue, code=good.code)).json()
    assert answer["decision"]["cylinder_id"] == overdue.cylinder_id
    assert "R20" in [reason["code"] for reason in answer["decision"]["reasons"]]


def test_a_station_whose_clock_is_wrong_is_refused_by_the_services_clock(house: House) -> None:
    body = check_body(house.new_bottle(), requested_at=now() - 3_600_000)
    reasons = house.as_("station").post("/v1/fill-checks", json=body).json()["decision"]["reasons"]
    assert [reason["code"] for reason in reasons] == ["R65"]


def test_a_black_flag_blocks_the_very_next_check_and_its_clearing_lifts_it(house: House) -> None:
    bottle, station, regulator = house.new_bottle(), house.as_("station"), house.as_("regulator")
    flag = {"id": new_id("flag"), "code": bottle.code, "flag": "black", "cause": "found", "occurred_at": now()}
    evidence = {"evidence_sha256": ["ab" * 32]}
    assert regulator.post("/v1/flags", json={**flag, **evidence}).status_code == 201
    denied = station.post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]
    assert [reason["code"] for reason in denied["reasons"]] == ["R32"]
    colleague = house.as_(None, "token-of-regulator-2")
    assert colleague.post("/v1/flags/clear", json={**flag, "id": new_id("clear")}).status_code == 201
    assert station.post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]["outcome"] == "ALLOW"


def test_a_station_cannot_ask_for_another_station(house: House) -> None:
    body = check_body(house.new_bottle(), station_id="st_2")
    answer = house.as_("station").post("/v1/fill-checks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "other_station")


def test_a_body_that_does_not_fit_names_every_field_and_repeats_nothing_of_it(house: House) -> None:
    body = {**check_body(house.new_bottle()), "lane": "secret", "worker": "secret", "empty_gross_g": -1}
    answer = house.as_("station").post("/v1/fill-checks", json=body)
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {
        "/body/lane", "/body/worker", "/body/empty_gross_g",
    }  # fmt: skip
    assert "secret" not in answer.text


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")])
def test_a_body_that_names_a_field_twice_is_refused_because_two_readers_would_read_two_things(
    house: House, separators: tuple[str, str]
) -> None:
    text = json.dumps(check_body(house.new_bottle()), separators=separators, ensure_ascii=False)
    twice = text[:-1] + '{}"lane"{}1}}'.format(*separators)
    json_kind = {"Content-Type": "application/json"}
    answer = house.as_("station").post("/v1/fill-checks", content=twice, headers=json_kind)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert house.as_("station").post("/v1/fill-checks", content=text, headers=json_kind).status_code == 200


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "application/json", 422),
        (b"{", "application/json", 422),
        (b"[" * 100_000, "application/json", 422),
        (b'{"check_id": "\xff"}', "application/json", 422),
        (b'{"check_id": 1e999}', "application/json", 422),
        (b"<xml/>", "application/xml", 415),
        (b" " * 300_000, "application/json", 413),
    ],
)
def test_what_is_no_such_json_is_a_named_problem(one_house: House, content: bytes, kind: str, status: int) -> None:
    answer = one_house.as_("station").post("/v1/fill-checks", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_fill_checks_are_listed_page_by_page_and_filtered(house: House) -> None:
    station, regulator = house.as_("station"), house.as_("regulator")
    ids = [check_body(house.new_bottle()) for _ in range(3)] + [check_body("no code")]
    start = house.running.ledger.reader.size() - 1
    for body in ids:
        station.post("/v1/fill-checks", json=body)
    listed: list[str] = []
    after: int | None = start
    while after is not None:
        page = regulator.get("/v1/fill-checks", params={"station_id": "st_1", "after": after, "limit": 2}).json()
        assert len(page["items"]) <= 2
        listed += [item["check_id"] for item in page["items"]]
        after = page["next"]
    assert listed == [body["check_id"] for body in ids]
    denied = regulator.get("/v1/fill-checks", params={"outcome": "DENY", "after": start}).json()["items"]
    assert [(item["check_id"], item["reasons"], item["raw_scan"]) for item in denied] == [
        (ids[3]["check_id"], ["R01"], "no code")
    ]
    assert station.get("/v1/fill-checks", params={"station_id": "st_2"}).status_code == 403


def fill_body(check_id: str, net_g: int = 14_500) -> dict[str, object]:
    return {
        "id": new_id("fill"), "check_id": check_id, "scale_id": "sc_1_1", "lane": 1, "worker_id": "fl_1",
        "started_at": now(), "ended_at": now(), "empty_gross_g": TARE_G, "full_gross_g": TARE_G + net_g,
        "net_g": net_g, "ended_because": "limit_reached",
    }  # fmt: skip


def test_a_fill_under_its_permit_is_recorded_once_and_the_cylinder_is_full(house: House) -> None:
    bottle, client = house.new_bottle(), house.as_("station")
    check_id = client.post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]["check_id"]
    body = fill_body(check_id)
    first = client.post("/v1/fills", json=body)
    assert (first.status_code, first.json()["dispute"]) == (201, None)
    assert client.post("/v1/fills", json=body).content == first.content
    assert client.get(f"/v1/cylinders/{bottle.code}").json()["status"] == "filled"
    again = client.post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]
    assert [reason["code"] for reason in again["reasons"]] == ["R69"]


def test_gas_without_a_permit_is_recorded_and_disputed(house: House) -> None:
    bottle, client = house.new_bottle(owner="co_2"), house.as_("station")
    denied = client.post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]["check_id"]
    body = fill_body(denied)
    answer = client.post("/v1/fills", json=body)
    assert (answer.status_code, answer.json()["dispute"]) == (201, "fill_without_permit")
    assert client.post("/v1/fills", json=body).content == answer.content
    assert house.disputes(bottle.subject) == ["fill_without_permit"]
    lost = client.post("/v1/fills", json=fill_body("nobody-checked"))
    assert (lost.status_code, lost.json()["receipt"]["subject"]) == (201, "station/st_1")


def test_more_gas_than_permitted_is_recorded_and_disputed(house: House) -> None:
    bottle, client = house.new_bottle(), house.as_("station")
    check_id = client.post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]["check_id"]
    assert client.post("/v1/fills", json=fill_body(check_id, 14_901)).json()["dispute"] == "overfilled"
    assert house.disputes(bottle.subject) == ["overfilled"]


def test_a_second_fill_under_one_permit_is_recorded_and_disputed(house: House) -> None:
    bottle, client = house.new_bottle(), house.as_("station")
    check_id = client.post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]["check_id"]
    first, second = fill_body(check_id), fill_body(check_id)
    assert client.post("/v1/fills", json=first).json()["dispute"] is None
    answer = client.post("/v1/fills", json=second)
    assert (answer.status_code, answer.json()["dispute"]) == (201, "permit_used_twice")
    assert client.post("/v1/fills", json=first).json()["dispute"] is None
    assert client.post("/v1/fills", json=second).content == answer.content
    assert house.disputes(bottle.subject) == ["permit_used_twice"]


def test_gas_is_judged_by_the_weights_and_not_by_the_net_weight_that_was_stated(house: House) -> None:
    bottle, client = house.new_bottle(), house.as_("station")
    check_id = client.post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]["check_id"]
    body = {**fill_body(check_id, 18_000), "net_g": 14_500}
    assert client.post("/v1/fills", json=body).json()["dispute"] == "overfilled"


def test_the_service_stands_by_its_decision_with_the_ledger_s_key(house: House) -> None:
    bottle = house.new_bottle()
    answer = house.as_("station").post("/v1/fill-checks", json=check_body(bottle))
    (event,) = [event for entry in house.entries_of(bottle.subject) if isinstance(event := entry.event(), FillDecided)]
    assert event.note is not None
    assert event.inputs_sha256 == inputs_hash(event.request, event.station, event.decision)
    key = house.running.keys.log.verifying_key
    signer = check_decision_note(event.note, event.request, event.decision, event.inputs_sha256, [key])
    assert (signer, answer.json()["decision"]["outcome"]) == (key.name, "ALLOW")
