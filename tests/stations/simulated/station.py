"""One simulated station: its disk and its scales last, its agents come, are killed and come again."""

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from cylinder_trace.events import Record, parse_record
from station_agent.clock import Reference, TrustedClock
from station_agent.journal import Journal
from station_agent.lane import Lane
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

Told = tuple[int, str, dict[str, Any]]


@dataclass
class Run:
    """One run of the agent: all its objects, which live no longer than it."""

    station: Station
    lane: Lane
    lookout: Lookout
    sync: Sync
    journal: Journal
    replica: Replica
    clock: TrustedClock
    wire: Wire
    process: Process

    def full_disk(self, is_full: bool) -> None:
        """Let the journal's disk be full, or free again."""
        pages = self.journal._db.execute("pragma page_count").fetchone()[0] if is_full else 1 << 30
        self.journal._db.execute(f"pragma max_page_count = {pages}")


@dataclass
class SimulatedStation:
    """A station and everything that outlives an agent."""

    number: int
    folder: Path
    town: Town
    random: Random
    told: list[Told] = field(default_factory=list)
    clock_error_ms: int = 0
    boots: int = 0
    """How often the machine was started."""
    run: Run | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.platform = Platform(self.town.now)
        self.link = Link(self.town, self.number, Random(self.random.random()))
        self._runs = 0

    @property
    def station_id(self) -> str:
        return station_of(self.number)

    # ------------------------------------------------------------ agents

    async def start(self) -> Run:
        """A new process: everything is built from what lies on the disk."""
        process = Process()
        self._runs += 1
        key = key_of(self.number)
        journal = Journal(self.folder / "journal.db", device_of(self.number), key)
        replica = Replica(self.folder / "replica.db", self.station_id, key.seed)
        clock = self._clock(replica)
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
        wire = Wire(self.platform, self._runs)
        lane = Lane(1, "sc_1", wire, worker_id="fl_1")
        lookout.attach(lane)
        self.run = run = Run(station, lane, lookout, sync, journal, replica, clock, wire, process)
        await station.close_orphans([lane])
        await sync.greet()
        before = PROCESS.set(process)
        for work in (station.work(lane), sync.follow_for_ever(), sync.upload_for_ever()):
            asyncio.create_task(work)  # noqa: RUF006 - the process holds them
        for looking in (lookout.write_for_ever(recorder), lookout.look_for_ever(lane)):
            asyncio.create_task(looking)  # noqa: RUF006
        PROCESS.reset(before)
        return run

    def _clock(self, replica: Replica) -> TrustedClock:
        clock = TrustedClock(
            wall=lambda: self.town.now() + self.clock_error_ms, steady=self.town.now, boot=f"boot-{self.boots}"
        )
        kept = replica.reference()
        clock.restore(Reference.from_json(kept) if kept else None)
        return clock

    def _tell(self, event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
        self.told.append((self.town.now(), event, fields))

    async def kill(self) -> None:
        """kill -9: no line of the agent is run any more, and its files are as they are."""
        run, self.run = self.run, None
        if run is None:
            return
        run.wire.dead = True
        run.journal.close()
        run.replica.close()
        await run.process.end()

    async def stop(self) -> None:
        """The end of a working day: what is under way ends, what is unsent is sent if it can be."""
        run = self.run
        assert run is not None
        run.station.stopping = True
        await run.lane.ready()
        await run.lookout.all_written()
        try:
            async with asyncio.timeout(400):
                await run.sync.caught_up()
        except TimeoutError:
            pass
        await self.kill()

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
            return [(parse_record(line.text), line.status is not None) for line in journal.lines()]
        finally:
            journal.close()
