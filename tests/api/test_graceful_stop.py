"""A signal in the middle of work: what was acknowledged is there, what was not may be sent again, and the log tells."""

import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx
from api_house import Device, House, check_body
from api_process import Served

from cylinder_api.folder import open_folder
from cylinder_trace.store.sound import audit_home
from servers.keyed import keyed_client

STATION = {"Authorization": "Bearer token-of-station"}
PARTS, RECORDS = 60, 40


def send_all(service: Served, path: str, bodies: list[dict[str, Any]], told: list[Any]) -> None:
    """Send one after the other until the service is gone; `told` is what it acknowledged."""
    with keyed_client(service.url, STATION) as client:
        for body in bodies:
            try:
                told.append(client.post(path, json=body).raise_for_status().json())
            except httpx.HTTPError:
                return


def test_a_signal_in_the_middle_of_uploads_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    device = Device()
    with House(tmp_path) as house:
        bottle = house.new_bottle()
    for _ in range(PARTS * RECORDS):
        device.decide(bottle)
    parts = [device.records[start : start + RECORDS] for start in range(0, PARTS * RECORDS, RECORDS)]
    uploads = [device.upload(part) for part in parts]
    checks = [check_body(bottle) for _ in range(2_000)]
    service, told, checked = Served("--data", tmp_path), list[Any](), list[Any]()

    threads = [
        threading.Thread(target=send_all, args=(service, "/v1/stations/st_1/entries", uploads, told)),
        threading.Thread(target=send_all, args=(service, "/v1/fill-checks", checks, checked)),
    ]
    for thread in threads:
        thread.start()
    while len(told) < 2 or len(checked) < 10:
        assert any(thread.is_alive() for thread in threads)
        time.sleep(0.005)
    assert service.stop(signal.SIGTERM) == 0
    for thread in threads:
        thread.join(30)
    with House(tmp_path) as house:
        ids = {entry.id for entry in house.entries_of(bottle.subject)}
        assert {one["id"] for answer in told for one in answer["answers"]} <= ids
        assert {answer["receipt"]["id"] for answer in checked} <= ids
        again = house.as_("station").post("/v1/stations/st_1/entries", json=device.upload()).json()
        assert (again["next_seq"], again["problem"]) == (PARTS * RECORDS, None)
        assert house.audit() == []
    key = open_folder(tmp_path).log.verifying_key
    assert audit_home(f"sqlite:///{tmp_path}/ledger.db", tmp_path, [key]).faults == []


def test_the_log_follows_a_trace_and_holds_nothing_of_what_was_sent(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        bottle = house.new_bottle()
    service = Served("--data", tmp_path, "--log-level", "debug")
    traces = [f"{number:032x}" for number in range(1, 6)]
    with keyed_client(service.url, STATION) as client:
        sent = [{"traceparent": f"00-{trace}-00f067aa0ba902b7-01"} for trace in traces]
        client.post("/v1/fill-checks", json=check_body(bottle, boot_id="ZZboot"), headers=sent[0])
        client.post("/v1/fill-checks", json=check_body("ZZ-SCAN"), headers=sent[1])
        client.get("/v1/cylinders/ZZ-NAME", params={"name": "ZZ-QUERY"}, headers=sent[2])
        client.get("/v1/fill-checks", headers={**sent[3], "Authorization": "Bearer ZZ-TOKEN"})
        client.post("/v1/fill-checks", content=b'{"ZZ-BODY": "ZZ', headers={**sent[4], "Idempotency-Key": "ZZ-KEY"})
    assert service.stop() == 0
    lines = [json.loads(line) for line in service.log.splitlines()]
    told = {line["trace_id"]: line for line in lines if line["message"] == "request" and "trace_id" in line}
    assert [told[trace]["status"] for trace in traces] == [200, 200, 422, 401, 422]
    assert told[traces[2]]["route"] == "/v1/cylinders/{name:path}"
    assert "ZZ" not in service.log
    assert bottle.code not in service.log
