"""A real service over a small ledger: two companies, two stations, a device with its journal, a token for each role."""

import base64
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from api_process import Served

from cylinder_api.acts.enrolment import grant, trust_device
from cylinder_api.acts.journal import head_text
from cylinder_api.app import create_app
from cylinder_api.folder import make_folder
from cylinder_api.refusals import Refused
from cylinder_api.service import Service, open_service, system_clock
from cylinder_api.serving import Server, bind, url_of
from cylinder_api.settings import Patience, Rates, Settings
from cylinder_codes.identifiers import make_code, new_cylinder_id
from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace import events
from cylinder_trace.audit import Auditor, Fault, read_vkey
from cylinder_trace.chain import next_link, record_hash
from cylinder_trace.decision import Decision, FillRequest, Outcome, StationFacts
from cylinder_trace.events import Event, Record, Stamp, record_text, state_event
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.store.unit import Unit
from servers.keyed import keyed_client
from servers.postgres import fresh_database

RULEBOOK = Path(events.__file__).parent / "rulebooks" / "cn-default.toml"
LATER = "2099-12-31"
ORGS = {
    "station": "st_1",
    "company": "co_1",
    "maker": "mk_1",
    "manager": "st_1",
    "filler": "st_1",
    "checker": "st_1",
    "delivery": "co_1",
    "inspector": "ib_1",
    "regulator": "au_1",
    "auditor": "au_1",
    "admin": "service",
}
DEVICE_KEY = SigningKey("st_1-device", bytes(range(32)))
DEVICE = "dev_1"
TARE_G = 16_500
_numbers = itertools.count(1)


def now() -> int:
    return time.time_ns() // 1_000_000


def new_id(word: str) -> str:
    """An id that no other act of this test run has."""
    return f"{word}.{next(_numbers)}.{now()}"


@dataclass(frozen=True)
class Bottle:
    """A cylinder on file."""

    cylinder_id: str
    code: str

    @property
    def subject(self) -> str:
        return f"cylinder/{self.cylinder_id}"


class ClockAhead:
    """The system's clock, and as far ahead of it as a test wants (`ahead`, ms)."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return now() + self.ahead


@contextmanager
def database_of(request: pytest.FixtureRequest) -> Iterator[str]:
    """For a fixture on both homes: nothing for SQLite, where a House has its own; else a fresh database's URL."""
    if request.param == "sqlite":
        yield ""
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        yield url


@dataclass
class House:
    """A running service; `stop` and `start` again keep the data."""

    folder: Path
    database_url: str = ""
    redis_url: str | None = None
    clock: Callable[[], int] = system_clock
    rulebook: str = RULEBOOK.read_text("utf-8")
    rates: Rates = field(default_factory=Rates)
    patience: Patience = field(default_factory=Patience)
    private_receivers: bool = False
    """Messages go to receivers of the tests as well."""
    two_processes: bool = False
    """A second one, `cylinder-api serve`, shares the work: the calls of a client go to both in turn."""
    url: str = ""
    service: Service | None = None
    _second: Served | None = None
    _clients: list[httpx.Client] = field(default_factory=list)

    def start(self) -> Self:
        self.folder.mkdir(exist_ok=True)
        make_folder(self.folder, origin="ledger.example/tests")
        database_url = self.database_url or f"sqlite:///{self.folder / 'ledger.db'}"
        book = parse_rulebook(self.rulebook)
        settings = Settings(
            data=self.folder, database_url=database_url, redis_url=self.redis_url, rulebook_id=book.rulebook_id,
            rates=self.rates, patience=self.patience, metrics_token="token-of-prometheus",
            private_receivers=self.private_receivers,
        )  # fmt: skip
        self.service = open_service(settings, self.clock)
        if self.service.ledger.reader.size() == 0:
            self.service.ledger.transact(partial(_furnish, rulebook=self.rulebook))
        door = bind("127.0.0.1", 0)
        self.url = url_of(door)
        accepting = threading.Event()
        self._server = Server(create_app(self.service), accepting.set)
        self._thread = threading.Thread(target=partial(self._server.run, sockets=[door]), daemon=True)
        self._thread.start()
        assert accepting.wait(20), "the service did not start"
        self._wait_for_the_list()
        if self.two_processes:
            self._second = Served("--data", self.folder, "--database-url", self.database_url)
        return self

    def _wait_for_the_list(self) -> None:
        """A process makes its list of dead codes beside the first requests."""
        running, patience = self.running, time.monotonic() + 30
        while True:
            with suppress(Refused):
                running.dead_codes.answer(0, running.clock(), running.keys.log)
                return
            assert time.monotonic() < patience, "the list of dead codes was never made"
            time.sleep(0.005)

    def stop(self) -> None:
        if self._second is not None:
            assert self._second.stop() == 0, self._second.log
        for client in self._clients:
            client.close()
        self._clients.clear()
        self.ask_to_stop()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the service did not stop"

    def ask_to_stop(self) -> None:
        """As a signal would."""
        self._server.should_exit = True

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def running(self) -> Service:
        assert self.service is not None
        return self.service

    def as_(self, role: str | None, token: str | None = None) -> httpx.Client:
        """A client that calls as this role, or with another token, or as nobody."""
        token = token or (f"token-of-{role}" if role else None)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = keyed_client(self.url, headers)
        if self._second is not None:
            client.event_hooks["request"].append(partial(_send_in_turn, cycle([self.url, self._second.url])))
        self._clients.append(client)
        return client

    def append(self, subject: str, event: Event, id: str | None = None, at: int | None = None) -> None:
        """Somebody states an event."""
        record = state_event(event, id=id or new_id("act"), subject=subject, occurred_at=at or now(), by="tests")
        self.running.ledger.append([record])

    def new_bottle(self, owner: str = "co_1", **stamp: Any) -> Bottle:
        """A sound, empty cylinder of a company."""
        number = next(_numbers)
        code = make_code(now().to_bytes(8, "big")[-6:] + number.to_bytes(4, "big"), self.running.keys.tag).text
        bottle = Bottle(new_cylinder_id(now().to_bytes(8, "big") + number.to_bytes(8, "big")), code)
        facts: dict[str, Any] = {
            "maker": "Example maker", "serial": f"A{number:06d}", "model": "YSP35.5", "tare_g": TARE_G,
            "manufactured_month": "2024-03", "water_volume_ml": 35_500, "max_fill_g": 14_900,
        }  # fmt: skip
        registered = events.CylinderRegistered(
            stamp=Stamp(**{**facts, **stamp}), owner_id=owner, registration_no=f"R{number}", in_service_on="2024-04-01"
        )
        self.append(bottle.subject, registered, at=1_720_000_000_000)
        self.append(bottle.subject, events.CodeBound(code=code), at=1_720_000_000_000)
        return bottle

    def entries_of(self, subject: str) -> list[events.Entry]:
        """A subject's history."""
        return [events.parse_entry(row.text) for row in self.running.ledger.reader.history(subject)]

    def stated_since(self, size: int, *by: str) -> list[str]:
        """What was stated since the log had this size, by these or by anybody: type, subject and who, of each entry.

        Others may state things at the same time: where they may, whoever tells that nothing was recorded names whom.
        """
        rows = self.running.ledger.reader.entries(size, limit=10_000)
        entries = (events.parse_entry(row.text) for row in rows)
        return [f"{entry.type} {entry.subject} by {entry.by}" for entry in entries if entry.by in by or not by]

    def audit(self) -> list[Fault]:
        """What an audit of the whole ledger finds."""
        reader = self.running.ledger.reader
        vkey = format_vkey(self.running.keys.log.verifying_key)
        auditor = Auditor(reader.checkpoints(), read_vkey(vkey))
        auditor.check(reader.all_entries())
        return auditor.finish(reader.read_model()).faults

    def disputes(self, subject: str) -> list[str]:
        """The kinds of the disputes in a subject's history."""
        return [entry.data["kind"] for entry in self.entries_of(subject) if entry.type == "dispute_raised"]


def stopped_house(folder: Path, rates: Rates) -> House:
    """A service whose clock stands still: no new minute begins while a test asks too often."""
    at = now()
    return House(folder, rates=rates, clock=lambda: at)


def _send_in_turn(urls: Iterator[str], request: httpx.Request) -> None:
    other = httpx.URL(next(urls))
    request.url = request.url.copy_with(host=other.host, port=other.port)
    request.headers["Host"] = other.netloc.decode()


def _furnish(unit: Unit, rulebook: str) -> None:
    for role, org_id in ORGS.items():
        grant(unit, f"token-of-{role}", DEVICE if role == "station" else f"{role}_1", role, org_id)
    grant(unit, "token-of-company-2", "company_2", "company", "co_2")
    grant(unit, "token-of-regulator-2", "regulator_2", "regulator", "au_1")
    trust_device(unit, DEVICE, "st_1", DEVICE_KEY.verifying_key, "token-of-station")
    trust_device(unit, "dev_2", "st_2", SigningKey("st_2-device", bytes(32)).verifying_key, "token-of-station-2")
    book = parse_rulebook(rulebook)
    published = events.RulebookPublished(rulebook_id=book.rulebook_id, version=book.version, text=rulebook)
    _state(unit, f"rulebook/{book.rulebook_id}", published)
    for number in (1, 2):
        station = f"station/st_{number}"
        licensed = events.StationLicensed(
            company_id=f"co_{number}", licence_no=f"L{number}", valid_until=LATER, region="R"
        )
        _state(unit, station, licensed)
        for scale in (1, 2):
            _state(unit, station, events.ScaleVerified(scale_id=f"sc_{number}_{scale}", valid_until=LATER))
        _state(unit, station, events.WorkerCertified(worker_id=f"fl_{number}", valid_until=LATER))


def _state(unit: Unit, subject: str, event: Event) -> None:
    unit.append(state_event(event, id=new_id("seed"), subject=subject, occurred_at=1_720_000_000_000, by="tests"))


def check_body(scan: Bottle | str, **changes: Any) -> dict[str, Any]:
    """A fill check at the first scale of st_1, in good order."""
    raw = scan if isinstance(scan, str) else f"HTTPS://ID.PINGLIAN.EXAMPLE/C/{scan.code}\r"
    body = {
        "check_id": new_id("chk"),
        "raw_scan": raw,
        "station_id": "st_1",
        "scale_id": "sc_1_1",
        "lane": 1,
        "boot_id": "boot",
        "worker_id": "fl_1",
        "empty_gross_g": TARE_G + 100,
        "requested_at": now(),
    }
    return {**body, **changes}


class Device:
    """A station's device with its own chain."""

    def __init__(self, key: SigningKey = DEVICE_KEY, device_id: str = DEVICE, station_id: str = "st_1") -> None:
        self.key, self.device_id, self.station_id = key, device_id, station_id
        self.records: list[Record] = []

    def record(self, event: Event, subject: str, id: str | None = None, at: int | None = None) -> Record:
        """The next record of the chain."""
        link = next_link(self.device_id, self.records[-1] if self.records else None)
        station_id = self.station_id
        record = state_event(
            event,
            id=id or new_id("rec"),
            subject=subject,
            occurred_at=at or now(),
            by=station_id,
            refs=(f"station/{station_id}",),
            device=link,
        )
        self.records.append(record)
        return record

    def decide(self, bottle: Bottle, outcome: Outcome = "ALLOW", **changes: Any) -> Record:
        """The station decided alone about a cylinder."""
        here = {"station_id": self.station_id, **changes}
        request = FillRequest(**check_body(bottle, code=bottle.code, **here))
        decision = Decision(
            check_id=request.check_id,
            outcome=outcome,
            cylinder_id=bottle.cylinder_id,
            cylinder_n=2,
            max_net_g=14_900 if outcome != "DENY" else None,
            target_net_g=14_500 if outcome != "DENY" else None,
            rulebook="cn-default@2026.1",
            data_as_of=request.requested_at,
            decided_at=request.requested_at,
        )
        facts = StationFacts(
            station_id=request.station_id, company_id="co_1", clock_skew_ms=0, data_as_of=request.requested_at
        )
        event = events.FillDecided(request=request, station=facts, decision=decision, decided_by="station")
        return self.record(event, bottle.subject, request.check_id, request.requested_at)

    def fill(self, bottle: Bottle, check_id: str, net_g: int = 14_500) -> Record:
        """Gas went in."""
        return self.record(filled(check_id, net_g), bottle.subject, f"{check_id}.filled")

    def upload(self, records: Sequence[Record] | None = None, **changes: Any) -> dict[str, Any]:
        """The body of an upload of these records, by default the whole chain."""
        chosen = self.records if records is None else records
        return self.upload_texts([record_text(record).decode() for record in chosen], chosen[-1], **changes)

    def upload_texts(self, texts: list[str], last: Record, **changes: Any) -> dict[str, Any]:
        """The body of an upload of these texts, under the signed head `last`."""
        assert last.device is not None
        seq, head = last.device.seq, record_hash(last)
        signature = base64.b64encode(self.key.sign(head_text(self.device_id, seq, head))).decode()
        signed = {"seq": seq, "hash": head, "signature": signature}
        return {"device_id": self.device_id, "records": texts, "head": {**signed, **changes}}


def filled(check_id: str, net_g: int = 14_500, station_id: str = "st_1") -> events.Filled:
    """A fill at the first scale of st_1."""
    return events.Filled(
        check_id=check_id, station_id=station_id, scale_id="sc_1_1", lane=1, worker_id="fl_1", started_at=now(),
        ended_at=now(), empty_gross_g=TARE_G + 100, full_gross_g=TARE_G + net_g, net_g=net_g,
        ended_because="limit_reached",
    )  # fmt: skip


@contextmanager
def listening(client: httpx.Client, station_id: str = "st_1", **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The station's stream of changes, event by event."""
    with client.stream("GET", f"/v1/stations/{station_id}/changes", headers=headers) as response:
        assert response.status_code == 200
        yield _events(response.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "data":
            event |= json.loads(value)
        elif name:
            event[name] = value
        elif event:
            yield event
            event = {}


def settle(stream: Iterator[dict[str, Any]], house: House) -> dict[str, Any]:
    """Read the stream until it is as new as the ledger; the last heartbeat."""
    for event in stream:
        if event["event"] == "heartbeat" and event["version"] == house.running.ledger.reader.size():
            return event
    raise AssertionError("the stream ended")


def told_of(stream: Iterator[dict[str, Any]], *subjects: str) -> dict[str, Any]:
    """Read the stream until all these subjects were named; the last change.

    A process that has not looked into the database since then goes on from where it stands: older subjects may be
    named before.  After `settle` none are, and `next_change` is exactly the next.
    """
    missing = set(subjects)
    while True:
        change = next_change(stream)
        missing -= set(change["subjects"])
        if not missing:
            return change


def next_change(stream: Iterator[dict[str, Any]], within_s: float = 60) -> dict[str, Any]:
    """The next change on a stream; heartbeats come each second, so a missing one is noticed."""
    deadline = time.monotonic() + within_s
    for event in stream:
        if event["event"] == "change":
            return event
        assert time.monotonic() < deadline, "no change arrived"
    raise AssertionError("the stream ended")
