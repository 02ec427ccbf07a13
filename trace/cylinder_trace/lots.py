"""The state of a gas lot (气质批次): what came in, what the laboratory said, and whether it may be filled.

Test, release and block are each decided by what occurred last, in whatever order they are told; of one moment, the
block holds.
"""

from typing import Any, Literal

from cylinder_trace import events
from cylinder_trace.cylinder import StateError
from cylinder_trace.events import Entry
from cylinder_trace.values import Count, Frozen, Id, Instant, Text, changed
from cylinder_trace.vocabulary.gas import BulkGrams


class LotState(Frozen):
    """A lot after `n` entries of its chain; `standing` absent = neither released nor blocked yet."""

    lot_id: Id
    n: Count
    station_id: Id | None = None
    supplier_id: Id | None = None
    product: Literal["lpg", "industrial_propane", "other"] | None = None
    mass_g: BulkGrams | None = None
    document_no: Text | None = None
    test_passed: bool | None = None
    tested_at: Instant | None = None
    standing: Literal["released", "blocked"] | None = None
    standing_since: Instant | None = None


def next_lot_state(state: LotState | None, entry: Entry, event: events.Event) -> LotState:
    """State of a gas lot after `entry`; raises StateError if the event cannot follow."""
    state = state or LotState(lot_id=entry.subject.partition("/")[2], n=0)
    return changed(state, {"n": entry.n + 1, **_change(state, entry, event)})


def _change(state: LotState, entry: Entry, event: events.Event) -> dict[str, Any]:
    match event:
        case events.GasLotReceived():
            return _received(state, event)
        case events.GasLotTested():
            if entry.at < (state.tested_at or 0):
                return {}
            return {"test_passed": event.passed, "tested_at": entry.at}
        case events.GasLotReleased():
            return _standing(state, entry.at, "released") if entry.at > _blocked_at(state) else {}
        case events.GasLotBlocked():
            return _standing(state, entry.at, "blocked")
        case events.DisputeRaised() | events.DisputeResolved() | events.Corrected():
            return {}
    raise StateError(f"{entry.type} is not an event of a gas lot")


def _received(state: LotState, event: events.GasLotReceived) -> dict[str, Any]:
    if state.product is not None:
        raise StateError("a gas lot is received once; what else comes in is another lot")
    return event.model_dump(exclude={"evidence"})


def _blocked_at(state: LotState) -> int:
    return state.standing_since or 0 if state.standing == "blocked" else -1


def _standing(state: LotState, at: int, standing: str) -> dict[str, Any]:
    if at < (state.standing_since or 0):
        return {}
    return {"standing": standing, "standing_since": at}
