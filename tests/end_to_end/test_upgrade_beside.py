"""An upgrade without a pause: the version before serves on, the tables are moved, this version starts beside it.

The older version is real older code (tests/upgrade). Whoever calls tries nothing again: each request must be answered.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_house import Bottle, Device, check_body
from api_process import Served, answer
from sqlalchemy import create_engine, make_url, text

from cylinder_api.folder import open_folder
from cylinder_codes.keys import parse_signer
from cylinder_trace import store
from cylinder_trace.store.lead import leads
from cylinder_trace.store.sound import audit_home
from cylinder_trace.store.tables import SCHEMA_VERSION
from servers.keyed import keyed_client
from upgrade import older
from upgrade.balancer import Balancer

_UPLOADED = 5
"""Records in each part of a journal."""


@pytest.fixture
def ended() -> Iterator[ExitStack]:
    """What must have ended with the test, however that ends."""
    with ExitStack() as stack:
        yield stack


class Traffic:
    """Callers who go on until they are told to stop, each in a thread; whatever is not answered well is kept."""

    def __init__(self, balancer: Balancer, access: dict[str, Any]) -> None:
        self._balancer, self._access, self._station = balancer, access, access["station"]
        self._stopping = threading.Event()
        self.failed: list[str] = []
        self.done: Counter[str] = Counter()
        self.checked: list[str] = []
        """Ids of the fill checks that were answered."""
        self.heard = 0
        """The log's size that the station's stream told last."""
        self.streams = 0
        """How often the stream was opened."""
        with self._client("station") as client:
            replica = client.get(f"/v1/stations/{self._station['station_id']}/replica").raise_for_status().json()
        self._bottles = [Bottle(one["cylinder_id"], one["codes"][0]) for one in replica["cylinders"] if one["codes"]]
        self._device = Device(
            parse_signer(self._station["private_key"]), self._station["device_id"], self._station["station_id"]
        )
        acts = self._checks, self._uploads, self._reads, self._listens
        self._threads = [threading.Thread(target=self._go_on, args=(act,), daemon=True) for act in acts]

    @property
    def uploaded(self) -> list[str]:
        """Ids of the journal's records that were answered."""
        return [record.id for record in self._device.records[: self.done["upload"] * _UPLOADED]]

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def goes_on(self, url: str, requests: int = 25) -> None:
        """Wait until an upstream has answered so many more requests, and every kind of caller was answered."""
        answered, done = self._balancer.answered[url], self.done.copy()
        kinds = "check", "upload", "read"
        self.wait(lambda: self._balancer.answered[url] >= answered + requests)
        self.wait(lambda: all(self.done[kind] > done[kind] + 1 for kind in kinds))

    def wait(self, until: Callable[[], bool]) -> None:
        """Wait for something that the traffic brings about."""
        patience = time.monotonic() + 60
        while not until():
            assert time.monotonic() < patience, (self.done, self.failed[:3])
            assert not self.failed, self.failed[:3]
            time.sleep(0.01)

    def _client(self, role: str) -> httpx.Client:
        return keyed_client(self._balancer.url, {"Authorization": f"Bearer {self._access['tokens'][role]}"})

    def _go_on(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
            self.failed.append(f"{act.__name__}: {error!r}")

    def _checks(self) -> None:
        here = {"station_id": self._station["station_id"], "scale_id": self._station["scales"][0]}
        with self._client("station") as client:
            while not self._stopping.is_set():
                bottle = self._bottles[len(self.checked) % len(self._bottles)]
                body = check_body(bottle, worker_id=self._station["workers"][0], **here)
                client.post("/v1/fill-checks", json=body).raise_for_status()
                self.checked.append(body["check_id"])
                self.done["check"] += 1

    def _uploads(self) -> None:
        with self._client("station") as client:
            while not self._stopping.is_set():
                part = [
                    self._device.decide(self._bottles[number % len(self._bottles)], "DENY")
                    for number in range(_UPLOADED)
                ]
                path = f"/v1/stations/{self._station['station_id']}/entries"
                said = client.post(path, json=self._device.upload(part)).raise_for_status().json()
                assert said["problem"] is None, said
                assert said["next_seq"] == len(self._device.records), said
                self.done["upload"] += 1

    def _reads(self) -> None:
        station = f"/v1/stations/{self._station['station_id']}"
        with self._client("station") as own, self._client("regulator") as regulator:
            while not self._stopping.is_set():
                bottle = self._bottles[self.done["read"] % len(self._bottles)]
                for client, path in (
                    (own, f"{station}/replica"), (regulator, f"/v1/cylinders/{bottle.cylinder_id}"),
                    (regulator, "/v1/fill-checks"), (regulator, "/log/checkpoint"), (own, "/readyz"),
                ):  # fmt: skip
                    client.get(path).raise_for_status()
                self.done["read"] += 1

    def _listens(self) -> None:
        while not self._stopping.is_set():
            self.streams += 1
            since = {"Last-Event-ID": str(self.heard)} if self.heard else {}
            path = f"/v1/stations/{self._station['station_id']}/changes"
            with self._client("station") as client, client.stream("GET", path, headers=since) as stream:
                stream.raise_for_status()
                for line in stream.iter_lines():
                    if line.startswith("id: "):
                        self.heard = int(line[4:])
                    if self._stopping.is_set():
                        return


def test_both_versions_wait_for_each_other_at_the_same_locks() -> None:
    """One writer, one publisher, one follower at a time: of both versions together, not of each."""
    held = set(re.findall(r"hashtext\('([a-z-]+)'\)", older.sources()))
    assert {"pinglian-writer", "pinglian-publisher", "pinglian-follower", "pinglian-schema"} <= held
    ours = "\n".join(path.read_text("utf-8") for path in Path(store.__file__).parent.rglob("*.py"))
    assert held <= set(re.findall(r"['\"](pinglian-[a-z-]+)['\"]", ours))


def test_a_lock_that_the_older_version_holds_is_not_taken_by_the_newer_one(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with engine.connect() as older_one, engine.connect() as newer_one:
        older_one.execute(text("SELECT pg_advisory_xact_lock(hashtext('pinglian-publisher'))"))
        assert not leads(newer_one, "pinglian-publisher")
        older_one.rollback()
        assert leads(newer_one, "pinglian-publisher")
    engine.dispose()


@pytest.mark.slow
def test_an_older_version_serves_while_the_tables_move_and_the_new_one_takes_over_and_no_request_fails(
    postgres_url: str, role_url: str, ended: ExitStack, tmp_path: Path
) -> None:
    data, role = tmp_path / "data", make_url(role_url).username or ""
    owner, service = ("--data", data, "--database-url", postgres_url), ("--data", data, "--database-url", role_url)
    surroundings = older.unpacked(tmp_path / "older")
    made = older.answer_of_older(surroundings, "migrate", *owner, "--service-role", role)
    assert made["schema"]["to"] == older.SCHEMA
    given = rights_of(role, postgres_url)
    before = Served("--demo", *service, program=older.COMMAND, surroundings=surroundings)
    ended.callback(before.process.kill)
    balancer = Balancer()
    ended.callback(balancer.close)
    balancer.use(before.url)
    access = json.loads((data / "demo-access.json").read_text("utf-8"))

    with Traffic(balancer, access) as traffic:
        traffic.goes_on(before.url)
        moved = answer("migrate", *owner, "--service-role", role)
        assert (moved["schema"]["from"], moved["schema"]["to"]) == (older.SCHEMA, SCHEMA_VERSION)
        assert set(given) <= set(rights_of(role, postgres_url))
        traffic.goes_on(before.url)
        after = Served(*service)
        ended.callback(after.process.kill)
        balancer.use(before.url, after.url)
        traffic.goes_on(after.url)
        said_only_by_the_newer(after.url, access["tokens"]["company"])
        traffic.goes_on(before.url)
        balancer.use(after.url)
        traffic.wait(lambda: balancer.running_at(before.url) == 0)
        assert before.stop() == 0, before.log
        traffic.goes_on(after.url)
        traffic.wait(lambda: traffic.streams > 1)
    assert traffic.failed == []
    assert after.stop() == 0, after.log

    ids = Counter(ids_in(postgres_url))
    assert set(traffic.checked) | set(traffic.uploaded) <= set(ids)
    assert max(ids.values()) == 1
    assert types_in(postgres_url)["epcis_captured"] == 1
    assert audit_home(postgres_url, data, [open_folder(data).log.verifying_key]).faults == []
    for log in (before.log, after.log):
        assert '"level":"error"' not in log
        assert "Traceback" not in log


def said_only_by_the_newer(url: str, token: str) -> None:
    """Have the newer version record a kind of event that the older does not know."""
    event = {"type": "ObjectEvent", "eventTime": "2026-04-01T10:10:00Z", "eventTimeZoneOffset": "+08:00",
             "action": "OBSERVE", "bizStep": "shipping", "epcList": ["https://id.gs1.org/8004/9520001X1"]}  # fmt: skip
    document = {"@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"], "type": "EPCISDocument",
                "schemaVersion": "2.0", "creationDate": "2026-04-01T10:15:00Z",
                "epcisBody": {"eventList": [event]}}  # fmt: skip
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as client:
        job = client.post("/epcis/capture", json=document).raise_for_status().headers["Location"]
        patience = time.monotonic() + 60
        while client.get(job).raise_for_status().json()["running"]:
            assert time.monotonic() < patience, "the capture did not end"
            time.sleep(0.02)


def ids_in(url: str) -> list[str]:
    """The id of every entry, as often as it stands there."""
    return words_in(url, "SELECT id FROM entry")


def rights_of(role: str, url: str) -> list[str]:
    """What a role may do: ``table: right``."""
    query = "SELECT table_name || ': ' || privilege_type FROM information_schema.role_table_grants WHERE grantee = "
    return words_in(url, f"{query} '{role}'")


def types_in(url: str) -> Counter[str]:
    """How many entries of each type there are."""
    return Counter(words_in(url, "SELECT type FROM entry"))


def words_in(url: str, query: str) -> list[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = list(connection.scalars(text(query)))
    engine.dispose()
    return found
