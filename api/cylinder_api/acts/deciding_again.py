"""A permit that a station gave alone (离线准充), looked at with what the ledger has come to know of that moment.

What counts is what had happened to the cylinder by then, whenever it was told.  Its state is that of the entries that
occurred before the decision, and the rulebook and the station's own facts are those that the decision was taken from.
"""

from cylinder_trace.admission import decide_fill
from cylinder_trace.cylinder import CylinderState, StateError, next_state
from cylinder_trace.enactment import RulebookState, version_named
from cylinder_trace.events import FillDecided
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.store.unit import Unit

_STATED_BY_OTHERS = frozenset({"R05", "R06", "R68", *(f"R{number}" for number in range(10, 40))})
"""About code and tag, owner, inspection, end of life."""
_FROM_THE_START = -1


def refused_by_then(unit: Unit, own: FillDecided) -> list[str]:
    """Codes of the refusals that the station could not know of; none where it knew all that the ledger does.

    Only what others state about the cylinder counts.  Where it was (R03, R69) may be told later still, by a return
    that is on its way; what was seen and weighed at the scale the station alone knows.
    """
    decision = own.decision
    now = unit.cylinder(decision.cylinder_id) if decision.cylinder_id and decision.outcome != "DENY" else None
    book = _book_quoted(unit, decision.rulebook)
    if now is None or book is None or now.n == decision.cylinder_n:
        return []
    then = _as_of(unit, now, decision.decided_at)
    if then is None:
        return []
    again = decide_fill(own.request, then, own.station, book, decision.decided_at)
    return [code for code in again.codes if again.outcome == "DENY" and code in _STATED_BY_OTHERS]


def _book_quoted(unit: Unit, name: str) -> Rulebook | None:
    rulebook_id, _, version = name.partition("@")
    state = unit.subject(f"rulebook/{rulebook_id}").state
    return version_named(state, version) if isinstance(state, RulebookState) else None


def _as_of(unit: Unit, now: CylinderState, moment: int) -> CylinderState | None:
    """The cylinder by what had occurred at `moment`; None where that does not add up to a cylinder."""
    entries = unit.entries_between(f"cylinder/{now.cylinder_id}", _FROM_THE_START, now.n)
    state: CylinderState | None = None
    for entry in sorted(entries, key=lambda entry: entry.n):
        if entry.occurred_at <= moment:
            place = entry.model_copy(update={"n": state.n if state else 0})
            try:
                state = next_state(state, place, entry.event())
            except StateError:  # it builds on something that is dated after it
                return None
    return state
