"""Rows about the station agent: what it decides, writes down, knows, and hands over."""

import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.folders import fresh_folder
from benchmarks.machine import ROOT
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.outage import Outage, new_device_key
from benchmarks.rows import station_parts
from benchmarks.rows.samples import NOW, fill_request
from benchmarks.rows.station_parts import (
    LANES,
    SEAL,
    STATION,
    Started,
    fill_replica,
    keep_dead_codes,
    link_of,
    write_answer,
)
from cylinder_codes.keys import format_vkey, parse_vkey
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_trace.decision import FillRequest
from load_stations import now_ms
from processes import ServerError
from station_agent.clock import TrustedClock
from station_agent.deciding import Deciding, Judgement
from station_agent.journal import Journal
from station_agent.log_keys import LogKeys
from station_agent.own_acts import OwnActs
from station_agent.recorder import Recorder
from station_agent.replica import Replica
from station_agent.service import Service, ServiceDecision, ServiceGone
from station_agent.sync import Sync
from town_service import AccessError, enrol_device, replica_of, running_town, station_in

_CYLINDERS = 10_000
_DEAD_CODES = 1_000_000
_FETCHED = 10_000
_FETCH_MB = 300.0
_TOWN = 2_000
_WRITTEN_MS, _VERDICT_MS = 25.0, 300.0
_START_MS, _DEAD_START_S, _DEAD_MB, _DEAD_WRONG = 1_000.0, 5.0, 150.0, 1e-4
_UPLOADS_A_SECOND = 10_000 / 20


_ASKED = fill_request().model_dump(exclude={"check_id", "code", "raw_scan"})


class _NoService:
    """The network is pulled."""

    async def decide(self, request: FillRequest) -> ServiceDecision:
        raise ServiceGone("nobody answers")


@dataclass(frozen=True, slots=True)
class _Station:
    """A station that is cut off: its decisions and its journal."""

    deciding: Deciding
    recorder: Recorder
    numbers: Iterator[int]
    cylinders: int

    def judge(self) -> Judgement:
        """From what the scanner sent to the verdict, of the next cylinder."""
        raw_scan = link_of(next(self.numbers) % self.cylinders)
        return self.judge_scan(raw_scan)

    def judge_scan(self, raw_scan: str) -> Judgement:
        """The same of a scan that lies ready."""
        read = read_scan(raw_scan)
        if isinstance(read, ReadFailure):
            raise BenchError(f"{raw_scan!r} is not read: {read.kind}")
        said = {"check_id": f"chk_{secrets.token_hex(8)}", "code": read.text, "raw_scan": raw_scan}
        request = FillRequest(**(_ASKED | said))
        judgement = self.deciding.alone(request, self.deciding.look_up(request), None)
        if not judgement.decision.permits:
            raise BenchError(f"a good cylinder was refused: {' '.join(judgement.decision.codes)}")
        return judgement

    async def write(self, judgement: Judgement) -> None:
        """Put the decision on the disk."""
        subject, event = self.deciding.event_of(judgement)
        await self.recorder.append(judgement.request.check_id, subject, event, "worker-1")


@contextmanager
def _station(scale: Scale) -> Iterator[_Station]:
    cylinders = scale.count(_CYLINDERS)
    with fresh_folder() as folder:
        fill_replica(folder / "replica.db", cylinders)
        clock = TrustedClock(wall=lambda: NOW, boot="bench")
        clock.learn(NOW, clock.steady(), clock.steady())
        key = new_device_key()
        with (
            closing(Journal(folder / "journal.db", "dev_bench", key)) as journal,
            closing(Replica(folder / "replica.db", STATION, SEAL)) as replica,
        ):
            recorder = Recorder(STATION, journal, OwnActs(), clock, lambda *_: None, asyncio.Event())
            deciding = Deciding(STATION, replica, clock, recorder, _NoService())
            yield _Station(deciding, recorder, count(), cylinders)


@contextmanager
def _prepare_decision(scale: Scale) -> Iterator[Pair]:
    key, message = Ed25519PrivateKey.generate(), secrets.token_bytes(300)
    public_key, signature = key.public_key(), key.sign(message)
    with _station(scale) as station:
        scans = [link_of(number % station.cylinders) for number in range(scale.count(5_000))]
        yield Pair(
            ours=lambda: _median_us(station.judge_scan, scans),
            other=lambda: _median_us(lambda _: public_key.verify(signature, message), scans),
        )


@contextmanager
def _prepare_written(scale: Scale) -> Iterator[Pair]:
    with _station(scale) as station, asyncio.Runner() as runner:

        async def scan() -> None:
            await station.write(station.judge())

        yield Pair(lambda: _p99_ms(runner, scan, 1, scale.count(2_000)), other=lambda: _WRITTEN_MS)


@contextmanager
def _prepare_lanes(scale: Scale) -> Iterator[Pair]:
    with _station(scale) as station, asyncio.Runner() as runner:

        async def scan() -> None:
            await station.write(station.judge())

        yield Pair(lambda: _p99_ms(runner, scan, LANES, scale.count(300)), other=lambda: _VERDICT_MS)


def _p99_ms(runner: asyncio.Runner, scan: Callable[[], Awaitable[None]], lanes: int, turns: int) -> float:
    """How long the slowest hundredth waits when so many lanes scan at the same moment, again and again."""
    times: list[float] = []

    async def timed(begun: float) -> None:
        await scan()
        times.append(time.perf_counter() - begun)

    async def all_turns() -> None:
        for _ in range(turns):
            begun = time.perf_counter()
            await asyncio.gather(*(timed(begun) for _ in range(lanes)))

    runner.run(all_turns())
    return 1_000 * statistics.quantiles(times, n=100)[-1]


def _median_us(action: Callable[[str], object], scans: list[str]) -> float:
    times = []
    for raw_scan in scans:
        started = time.perf_counter_ns()
        action(raw_scan)
        times.append(time.perf_counter_ns() - started)
    return statistics.median(times) / 1000


# ---------------------------------------------------------------- what it knows


@contextmanager
def _prepare_replica_start(scale: Scale) -> Iterator[Pair]:
    with fresh_folder() as folder:
        fill_replica(folder / "replica.db", scale.count(_CYLINDERS))
        yield Pair(lambda: 1_000 * _started(folder / "replica.db").start_s, other=lambda: _START_MS)


def _dead_codes(
    figure: Callable[[Started], float], promised: float, *, real: bool = False, asked: int = 0
) -> Callable[[Scale], AbstractContextManager[Pair]]:
    @contextmanager
    def prepare(scale: Scale) -> Iterator[Pair]:
        with fresh_folder() as folder:
            fill_replica(folder / "replica.db", scale.count(_CYLINDERS))
            keep_dead_codes(folder / "replica.db", scale.count(_DEAD_CODES), real=real)
            yield Pair(lambda: figure(_started(folder / "replica.db", asked)), other=lambda: promised)

    return prepare


@contextmanager
def _prepare_first_fetch(scale: Scale) -> Iterator[Pair]:
    numbers = count()
    with fresh_folder() as folder:
        write_answer(folder / "answer.json", scale.count(_FETCHED))

        def most_memory_mb() -> float:
            return _started(folder / f"replica-{next(numbers)}.db", folder / "answer.json").most_memory_mb

        yield Pair(most_memory_mb, other=lambda: _FETCH_MB)


def _started(file: Path, about: int | Path = 0) -> Started:
    """A process of its own opens the replica, or takes the answer that lies in a file, and tells of itself."""
    command = [sys.executable, "-m", station_parts.__name__, str(file), str(about)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "loadtests")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise BenchError(f"the replica does not open: {done.stderr.strip().splitlines()[-1]}")
    return Started(*json.loads(done.stdout))


# ---------------------------------------------------------------- what it hands over


@contextmanager
def _prepare_upload(scale: Scale) -> Iterator[Pair]:
    try:
        with fresh_folder() as folder, running_town(folder, _TOWN) as town:
            key, shown = new_device_key(), station_in(town)
            enrolled = enrol_device(town, shown.station_id, format_vkey(key.verifying_key))
            replica = replica_of(town, shown.station_id, enrolled["token"])
            outage = Outage(replica, enrolled["device_id"], key)
            with (
                closing(Journal(folder / "journal.db", enrolled["device_id"], key)) as journal,
                closing(Replica(folder / "replica.db", shown.station_id, key.seed)) as known,
                asyncio.Runner() as runner,
            ):
                queue = _Queue(outage, journal, known, town.base_url, enrolled["token"], replica["vkey"], folder)
                entries = scale.count(10_000)
                yield Pair(lambda: runner.run(queue.upload(entries)), other=lambda: _UPLOADS_A_SECOND)
    except (ServerError, AccessError) as error:
        raise BenchError(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Queue:
    """A station's queue after an outage."""

    outage: Outage
    journal: Journal
    replica: Replica
    url: str
    token: str
    log_vkey: str
    folder: Path

    async def upload(self, entries: int) -> float:
        """Entries a second, from the first byte sent until the last answer is kept."""
        self._go_on(entries)
        async with Service(self.url, self.token, self.outage.station_id) as service:
            sync = Sync(
                service, self.journal, self.replica, OwnActs(), TrustedClock(), device_id=self.outage.device_id,
                station_id=self.outage.station_id, log_keys=LogKeys(parse_vkey(self.log_vkey), self.folder),
                recorded=asyncio.Event(), tell=lambda *_: None,
            )  # fmt: skip
            queued, started = sync.state.unsent, time.perf_counter()
            while not await sync.upload_once():
                pass
            took = time.perf_counter() - started
        if left := self.journal.unsent_count():
            raise BenchError(f"{left} of {queued} entries were not taken: {sync.state.trouble}")
        return queued / took

    def _go_on(self, entries: int) -> None:
        before = len(self.outage.records)
        while len(self.outage.records) < before + entries:
            self.outage.go_on(now_ms() - 1_000, cylinders=entries // 3)
        self.journal._db.execute("pragma synchronous = off")  # the making of the queue is not what is measured
        for record in self.outage.records[before:]:
            self.journal.append(record.model_copy(update={"device": None}))
        self.journal._db.execute("pragma synchronous = full")


DECISION = Row(
    name="station.decision_offline",
    unit="µs",
    better="lower",
    goal=1.0,
    kind="bound",
    against="one Ed25519 verify",
    prepare=_prepare_decision,
)
"""From what the scanner sent to the verdict: read, looked up, own acts on top, all rules. Nothing is written."""

DECISION_WRITTEN = Row(
    name="station.decision_written_p99",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 25 ms",
    prepare=_prepare_written,
)
"""The same with the decision signed and on the disk; the slowest hundredth."""

LANES_AT_ONCE = Row(
    name="station.eight_lanes_p99",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="bound",
    against="300 ms, in which the service would have answered",
    prepare=_prepare_lanes,
)
"""Eight lanes scan in the same moment, again and again without a pause; the slowest hundredth of their verdicts."""

REPLICA_START = Row(
    name="station.replica_start",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 1 s",
    prepare=_prepare_replica_start,
    sizes="both",
)
"""A process opens a replica of 10,000 own cylinders, at the large size of 100,000."""

FIRST_FETCH_MEMORY = Row(
    name="station.first_fetch_memory",
    unit="MB",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 300 MB resident",
    prepare=_prepare_first_fetch,
    sizes="both",
)
"""The most memory that a process ever had resident that takes its first replica, at the large size of 100,000."""

DEAD_CODES_START = Row(
    name="station.dead_codes_start",
    unit="s",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 5 s",
    prepare=_dead_codes(lambda told: told.start_s, _DEAD_START_S),
    sizes="large",
)
"""The same with a list of 10,000,000 dead codes beside 100,000 own cylinders."""

DEAD_CODES_MEMORY = Row(
    name="station.dead_codes_memory",
    unit="MB",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 150 MB resident",
    prepare=_dead_codes(lambda told: told.most_memory_mb, _DEAD_MB),
    sizes="large",
)
"""The most memory that the process ever had resident, all modules of the agent included."""

DEAD_CODES_WRONG = Row(
    name="station.dead_codes_wrong",
    unit="of 1",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: one in ten thousand",
    prepare=_dead_codes(lambda told: told.wrong, _DEAD_WRONG, real=True, asked=300_000),
    sizes="large",
)
"""How many of 300,000 codes that are not on the list are taken for listed."""

UPLOAD = Row(
    name="station.upload",
    unit="/s",
    better="higher",
    goal=1.0,
    kind="bound",
    against="the promise: 10,000 entries in 20 s",
    prepare=_prepare_upload,
)
"""The agent hands its queue to a service on the same machine and keeps the answers; entries a second."""
