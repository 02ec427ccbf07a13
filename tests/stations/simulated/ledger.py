"""The service of the simulated stations: the real ledger and the real acts of the service, called in process."""

import asyncio
import atexit
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

from cylinder_api.acts import fill, journal
from cylinder_api.acts.enrolment import trust_device
from cylinder_api.acts.replica import make_replica
from cylinder_api.refusals import Refused
from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code, new_cylinder_id
from cylinder_codes.keys import SigningKey
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace import events
from cylinder_trace.canonical import canonical_json
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import format_day, format_month, local_day, local_month
from cylinder_trace.decision import FillRequest
from cylinder_trace.events import Event, Record, Stamp, state_event
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.unit import Unit
from station_agent.service import Change, ServiceDecision, ServiceGone, UploadAnswers

LOG_KEY = SigningKey("ledger.example/simulated", bytes(range(32)))
BEGIN_MS = 1_795_219_200_000
"""Midnight before the first day, Beijing time minus eight hours: 2026-11-21 08:00."""
TARE_G, TARGET_G, MODEL = 3_400, 1_900, "YSP4.7"
"""The smallest cylinder: filled in ten seconds, so that a simulated month has thousands of fills."""
SCALES = ("sc_1", "sc_2", "sc_3")
STRANGER = "co_000"
FILLERS, CHECKERS = ("fl_1", "fl_2", "fl_3"), ("ck_1", "ck_2")
_TAG = TagKey("simulated", bytes(32))
_BOOK = Path(events.__file__).parent / "rulebooks" / "cn-default.toml"
_ROUND_S = 900.0
_FORMS = ScanForms()


def station_of(number: int) -> str:
    return f"st_{number:03}"


def company_of(number: int) -> str:
    return f"co_{number:03}"


def spares_of(number: int) -> range:
    """Cylinders of a company that has no station; now and then one is entrusted to this station's company."""
    return range(number * 1000 + 990, number * 1000 + 998)


def device_of(number: int) -> str:
    return f"dev_{number:03}"


def key_of(number: int) -> SigningKey:
    return SigningKey(device_of(number), number.to_bytes(32, "big"))


def code_of(number: int) -> str:
    return make_code(number.to_bytes(10, "big"), _TAG).text


def cylinder_id_of(number: int) -> str:
    return new_cylinder_id(number.to_bytes(16, "big"))


@dataclass
class Town:
    """The ledger, and what people outside of the stations state in it."""

    ledger: Ledger
    now: Callable[[], int]
    stated: int = 0

    def state(self, told: Sequence[tuple[str, Event]], by: str = "town", refs: tuple[str, ...] = ()) -> None:
        """Somebody states events, each of its subject, all of them now."""
        records = [self._record(subject, event, by, refs) for subject, event in told]
        if records:
            self.ledger.append(records)

    def _record(self, subject: str, event: Event, by: str, refs: tuple[str, ...]) -> Record:
        self.stated += 1
        id, at = f"town.{self.stated}", self.now()
        return state_event(event, id=id, subject=subject, occurred_at=at, by=by, refs=refs)

    def filled_of(self, station: int) -> set[str]:
        """Ids of the cylinders of a station's company that are full, by the ledger."""
        states = self.ledger.reader.states("cylinder", owner_id=company_of(station))
        return {state.cylinder_id for state in states if isinstance(state, CylinderState) and state.status == "filled"}


@dataclass
class Link:
    """The line between one station and the service, and its station's token."""

    town: Town
    number: int
    random: Random
    cut: bool = False
    is_slow: bool = False
    lost: list[str] = field(default_factory=list)

    async def decide(self, request: FillRequest) -> ServiceDecision:
        """The service decides; now and then its answer comes late or gets lost."""
        await self._travel(0.005, 0.12)
        read = fill.read_again(request, _FORMS)
        act = partial(
            fill.check_fill, request=read, device_id=device_of(self.number), rulebook_id="cn-default", key=LOG_KEY
        )
        decision, receipt = self._called(act, fill.hints_for(read, "cn-default"))
        fate = self.random.random()
        if fate < 0.01:
            raise ServiceGone("The answer got lost.")
        await asyncio.sleep(self.random.uniform(0.3, 3) if fate < 0.03 else 0.01)
        return ServiceDecision(decision, receipt.index)

    async def upload(self, device_id: str, records: Sequence[bytes], head: dict[str, Any]) -> UploadAnswers:
        """The service takes records over; now and then its answer gets lost."""
        await self._travel(60, 300)  # a line over the telephone: records go up in bunches
        signed = journal.SignedHead(**head)
        lines, trouble = journal.read_lines([text.decode() for text in records], device_id, signed)
        act = partial(journal.take_records, device_id=device_id, lines=lines, trouble=trouble, head=signed)
        taken = self._called(act)
        if self.random.random() < 0.02:
            raise ServiceGone("The answer got lost.")
        problem = taken.problem._asdict() if taken.problem else None
        answers = [vars_of(answer) for answer in taken.answers]
        return UploadAnswers.model_validate({"answers": tuple(answers), "next_seq": taken.next_seq, "problem": problem})

    async def replica(self, since: int | None) -> bytes:
        """What the station must know."""
        await self._travel(0.02, 0.2)
        as_of = self.town.now()
        reader = self.town.ledger.reader
        return canonical_json(make_replica(reader, LOG_KEY, station_of(self.number), since or 0, "cn-default", as_of))

    async def dead_codes(self, since: int) -> bytes:
        """The list is another test's."""
        raise ServiceGone("The list is not made.")

    async def rotations(self) -> str:
        """No key follows on the first."""
        return ""

    @asynccontextmanager
    async def changes(self, since: int, unsent: int) -> AsyncIterator[AsyncIterator[Change]]:
        """Four times an hour a call to look."""
        await self._travel(0.02, 0.2)
        yield self._changes(since)

    async def _changes(self, since: int) -> AsyncIterator[Change]:
        while True:
            await asyncio.sleep(_ROUND_S)
            await self._travel(0.0, 0.05)
            yield Change(self.town.ledger.reader.size())

    async def _travel(self, least_s: float, most_s: float) -> None:
        await asyncio.sleep(self.random.uniform(least_s, most_s))
        if self.cut:
            raise ServiceGone("The service does not answer.")

    def _called(self, act: Callable[[Unit], Any], *hints: Any) -> Any:
        try:
            return self.town.ledger.transact(act, *hints)
        except Refused as refused:
            raise ServiceGone(f"The service refuses: {refused}") from refused


def vars_of(answer: journal.Answer) -> dict[str, Any]:
    return {"seq": answer.seq, "id": answer.id, "status": answer.status, "index": answer.index}


def open_town(folder: Path, now: Callable[[], int], stations: int, cylinders: int) -> Town:
    """A ledger of its own, with stations and cylinders on file."""
    shutil.copytree(_template(stations, cylinders), folder, dirs_exist_ok=True)
    return Town(Ledger(f"sqlite:///{folder / 'ledger.db'}", folder, LOG_KEY, now), now)


@lru_cache(maxsize=2)
def _template(stations: int, cylinders: int) -> Path:
    """Made once: each simulation begins with a copy of it."""
    folder = Path(mkdtemp(prefix="pinglian-town-", dir=memory()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with Ledger(f"sqlite:///{folder / 'ledger.db'}", folder, LOG_KEY, lambda: BEGIN_MS) as ledger:
        ledger.transact(partial(_furnish, stations=stations, cylinders=cylinders))
    return folder


def memory() -> str | None:
    """A folder in memory, where the system has one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _furnish(unit: Unit, stations: int, cylinders: int) -> None:
    def state(id: str, subject: str, event: Event) -> None:
        unit.append(state_event(event, id=id, subject=subject, occurred_at=BEGIN_MS, by="town"))

    text = _BOOK.read_text("utf-8").replace('basis = ["owned"]', 'basis = ["owned", "entrusted"]')
    book = events.RulebookPublished(rulebook_id="cn-default", version="2026.1", text=text)
    state("rulebook", "rulebook/cn-default", book)
    later = format_day(local_day(BEGIN_MS) + 400)
    for number in range(1, stations + 1):
        station, company = station_of(number), company_of(number)
        licensed = events.StationLicensed(company_id=company, licence_no=f"L{number}", valid_until=later, region="R")
        state(f"{station}.licence", f"station/{station}", licensed)
        for scale in SCALES:
            verified = events.ScaleVerified(scale_id=scale, valid_until=later)
            state(f"{station}.{scale}", f"station/{station}", verified)
        for worker in (*FILLERS, *CHECKERS):
            certified = events.WorkerCertified(worker_id=worker, valid_until=later)
            state(f"{station}.{worker}", f"station/{station}", certified)
        trust_device(unit, device_of(number), station, key_of(number).verifying_key, f"token-{number}")
        for place in range(cylinders):
            _register(state, number * 1000 + place, company)
        for spare in spares_of(number):
            _register(state, spare, STRANGER)


def _register(state: Callable[[str, str, Event], None], number: int, owner: str) -> None:
    month = local_month(BEGIN_MS)
    stamp = Stamp(
        maker="Example maker", serial=f"A{number:06d}", model=MODEL, manufactured_month=format_month(month - 30),
        tare_g=TARE_G, water_volume_ml=4_700, max_fill_g=1_950, design_life_months=96,
    )  # fmt: skip
    day = format_day(local_day(BEGIN_MS) - 800)
    registered = events.CylinderRegistered(stamp=stamp, owner_id=owner, registration_no=f"R{number}", in_service_on=day)
    subject = f"cylinder/{cylinder_id_of(number)}"
    state(f"reg.{number}", subject, registered)
    state(f"bind.{number}", subject, events.CodeBound(code=code_of(number)))
