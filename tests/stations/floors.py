"""A whole floor (现场) for tests: several lanes with their scales, two people, and virtual time.

Everything behind the scales is the agent's own: floor, station, recorder, journal, replica.  `restart` is a power cut:
the old process neither ends nor records anything, and the new one finds what is on the disk and on the scales.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import Record, parse_record
from cylinder_trace.rulebook import parse_rulebook
from station_agent.clock import TrustedClock
from station_agent.devices.scale import ScaleReading
from station_agent.devices.scale_model import Change, SimulatedScale
from station_agent.devices.scanner import Badge, Scan, ScannerEvent, Statement
from station_agent.floor import Floor
from station_agent.journal import Journal
from station_agent.lane import Lane, LaneKind
from station_agent.own_acts import OwnActs
from station_agent.pins import Pins
from station_agent.recorder import Recorder
from station_agent.replica import Replica, open_answer
from station_agent.station import Station
from station_agent.ticket_printer import TicketPrinter
from stations.bench import (
    DEVICE,
    DEVICE_KEY,
    LOG_KEY,
    BenchScale,
    ScriptedService,
    replica_text,
    station_state,
)
from stations.simulated.virtual_time import VirtualLoop
from vectors.admission.cases import Case, base_case

EMPTY_G, TARE_G = 16_600, 16_500
FILLER, CHECKER, STRANGER = "worker-1", "worker-2", "worker-9"
_TAG = TagKey("tests", bytes(32))


def code_of(number: int) -> str:
    """The code of the floor's cylinder `number`."""
    return make_code(number.to_bytes(10, "big"), _TAG).text


def cylinder(number: int, **changed: Any) -> CylinderState:
    """A sound, empty cylinder of the station's own."""
    good = base_case().cylinder
    assert good is not None
    stamp = good.stamp.model_copy(update={"serial": f"A2205{number:04d}"})
    about = {"cylinder_id": f"cyl_{number:026d}", "codes": (code_of(number),), "stamp": stamp}
    return good.model_copy(update={**about, **changed})


class FloorScale(BenchScale):
    """A scale that calls `opened` at the moment at which its valve opens, by its own log."""

    def __init__(
        self,
        number: int,
        opened: Callable[[int, Change], None],
        simulated_s_per_read: float,
        now: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(simulated_s_per_read=simulated_s_per_read)
        self.told_to_open_at = 0
        self._now = now
        self.number = number
        self._opened = opened
        self._is_loaded = False
        self.model = SimulatedScale(number, self._take)

    def _take(self, change: Change) -> None:
        self.log.append(change)
        if change.event == "valve_opened":
            self._opened(self.number, change)

    async def open_valve(self, stop_at_gross_g: int) -> None:
        self.told_to_open_at = self._now()
        await super().open_valve(stop_at_gross_g)

    def carry(self, gross_g: int | None) -> None:
        """Put something on the empty platform, or take away what stands there."""
        if self._is_loaded:
            self.model.remove(self._wall_ms)
        self._is_loaded = gross_g is not None
        if gross_g is not None:
            self.model.place(f"at {self._wall_ms}", gross_g, self._wall_ms)

    def be_forgotten(self) -> None:
        """Nobody asks for more than the three seconds after which it shuts by itself."""
        self._wall_ms += 4_000
        self.model.step(0.02, self._wall_ms)


class Wire:
    """What one process sees of a scale: `cut` with it, nothing that it still asks arrives."""

    def __init__(self, scale: BenchScale) -> None:
        self._scale = scale
        self.overshoot_g = scale.overshoot_g
        self.cut = False

    async def _pass(self) -> BenchScale:
        if self.cut:
            await asyncio.Event().wait()
        return self._scale

    async def read(self) -> ScaleReading:
        return await (await self._pass()).read()

    async def open_valve(self, stop_at_gross_g: int) -> None:
        await (await self._pass()).open_valve(stop_at_gross_g)

    async def refresh(self) -> None:
        await (await self._pass()).refresh()

    async def shut_valve(self) -> None:
        await (await self._pass()).shut_valve()


@dataclass
class Process:
    """One run of the agent."""

    boot_id: str
    journal: Journal
    replica: Replica
    recorder: Recorder
    station: Station
    floor: Floor
    wires: list[Wire]
    tasks: list[asyncio.Task[None]]

    def lane(self, number: int) -> Lane:
        return self.floor.lanes[number]


@dataclass
class FloorHouse:
    """The building: disk, scales and people stay, processes come and go."""

    folder: Path
    case: Case = field(default_factory=base_case)
    kinds: Sequence[LaneKind] = ("fill", "fill", "check")
    cylinders: dict[int, CylinderState] = field(default_factory=dict)
    workers: tuple[str, ...] = (FILLER, CHECKER)
    simulated_s_per_read: float = 2.0
    printer: TicketPrinter | None = None
    leave_after_ms: int = 20 * 60_000
    hold_up: Callable[[], float] = lambda: 0.0
    """How long the disk takes for something, in seconds."""
    late_ms: int = 0
    wall_error_ms: int = 0
    """By how much the clocks were set forward by a test."""
    told: list[dict[str, Any]] = field(default_factory=list)
    service: ScriptedService = field(default_factory=ScriptedService)
    opened: Callable[["FloorHouse", int, Change], None] = lambda _house, _scale, _change: None

    def __post_init__(self) -> None:
        self.runner = asyncio.Runner(loop_factory=lambda: VirtualLoop(self.hold_up))
        self._began = self.runner.get_loop().time()
        self.scales = {n: self._scale(n) for n in range(1, len(self.kinds) + 1)}
        self.version, self.runs = 10, 0
        self.locked: frozenset[str] = frozenset()
        self.cylinders = self.cylinders or {number: cylinder(number) for number in (1, 2)}
        self.now = self.start()

    def _scale(self, number: int) -> FloorScale:
        opened = partial(self.opened, self)
        return FloorScale(number, opened, self.simulated_s_per_read, self.passed_ms)

    def close(self) -> None:
        self.kill()
        self.runner.close()

    # ------------------------------------------------------------ time and processes

    def passed_ms(self) -> int:
        """Time since the beginning, by the loop's own clock."""
        return int((self.runner.get_loop().time() - self._began) * 1000) + self.late_ms

    def _clock(self) -> TrustedClock:
        clock = TrustedClock(
            wall=lambda: self.case.now + self.passed_ms() + self.wall_error_ms,
            steady=lambda: 1_000_000 + self.passed_ms(),
            boot="machine-1",
        )
        clock.learn(clock.now(), clock.steady(), clock.steady())
        return clock

    def start(self) -> Process:
        """A process from what lies on the disk."""
        self.runs += 1
        journal = Journal(self.folder / "journal.db", DEVICE, DEVICE_KEY)
        replica = Replica(self.folder / "replica.db", "station-1", DEVICE_KEY.seed)
        clock = self._clock()
        acts = OwnActs()
        for record, index in journal.unseen(replica.known.version if replica.known else 0):
            acts.add(record, index)
        recorder = Recorder("station-1", journal, acts, clock, self._tell, asyncio.Event())
        boot_id = f"boot-{self.runs}"
        station = Station(
            "station-1", boot_id,
            recorder=recorder, replica=replica, clock=clock, service=self.service, tell=self._tell,
            printer=self.printer,
        )  # fmt: skip
        wires = [Wire(self.scales[number]) for number in self.scales]
        lanes = [
            Lane(number, f"scale-{number}", wires[number - 1], kind=self.kinds[number - 1]) for number in self.scales
        ]
        floor = Floor(
            lanes, recorder, replica, self._tell,
            sign_on_all=False, pins=Pins(self.folder, clock.steady), leave_after_ms=self.leave_after_ms,
        )  # fmt: skip
        self.now = Process(boot_id, journal, replica, recorder, station, floor, wires, [])
        self.learn()
        self.runner.run(self._work())
        return self.now

    async def _work(self) -> None:
        self.now.tasks += [asyncio.create_task(self.now.station.work(lane)) for lane in self.now.floor.lanes.values()]
        await asyncio.sleep(0)

    def kill(self) -> None:
        """A power cut: nothing that the process still wants happens."""
        for wire in self.now.wires:
            wire.cut = True
        self.runner.run(self._end())
        self.now.journal.close()
        self.now.replica.close()

    async def _end(self) -> None:
        running = set(self.now.tasks)
        while running:  # a fill that is cancelled still waits for its valve to shut, and here nobody answers
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=0.05)

    def restart(self) -> None:
        """A power cut that lasts longer than the scales wait."""
        self.kill()
        for scale in self.scales.values():
            scale.be_forgotten()
        self.start()

    # ------------------------------------------------------------ what people and the regulator do

    def learn(self, **changed: Any) -> None:
        """The station hears what the ledger says now: its cylinders, its people, which scales are locked."""
        self.version += 1
        state = station_state(self.case)
        until = self.case.station.worker_certified_until
        scales = {
            f"scale-{number}": {"verified_until": "2029-12-31", "locked": f"scale-{number}" in self.locked}
            for number in self.scales
        }
        station = state.model_dump(mode="json", exclude_none=True) | {
            "scales": scales,
            "workers": dict.fromkeys(self.workers, until),
        }
        fields = {"station": station, "version": self.version, **changed}
        text = replica_text(self.case, tuple(self.cylinders.values()), **fields)
        self.now.replica.take(open_answer(text, "station-1", LOG_KEY.verifying_key))

    def take(self, *events: ScannerEvent, then_s: float = 0.0) -> None:
        """Scanners bring these one after another; then so much time passes."""
        self.runner.run(self._take(events, then_s))

    async def _take(self, events: Sequence[ScannerEvent], then_s: float) -> None:
        for event in events:
            await self.now.floor.take(event)
        await asyncio.sleep(then_s)

    def people(self, lane: int = 1, filler: str = FILLER, checker: str = CHECKER) -> None:
        """Filler and checker read their badges."""
        self.take(Badge(lane, filler, False), Statement(lane, "checker", False), Badge(lane, checker, False))

    def scan(self, lane: int, number: int | str, *statements: str) -> None:
        """Statements, then a scan, and wait until nothing is under way."""
        code = number if isinstance(number, str) else code_of(number)
        self.take(*(Statement(lane, text, False) for text in statements), Scan(lane, code, False))
        self.settle(lane)

    def wait_for(self, holds: Callable[[], object]) -> None:
        """Let time pass until something holds."""
        self.runner.run(asyncio.wait_for(self._wait_for(holds), 1_000))

    async def _wait_for(self, holds: Callable[[], object]) -> None:
        while not holds():  # noqa: ASYNC110 - what holds may be on the disk or in a file
            await asyncio.sleep(0.05)

    def settle(self, *lanes: int) -> None:
        """Wait until nothing is under way at these lanes, or at any."""
        self.runner.run(asyncio.wait_for(self._settled(lanes or tuple(self.scales)), 1_000))

    async def _settled(self, lanes: Sequence[int]) -> None:
        for number in lanes:
            await self.now.lane(number).ready()

    def fill(self, number: int, lane: int = 1) -> None:
        """One cylinder is put on a scale, scanned and filled."""
        self.scales[lane].carry(EMPTY_G)
        self.scan(lane, number)

    # ------------------------------------------------------------ what came of it

    def _tell(self, event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
        self.told.append({**fields, "event": event, "lane": lane.number if lane else None})

    def said(self, event: str, lane: int | None = None) -> list[dict[str, Any]]:
        """What was told of one kind."""
        return [line for line in self.told if line["event"] == event and lane in (None, line["lane"])]

    def records(self) -> list[Record]:
        """The journal."""
        return [parse_record(line.text) for line in self.now.journal.lines()]

    def events(self, kind: type[Any]) -> list[Any]:
        """What the journal tells of one kind."""
        return [event for record in self.records() if isinstance(event := record.event(), kind)]


def with_book(case: Case, text: str) -> Case:
    """The case under another rulebook."""
    return replace(case, book_text=text, book=parse_rulebook(text))
