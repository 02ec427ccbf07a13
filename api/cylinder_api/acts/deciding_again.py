"""A permit that a station gave alone (离线准充), looked at with what the ledger has come to know of that moment.

What counts is what had happened to the cylinder by then, whenever it was told.  Its state is that of the entries that
occurred before the decision, and the rulebook and the station's own facts are those that the decision was taken from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cylinder_trace.admission import decide_fill
from cylinder_trace.cylinder import CylinderState, StateError, next_state
from cylinder_trace.enactment import RulebookState, version_named
from cylinder_trace.events import Entry, Event, FillDecided
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.store.unit import Told, Unit
from cylinder_trace.values import changed

_STATED_BY_OTHERS = frozenset({"R05", "R06", "R68", *(f"R{number}" for number in range(10, 40))})
"""About code and tag, owner, inspection, end of life."""
_NEVER = 2**53
"""No moment is as late."""


class Pasts:
    """Cylinders as they were, moment by moment, for one unit. A journal tells its acts in order, and each chain is
    folded once, however many of them are about one cylinder."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._folded: dict[str, _Folded] = {}

    def as_of(self, now: CylinderState, moment: int) -> CylinderState | None:
        """The cylinder by what had occurred at `moment`; None where that does not add up to a cylinder."""
        folded = self._folded.get(now.cylinder_id)
        if folded is None or not folded.moment <= moment < folded.next_at:
            folded = self._folded[now.cylinder_id] = _Folded()
        folded.moment = moment
        folded.take(self._unit.told_between(f"cylinder/{now.cylinder_id}", folded.n - 1, now.n), now.n)
        return folded.state if folded.adds_up else None


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


def refused_by_then(unit: Unit, own: FillDecided, pasts: Pasts) -> list[str]:
    """Codes of the refusals that the station could not know of; none where it knew all that the ledger does.

    Only what others state about the cylinder counts.  Where it was (R03, R69) may be told later still, by a return
    that is on its way; what was seen and weighed at the scale the station alone knows.
    """
    decision = own.decision
    now = unit.cylinder(decision.cylinder_id) if decision.cylinder_id and decision.outcome != "DENY" else None
    if now is None or now.n == decision.cylinder_n or (book := _book_quoted(unit, decision.rulebook)) is None:
        return []
    then = pasts.as_of(now, decision.decided_at)
    if then is None:
        return []
    again = decide_fill(own.request, then, own.station, book, decision.decided_at)
    return [code for code in again.codes if again.outcome == "DENY" and code in _STATED_BY_OTHERS]


def _book_quoted(unit: Unit, name: str) -> Rulebook | None:
    rulebook_id, _, version = name.partition("@")
    state = unit.subject(f"rulebook/{rulebook_id}").state
    return version_named(state, version) if isinstance(state, RulebookState) else None
