"""The state of a customer: nothing of the person, only whether the personal data beside the ledger were erased."""

from typing import Any

from cylinder_trace import events
from cylinder_trace.cylinder import StateError
from cylinder_trace.events import Entry
from cylinder_trace.values import Count, Frozen, Id, Instant, changed


class CustomerState(Frozen):
    """A customer (用户) after `n` entries of the chain."""

    customer_id: Id
    n: Count
    erased_at: Instant | None = None


def next_customer_state(state: CustomerState | None, entry: Entry, event: events.Event) -> CustomerState:
    """State of a customer after `entry`; raises StateError if the event cannot follow."""
    state = state or CustomerState(customer_id=entry.subject.partition("/")[2], n=0)
    return changed(state, {"n": entry.n + 1, **_change(state, entry, event)})


def _change(state: CustomerState, entry: Entry, event: events.Event) -> dict[str, Any]:
    match event:
        case events.PersonalDataRead():
            if state.erased_at is not None:
                raise StateError("the personal data were erased; there is nothing left to read")
            return {}
        case events.PersonalDataErased():
            if state.erased_at is not None:
                raise StateError("the personal data were erased before")
            return {"erased_at": entry.at}
        case events.DisputeRaised() | events.DisputeResolved():
            return {}
    raise StateError(f"{entry.type} is not an event of a customer")
