"""Looking through recorded fill checks, oldest first, page by page."""

from collections.abc import Iterator
from functools import partial

from pydantic import BaseModel

from cylinder_api.acts.pages import all_entries
from cylinder_trace.audit import StoredEntry
from cylinder_trace.decision import Outcome
from cylinder_trace.events import FillDecided, parse_entry
from cylinder_trace.store.reader import Reader


class FillCheckItem(BaseModel):
    """One recorded decision, in short."""

    index: int
    check_id: str
    outcome: Outcome
    reasons: list[str]
    raw_scan: str
    cylinder_id: str | None
    decided_by: str
    decided_at: int


class FillCheckPage(BaseModel):
    """A page of decisions; `next` goes into `after` for the following page, and is null on the last."""

    items: list[FillCheckItem]
    next: int | None


def list_fill_checks(
    reader: Reader, station_id: str | None, outcome: Outcome | None, after: int, limit: int, worker_id: str | None
) -> FillCheckPage:
    """Up to `limit` decisions behind log index `after`, of one station, outcome and worker if given."""
    items: list[FillCheckItem] = []
    for row in _decisions(reader, station_id, after):
        item = _item(row, worker_id)
        if item is None or outcome not in (None, item.outcome):
            continue
        if len(items) == limit:
            return FillCheckPage(items=items, next=items[-1].index)
        items.append(item)
    return FillCheckPage(items=items, next=None)


def _decisions(reader: Reader, station_id: str | None, after: int) -> Iterator[StoredEntry]:
    if station_id is None:
        return all_entries(partial(reader.by_type, FillDecided.type), after)
    return all_entries(partial(reader.by_ref, f"station/{station_id}", FillDecided.type), after)


def _item(row: StoredEntry, worker_id: str | None) -> FillCheckItem | None:
    event = parse_entry(row.text).event()
    if not isinstance(event, FillDecided) or worker_id not in (None, event.request.worker_id):
        return None
    return FillCheckItem(
        index=row.index,
        check_id=event.request.check_id,
        outcome=event.decision.outcome,
        reasons=list(event.decision.codes),
        raw_scan=event.request.raw_scan,
        cylinder_id=event.decision.cylinder_id,
        decided_by=event.decided_by,
        decided_at=event.decision.decided_at,
    )
