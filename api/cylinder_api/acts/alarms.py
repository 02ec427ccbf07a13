"""Alarms (报警): what the stations' own watch has seen at their lanes, as they stated it."""

from functools import partial

from pydantic import BaseModel

from cylinder_api.acts.pages import all_entries
from cylinder_trace.events import AlarmRaised, parse_entry
from cylinder_trace.store.reader import Reader


class AlarmTold(BaseModel):
    """One alarm of a station: what was seen, when by its own clock, and the sentence that its screen showed."""

    index: int
    id: str
    station_id: str
    kind: str
    lane: int | None
    scale_id: str | None
    worker_id: str | None
    """Who was signed on as filler; it accuses nobody."""
    check_id: str | None
    cylinder_id: str | None
    from_at: int
    to_at: int
    recorded_at: int
    facts: dict[str, int | str]
    zh: str
    en: str


class AlarmPage(BaseModel):
    """A page of alarms; `next` goes into `after` for the following page, and is null on the last."""

    items: list[AlarmTold]
    next: int | None


def alarms_told(reader: Reader, station_id: str | None, kind: str | None, after: int, limit: int) -> AlarmPage:
    """Up to `limit` alarms behind log index `after`, of one station and of one kind if given."""
    items: list[AlarmTold] = []
    word = AlarmRaised.type
    read = partial(reader.by_ref, f"station/{station_id}", word) if station_id else partial(reader.by_type, word)
    for row in all_entries(read, after):
        event = parse_entry(row.text).event()
        if not isinstance(event, AlarmRaised) or kind not in (None, event.kind):
            continue
        if len(items) == limit:
            return AlarmPage(items=items, next=items[-1].index)
        seen = {fact.name: fact.value for fact in event.facts}
        about = {**dict(event), "facts": seen}
        items.append(AlarmTold(index=row.index, id=row.id, recorded_at=row.recorded_at, **about))
    return AlarmPage(items=items, next=None)
