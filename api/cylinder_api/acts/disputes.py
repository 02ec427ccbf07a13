"""Disputes (争议): what is open, and how a person ended it. A dispute is resolved once."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from cylinder_api.acts.common import derived_id, require_not_future
from cylinder_api.acts.pages import all_entries
from cylinder_api.refusals import Refused
from cylinder_trace.events import DisputeRaised, DisputeResolved, Entry, Flagged, parse_entry, state_event
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Evidence, Frozen, Instant, Text

Outcome = Literal["upheld", "dismissed", "corrected"]
"""成立、不成立、已更正."""


class Resolution(Frozen):
    """How a dispute ended, and why (争议处理)."""

    outcome: Outcome
    reason: Text
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=16)] = ()
    occurred_at: Instant


class OpenDispute(BaseModel):
    """A dispute that nobody has resolved yet."""

    index: int
    id: str
    subject: str
    kind: str
    about_id: str
    message: str
    raised_at: int


class DisputePage(BaseModel):
    """A page of open disputes; `next` goes into `after` for the following page, and is null on the last."""

    items: list[OpenDispute]
    next: int | None


def resolution_id(dispute_id: str) -> str:
    """The id of the entry that ends a dispute: there is one."""
    return derived_id(dispute_id, "resolved")


def resolve_dispute(unit: Unit, dispute_id: str, act: Resolution, authority_id: str, by: str) -> Receipt:
    """Record how the dispute ended. Raises Refused; a dispute about a flag needs another person of its authority."""
    dispute = unit.entry(dispute_id)
    if dispute is None or dispute.type != DisputeRaised.type:
        raise Refused("dispute_unknown", "no dispute is on file under this id")
    require_not_future(unit, act.occurred_at)
    _require_second_person(unit, dispute, authority_id, by)
    return resolve(unit, dispute, by=by, **dict(act))


def resolve(
    unit: Unit,
    dispute: Entry,
    *,
    outcome: Outcome,
    reason: str,
    occurred_at: int,
    by: str,
    evidence: tuple[Evidence, ...] = (),
) -> Receipt:
    """Append the end of `dispute`; raises IdConflict when it was ended otherwise before."""
    ended = DisputeResolved(dispute_id=dispute.id, outcome=outcome, reason=reason, evidence=evidence)
    record = state_event(
        ended, id=resolution_id(dispute.id), subject=dispute.subject, occurred_at=occurred_at, by=by, refs=dispute.refs
    )
    return unit.append(record)


def _require_second_person(unit: Unit, dispute: Entry, authority_id: str, by: str) -> None:
    """Raise Refused where the dispute is about a flag and `by` set it, or belongs to another authority."""
    about = unit.entry(str(dispute.data["about_id"]))
    if about is None or about.type != Flagged.type:
        return
    if about.data["authority_id"] != authority_id:
        raise Refused("other_authority", f"the flag is {about.data['authority_id']}'s, which alone looks at it again")
    if about.by == by:
        raise Refused("same_person", "whoever set the flag does not confirm it; a second person of the authority does")


def open_disputes(reader: Reader, kind: str | None, after: int, limit: int) -> DisputePage:
    """Up to `limit` disputes behind log index `after` that nobody has resolved, of one kind if given."""
    items: list[OpenDispute] = []
    for item in _open(reader, kind, after):
        if len(items) == limit:
            return DisputePage(items=items, next=items[-1].index)
        items.append(item)
    return DisputePage(items=items, next=None)


def _open(reader: Reader, kind: str | None, after: int) -> Iterator[OpenDispute]:
    for row in all_entries(partial(reader.by_type, DisputeRaised.type), after):
        event = parse_entry(row.text).event()
        if not isinstance(event, DisputeRaised) or kind not in (None, event.kind):
            continue
        if reader.entry(resolution_id(row.id)) is None:
            facts = event.model_dump()
            yield OpenDispute(index=row.index, id=row.id, subject=row.subject, raised_at=row.recorded_at, **facts)
