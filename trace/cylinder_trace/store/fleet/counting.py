"""What an entry adds to the monthly figures (月报): words, each with a number, under district, company and station.

    registered 新建档 · checked 充装前检查 · refused 拒充 · refused.R20 … 拒充原因
    filled 充装 · filled_g 充装量(克) · scanned 有扫码决定的充装 · turned 周转(再次充装) · turned_sold 上次实名售出
    sold 实名销售 · safety_passed 随瓶安检合格 · returned 空瓶回收
    inspected 检验 · inspected_passed 合格 · inspected_on_time 按期
    condemned 判废 · destroyed 去功能化 · destroyed_dated, destroyed_days 判废到去功能化的天数
    black_found 新列黑气瓶 · lost_reported 报失

The month is that of the occurrence, at Beijing.  A second account of one check counts once.
"""

from collections.abc import Iterator
from typing import NamedTuple

from cylinder_trace import events
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import DAY_MS, local_month, parse_month
from cylinder_trace.events import Entry
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.rules.deadlines import due_month
from cylinder_trace.store.fleet.folding import Known, Stations, district_of_owner


class Key(NamedTuple):
    """A figure's place: month since year 0 (0: the stock of now), word, district, company, station."""

    month: int
    word: str
    district: str
    company_id: str
    station_id: str


Sums = dict[Key, int]


def add(sums: Sums, key: Key, value: int) -> None:
    """Add to a figure; nothing is kept of what is zero."""
    total = sums.get(key, 0) + value
    if total:
        sums[key] = total
    else:
        sums.pop(key, None)


class Counter:
    """Counts entries under the stations and the rulebook of their time."""

    def __init__(self, stations: Stations, book: Rulebook | None) -> None:
        self.stations, self.book = stations, book
        self.sums: Sums = {}

    def count(self, entry: Entry, event: events.Event, known: Known | None, scanned: bool) -> None:
        """Count one entry; `known`: its cylinder as it was before; `scanned`: whether a fill has its decision."""
        month = local_month(entry.at)
        if isinstance(event, events.FillDecided):
            self._count_check(month, entry, event)
        elif isinstance(event, events.Filled):
            self._count_fill(month, event, known, scanned)
        elif known is not None:
            place = self._place(known.state, event)
            for word, value in _of_cylinder(entry, event, known, self.book):
                add(self.sums, Key(month, word, *place), value)

    def _count_check(self, month: int, entry: Entry, event: events.FillDecided) -> None:
        request, decision = event.request, event.decision
        if entry.id != request.check_id:
            return
        place = self._at(request.station_id, event.station.company_id)
        words = ["checked"]
        if decision.outcome == "DENY":
            words += ["refused", *dict.fromkeys(f"refused.{reason.code}" for reason in decision.reasons)]
        for word in words:
            add(self.sums, Key(month, word, *place), 1)

    def _count_fill(self, month: int, event: events.Filled, known: Known | None, scanned: bool) -> None:
        place = self._at(event.station_id, None)
        words = {"filled": 1, "filled_g": event.net_g, "scanned": int(scanned)}
        if known is not None and known.memo.sold is not None:
            words |= {"turned": 1, "turned_sold": int(known.memo.sold)}
        for word, value in words.items():
            add(self.sums, Key(month, word, *place), value)

    def _at(self, station_id: str, company_id: str | None) -> tuple[str, str, str]:
        place = self.stations.get(station_id)
        if place is None:
            return "", company_id or "", station_id
        return place.region, place.company_id, station_id

    def _place(self, state: CylinderState | None, event: events.Event) -> tuple[str, str, str]:
        if isinstance(event, events.Returned):
            return self._at(event.station_id, None)
        if state is None:
            owner_id = event.owner_id if isinstance(event, events.CylinderRegistered) else ""
            region = event.region if isinstance(event, events.CylinderRegistered) else None
        else:
            owner_id, region = state.owner_id, state.region
        return region or district_of_owner(self.stations, owner_id) or "", owner_id, ""


def _of_cylinder(entry: Entry, event: events.Event, known: Known, book: Rulebook | None) -> Iterator[tuple[str, int]]:
    state = known.state
    match event:
        case events.CylinderRegistered():
            yield "registered", 1
        case events.Sold():
            yield "sold", 1
            yield "safety_passed", int(event.safety_check_passed)
        case events.Returned():
            yield "returned", 1
        case events.Inspected() if _is_news(event, entry):
            yield "inspected", 1
            yield "inspected_passed", int(event.result == "passed")
            yield "inspected_on_time", int(_on_time(event, state, book))
        case events.Condemned() if known.memo.condemned_at is None:
            yield "condemned", 1
        case events.Destroyed() if state is not None and state.status != "destroyed":
            yield "destroyed", 1
            if known.memo.condemned_at is not None:
                yield "destroyed_dated", 1
                yield "destroyed_days", max(0, entry.at - known.memo.condemned_at) // DAY_MS
        case events.Flagged() if event.flag == "black" and state is not None and "black" not in state.flags:
            yield "black_found", 1
        case events.ReportedLost() if state is not None and not state.is_marked("lost"):
            yield "lost_reported", 1


def _is_news(event: events.Inspected, entry: Entry) -> bool:
    """A mark that was on the cylinder when it was taken over is no inspection of this month."""
    return local_month(entry.at) - parse_month(event.inspected_month) in (0, 1)


def _on_time(event: events.Inspected, state: CylinderState | None, book: Rulebook | None) -> bool:
    due = due_month(state, book) if state is not None and book is not None else None
    return due is not None and parse_month(event.inspected_month) <= due
