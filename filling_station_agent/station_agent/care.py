"""Looking after a station: `self-test`, `status` and `export` read what the agent keeps, also while it runs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cylinder_trace.dates import local_day
from station_agent.agent import assembled
from station_agent.clock import wall_ms
from station_agent.device import JOURNAL_FILE, KEY_FILE, REPLICA_FILE, DeviceError, load_device
from station_agent.devices.driver import DriverError
from station_agent.devices.scale import ScaleFault
from station_agent.journal import Journal, JournalBroken
from station_agent.replica import Replica, ReplicaDamaged, ReplicaRefused
from station_agent.screen.board import age
from station_agent.service import Service, ServiceGone
from station_agent.settings import load_settings

_HOUR_MS = 3_600_000
_CLOCK_SKEW_MAX_MS = 120_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `mend` is what to do if it is not in order."""

    name: str
    ok: bool
    said: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        """The check as an object."""
        return asdict(self)


@contextmanager
def journal_of(data: Path) -> Iterator[Journal]:
    """The journal in a station's data folder; raises DeviceError, JournalBroken."""
    device = load_device(data)
    if not (data / JOURNAL_FILE).exists():
        raise DeviceError(f"{data / JOURNAL_FILE} is missing: this station has never run.")
    journal = Journal(data / JOURNAL_FILE, device.device_id, device.key)
    try:
        yield journal
    finally:
        journal.close()


def status(data: Path) -> dict[str, Any]:
    """What the journal and the replica in a station's data folder say. Raises DeviceError, JournalBroken."""
    device = load_device(data)
    with journal_of(data) as journal:
        last = journal.lines(max(0, journal.length - 1))
        said = {
            "station_id": device.station_id,
            "device_id": device.device_id,
            "records": journal.length,
            "unsent": journal.unsent_count(),
            "disputed": journal.disputed_count(),
            "open_fills": len(journal.open_starts()),
            "last_record_id": last[0].id if last else None,
            "last_record_at": journal.last_at or None,
        }
    return {**said, **_replica_status(data / REPLICA_FILE, device.station_id, device.key.seed)}


def _replica_status(file: Path, station_id: str, seed: bytes) -> dict[str, Any]:
    nothing = {"version": None, "data_as_of": None, "data_age_ms": None, "cylinders": None}
    if not file.exists():
        return nothing
    replica = Replica(file, station_id, seed)
    try:
        known = replica.known
        if known is None:
            return nothing
        return {
            "version": known.version,
            "data_as_of": known.as_of,
            "data_age_ms": max(0, wall_ms() - known.as_of),
            "cylinders": replica.cylinder_count(),
        }
    finally:
        replica.close()


def status_lines(status: dict[str, Any]) -> list[str]:
    """The status for people."""
    data_age = status["data_age_ms"]
    data = "没有 none"
    if data_age is not None:
        data = f"{data_age // 60_000} 分钟前 min old, {status['cylinders']} 只 cylinders"
    return [
        f"站 station {status['station_id']}  设备 device {status['device_id']}",
        f"记录 records {status['records']}  待传 to send {status['unsent']}  争议 disputed {status['disputed']}",
        f"未结充装 open fills {status['open_fills']}  最后 last {status['last_record_id'] or '-'}",
        f"数据 data: {data}",
    ]


# ---------------------------------------------------------------- the self-test


async def self_test(config: Path) -> list[Check]:
    """Look at everything a fill needs, in the order in which to mend it. Raises SettingsError, DeviceError."""
    settings, data = load_settings(config)
    device = await asyncio.to_thread(load_device, data)
    checks = [Check("settings", True, f"{len(settings.lanes)} lanes, device {device.device_id}")]
    checks.append(_key_check(data))
    try:
        async with assembled(settings, data, device, lambda *_: None) as agent:
            checks.append(await _check("journal", _journal(agent.journal), "free or replace the disk"))
            ca_file = Path(settings.ca_file) if settings.ca_file else None
            async with Service(settings.service_url, device.token, device.station_id, ca_file=ca_file) as service:
                checks.append(await _check("service", _ready(service), "look at network, address and certificate"))
            checks.append(await _check("data", _data(agent.sync.pull, agent.replica), "connect the station once"))
            checks.append(_clock_check(agent.clock.skew_ms()))
            for lane in agent.lanes:
                name = f"scale of lane {lane.number}"
                checks.append(await _check(name, _weight(lane.scale.read), "look at its power, cable and address"))
    except DriverError as trouble:
        checks.append(Check("driver", False, str(trouble), f"correct [scales] driver in {config}"))
    except ServiceGone as trouble:
        checks.append(Check("certificate", False, str(trouble), f"correct service_url and ca_file in {config}"))
    except (JournalBroken, OSError) as trouble:
        checks.append(Check("journal", False, str(trouble), "free or replace the disk"))
    return checks


async def _check(name: str, looking: Awaitable[str], mend: str) -> Check:
    try:
        return Check(name, True, await looking)
    except (JournalBroken, ServiceGone, ScaleFault, ReplicaRefused, ReplicaDamaged) as trouble:
        return Check(name, False, str(trouble), mend)


def _key_check(data: Path) -> Check:
    mode = (data / KEY_FILE).stat().st_mode & 0o077
    if mode:
        return Check("key", False, f"{data / KEY_FILE} can be read by others", f"chmod 600 {data / KEY_FILE}")
    return Check("key", True, "there, and only this user can read it")


async def _journal(journal: Journal) -> str:
    length = await asyncio.to_thread(journal.verify)
    await asyncio.to_thread(journal.note, wall_ms(), {"what": "self_test"})
    return f"{length} records, the chain is whole, {journal.unsent_count()} to send"


async def _ready(service: Service) -> str:
    await service.ready()
    return "ready"


async def _data(pull: Callable[[], Awaitable[None]], replica: Replica) -> str:
    try:
        await pull()
    except ServiceGone:
        if replica.known is None:
            raise
    known = replica.known
    if known is None:
        raise ReplicaDamaged("nothing is known yet")
    book = known.book_on(local_day(wall_ms()))
    if wall_ms() - known.as_of > book.station.data_max_age_hours * _HOUR_MS:
        raise ReplicaRefused(f"too old: {age(known, wall_ms())}")
    return f"{replica.cylinder_count()} cylinders, {age(known, wall_ms())}, rules {book.name}"


def _clock_check(skew_ms: int | None) -> Check:
    mend = "set this machine's clock by a time server"
    if skew_ms is None:
        return Check("clock", False, "nobody has told the right time yet", "connect the station once")
    ok = abs(skew_ms) <= _CLOCK_SKEW_MAX_MS
    return Check("clock", ok, f"{skew_ms} ms ahead of the service", "" if ok else mend)


async def _weight(read: Callable[[], Awaitable[Any]]) -> str:
    reading = await read()
    return f"{reading.gross_g} g" + (f", fault {reading.fault}" if reading.fault else "")
