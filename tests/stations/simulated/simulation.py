"""A whole simulation from a seed, and the laws that must hold after it."""

import asyncio
import hashlib
import random as everybodys
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from cylinder_codes.keys import format_vkey
from cylinder_trace.audit import Auditor, read_vkey
from cylinder_trace.events import AlarmRaised, Entry, FillDecided, Filled, Record, parse_entry
from station_agent.devices.scale_model import Change
from station_agent.filling import NO_GAS_G
from stations.simulated.days import FATAL, Month, drawn
from stations.simulated.ledger import BEGIN_MS, LOG_KEY, Town, device_of, memory, open_town
from stations.simulated.station import SimulatedStation
from stations.simulated.virtual_time import VirtualLoop

_YARD_DAYS = 6
"""So many days' cylinders belong to a station: it fills some while others are with customers."""
_SLOW_WORK = 0.05
_PERMIT_MS = 180_000


class LawBroken(AssertionError):
    """What a simulation must not lead to; the text says where to look."""


@dataclass
class Report:
    """What a simulation was like."""

    seed: int
    fills: int = 0
    records: int = 0
    entries: int = 0
    digest: str = ""
    """Hash of all entries: the same for the same seed."""
    tricks: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


def simulate(seed: int, *, stations: int = 5, days: int = 30, fills: int = 28) -> Report:
    """Live through it, in a folder in memory, and check every law. Raises LawBroken."""
    with TemporaryDirectory(prefix="pinglian-stations-", dir=memory()) as folder:
        return _simulate(seed, Path(folder), stations, days, fills)


def _simulate(seed: int, folder: Path, stations: int, days: int, fills: int) -> Report:
    random = Random(seed)
    everybodys.seed(seed)  # the pauses between tries are drawn from there
    loop = VirtualLoop(partial(_held_up, Random(random.random())))
    loop.set_exception_handler(lambda _loop, _context: None)  # killed tasks leave errors that nobody asks for
    asyncio.set_event_loop(loop)
    cylinders = fills * _YARD_DAYS
    town = open_town(folder / "town", lambda: BEGIN_MS + int(loop.time() * 1000), stations, cylinders)
    try:
        months = [_month(number, folder, town, random, days, fills) for number in range(1, stations + 1)]
        loop.run_until_complete(_live(months))
        return judge(seed, town, months)
    finally:
        loop.run_until_complete(_end_all())
        town.ledger.close()
        asyncio.set_event_loop(None)
        loop.close()


async def _end_all() -> None:
    """Nothing is left on the loop when it is closed, whatever was broken."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _held_up(random: Random) -> float:
    """A disk is mostly quick; now and then it takes its time, and the process may die meanwhile."""
    return random.uniform(0.001, 0.05) if random.random() < _SLOW_WORK else 0.0


def _month(number: int, folder: Path, town: Town, random: Random, days: int, fills: int) -> Month:
    own = Random(random.random())
    station = SimulatedStation(number, folder / f"station-{number}", town, Random(own.random()))
    plan = dict(drawn(own, days - 1))
    if number == 1:
        plan[days - 1] = own.choice(sorted(FATAL))
    return Month(station, own, days, fills, fills * _YARD_DAYS, plan)


async def _live(months: list[Month]) -> None:
    await asyncio.gather(*(month.live() for month in months))
    for month in months:
        if month.plan.get(month.days - 1) in FATAL:
            month.station.put_journal_back("true")
            continue
        month.station.link.cut = False
        await month.station.start()
        await asyncio.sleep(120)
        await month.station.stop()


# ---------------------------------------------------------------- the laws


def judge(seed: int, town: Town, months: list[Month]) -> Report:
    """All laws, judged from the scales' own logs, the journals and the ledger."""
    entries = [parse_entry(row.text) for row in town.ledger.reader.all_entries()]
    report = Report(seed, entries=len(entries))
    report.digest = hashlib.sha256(b"".join(text for _, text in town.ledger.reader.texts(0, 10**7))).hexdigest()
    for month in months:
        lines = month.station.records()
        records = [record for record, _ in lines]
        report.records += len(records)
        check_valves(month.station.station_id, month.station.platform.log, records)
        report.fills += _every_fill_on_record_once(month, records)
        # Of a journal that was put back, what had not been sent lies in the copy that somebody took away.
        sent = [record for record, answered in lines if answered or month.plan.get(month.days - 1) not in FATAL]
        _nothing_lost_or_doubled(month, sent, entries)
        report.alarms.update(_alarms_where_they_belong(month, records))
        report.tricks.update(expected.trick for _, expected in month.expected)
        report.refused.update(month.refused)
    _audited(town)
    return report


def _require(holds: bool, station_id: str, law: str) -> None:
    if not holds:
        raise LawBroken(f"station {station_id}: {law}")


def check_valves(station_id: str, log: list[Change], records: list[Record]) -> None:
    """Each opening by an agent stands behind a decision of its own, no longer ago than a permit lives."""
    permits = {
        event.decision.check_id: event
        for record in records
        if isinstance(event := record.event(), FillDecided) and event.decision.permits
    }
    by_cylinder: dict[str | None, list[FillDecided]] = {}
    for decided in permits.values():
        by_cylinder.setdefault(decided.decision.cylinder_id, []).append(decided)
    for opened in _opened_by_agents(log):
        unused = by_cylinder.get(opened.label, [])
        fits = [one for one in unused if any(0 <= opened.t_ms - at <= _PERMIT_MS for at in _moments(one))]
        _require(bool(fits), station_id, f"gas for {opened.label} at {opened.t_ms} without a permit")
        unused.remove(fits[0])


def _moments(decided: FillDecided) -> tuple[int, int]:
    """When it was decided: by the service's clock, which is right, or by the station's, which may be a minute off."""
    at = decided.decision.decided_at
    return at, at - (decided.station.clock_skew_ms or 0)


def _opened_by_agents(log: list[Change]) -> list[Change]:
    return [change for change in log if change.event == "valve_opened" and change.stop_at_gross_g != _FORCED_G]


_FORCED_G = 8_400


def _every_fill_on_record_once(month: Month, records: list[Record]) -> int:
    """For every opening that let gas in there is one record of a fill, and no record without an opening."""
    filled = Counter(record.subject for record in records if record.type == Filled.type)
    log = month.station.platform.log
    opened = Counter(f"cylinder/{change.label}" for change in _opened_by_agents(log))
    gained = Counter(f"cylinder/{label}" for label in _gained(log))
    for subject, count in filled.items():
        _require(
            count <= opened[subject],
            month.station.station_id,
            f"{subject} has {count} fills on record, {opened[subject]} openings",
        )
    for subject, count in gained.items():
        _require(
            filled[subject] >= count,
            month.station.station_id,
            f"{subject} got gas {count} times, {filled[subject]} on record",
        )
    return sum(filled.values())


def _gained(log: list[Change]) -> list[str]:
    """Each opening under which more than noise went in."""
    labels: list[str] = []
    opened: Change | None = None
    for change in log:
        if change.event == "valve_opened" and change.stop_at_gross_g != _FORCED_G:
            opened = change
        elif change.event == "valve_shut" and opened is not None:
            if change.load_g - opened.load_g > 2 * NO_GAS_G:
                labels.append(str(opened.label))
            opened = None
    return labels


def _nothing_lost_or_doubled(month: Month, records: list[Record], entries: list[Entry]) -> None:
    """Each record of the journal is in the ledger once, as itself or as the entry that it links to."""
    device = device_of(month.station.number)
    ids = Counter(entry.id for entry in entries)
    missing = [record.id for record in records if not (ids[record.id] or ids[f"{record.id}.station"])]
    kept = {entry.data["about_id"] for entry in entries if entry.type == "dispute_raised"}
    _require(
        not set(missing) - kept, month.station.station_id, f"records of {device} are not in the ledger: {missing[:3]}"
    )
    _require(max(ids.values()) == 1, month.station.station_id, "an entry stands in the ledger twice")


def _alarms_where_they_belong(month: Month, records: list[Record]) -> Counter[str]:
    alarms = [(at, fields["kind"]) for at, event, fields in month.station.told if event == "alarm"]
    for begun, ended in month.honest:
        wrong = [kind for at, kind in alarms if begun <= at <= ended]
        _require(
            not wrong,
            month.station.station_id,
            f"alarms on an honest day, from {begun}: {wrong}, plan {_word(month, begun)}",
        )
    for at, expected in month.expected:
        end = at + 4 * 86_400_000
        heard = {kind for told_at, kind in alarms if at <= told_at <= end}
        reasons = {
            code
            for told_at, event, fields in month.station.told
            if event == "refused" and at <= told_at <= end
            for code in fields["reasons"]
        }
        seen = bool(heard & expected.alarms) or bool(reasons & expected.reasons)
        _require(
            seen,
            month.station.station_id,
            f"{expected.trick} at {at}: heard {sorted(heard)}, refused {sorted(reasons)}",
        )
    recorded = [event.kind for record in records if isinstance(event := record.event(), AlarmRaised)]
    told = Counter(kind for _, kind in alarms)
    _require(Counter(recorded) == told, month.station.station_id, f"alarms told {told}, recorded {Counter(recorded)}")
    return told


def _word(month: Month, at: int) -> str | None:
    return month.plan.get((at - BEGIN_MS) // 86_400_000)


def _audited(town: Town) -> None:
    """The whole ledger, from nothing."""
    reader = town.ledger.reader
    town.ledger.publisher.wait_published(reader.size())
    auditor = Auditor(reader.checkpoints(), read_vkey(format_vkey(LOG_KEY.verifying_key)))
    auditor.check(reader.all_entries())
    faults = auditor.finish(reader.read_model()).faults
    if faults:
        raise LawBroken(f"the audit finds {faults[:3]}")
