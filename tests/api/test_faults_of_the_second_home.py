"""PostgreSQL restarted, Redis killed, a process killed, all under load: nothing acknowledged is lost or doubled."""

import itertools
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_house import Bottle, Device, House, check_body
from api_process import Served

from cylinder_api.folder import open_folder
from cylinder_trace.store.sound import audit_home
from servers.keyed import keyed_client
from servers.redis import running_redis
from servers.stoppable import StoppablePostgres, stoppable_postgres

CALLERS = 3
BATCH = 10


@pytest.fixture(scope="module")
def server() -> Iterator[StoppablePostgres]:
    with stoppable_postgres() as started:
        yield started


class Load:
    """Stations that ask for permits and one that uploads; each asks again, of any process, until it is answered."""

    def __init__(self, processes: list[Served], bottles: list[Bottle]) -> None:
        self.processes, self.bottles = processes, bottles
        self.checks: dict[str, tuple[dict[str, Any], bytes]] = {}
        self.uploaded: list[dict[str, Any]] = []
        self.device = Device()
        self.failures: list[str] = []
        self._over, self._of_thread, self._clients = threading.Event(), threading.local(), list[httpx.Client]()
        self._threads = [threading.Thread(target=self._check) for _ in range(CALLERS)]
        self._threads.append(threading.Thread(target=self._upload))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a caller never got an answer"
        for client in self._clients:
            client.close()

    def more(self, number: int = 10) -> None:
        """Wait until so many more permits and two more uploads were answered."""
        checks, uploads = len(self.checks) + number, len(self.uploaded) + 2 * BATCH
        deadline = time.monotonic() + 120
        while len(self.checks) < checks or len(self.uploaded) < uploads:
            assert time.monotonic() < deadline, self.failures[-5:]
            time.sleep(0.02)

    def _check(self) -> None:
        for bottle in itertools.cycle(self.bottles):
            if self._over.is_set():
                return
            body = check_body(bottle)
            self.checks[body["check_id"]] = body, self._until_answered("/v1/fill-checks", body)

    def _upload(self) -> None:
        while not self._over.is_set():
            for bottle in self.bottles[:BATCH]:
                self.device.decide(bottle)
            body = self.device.upload(self.device.records[-BATCH:])
            told = json.loads(self._until_answered("/v1/stations/st_1/entries", body))
            assert told["problem"] is None, told
            self.uploaded += told["answers"]

    def _until_answered(self, path: str, body: dict[str, Any]) -> bytes:
        for process in itertools.cycle(self.processes):
            try:
                answer = self._client_of(process).post(path, json=body)
            except httpx.HTTPError as error:
                self.failures.append(type(error).__name__)
                time.sleep(0.02)
                continue
            if answer.status_code == 200:
                return answer.content
            assert answer.status_code in (409, 429, 503), answer.text
            self.failures.append(answer.json()["code"])
            time.sleep(0.02)
        raise AssertionError("there is no process")

    def _client_of(self, process: Served) -> httpx.Client:
        """This caller's client of the process."""
        clients: dict[str, httpx.Client] = self._of_thread.__dict__
        if process.url not in clients:
            clients[process.url] = client_of(process)
            self._clients.append(clients[process.url])
        return clients[process.url]


def client_of(process: Served) -> httpx.Client:
    return keyed_client(process.url, {"Authorization": "Bearer token-of-station"})


@pytest.mark.slow
def test_whatever_fails_under_load_nothing_acknowledged_is_lost_or_doubled(
    tmp_path: Path, server: StoppablePostgres
) -> None:
    with House(tmp_path, server.url) as house:
        bottles = [house.new_bottle() for _ in range(12)]
    with ExitStack() as redis:
        home = ("--data", tmp_path, "--database-url", server.url, "--redis-url", redis.enter_context(running_redis()))
        processes = [Served(*home), Served(*home)]
        with Load(processes, bottles) as load:
            load.more()
            redis.close()  # Redis is killed
            load.more()
            assert processes[0].stop(signal.SIGKILL) == -signal.SIGKILL
            load.more()
            server.stop(signal.SIGINT)
            server.start()
            load.more()
            server.stop(signal.SIGQUIT)  # as a crash
            server.start()
            load.more()
        assert load.failures, "nobody noticed anything"
        with client_of(processes[1]) as client:
            for body, answer in load.checks.values():
                assert client.post("/v1/fill-checks", json=body).content == answer
        assert processes[1].stop() == 0
    report = audit_home(server.url, tmp_path, [open_folder(tmp_path).log.verifying_key])
    assert report.faults == []
    with House(tmp_path, server.url) as house:
        decided = [entry.id for bottle in bottles for entry in house.entries_of(bottle.subject)[2:]]
    assert len(decided) == len(set(decided))
    acknowledged = {*load.checks, *(answer["id"] for answer in load.uploaded)}
    assert acknowledged <= set(decided)
    assert len(set(decided) - acknowledged) == 0
