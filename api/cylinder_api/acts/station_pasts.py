"""A station as it was at a moment (当时的站情): licence, scales, certificates and locks as stated by then.

A station's chain is long, for every refused scan stands in it, and few of its entries state such facts.  So nothing is
read as long as nothing was stated after the moment; else the facts are read once for a unit, and folded once for each
stretch of time in which none was stated.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import func, select

from cylinder_trace import events
from cylinder_trace.decision import StationFacts
from cylinder_trace.events import FillDecided
from cylinder_trace.locks import Lock
from cylinder_trace.station import StationState, facts_for, next_station_state
from cylinder_trace.store.tables import EntryRow
from cylinder_trace.store.understood import entry_of
from cylinder_trace.store.unit import Told, Unit
from cylinder_trace.values import changed

_entry = EntryRow.__table__  # type: ignore[attr-defined]
_STATE_FACTS = (
    events.StationLicensed, events.CompanyLicenceNoted, events.ScaleVerified, events.ScaleLocked, events.ScaleUnlocked,
    events.FillingLocked, events.FillingUnlocked, events.WorkerCertified,
)  # fmt: skip
_WORDS = tuple(kind.type for kind in _STATE_FACTS)
_TOLD = (
    "company_id", "licence_valid_until", "licence_suspended", "scale_verified_until", "scale_locked",
    "worker_certified_until", "region", "lock",
)  # fmt: skip
"""What the ledger knows of a station; the rest of the facts only the station itself can tell."""
_told: Callable[[StationFacts], tuple[object, ...]] = attrgetter(*_TOLD)
_Lane = tuple[str, int, str | None]
_NEVER = 2**53


class _Facts(NamedTuple):
    """What was stated of a station, in the order of its chain."""

    told: list[Told]
    moments: list[int]
    """When each occurred, earliest first."""


class StationPasts:
    """Stations as they were, for one unit."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._facts: dict[str, _Facts] = {}
        self._folded: dict[tuple[str, int], StationState] = {}
        self._known_of: tuple[Mapping[str, int] | None, dict[_Lane, tuple[object, ...]]] = (None, {})
        self._newest: tuple[Mapping[str, int] | None, Mapping[str, Lock] | None, int] = (None, None, _NEVER)

    def facts(self, own: FillDecided) -> StationFacts:
        """The facts of a decision, with what the ledger knows of the station in the place of what the station knew.

        The very facts of the decision where that is the same.  What was stated by the time that the station's data
        were complete to counts as known, although its clock may have been behind.
        """
        state = self._unit.station(own.request.station_id)
        if state is None:
            return own.station
        moment = max(own.decision.decided_at, own.station.data_as_of)
        then = self.as_of(state, moment)
        known = self._known(then, own, moment)
        if _told(own.station) == known:
            return own.station
        return changed(own.station, dict(zip(_TOLD, known, strict=True)))

    def _known(self, then: StationState, own: FillDecided, moment: int) -> tuple[object, ...]:
        """What the ledger knows for a decision: the same at a lane until something is stated, where no lock can end."""
        if then.locks or then.said_at is None:
            return _told(facts_for(then, own.request, 0, None, now=moment))
        if then.said_at is not self._known_of[0]:
            self._known_of = (then.said_at, {})
        lane = (own.request.scale_id, own.request.lane, own.request.worker_id)
        known = self._known_of[1].get(lane)
        if known is None:
            known = self._known_of[1][lane] = _told(facts_for(then, own.request, 0, None, now=moment))
        return known

    def as_of(self, now: StationState, moment: int) -> StationState:
        """The station by what had been stated at `moment`, whenever it was told."""
        if self._last_stated(now) <= moment:
            return now
        facts = self._facts.get(now.station_id)
        if facts is None:
            facts = self._facts[now.station_id] = self._read(now)
        place = bisect_right(facts.moments, moment)
        folded = self._folded.get((now.station_id, place))
        if folded is None:
            folded = self._folded[now.station_id, place] = _fold(now.station_id, facts, moment)
        return folded

    def _last_stated(self, now: StationState) -> int:
        """When the last of the facts occurred; never, where a read model of before does not say."""
        said_at, locks, newest = self._newest
        if now.said_at is not said_at or now.locks is not locks or said_at is None:
            newest = max((now.said_at or {"": _NEVER}).values())
            newest = max(newest, *(lock.occurred_at for lock in (now.locks or {}).values()), 0)
            self._newest = (now.said_at, now.locks, newest)
        return newest

    def _read(self, now: StationState) -> _Facts:
        subject = f"station/{now.station_id}"
        chain = _entry.c.subject == subject
        stored = self._unit.connection.scalar(select(func.max(_entry.c.n)).where(chain))
        facts = select(_entry.c.text, _entry.c.type).where(chain, _entry.c.type.in_(_WORDS)).order_by(_entry.c.n)
        told = [Told(*entry_of(bytes(row.text), row.type)) for row in self._unit.connection.execute(facts)]
        staged = self._unit.told_between(subject, -1 if stored is None else stored, now.n)
        told += [one for one in staged if isinstance(one.event, _STATE_FACTS)]
        return _Facts(told, sorted(one.entry.at for one in told))


def _fold(station_id: str, facts: _Facts, moment: int) -> StationState:
    state = StationState(station_id=station_id, n=0)
    for entry, event in facts.told:
        if entry.at <= moment:
            state = next_station_state(state, entry, event)
    return state
