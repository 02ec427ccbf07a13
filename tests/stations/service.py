"""The real service over a small ledger of its own, in a thread, with faults that a test can switch on."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cylinder_api.access import Account
from cylinder_api.acts.enrolment import grant, issue_code
from cylinder_api.app import create_app
from cylinder_api.folder import make_folder
from cylinder_api.service import Service, open_service
from cylinder_api.serving import Server, bind
from cylinder_api.settings import Settings
from cylinder_codes.authenticity import TagKey
from cylinder_codes.base32 import encode_base32
from cylinder_codes.identifiers import make_code, new_cylinder_id
from cylinder_trace import events
from cylinder_trace.audit import StoredEntry
from cylinder_trace.cosignature import parse_log_keys
from cylinder_trace.dates import format_day, format_month, local_day, local_month
from cylinder_trace.decision_note import Signers
from cylinder_trace.events import Event, Record, Stamp, parse_entry, state_event
from cylinder_trace.redecide import retake_decisions
from cylinder_trace.store.unit import Unit
from servers.keeper import free_port

STATION, COMPANY, FILLER = "st_01", "co_01", "fw_01"
TARE_G, TARGET_G, MODEL = 16_500, 14_500, "YSP35.5"
REGULATOR_TOKEN = "regulator-of-the-tests"
_TAG = TagKey("tests", bytes(32))
_RULEBOOK = Path(events.__file__).parent / "rulebooks" / "cn-default.toml"
_STARTS_WITHIN_S = 180
"""Also on a machine that has much else to do."""
App = Callable[[Any, Any, Any], Awaitable[None]]


def code_of(number: int) -> str:
    """The code of cylinder `number`."""
    return make_code(number.to_bytes(10, "big"), _TAG).text


def cylinder_id_of(number: int) -> str:
    """The id of cylinder `number`."""
    return new_cylinder_id(number.to_bytes(16, "big"))


@dataclass
class Faults:
    """What goes wrong between station and service."""

    delay_s: dict[str, float] = field(default_factory=dict)
    """By the last part of the path: how long the answer is held back, after the service has decided."""
    status: dict[str, int] = field(default_factory=dict)
    """By the last part of the path: the status that is answered instead from now on, also to what was asked before."""
    lost: set[str] = field(default_factory=set)
    """Last parts of paths whose answer does not arrive as long as they stand here."""
    silent: bool = False
    """Whether streams that are open say nothing any more."""

    def clear(self) -> None:
        """Everything works."""
        self.delay_s.clear()
        self.status.clear()
        self.lost.clear()
        self.silent = False


@dataclass
class RealService:
    """A running service. `stop` unplugs it and `start` plugs it in again, on the same port and ledger."""

    folder: Path
    scales: int = 8
    cylinders: int = 40
    faults: Faults = field(default_factory=Faults)
    port: int = field(default_factory=free_port)
    """Nobody else is given it while the service is unplugged."""
    service: Service | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ledger(self) -> Any:
        assert self.service is not None
        return self.service.ledger

    def start(self) -> None:
        """Open the ledger (seeded at the first start) and listen."""
        make_folder(self.folder, origin="ledger.example/tests")
        self.service = open_service(Settings(data=self.folder, database_url=f"sqlite:///{self.folder / 'ledger.db'}"))
        if self.service.ledger.reader.size() == 0:
            self.service.ledger.transact(self._seed)
        app = create_app(self.service)
        app.add_middleware(_Faulty, faults=self.faults)
        door, ready = bind("127.0.0.1", self.port), threading.Event()
        self._server = Server(app, ready.set)
        self._thread = threading.Thread(target=self._serve, args=(door,), daemon=True)
        self._thread.start()
        assert ready.wait(_STARTS_WITHIN_S), "the service did not start"

    def _serve(self, door: socket.socket) -> None:
        with door:
            asyncio.run(self._server.serve(sockets=[door]))

    def stop(self) -> None:
        """Unplug: nobody listens any more."""
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()
        assert self.service is not None
        self.service.close()  # the ledger's file lock can only be let go by the thread that took it
        self.service = None

    # ------------------------------------------------------------ what others do meanwhile

    def state(self, record: Record) -> None:
        """Append a record."""
        self.ledger.transact(lambda unit: unit.append(record))

    def about(self, number: int, event: Event, id: str) -> None:
        """Somebody states `event` about a cylinder, now."""
        self.state(_record(event, id, f"cylinder/{cylinder_id_of(number)}", _now()))

    def flag(self, number: int) -> int:
        """The regulator marks a cylinder as black; the version from which on a replica says so."""
        flagged = events.Flagged(flag="black", authority_id="au_01", cause="test")
        self.about(number, flagged, f"flag.{number}.{_now()}")
        version: int = self.ledger.reader.size()
        return version

    def enrolment_code(self) -> str:
        """A one-time code for a device of the station."""
        code = f"code-{_now()}"
        owner = Account(token_sha256="", account_id="owner-of-the-tests", role="company", org_id=COMPANY)
        self.ledger.transact(lambda unit: issue_code(unit, STATION, code, owner))
        return code

    def history(self, number: int) -> list[events.Entry]:
        """The entries about a cylinder."""
        return [parse_entry(row.text) for row in self.ledger.reader.history(f"cylinder/{cylinder_id_of(number)}")]

    def decided_otherwise(self) -> list[str]:
        """Recorded decisions that come out differently when they are taken again, or that their signer did not sign."""
        texts = [text for _, text in self.ledger.reader.texts(0, 100_000)]
        signers = Signers(parse_log_keys((self.folder / "log" / "keys").read_text().splitlines()))
        retaken = retake_decisions(lambda: texts, signers=signers)
        return [item.entry.id for item in retaken if item.note_fault or not item.same]

    def entries(self, type: str) -> list[events.Entry]:
        """All entries of one type."""
        rows: list[StoredEntry] = self.ledger.reader.by_type(type, after=-1, limit=10_000)
        return [parse_entry(row.text) for row in rows]

    # ------------------------------------------------------------ the first entries

    def _seed(self, unit: Unit) -> None:
        grant(unit, REGULATOR_TOKEN, "au_01", "regulator", "au_01")
        at = _now() - 3_600_000
        text = _RULEBOOK.read_text("utf-8")
        unit.append(
            _record(
                events.RulebookPublished(rulebook_id="cn-default", version="2026.1", text=text),
                "rulebook", "rulebook/cn-default", at,
            )
        )  # fmt: skip
        later = format_day(local_day(at) + 400)
        station: list[Event] = [
            events.StationLicensed(company_id=COMPANY, licence_no="L1", valid_until=later, region="R"),
            *(events.ScaleVerified(scale_id=f"sc_{n}", valid_until=later) for n in range(1, self.scales + 1)),
            events.WorkerCertified(worker_id=FILLER, valid_until=later),
        ]
        for n, event in enumerate(station):
            unit.append(_record(event, f"station.{n}", f"station/{STATION}", at))
        for number in range(1, self.cylinders + 1):
            register(unit, number, COMPANY, at)


def register(unit: Unit, number: int, owner_id: str, at: int) -> None:
    """Put a sound cylinder on file."""
    month = local_month(at)
    stamp = Stamp(
        maker="Example maker", serial=f"A{number:06d}", model=MODEL, manufactured_month=format_month(month - 30),
        tare_g=TARE_G, water_volume_ml=35_500, max_fill_g=14_900, design_life_months=96,
    )  # fmt: skip
    registered = events.CylinderRegistered(
        stamp=stamp, owner_id=owner_id, registration_no=f"R{number}",
        in_service_on=format_day(local_day(at) - 800),
    )  # fmt: skip
    subject = f"cylinder/{cylinder_id_of(number)}"
    unit.append(_record(registered, f"reg.{number}", subject, at))
    unit.append(_record(events.CodeBound(code=code_of(number)), f"bind.{number}", subject, at))


def _record(event: Event, id: str, subject: str, at: int) -> Record:
    return state_event(event, id=id, subject=subject, occurred_at=at, by="tests")


def _now() -> int:
    return time.time_ns() // 1_000_000


class _Faulty:
    """The app, with answers held back, replaced or lost."""

    def __init__(self, app: App, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        last = scope.get("path", "").rpartition("/")[2]
        replaced = False

        async def held_back(message: dict[str, Any]) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start":
                await asyncio.sleep(self._faults.delay_s.get(last, 0))
                while last in self._faults.lost:  # noqa: ASYNC110 - taken away by a test, in another thread
                    await asyncio.sleep(0.01)
                if status := self._faults.status.get(last):
                    replaced = True
                    await send({"type": "http.response.start", "status": status, "headers": []})
                    await send({"type": "http.response.body", "body": b"{}"})
            if replaced or (last == "changes" and self._faults.silent):
                return
            await send(message)

        await self._app(scope, receive, held_back)


@contextlib.contextmanager
def running_service(folder: Path, **settings: Any) -> Iterator[RealService]:
    """A service that is stopped at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    service = RealService(folder, **settings)
    service.start()
    try:
        yield service
    finally:
        if service.service is not None:
            service.stop()


def new_check_id(number: int) -> str:
    """A check id for tests that talk to the service themselves."""
    return f"chk_{encode_base32(number, 26).lower()}"
