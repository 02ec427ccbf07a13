import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cylinder_codes.keys import SigningKey, encode_base64, format_vkey
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.admission import decide_fill
from cylinder_trace.canonical import canonical_json
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import FillRequest, StandingLock
from cylinder_trace.events import FillDecided, Record, parse_record
from cylinder_trace.locks import Lock
from cylinder_trace.lots import LotState
from cylinder_trace.station import StationState, facts_for
from station_agent.clock import Reference, TrustedClock
from station_agent.devices.scale import ScaleFault, ScaleReading
from station_agent.devices.scale_model import OPEN, SHUT, Change, Controls, SimulatedScale
from station_agent.journal import Journal
from station_agent.lane import Lane, Stated
from station_agent.own_acts import OwnActs
from station_agent.recorder import Recorder
from station_agent.replica import Replica, open_answer
from station_agent.service import ServiceDecision, ServiceGone
from station_agent.station import Station
from vectors.admission.cases import Case

LOG_KEY = SigningKey("ledger.example/bench", bytes(range(32)))
DEVICE_KEY = SigningKey("device-bench", bytes(range(1, 33)))
DEVICE = "dev_bench"
_STEP_S = 0.02


class BenchScale:
    """A scale whose time passes only when it is asked; `lost` makes it fall silent."""

    overshoot_g = 0

    def __init__(self, *, simulated_s_per_read: float = 30.0) -> None:
        self.log: list[Change] = []
        self.model = SimulatedScale(1, self.log.append)
        self.lost = False
        self._steps = int(simulated_s_per_read / _STEP_S)
        self._wall_ms = 0
        self._heartbeat = 0
        self._wanted = Controls()
        self._stop_at_g = 0
        self._awaited: tuple[int, asyncio.Event] | None = None

    async def carries(self, gross_g: int) -> None:
        """Wait until so much stands on the scale."""
        self._awaited = (gross_g, asyncio.Event())
        await self._awaited[1].wait()

    def events(self, event: str) -> list[Change]:
        """Lines of the scale's own log."""
        return [change for change in self.log if change.event == event]

    async def read(self) -> ScaleReading:
        self._answer()
        for _ in range(self._steps):
            self.model.step(_STEP_S, self._wall_ms)
        said = self.model.indication()
        if self._awaited and said.gross_g >= self._awaited[0]:
            self._awaited[1].set()
        return ScaleReading(
            at_ms=self._wall_ms,
            gross_g=said.gross_g,
            stable=said.stable,
            valve_open=said.valve_open,
            fault=said.fault,
            watchdog_tripped=said.watchdog_tripped,
        )

    async def open_valve(self, stop_at_gross_g: int) -> None:
        self._say(SHUT, stop_at_gross_g)
        self._say(OPEN, stop_at_gross_g)

    async def refresh(self) -> None:
        self._say(self._wanted.command, self._stop_at_g)

    async def shut_valve(self) -> None:
        self._say(SHUT, self._stop_at_g)

    def _say(self, command: int, stop_at_g: int) -> None:
        self._answer()
        self._heartbeat += 1
        self._stop_at_g = stop_at_g
        self._wanted = Controls(command, self._heartbeat, stop_at_g, 1)
        self.model.obey(self._wanted, self._wall_ms)

    def _answer(self) -> None:
        self._wall_ms += 1
        if self.lost:
            raise ScaleFault("The scale does not answer.")


class ScriptedService:
    """A service that is gone until a test gives it knowledge, and answers after `delay_s`."""

    def __init__(self) -> None:
        self.case: Case | None = None
        self.delay_s = 0.0
        self.waits_for: Callable[[], Awaitable[None]] | None = None
        """What its answer waits for, in place of `delay_s`."""
        self.asked: list[FillRequest] = []

    async def decide(self, request: FillRequest) -> ServiceDecision:
        self.asked.append(request)
        await (self.waits_for() if self.waits_for else asyncio.sleep(self.delay_s))
        if self.case is None:
            raise ServiceGone("The service does not answer.")
        case = self.case
        facts = facts_for(station_state(case), request, case.now, 0, lot_state(case))
        return ServiceDecision(decide_fill(request, case.cylinder, facts, case.book, case.now), len(self.asked))


@dataclass
class Bench:
    """One lane and everything behind it."""

    station: Station
    lane: Lane
    scale: BenchScale
    service: ScriptedService
    journal: Journal
    replica: Replica
    recorder: Recorder
    runner: asyncio.Runner
    told: list[dict[str, Any]] = field(default_factory=list)

    def records(self) -> list[Record]:
        """The journal."""
        return [parse_record(line.text) for line in self.journal.lines()]

    def decided(self) -> FillDecided:
        """The last decision in the journal, which hundreds of benches may have used before."""
        latest_first = (parse_record(line.text).event() for line in reversed(self.journal.lines()))
        return next(event for event in latest_first if isinstance(event, FillDecided))

    def said(self, event: str) -> list[dict[str, Any]]:
        """What was told of one kind."""
        return [line for line in self.told if line["event"] == event]

    def scan_now(self, raw_scan: str) -> None:
        """Scan at the lane and wait until nothing is under way."""
        self.runner.run(self.scan(raw_scan))

    async def scan(self, raw_scan: str) -> None:
        """Scan at the lane and wait until nothing is under way."""
        working = asyncio.create_task(self.station.work(self.lane))
        try:
            await asyncio.sleep(0)
            assert self.lane.offer(raw_scan)
            await self.lane.ready()
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


def public_vkey(key: SigningKey) -> str:
    """The public text of a key."""
    return format_vkey(key.verifying_key)


@dataclass
class Home:
    """Journal and replica on disk. Several benches may use one after the other."""

    journal: Journal
    replica: Replica
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def close(self) -> None:
        self.runner.close()
        self.journal.close()
        self.replica.close()


def home_in(folder: Path, station_id: str = "station-1") -> Home:
    """A home that is made, or opened again."""
    return Home(
        Journal(folder / "journal.db", DEVICE, DEVICE_KEY),
        Replica(folder / "replica.db", station_id, DEVICE_KEY.seed),
    )


def bench_for(
    case: Case,
    home: Home,
    *,
    known: bool = True,
    skew_ms: int | None = 0,
    unchecked_ms: int | None = None,
    scale: BenchScale | None = None,
    remembers: bool = True,
    forms: ScanForms | None = None,
) -> Bench:
    """A bench whose replica, clock and scale are as `case` says; `remembers` what is in the journal already."""
    told: list[dict[str, Any]] = []

    def tell(event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
        told.append({"event": event, "lane": lane.number if lane else None, **fields})

    clock = (
        frozen_clock(case.now, skew_ms) if unchecked_ms is None else restarted_clock(case.now, skew_ms, unchecked_ms)
    )
    journal, replica = home.journal, home.replica
    if known:
        cylinders = (case.cylinder,) if case.cylinder else ()
        replica.take(open_answer(replica_text(case, cylinders), case.request.station_id, LOG_KEY.verifying_key))
    acts = OwnActs()
    for record, index in journal.unseen(replica.known.version if replica.known else 0) if remembers else ():
        acts.add(record, index)
    recorder = Recorder(case.request.station_id, journal, acts, clock, tell, asyncio.Event())
    scale, service = scale or BenchScale(), ScriptedService()
    station = Station(
        case.request.station_id, "boot-1",
        recorder=recorder, replica=replica, clock=clock, service=service, tell=tell,
        forms=forms or ScanForms(),
    )  # fmt: skip
    lane = Lane(case.request.lane, case.request.scale_id, scale, worker_id=case.request.worker_id)
    lane.findings.extend(case.request.findings)
    lane.stamp_seen = case.request.stamp_seen
    lane.lot_id = case.request.lot_id
    lane.stated = Stated(case.request.residue_g, case.request.evacuated, case.request.prefill_checked)
    return Bench(station, lane, scale, service, journal, replica, recorder, home.runner, told)


def frozen_clock(now: int, skew_ms: int | None, steady: Callable[[], int] = lambda: 1_000_000) -> TrustedClock:
    """A clock that stands still, and what it knows of its error."""
    clock = TrustedClock(wall=lambda: now, steady=steady, boot="machine-1")
    if skew_ms is not None:
        clock.learn(now - skew_ms, steady(), steady())
    return clock


def restarted_clock(now: int, skew_ms: int | None, unchecked_ms: int) -> TrustedClock:
    """A clock after a restart of the machine, so far beyond the last moment at which it was right but for `skew_ms`."""
    clock = TrustedClock(wall=lambda: now, steady=lambda: 1_000, boot="machine-2")
    known_at = now - max(0, unchecked_ms)
    clock.restore(Reference(known_at - (skew_ms or 0), known_at, 1_000_000, "machine-1"), now - min(0, unchecked_ms))
    return clock


def station_state(case: Case) -> StationState:
    """A station that gives the case's facts."""
    facts, request = case.station, case.request
    certified = facts.worker_certified_until
    fields: dict[str, Any] = {
        "station_id": facts.station_id,
        "n": 3,
        "company_id": facts.company_id,
        "licence_valid_until": facts.licence_valid_until,
        "licence_suspended": facts.licence_suspended,
        "region": facts.region,
        "scales": {request.scale_id: {"verified_until": facts.scale_verified_until, "locked": facts.scale_locked}},
        "workers": {request.worker_id: certified} if certified and request.worker_id else {},
    }
    if lock := facts.lock:
        fields["scales"][request.scale_id]["locked"] = False
        fields["locks"] = {"lock-1": _lock_behind(lock, case)}
    return StationState.model_validate(fields)


def _lock_behind(lock: StandingLock, case: Case) -> Lock:
    return Lock(
        id="lock-1",
        station_id=case.station.station_id,
        target=lock.target,
        lane=case.request.lane if lock.target == "lane" else None,
        scale_id=case.request.scale_id if lock.target == "scale" else None,
        authority_id=lock.authority_id,
        locked=True,
        until=lock.until,
        occurred_at=case.now - 3_600_000,
        cause="演示",
    )


def lot_state(case: Case) -> LotState | None:
    """A gas lot that gives the case's facts."""
    facts, lot_id = case.station, case.request.lot_id
    if lot_id is None or facts.lot_standing is None:
        return None
    standing = None if facts.lot_standing == "not_released" else facts.lot_standing
    return LotState(lot_id=lot_id, n=3, station_id=facts.station_id, product=facts.lot_product, standing=standing)


def replica_text(case: Case, cylinders: tuple[CylinderState, ...], **fields: Any) -> bytes:
    """A replica's answer, signed."""
    answer = {
        "station_id": case.request.station_id,
        "version": 10,
        "since": 0,
        "as_of": case.station.data_as_of,
        "rulebook": case.book_text,
        "rulebook_name": case.book.name,
        "station": station_state(case).model_dump(mode="json", exclude_none=True),
        "cylinders": [cylinder.model_dump(mode="json", exclude_none=True) for cylinder in cylinders],
        "gone": [],
        "lots": [lot.model_dump(mode="json", exclude_none=True)] if (lot := lot_state(case)) else [],
        "vkey": format_vkey(LOG_KEY.verifying_key),
        **fields,
    }
    return canonical_json({**answer, "signature": encode_base64(LOG_KEY.sign(canonical_json(answer)))})
