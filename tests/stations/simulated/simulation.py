"""A whole simulation from a seed, and the laws that must hold after it."""

import asyncio
import gc
import hashlib
import random as everybodys
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson

from cylinder_codes.keys import format_vkey
from cylinder_trace.audit import Auditor, read_vkey
from cylinder_trace.events import (
    AlarmRaised,
    DisputeRaised,
    FillDecided,
    Filled,
    PostfillChecked,
    PrefillChecked,
    Record,
    Reweighed,
)
from station_agent.devices.scale_model import DIVISION_G, Change
from station_agent.filling import NO_GAS_G
from station_agent.lane import LaneKind
from stations.simulated.days import FATAL, Month, drawn
from stations.simulated.ledger import BEGIN_MS, LOG_KEY, TARE_G, Town, cylinder_id_of, device_of, memory, open_town
from stations.simulated.station import Layout, SimulatedStation, Told
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
    """Live through it, in a folder in memory, and check every law. Raises LawBroken, which says how to replay it."""
    try:
        with TemporaryDirectory(prefix="pinglian-stations-", dir=memory()) as folder, _little_collected():
            return _simulate(seed, Path(folder), stations, days, fills)
    except Exception as broken:
        again = f"python tests/stations/simulated {seed} {stations} {days} {fills}"
        raise LawBroken(f"seed {seed}: {str(broken) or repr(broken)}; replay: {again}") from broken


@contextmanager
def _little_collected() -> Iterator[None]:
    """Logs and telling only grow until the judge has read them: nothing in them is looked through again and again."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _simulate(seed: int, folder: Path, stations: int, days: int, fills: int) -> Report:
    random, cylinders = Random(seed), fills * _YARD_DAYS
    everybodys.seed(seed)  # the pauses between tries are drawn from there
    with town_in(folder, stations, cylinders, partial(_held_up, Random(random.random()))) as (loop, town):
        months = [_month(number, folder, town, random, days, fills) for number in range(1, stations + 1)]
        loop.run_until_complete(_live(months))
        return judge(seed, town, months)


@contextmanager
def town_in(
    folder: Path, stations: int, cylinders: int, hold_up: Callable[[], float] = lambda: 0.0
) -> Iterator[tuple[VirtualLoop, Town]]:
    """A ledger and virtual time; nothing is left on the loop when it is closed, whatever was broken."""
    loop = VirtualLoop(hold_up)
    loop.set_exception_handler(lambda _loop, _context: None)  # killed tasks leave errors that nobody asks for
    asyncio.set_event_loop(loop)
    town = open_town(folder / "town", lambda: BEGIN_MS + int(loop.time() * 1000), stations, cylinders)
    try:
        yield loop, town
    finally:
        loop.run_until_complete(_end_all())
        town.ledger.close()
        asyncio.set_event_loop(None)
        loop.close()


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _held_up(random: Random) -> float:
    """A disk is mostly quick; now and then it takes its time, and the process may die meanwhile."""
    return random.uniform(0.001, 0.05) if random.random() < _SLOW_WORK else 0.0


def _month(number: int, folder: Path, town: Town, random: Random, days: int, fills: int) -> Month:
    own = Random(random.random())
    layout = _layout(own)
    station = SimulatedStation(number, folder / f"station-{number}", town, Random(own.random()), layout)
    plan = dict(drawn(own, days - 1))
    if number == 1:
        plan[days - 1] = own.choice(sorted(FATAL))
    return Month(station, own, days, fills, fills * _YARD_DAYS, plan)


def _layout(random: Random) -> Layout:
    """One fill lane or two, with a lane for weighing again or without; a third works by lists, a third checks all."""
    lanes: dict[int, LaneKind] = {1: "fill"}
    if random.random() < 0.4:
        lanes[2] = "fill"
    if random.random() < 0.4:
        lanes[3] = "check"
    return Layout(lanes, lists=random.random() < 0.35, checks=random.random() < 0.35)


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
    texts = [text for _, text in town.ledger.reader.texts(0, 10**7)]
    report = Report(seed, entries=len(texts), digest=hashlib.sha256(b"".join(texts)).hexdigest())
    kept = _kept([orjson.loads(text) for text in texts])
    _require(max(kept.ids.values()) == 1, "of all", "an entry stands in the ledger twice")
    for month in months:
        lines = month.station.records()
        records = [record for record, _ in lines]
        report.records += len(records)
        for lane, platform in month.station.platforms.items():
            check_valves(month.station.station_id, f"sc_{lane}", platform.log, records)
        check_people(month.station, records)
        check_lists(month, records)
        report.fills += _every_fill_on_record_once(month, records)
        # Of a journal that was put back, what had not been sent lies in the copy that somebody took away.
        sent = [record for record, answered in lines if answered or month.plan.get(month.days - 1) not in FATAL]
        _nothing_lost(month, sent, kept)
        report.alarms.update(_alarms_where_they_belong(month, records))
        report.tricks.update(expected.trick for _, expected in month.expected)
        report.refused.update(month.refused)
    _audited(town)
    return report


def _require(holds: bool, station_id: str, law: str) -> None:
    if not holds:
        raise LawBroken(f"station {station_id}: {law}")


def check_valves(station_id: str, scale_id: str, log: list[Change], records: list[Record]) -> None:
    """Each opening by an agent stands behind a decision of its own, no longer ago than a permit lives."""
    permits = {
        event.decision.check_id: event
        for record in records
        if isinstance(event := record.event(), FillDecided)
        and event.decision.permits
        and event.request.scale_id == scale_id
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
    logs = [platform.log for platform in month.station.platforms.values()]
    opened = Counter(f"cylinder/{change.label}" for log in logs for change in _opened_by_agents(log))
    gained = Counter(f"cylinder/{change.label}" for log in logs for change in _gained(log))
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


def _gained(log: list[Change]) -> list[Change]:
    """Each opening under which more than noise went in."""
    gained: list[Change] = []
    opened: Change | None = None
    for change in log:
        if change.event == "valve_opened" and change.stop_at_gross_g != _FORCED_G:
            opened = change
        elif change.event == "valve_shut" and opened is not None:
            if change.load_g - opened.load_g > 2 * NO_GAS_G:
                gained.append(opened)
            opened = None
    return gained


def check_people(station: SimulatedStation, records: list[Record]) -> None:
    """Every record of a fill names those who were signed on at its lane; nobody looks at what he filled himself."""
    scanned = {one.fields["check_id"]: one for one in station.told if one.event == "scanned"}
    fillers: dict[str, str] = {}
    for record in records:
        event = record.event()
        if isinstance(event, Filled):
            people, fillers[event.check_id] = scanned[event.check_id].people, event.worker_id
            named = {"worker/" + person for person in (people.filler, people.checker) if person}
            whole = event.worker_id == people.filler and named <= set(record.refs)
            _require(whole, station.station_id, f"{record.id} names {record.refs}, there were {people}")
        if isinstance(event, Reweighed | PostfillChecked) and event.check_id in fillers:
            own = event.worker_id == fillers[event.check_id]
            _require(not own, station.station_id, f"{record.id} is by {event.worker_id}, who filled it")
    for place, one in enumerate(station.told):
        if one.event == "handover":
            check_page(station, one, station.told[:place])


def check_page(station: SimulatedStation, page: Told, before: list[Told]) -> None:
    """A hand-over page tells who goes, and as many fills as the scale's own log has since they came."""
    assert page.lane is not None
    people = (page.fields["worker_id"], page.fields["checker_id"])
    here = (page.people.filler, page.people.checker)
    _require(people == here, station.station_id, f"the page at {page.at} names {people}, there were {here}")
    since = max((one.at for one in before if _begins_shift(one, page)), default=page.at)
    gained = _gained(station.platforms[page.lane].log)
    fills = sum(since <= change.t_ms <= page.at for change in gained)
    told = page.fields["shift"]["fills"]
    _require(told == fills, station.station_id, f"the page at {page.at} tells {told} fills, the scale had {fills}")


def _begins_shift(one: Told, page: Told) -> bool:
    return one.event == "signed_on" and one.lane == page.lane and one.fields["role"] == "filler"


def check_lists(month: Month, records: list[Record]) -> None:
    """Where lists are worked by, each fill has one before it; what leaves was weighed, rightly, and found in order."""
    station_id, before = month.station.station_id, {record.id: record.event() for record in records}
    weighed = {event.check_id for event in before.values() if isinstance(event, Reweighed) and event.within_limit}
    passed: Counter[str] = Counter()
    for record in records:
        event = record.event()
        if isinstance(event, Filled) and month.station.layout.lists:
            listed = before.get(f"{event.check_id}.prefill")
            whole = isinstance(listed, PrefillChecked) and listed.passed and listed.worker_id == event.worker_id
            _require(whole, station_id, f"{record.id} has no list before it")
        if isinstance(event, PostfillChecked) and event.passed:
            passed[record.subject] += 1
            _require(event.check_id in weighed, station_id, f"{record.id} without its weight")
    released = Counter(f"cylinder/{cylinder_id_of(number)}" for number in month.released)
    _require(released <= passed, station_id, f"released without a list: {sorted((released - passed).elements())[:3]}")
    for one in month.station.told:
        if one.event == "reweighed" and any(begun <= one.at <= ended for begun, ended in month.honest):
            check_weight(month.station, one)


def check_weight(station: SimulatedStation, weighed: Told) -> None:
    """A second weight is what really stands on that scale, to two of its divisions."""
    assert weighed.lane is not None
    log = station.platforms[weighed.lane].log
    until = bisect_right(log, weighed.at, key=lambda one: one.t_ms)
    placed = next(one for one in reversed(log[:until]) if one.event == "placed")
    off_g = abs(placed.load_g - TARE_G - weighed.fields["net_g"])
    _require(off_g <= 2 * DIVISION_G, station.station_id, f"a second weight at {weighed.at} is {off_g} g off")


class Kept(NamedTuple):
    """What the ledger holds: how often each id, and what is kept in a dispute."""

    ids: Counter[str]
    disputed: set[str]


def _kept(entries: list[dict[str, Any]]) -> Kept:
    disputed = {entry["data"]["about_id"] for entry in entries if entry["type"] == DisputeRaised.type}
    return Kept(Counter(entry["id"] for entry in entries), disputed)


def _nothing_lost(month: Month, records: list[Record], kept: Kept) -> None:
    """Each record of the journal is in the ledger, as itself or as the entry that it links to."""
    device, ids = device_of(month.station.number), kept.ids
    missing = {record.id for record in records if not (ids[record.id] or ids[f"{record.id}.station"])}
    lost = sorted(missing - kept.disputed)
    _require(not lost, month.station.station_id, f"records of {device} are not in the ledger: {lost[:3]}")


def _alarms_where_they_belong(month: Month, records: list[Record]) -> Counter[str]:
    alarms = [(one.at, one.fields["kind"]) for one in month.station.told if one.event == "alarm"]
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
            for one in month.station.told
            if one.event == "refused" and at <= one.at <= end
            for code in one.fields["reasons"]
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
    town.ledger.publisher.wait_published(reader.size(), timeout_s=60)
    auditor = Auditor(reader.checkpoints(), read_vkey(format_vkey(LOG_KEY.verifying_key)))
    auditor.check(reader.all_entries())
    faults = auditor.finish(reader.read_model()).faults
    if faults:
        raise LawBroken(f"the audit finds {faults[:3]}")
