"""Running: everything is put together, runs as a handful of tasks on one loop, and is taken apart with valves shut."""

import asyncio
import contextlib
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from station_agent.clock import Reference, TrustedClock, steady_ms
from station_agent.device import JOURNAL_FILE, REPLICA_FILE, Device
from station_agent.devices.assembly import Devices
from station_agent.devices.scanner import KeyboardScanner, WedgeDecoder
from station_agent.floor import Floor
from station_agent.journal import Journal, JournalBroken
from station_agent.lane import Lane
from station_agent.log_keys import LogKeys
from station_agent.lookout import Lookout
from station_agent.own_acts import OwnActs
from station_agent.pins import Pins
from station_agent.recorder import Recorder, Tell
from station_agent.replica import Replica, ReplicaDamaged
from station_agent.service import Service
from station_agent.settings import Settings, trusted_regulators
from station_agent.station import Station
from station_agent.sync import Sync
from station_agent.ticket_printer import TicketPrinter, printer_place

_STOP_WITHIN_S = 20.0
_LAST_UPLOAD_S = 3.0
_SAY_AGAIN_S = 0.5
_ENDING_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]  # the window was closed: SIGHUP, on Windows SIGBREAK and five seconds


@dataclass(slots=True)
class Agent:
    """The running parts."""

    station: Station
    floor: Floor
    lookout: Lookout
    recorder: Recorder
    sync: Sync
    journal: Journal
    replica: Replica
    clock: TrustedClock
    settings: Settings
    devices: Devices

    @property
    def lanes(self) -> list[Lane]:
        """The lanes, in the order of the settings."""
        return list(self.floor.lanes.values())


@asynccontextmanager
async def assembled(settings: Settings, data: Path, device: Device, tell: Tell) -> AsyncIterator[Agent]:
    """All parts, connected, nothing running yet. Raises JournalBroken, DriverError, SettingsError, OSError."""
    async with AsyncExitStack() as stack:
        journal = Journal(data / JOURNAL_FILE, device.device_id, device.key)
        stack.callback(journal.close)
        regulators = trusted_regulators(settings, data)
        replica = Replica(data / REPLICA_FILE, device.station_id, device.key.seed, regulators)
        stack.callback(replica.close)
        clock = _clock(replica, journal)
        lookout = Lookout(device.station_id, replica, clock, tell)
        devices = Devices(settings, data, steady_ms)
        stack.callback(devices.close)
        tell = devices.hearing(lookout.hear)
        ca_file = Path(settings.ca_file) if settings.ca_file else None
        service = await stack.enter_async_context(
            Service(settings.service_url, device.token, device.station_id, ca_file=ca_file)
        )
        run, recorded, acts = secrets.randbelow(0xFFFF) + 1, asyncio.Event(), OwnActs()
        for record, log_index in journal.unseen(replica.known.version if replica.known else 0):
            acts.add(record, log_index)
        recorder = Recorder(device.station_id, journal, acts, clock, tell, recorded)
        station = Station(
            device.station_id,
            f"{device.device_id}.{clock.now()}.{run}"[-80:],
            recorder=recorder,
            replica=replica,
            clock=clock,
            service=service,
            tell=tell,
            forms=settings.scanner.forms,
            printer=_printer(settings, data),
        )
        sync = Sync(
            service,
            journal,
            replica,
            acts,
            clock,
            device_id=device.device_id,
            station_id=device.station_id,
            log_keys=LogKeys(device.log_key, data),
            recorded=recorded,
            tell=lambda event, fields: tell(event, None, fields),
        )
        lanes = _lanes(settings, devices, run)
        for lane in lanes:
            lookout.attach(lane)
        sign_on_all = settings.scanner.sign_on == "all"
        floor = Floor(
            lanes,
            recorder,
            replica,
            tell,
            sign_on_all=sign_on_all,
            pins=Pins(data, steady_ms),
            leave_after_ms=settings.shift.leave_after_minutes * 60_000,
        )
        yield Agent(station, floor, lookout, recorder, sync, journal, replica, clock, settings, devices)


def _clock(replica: Replica, journal: Journal) -> TrustedClock:
    clock = TrustedClock()
    try:
        kept = replica.reference()
        reference = Reference.from_json(kept) if kept else None
    except (ReplicaDamaged, KeyError, TypeError, ValueError):
        reference = None
    clock.restore(reference, journal.last_at)
    return clock


def _lanes(settings: Settings, devices: Devices, run: int) -> list[Lane]:
    return [Lane(lane.digit, lane.scale_id, devices.scale(lane, run), kind=lane.kind) for lane in settings.lanes]


def _printer(settings: Settings, data: Path) -> TicketPrinter | None:
    ticket = settings.ticket
    return TicketPrinter(printer_place(data, ticket.printer), ticket.kind) if ticket.printer else None


People = Callable[[], Coroutine[Any, Any, None]]
"""What brings scans and keys to the floor until people leave: `read_keyboard`, or the screen."""


async def run(agent: Agent, tell: Tell, people: People) -> None:
    """Run until SIGINT, SIGTERM, SIGHUP or until people leave; what is under way ends with a record."""
    stop = asyncio.Event()
    with _signals(stop):
        agent.devices.take_over(agent.lanes)
        await agent.station.close_orphans(agent.lanes)
        await agent.sync.greet()
        lanes = [asyncio.create_task(agent.station.work(lane)) for lane in agent.lanes]
        others = [
            asyncio.create_task(agent.sync.follow_for_ever()),
            asyncio.create_task(agent.sync.upload_for_ever()),
            asyncio.create_task(agent.sync.keep_time_for_ever()),
            asyncio.create_task(agent.lookout.write_for_ever(agent.recorder)),
            asyncio.create_task(agent.floor.watch_for_ever()),
            *(asyncio.create_task(agent.lookout.look_for_ever(lane)) for lane in agent.lanes),
            asyncio.create_task(_until_people_leave(agent, people, stop)),
            *(asyncio.create_task(work) for work in agent.devices.work(agent.floor.take, tell)),
        ]
        tell("ready", None, {"station_id": agent.station.station_id, "lanes": [lane.number for lane in agent.lanes]})
        try:
            await _until(stop, [*lanes, *others])
        finally:
            agent.station.stopping = True
            await _wind_down(agent)
            await _cancel([*lanes, *others])
            tell("stopped", None, {"unsent": agent.sync.state.unsent})


async def read_keyboard(agent: Agent, keyboard: int) -> None:
    """Take what scanners type into a stream, until it ends."""
    async with KeyboardScanner(keyboard, wedge_decoder(agent), steady_ms) as keys:
        async for event in keys:
            await agent.floor.take(event)
    if agent.settings.has_other_sources:  # a service has no keyboard; its scanners and machines go on
        await asyncio.Event().wait()


def wedge_decoder(agent: Agent) -> WedgeDecoder:
    """What turns keys into scans, as the settings say."""
    scanner = agent.settings.scanner
    return WedgeDecoder(prefix=scanner.prefix, suffix=scanner.suffix, inter_key_ms=scanner.inter_key_ms)


async def _until_people_leave(agent: Agent, people: People, stop: asyncio.Event) -> None:
    await people()
    await _ready(agent)  # nobody can scan any more: what was scanned is finished, then the agent ends
    stop.set()


async def _until(stop: asyncio.Event, tasks: list[asyncio.Task[Any]]) -> None:
    """Wait for `stop`; a task that ends by a mistake in the program ends the agent, never silently."""
    stopping = asyncio.create_task(stop.wait())
    try:
        waiting: set[asyncio.Task[Any]] = {stopping, *tasks}
        while not stopping.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        stopping.cancel()


async def _ready(agent: Agent) -> None:
    for lane in agent.lanes:
        await lane.ready()


async def _wind_down(agent: Agent) -> None:
    """Lanes finish what is under way (a fill is stopped), and what is unsent gets one more chance."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STOP_WITHIN_S):
            await _ready(agent)
    with contextlib.suppress(JournalBroken):
        await agent.station.write_unwritten()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_UPLOAD_S):
            await agent.lookout.all_written()
            await agent.sync.caught_up()


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    """End tasks; a library may take a cancellation for a word of its own, so it is said again until all have ended."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=_SAY_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    before = {
        number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set)) for number in _ENDING_SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
