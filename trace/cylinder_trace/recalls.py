"""The state of a recall of a model or batch (召回): what it covers, and whether it still stands."""

from typing import Any

from cylinder_trace import events
from cylinder_trace.cylinder import CylinderState, StateError
from cylinder_trace.events import Entry
from cylinder_trace.values import Count, Frozen, Id, Month, Text, changed


class RecallState(Frozen):
    """A recall after `n` entries of its chain. What is absent does not narrow it."""

    recall_id: Id
    n: Count
    issuer_id: Id
    maker: Text | None = None
    model: Text | None = None
    batch_no: Text | None = None
    made_from: Month | None = None
    made_to: Month | None = None
    lot_id: Id | None = None
    open: bool = True
    maker_id: Id | None = None


def next_recall_state(state: RecallState | None, entry: Entry, event: events.Event) -> RecallState:
    """State of a recall after `entry`; raises StateError if the event cannot follow.

    A recall is opened once and closed for good: what is recalled again is another recall, with its own cause.
    """
    if state is None:
        if not isinstance(event, events.RecallOpened):
            raise StateError(f"{entry.type} before recall_opened")
        scope = event.model_dump(exclude={"cause", "evidence"})
        return RecallState(recall_id=entry.subject.partition("/")[2], n=entry.n + 1, **scope)
    return changed(state, {"n": entry.n + 1, **_change(entry, event)})


def _change(entry: Entry, event: events.Event) -> dict[str, Any]:
    match event:
        case events.RecallClosed():
            return {"open": False}
        case events.RecallOpened():
            raise StateError("a recall is opened once; what is recalled again is another recall")
        case events.DisputeRaised() | events.DisputeResolved() | events.Corrected():
            return {}
    raise StateError(f"{entry.type} is not an event of a recall")


def falls_under(recall: RecallState, cylinder: CylinderState) -> bool:
    """Whether the recall is about this cylinder, by its stamp and its maker's record; of a lot, by these alone.

    A month of making that nobody can read may be any month: the cylinder is called back and looked at.  A batch that
    nobody stated is not the recalled one.  What is scrapped or withdrawn is not called back.
    """
    stamp, made = cylinder.stamp, cylinder.made
    if cylinder.status in ("condemned", "cancelled", "destroyed", "withdrawn"):
        return False
    if not (_is_or_any(recall.maker, stamp.maker) and _is_or_any(recall.model, stamp.model)):
        return False
    if recall.maker_id is not None and (made is None or made.maker_id != recall.maker_id):
        return False
    if recall.batch_no is not None and (made is None or made.batch_no != recall.batch_no):
        return False
    month = stamp.manufactured_month
    return month is None or (recall.made_from or month) <= month <= (recall.made_to or month)


def _is_or_any(wanted: str | None, stamped: str) -> bool:
    return wanted is None or wanted.casefold() == stamped.casefold()
