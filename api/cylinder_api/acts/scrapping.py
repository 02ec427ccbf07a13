"""How long condemned cylinders wait until they are made unusable (报废待毁天数)."""

from functools import partial
from statistics import median_low

from pydantic import BaseModel

from cylinder_api.acts.pages import all_entries
from cylinder_trace.dates import DAY_MS
from cylinder_trace.events import Condemned, Destroyed
from cylinder_trace.store.reader import Reader


class Scrapping(BaseModel):
    """Days from the condemning (报废判定) to the destruction (去功能化), and of those that still wait, until now."""

    destroyed: int
    """Cylinders that were condemned and then destroyed."""
    median_days: int | None
    longest_days: int | None
    destroyed_without_condemning: int
    waiting: int
    longest_waiting_days: int | None
    longest_waiting: str | None
    """The subject that waits longest."""


def days_until_destroyed(reader: Reader, now: int) -> Scrapping:
    """Over the whole ledger; each counts from the first condemning to the first destruction that was stated."""
    condemned, destroyed = _first(reader, Condemned.type), _first(reader, Destroyed.type)
    days = [(destroyed[name] - at) // DAY_MS for name, at in condemned.items() if name in destroyed]
    waiting = {name: (now - at) // DAY_MS for name, at in condemned.items() if name not in destroyed}
    longest = max(waiting, key=lambda name: waiting[name], default=None)
    return Scrapping(
        destroyed=len(days),
        median_days=median_low(days) if days else None,
        longest_days=max(days, default=None),
        destroyed_without_condemning=len(destroyed.keys() - condemned.keys()),
        waiting=len(waiting),
        longest_waiting_days=waiting[longest] if longest else None,
        longest_waiting=longest,
    )


def _first(reader: Reader, word: str) -> dict[str, int]:
    """Subject → when the word was first said to have occurred."""
    first: dict[str, int] = {}
    for row in all_entries(partial(reader.by_type, word)):
        at = min(row.occurred_at, row.recorded_at)
        first[row.subject] = min(at, first.get(row.subject, at))
    return first
