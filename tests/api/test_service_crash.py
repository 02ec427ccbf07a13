"""Killed while recording: nothing that was acknowledged is lost or doubled."""

import json
import signal
import threading
import time
from pathlib import Path

import httpx
from api_house import House, check_body
from api_process import Served

from cylinder_api.folder import open_folder
from cylinder_trace.store.sound import audit_home
from servers.keyed import keyed_client


def test_killed_while_recording_nothing_acknowledged_is_lost_and_a_retry_gets_the_same_answer(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        bottles = [house.new_bottle() for _ in range(5)]
    bodies = [check_body(bottles[number % 5]) for number in range(2_000)]
    acknowledged: dict[str, bytes] = {}
    service = Served("--data", tmp_path)
    headers = {"Authorization": "Bearer token-of-station"}

    def ask(some: list[dict[str, object]]) -> None:
        with keyed_client(service.url, headers) as client:
            for body in some:
                try:
                    answer = client.post("/v1/fill-checks", json=body)
                except httpx.HTTPError:
                    return
                acknowledged[str(body["check_id"])] = answer.content

    threads = [threading.Thread(target=ask, args=(bodies[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 60:
        assert any(thread.is_alive() for thread in threads)
        time.sleep(0.005)
    assert service.stop(signal.SIGKILL) == -signal.SIGKILL
    for thread in threads:
        thread.join()

    service = Served("--data", tmp_path)
    with keyed_client(service.url, headers) as client:
        for body in bodies:
            if (before := acknowledged.get(str(body["check_id"]))) is not None:
                assert client.post("/v1/fill-checks", json=body).content == before
    assert service.stop() == 0
    key = open_folder(tmp_path).log.verifying_key
    report = audit_home(f"sqlite:///{tmp_path}/ledger.db", tmp_path, [key])
    assert report.faults == []
    assert report.entries >= len(acknowledged) + 10


def test_what_was_acknowledged_before_a_signal_is_published_when_the_service_has_stopped(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        bottle = house.new_bottle()
    service = Served("--data", tmp_path)
    headers = {"Authorization": "Bearer token-of-station"}
    with keyed_client(service.url, headers) as client:
        receipt = client.post("/v1/fill-checks", json=check_body(bottle)).json()["receipt"]
    assert service.stop() == 0
    size = (tmp_path / "log" / "checkpoint").read_text("utf-8").split("\n")[1]
    assert int(size) == receipt["index"] + 1
    lines = [json.loads(line) for line in service.log.splitlines()]
    assert {"method": "POST", "route": "/v1/fill-checks", "status": 200}.items() <= lines[-1].items()
