"""A permit that a station gave alone (离线准充), looked at with what the ledger has come to know of that moment.

What counts is what had happened by then, whenever it was told.  The cylinder's state is that of the entries that
occurred before the decision, and so is what others state of the station: licence, scales, certificates, locks.  The
rulebook, and what only the station can tell of itself, are those that the decision was taken from.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from cylinder_api.acts.station_pasts import StationPasts
from cylinder_trace.admission import decide_fill
from cylinder_trace.cylinder import CylinderState, StateError, next_state
from cylinder_trace.enactment import RulebookState, version_named
from cylinder_trace.events import Entry, Event, FillDecided
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.store.unit import Told, Unit
from cylinder_trace.values import changed

_STATED_BY_OTHERS = frozenset({"R05", "R06", "R60", "R61", "R62", "R63", "R68"} | {f"R{n}" for n in range(10, 40)})
"""About code and tag, owner, inspection, end of life; about the station's licence, scale, filler and locks."""
_NEVER = 2**53
"""No moment is as late."""
_MARK_EVERY = 64
_MOST_KEPT = 100


class Pasts:
    """Cylinders as they were, moment by moment, for one unit. A journal tells its acts in order, and each chain is
    folded once, however many of them are about one cylinder; a chain that is told backwards is kept with marks."""

    def __init__(self, unit: Unit) -> None:
        self.stations = StationPasts(unit)
        self._unit = unit
        self._folded: dict[str, _Folded] = {}
        self._kept: dict[str, _Kept] = {}

    def as_of(self, now: CylinderState, moment: int) -> CylinderState | None:
        """The cylinder by what had occurred at `moment`; None where that does not add up to a cylinder."""
        folded = self._folded.get(now.cylinder_id)
        if folded is None:
            folded = _Folded(moment=moment)
        elif not folded.moment <= moment < folded.next_at:
            folded = self._keep(now).begin(moment)
        folded.moment = moment
        folded.take(self._history(now, folded.n), now.n)
        self._folded[now.cylinder_id] = folded
        return folded.state if folded.adds_up else None

    def _history(self, now: CylinderState, n: int) -> Sequence[Told]:
        kept = self._kept.get(now.cylinder_id)
        if kept is not None and len(kept.told) == now.n:
            return kept.told[n:]
        return self._unit.told_between(f"cylinder/{now.cylinder_id}", n - 1, now.n)

    def _keep(self, now: CylinderState) -> "_Kept":
        kept = self._kept.pop(now.cylinder_id, None) or _Kept()
        if len(self._kept) == _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        kept.take(self._unit.told_between(f"cylinder/{now.cylinder_id}", len(kept.told) - 1, now.n))
        self._kept[now.cylinder_id] = kept
        return kept


@dataclass(slots=True)
class _Folded:
    """The first `n` entries of a chain, those left out that occurred after `moment`."""

    n: int = 0
    moment: int = 0
    next_at: int = _NEVER
    """When the first of those left out occurred."""
    state: CylinderState | None = None
    adds_up: bool = True

    def take(self, history: Sequence[Told], n: int) -> None:
        self.n = n
        for entry, event in history:
            if entry.occurred_at > self.moment:
                self.next_at = min(self.next_at, entry.occurred_at)
            elif self.adds_up:
                self._fold(entry, event)

    def _fold(self, entry: Entry, event: Event) -> None:
        place = changed(entry, {"n": self.state.n if self.state else 0})
        try:
            self.state = next_state(self.state, place, event)
        except StateError:  # it builds on something that is dated after it
            self.adds_up = False


@dataclass(slots=True)
class _Kept:
    """A whole chain, with the state after every so many of its entries: a moment is folded from the mark before it."""

    told: list[Told] = field(default_factory=list)
    marks: list[CylinderState | None] = field(default_factory=lambda: [None])
    latest: list[int] = field(default_factory=lambda: [0])
    """When the latest of the entries before each mark occurred; never less than of the mark before."""

    def take(self, news: Sequence[Told]) -> None:
        self.told += news
        while (begin := (len(self.marks) - 1) * _MARK_EVERY) + _MARK_EVERY <= len(self.told):
            some = self.told[begin : begin + _MARK_EVERY]
            folded = _Folded(moment=_NEVER, state=self.marks[-1])
            folded.take(some, begin + _MARK_EVERY)
            self.marks.append(folded.state)
            self.latest.append(max(self.latest[-1], *(entry.occurred_at for entry, _event in some)))

    def begin(self, moment: int) -> _Folded:
        """From the last mark that nothing of after `moment` is in."""
        mark = bisect_right(self.latest, moment) - 1
        return _Folded(n=max(mark, 0) * _MARK_EVERY, moment=moment, state=self.marks[max(mark, 0)])


def refused_by_then(unit: Unit, own: FillDecided, pasts: Pasts) -> list[str]:
    """Codes of the refusals that the station could not know of; none where it knew all that the ledger does.

    Only what others state about cylinder and station counts.  Where the cylinder was (R03, R69) may be told later
    still, by a return that is on its way; what was seen and weighed at the scale the station alone knows.
    """
    decision = own.decision
    now = unit.cylinder(decision.cylinder_id) if decision.cylinder_id and decision.outcome != "DENY" else None
    if now is None:
        return []
    station, is_known = pasts.stations.facts(own), now.n == decision.cylinder_n
    if (is_known and station is own.station) or (book := _book_quoted(unit, decision.rulebook)) is None:
        return []
    then = now if is_known else pasts.as_of(now, decision.decided_at)
    if then is None:
        return []
    again = decide_fill(own.request, then, station, book, decision.decided_at)
    return [code for code in again.codes if again.outcome == "DENY" and code in _STATED_BY_OTHERS]


def _book_quoted(unit: Unit, name: str) -> Rulebook | None:
    rulebook_id, _, version = name.partition("@")
    state = unit.subject(f"rulebook/{rulebook_id}").state
    return version_named(state, version) if isinstance(state, RulebookState) else None
