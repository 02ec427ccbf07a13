"""Looking after a station: `self-test`, `status` and `export` read what the agent keeps, also while it runs."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cylinder_trace.dates import format_minute
from cylinder_trace.locks import Lock
from station_agent.agent import Agent, assembled
from station_agent.clock import Unchecked, wall_ms
from station_agent.device import JOURNAL_FILE, KEY_FILE, REPLICA_FILE, DeviceError, key_protection, load_device
from station_agent.devices.driver import DriverError
from station_agent.devices.scale import ScaleFault
from station_agent.journal import Journal, JournalBroken
from station_agent.key_at_rest import machine_key_file
from station_agent.link import LINK_SAID, Link
from station_agent.replica import Known, Replica, ReplicaDamaged, ReplicaRefused
from station_agent.screen.board import age, age_in
from station_agent.service import Service, ServiceGone
from station_agent.settings import Settings, SettingsError, load_settings, trusted_regulators

_HOUR_MS = 3_600_000


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


def told(checks: Sequence[Check], *, as_json: bool) -> str:
    """What was checked, for people or as one JSON object."""
    if as_json:
        ok = all(check.ok for check in checks)
        return json.dumps({"ok": ok, "checks": [check.to_json() for check in checks]}, ensure_ascii=False)
    marked = ((("✔" if check.ok else "✘"), check) for check in checks)
    return "\n".join(f"{mark} {one.name}: {one.said}" + (f" → {one.mend}" if one.mend else "") for mark, one in marked)


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
            "key_protected_by": key_protection(data),
            "records": journal.length,
            "unsent": journal.unsent_count(),
            "disputed": journal.disputed_count(),
            "disputes": [{"seq": line.seq, "id": line.id, "log_index": line.log_index} for line in journal.disputed()],
            "closed_because": journal.closed_because,
            "open_fills": len(journal.open_starts()),
            "last_record_id": last[0].id if last else None,
            "last_record_at": journal.last_at or None,
            **_shift_status(journal),
        }
    return {**said, **_replica_status(data / REPLICA_FILE, device.station_id, device.key.seed)}


def _shift_status(journal: Journal) -> dict[str, Any]:
    """Who was last on record as filler and checker of each lane, and the newest alarms."""
    shifts: dict[str, dict[str, Any]] = {}
    for record in journal.newest("shift_changed", 100):
        lane = str(record.data.get("lane"))
        facts = {name: record.data.get(name) for name in ("worker_id", "checker_id")}
        shifts.setdefault(lane, {"at": record.occurred_at, **facts})
    names = ("kind", "lane", "from_at", "to_at")
    alarms = [{name: record.data.get(name) for name in names} for record in journal.newest("alarm_raised", 10)]
    return {"shifts": dict(sorted(shifts.items())), "alarms": alarms}


def _replica_status(file: Path, station_id: str, seed: bytes) -> dict[str, Any]:
    names = ("version", "data_as_of", "data_age_ms", "cylinders", "locks", "link", "data_fault")
    nothing: dict[str, Any] = dict.fromkeys(names)
    if not file.exists():
        return nothing
    try:  # only read: an agent may be at work with it
        with closing(Replica(file, station_id, seed, looking=True)) as replica:
            return nothing | _replica_told(replica)
    except ReplicaDamaged as damaged:
        return nothing | {"data_fault": str(damaged)}


def _replica_told(replica: Replica) -> dict[str, Any]:
    known, link = replica.known, replica.link()
    if known is None:
        return {"link": link}
    now = wall_ms()
    return {
        "version": known.version,
        "data_as_of": known.as_of,
        "data_age_ms": max(0, now - known.as_of),
        "cylinders": replica.cylinder_count(),
        "link": link,
        "locks": [_lock_told(lock) for lock in known.locks if lock.until is None or now < lock.until],
    }


def _lock_told(lock: Lock) -> dict[str, Any]:
    return {
        "place": lock.place,
        "authority_id": lock.authority_id,
        "cause": lock.cause,
        "since": lock.occurred_at,
        "until": lock.until,
    }


_PROTECTED = {
    "nothing": "未加密 not encrypted: station-agent protect-key",
    "file": "已加密,密钥文件另存 encrypted, opened by a file elsewhere",
    "passphrase": "已加密,口令 encrypted, opened by a passphrase",
}


def status_lines(status: dict[str, Any]) -> list[str]:
    """The status for people."""
    data_age = status["data_age_ms"]
    data = "没有 none"
    if status["data_fault"] is not None:
        data = f"现在读不出,充装程序会重新取 cannot be read now, the agent fetches it anew: {status['data_fault']}"
    if data_age is not None:
        ages = (age_in(max(0, data_age) // 60_000, language) for language in ("zh", "en"))
        data = f"{' '.join(ages)}, {status['cylinders']} 只 cylinders"
    lines = [
        f"站 station {status['station_id']}  设备 device {status['device_id']}",
        f"设备密钥 key: {_PROTECTED[status['key_protected_by']]}",
        f"记录 records {status['records']}  待传 to send {status['unsent']}  争议 disputed {status['disputed']}",
        f"未结充装 open fills {status['open_fills']}  最后 last {status['last_record_id'] or '-'}",
        f"数据 data: {data}",
        f"联网 link: {_link_told(status['link'])}",
    ]
    lines += [
        f"锁定 locked: {lock['place']}, {lock['authority_id']}, {lock['cause']}" for lock in status["locks"] or ()
    ]
    lines += [f"班次 shift, lane {lane}: {_on_shift(shift)}" for lane, shift in status["shifts"].items()]
    lines += [f"报警 alarm: {alarm['kind']}, lane {alarm['lane']}" for alarm in status["alarms"]]
    lines += [f"争议 disputed: {dispute['id']}" for dispute in status["disputes"]]
    if status["closed_because"]:
        lines.append(f"停止充装:本机日志已封存 stop filling, this journal is closed: {status['closed_because']}")
    return lines


def _link_told(link: dict[str, Any] | None) -> str:
    """How the agent last stood to the service, and what to do about it."""
    if link is None or link["link"] not in set(Link):
        return "未知 unknown: it has not run yet"
    said = LINK_SAID[Link(link["link"])]
    since = f" (自 since {format_minute(link['since'])})" if "since" in link else ""
    return f"{said.zh} {said.en}{since}" + (f" → {said.next_zh} {said.next_en}" if said.next_zh else "")


def _on_shift(shift: dict[str, Any]) -> str:
    return f"充装 filler {shift['worker_id'] or '-'}, 检查 checker {shift['checker_id'] or '-'}"


# ---------------------------------------------------------------- the self-test


async def self_test(config: Path) -> list[Check]:
    """Look at everything a fill needs, in the order in which to mend it. Raises SettingsError, DeviceError."""
    settings, data = load_settings(config)
    device = await asyncio.to_thread(load_device, data)
    checks = [Check("settings", True, f"{len(settings.lanes)} lanes, device {device.device_id}")]
    checks.append(_key_check(data))
    checks.append(_trust_check(settings, data))
    try:
        async with assembled(settings, data, device, lambda *_: None) as agent:
            checks.append(await _check("journal", _journal(agent.journal), "free or replace the disk"))
            checks.append(_closed_check(agent.journal))
            ca_file = Path(settings.ca_file) if settings.ca_file else None
            async with Service(settings.service_url, device.token, device.station_id, ca_file=ca_file) as service:
                checks.append(await _check("service", _ready(service), "look at network, address and certificate"))
            checks.append(await _check("data", _data(agent), "connect the station once"))
            checks.append(_lock_check(agent))
            checks.append(_clock_check(agent))
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
    file = data / KEY_FILE
    if os.name == "posix" and file.stat().st_mode & 0o077:
        return Check("key", False, f"{file} can be read by others", f"chmod 600 {file}")
    protection = key_protection(data)
    if protection == "nothing":
        return Check("key", False, f"{file} is not encrypted", f"station-agent protect-key --data {data}")
    if protection == "passphrase":
        return Check("key", True, "encrypted, opened by a passphrase")
    return Check("key", True, f"encrypted, opened by {machine_key_file(data)}")


def _trust_check(settings: Settings, data: Path) -> Check:
    """Without a trust list every lock still counts; only an unlocking is not believed."""
    try:
        keys = trusted_regulators(settings, data)
    except SettingsError as error:
        return Check("trust list", False, str(error), "correct [trust] regulators, or the file that it names")
    if not keys:
        return Check("trust list", True, "no authority's key is named: what is locked stays so until the lock ends")
    return Check("trust list", True, f"{len(keys)} authorities' keys: {', '.join(key.name for key in keys)}")


def _closed_check(journal: Journal) -> Check:
    because = journal.closed_because
    if because is None:
        return Check("filling", True, "the journal is the one that the service knows")
    said = LINK_SAID[Link.JOURNAL_CLOSED]
    return Check("filling", False, f"{said.en}: {because}", said.next_en)


def _lock_check(agent: Agent) -> Check:
    now, known = agent.clock.likely_now(), agent.replica.known
    locks = [lock for lock in (known.locks if known else ()) if lock.until is None or now < lock.until]
    if not locks:
        return Check("locks", True, "nothing here is locked")
    told = "; ".join(f"{lock.place} by {lock.authority_id}: {lock.cause}" for lock in locks)
    return Check("locks", False, f"locked: {told}", "call the authority; it alone unlocks")


async def _journal(journal: Journal) -> str:
    length = await asyncio.to_thread(journal.verify)
    await asyncio.to_thread(journal.note, wall_ms(), {"what": "self_test"})
    return f"{length} records, the chain is whole, {journal.unsent_count()} to send"


async def _ready(service: Service) -> str:
    await service.ready()
    return "ready"


async def _data(agent: Agent) -> str:
    try:
        await agent.sync.pull()
    except ServiceGone:
        if agent.replica.known is None:
            raise
    known, now = agent.replica.known, agent.clock.likely_now()
    if known is None:
        raise ReplicaDamaged("nothing is known yet")
    book = known.book_at(now)
    if now - known.as_of > book.station.data_max_age_hours * _HOUR_MS:
        raise ReplicaRefused(f"too old: {age(known, now)}")
    return f"{agent.replica.cylinder_count()} cylinders, {age(known, now)}, rules {book.name}"


def _clock_check(agent: Agent) -> Check:
    skew_ms, known = agent.clock.skew_ms(), agent.replica.known
    if skew_ms is None or known is None:
        return _unchecked_check(agent.clock.unchecked(), known, agent.clock.likely_now())
    ok = abs(skew_ms) <= known.book_at(agent.clock.likely_now()).station.clock_skew_max_seconds * 1000
    mend = "" if ok else "set this machine's clock by a time server"
    return Check("clock", ok, f"{skew_ms} ms ahead of the service", mend)


def _unchecked_check(unchecked: Unchecked | None, known: Known | None, now: int) -> Check:
    """Nobody has told the time since the machine was restarted; the rulebook may grant some hours."""
    granted_ms = known.book_at(now).station.clock_unchecked_hours * _HOUR_MS if known else 0
    if unchecked is None or not 0 <= unchecked.beyond_ms < granted_ms:
        return Check("clock", False, "nobody has told the right time yet", "connect the station once")
    minutes = (granted_ms - unchecked.beyond_ms) // 60_000
    said = f"not checked since the machine was restarted; believed for {minutes} more minutes"
    return Check("clock", True, said, "connect the station before they are over")


async def _weight(read: Callable[[], Awaitable[Any]]) -> str:
    reading = await read()
    return f"{reading.gross_g} g" + (f", fault {reading.fault}" if reading.fault else "")
