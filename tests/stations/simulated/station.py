"""One simulated station: its disk, its scales and its people last, its agents come, are killed and come again."""

import asyncio
import shutil
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from cylinder_trace.events import Record
from station_agent.clock import Reference, TrustedClock
from station_agent.devices.scanner import Badge, ScannerEvent, Statement
from station_agent.floor import Floor
from station_agent.journal import Journal
from station_agent.lane import Lane, LaneKind
from station_agent.log_keys import LogKeys
from station_agent.lookout import Lookout
from station_agent.own_acts import OwnActs
from station_agent.recorder import Recorder
from station_agent.replica import Replica
from station_agent.station import Station
from station_agent.sync import Sync
from stations.simulated.ledger import LOG_KEY, Link, Town, device_of, key_of, station_of
from stations.simulated.virtual_time import PROCESS, Process
from stations.simulated.weighing import Platform, Wire


@dataclass(frozen=True)
class Layout:
    """What a station is like, and how its people work."""

    lanes: dict[int, LaneKind]
    lists: bool
    """Whether the list before the fill is gone through and stated for each cylinder (充装前检查)."""
    checks: bool
    """Whether each full cylinder is weighed again and looked at (逐瓶复验)."""

    @property
    def fill_lanes(self) -> list[int]:
        return [number for number, kind in self.lanes.items() if kind == "fill"]

    @property
    def check_lane(self) -> int | None:
        return next((number for number, kind in self.lanes.items() if kind == "check"), None)


@dataclass(frozen=True)
class People:
    """Who is signed on at a lane."""

    filler: str | None = None
    checker: str | None = None


@dataclass(frozen=True)
class Told:
    """One thing that an agent told, with who was signed on there by what people did, not by what it thinks."""

    at: int
    event: str
    lane: int | None
    fields: dict[str, Any]
    people: People


@dataclass
class Run:
    """One run of the agent: all its objects, which live no longer than it."""

    station: Station
    lanes: dict[int, Lane]
    floor: Floor
    lookout: Lookout
    sync: Sync
    journal: Journal
    replica: Replica
    clock: TrustedClock
    wires: list[Wire]
    process: Process

    def full_disk(self, is_full: bool) -> None:
        """Let the journal's disk be full, or free again."""
        pages = self.journal._db.execute("pragma page_count").fetchone()[0] if is_full else 1 << 30
        self.journal._db.execute(f"pragma max_page_count = {pages}")

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this process."""
        before = PROCESS.set(self.process)
        task = asyncio.create_task(work)
        PROCESS.reset(before)
        return task


@dataclass
class SimulatedStation:
    """A station and everything that outlives an agent."""

    number: int
    folder: Path
    town: Town
    random: Random
    layout: Layout
    told: list[Told] = field(default_factory=list)
    people: dict[int, People] = field(default_factory=dict)
    """By lane: who signs on there, now and after each start."""
    clock_error_ms: int = 0
    boots: int = 0
    """How often the machine was started."""
    run: Run | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.platforms = {number: Platform(self.town.now, number) for number in self.layout.lanes}
        self.link = Link(self.town, self.number, Random(self.random.random()))
        self._runs = 0

    @property
    def station_id(self) -> str:
        return station_of(self.number)

    @property
    def platform(self) -> Platform:
        """That of the first lane, at which everything is tried that somebody tries."""
        return self.platforms[1]

    # ------------------------------------------------------------ agents

    async def start(self) -> Run:
        """A new process: everything is built from what lies on the disk; then whoever works there signs on."""
        self.run = run = self._assembled()
        await run.station.close_orphans(list(run.lanes.values()))
        await run.sync.greet()
        for work in (run.sync.follow_for_ever(), run.sync.upload_for_ever()):
            run.spawn(work)
        run.spawn(run.lookout.write_for_ever(run.station._recorder))
        for lane in run.lanes.values():
            run.spawn(run.station.work(lane))
            run.spawn(run.lookout.look_for_ever(lane))
        for number, people in self.people.items():
            await self.sign_on(number, people)
        return run

    def _assembled(self) -> Run:
        self._runs += 1
        key = key_of(self.number)
        journal = Journal(self.folder / "journal.db", device_of(self.number), key)
        replica = Replica(self.folder / "replica.db", self.station_id, key.seed)
        clock = self._clock(replica, journal.last_at)
        recorded, acts = asyncio.Event(), OwnActs()
        for record, index in journal.unseen(replica.known.version if replica.known else 0):
            acts.add(record, index)
        lookout = Lookout(self.station_id, replica, clock, self._tell, self.random.getrandbits)
        recorder = Recorder(self.station_id, journal, acts, clock, lookout.hear, recorded)
        station = Station(
            self.station_id,
            f"{device_of(self.number)}.{self._runs}",
            recorder=recorder,
            replica=replica,
            clock=clock,
            service=self.link,
            tell=lookout.hear,
            random_bits=self.random.getrandbits,
        )
        sync = Sync(
            self.link,  # type: ignore[arg-type]
            journal,
            replica,
            acts,
            clock,
            device_id=device_of(self.number),
            station_id=self.station_id,
            log_keys=LogKeys(LOG_KEY.verifying_key, self.folder),
            recorded=recorded,
            tell=lambda event, fields: self._tell(event, None, fields),
        )
        wires = {number: Wire(platform, self._runs) for number, platform in self.platforms.items()}
        kinds = self.layout.lanes
        lanes = {number: Lane(number, f"sc_{number}", wire, kind=kinds[number]) for number, wire in wires.items()}
        for lane in lanes.values():
            lookout.attach(lane)
        floor = Floor(list(lanes.values()), recorder, replica, lookout.hear, sign_on_all=False)
        floor.shifts._random_bits = self.random.getrandbits
        process = Process()
        return Run(station, lanes, floor, lookout, sync, journal, replica, clock, list(wires.values()), process)

    def _clock(self, replica: Replica, recorded_at: int) -> TrustedClock:
        clock = TrustedClock(
            wall=lambda: self.town.now() + self.clock_error_ms, steady=self.town.now, boot=f"boot-{self.boots}"
        )
        kept = replica.reference()
        clock.restore(Reference.from_json(kept) if kept else None, recorded_at)
        return clock

    def _tell(self, event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
        number = lane.number if lane else None
        people = self.people.get(number or 0, People())
        self.told.append(Told(self.town.now(), event, number, fields, people))

    async def kill(self) -> None:
        """kill -9: no line of the agent is run any more, and its files are as they are."""
        run, self.run = self.run, None
        if run is None:
            return
        for wire in run.wires:
            wire.dead = True
        run.journal.close()
        run.replica.close()
        await run.process.end()

    async def stop(self) -> None:
        """The end of a working day: what is under way ends, what is unsent is sent if it can be."""
        run = self.run
        assert run is not None
        run.station.stopping = True
        for lane in run.lanes.values():
            await lane.ready()
        await run.lookout.all_written()
        with suppress(TimeoutError):
            async with asyncio.timeout(900):
                await run.sync.caught_up()
        await self.kill()

    # ------------------------------------------------------------ people

    async def bring(self, event: ScannerEvent) -> None:
        """A scanner brings something; nobody hears of it if the process dies meanwhile."""
        assert self.run is not None
        await asyncio.wait({self.run.spawn(self.run.floor.take(event))})

    async def card(self, lane: int, text: str) -> None:
        """Somebody shows a card from the wall."""
        await self.bring(Statement(lane, text, typed=False))

    async def sign_on(self, lane: int, people: People) -> None:
        """Both show their badges."""
        self.people[lane] = people
        if people.checker is not None:
            if self.layout.lanes[lane] == "fill":
                await self.card(lane, "checker")
            await self.bring(Badge(lane, people.checker, typed=False))
        if people.filler is not None:
            await self.bring(Badge(lane, people.filler, typed=False))

    async def hand_over(self, lane: int, people: People) -> None:
        """One shift goes, the next one comes (交接班)."""
        await self.card(lane, "handover")
        await self.sign_on(lane, people)

    # ------------------------------------------------------------ the disk

    def copy_journal(self, into: str) -> None:
        """Somebody keeps a copy of the journal, between two runs."""
        (self.folder / into).mkdir(exist_ok=True)
        for file in self.folder.glob("journal.db*"):
            shutil.copy(file, self.folder / into)

    def put_journal_back(self, out_of: str) -> None:
        """Somebody puts the copy in the journal's place."""
        for file in self.folder.glob("journal.db*"):
            file.unlink()
        for file in (self.folder / out_of).glob("journal.db*"):
            shutil.copy(file, self.folder)

    def records(self) -> list[tuple[Record, bool]]:
        """The journal as it lies on the disk, and whether the service has answered for each; its chain is checked."""
        journal = Journal(self.folder / "journal.db", device_of(self.number), key_of(self.number))
        try:
            journal.verify()
            return [(Record.model_validate_json(line.text), line.status is not None) for line in journal.lines()]
        finally:
            journal.close()
