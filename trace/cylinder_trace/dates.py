"""Calendar arithmetic on integers: instants are UTC milliseconds, months count from year 0, days are ordinals.

Chinese law counts days and months at Beijing time; the offset is fixed (+08:00, no summer time), so no
time-zone database is needed and a decision replays to the same bit everywhere.
"""

import re
from datetime import date
from functools import lru_cache

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
BEIJING_OFFSET_MS = 8 * HOUR_MS
FOR_EVER = "9999"
"""The year that people write for "for ever"; it is no date, and a field without an end is left out instead."""
LATEST_INSTANT = 253_370_764_799_999 - BEIJING_OFFSET_MS
"""The last millisecond before the year 9999 at Beijing."""

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_LAST_MONTH = 9999 * 12 + 11
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_remembered = lru_cache(maxsize=8192)
"""The same few hundred months and few thousand days come up over and over: a decision needs a dozen of them."""


def local_day(at_ms: int) -> int:
    """The Beijing calendar day of an instant, as a proleptic ordinal (``date.toordinal``)."""
    return _EPOCH_ORDINAL + (at_ms + BEIJING_OFFSET_MS) // DAY_MS


def local_month(at_ms: int) -> int:
    """The Beijing calendar month of an instant, counted as ``year * 12 + month - 1``."""
    return month_of_day(local_day(at_ms))


@_remembered
def month_of_day(day: int) -> int:
    """The month that a day lies in."""
    local = date.fromordinal(day)
    return local.year * 12 + local.month - 1


@_remembered
def parse_month(text: str) -> int:
    """Months since year 0 of ``YYYY-MM``; raises ValueError for anything else.

    >>> parse_month("2026-03") - parse_month("2022-03")
    48
    """
    if not _MONTH.fullmatch(text):
        raise ValueError(f"{text!r} is not a month YYYY-MM")
    return month_of_day(date.fromisoformat(f"{text}-01").toordinal())


def format_month(month: int) -> str:
    """``YYYY-MM`` of a month count."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


@_remembered
def parse_day(text: str) -> int:
    """The ordinal of ``YYYY-MM-DD``; raises ValueError for anything else."""
    if not _DAY.fullmatch(text):  # fromisoformat reads weeks (2026-W01-1) too
        raise ValueError(f"{text!r} is not a date YYYY-MM-DD")
    return date.fromisoformat(text).toordinal()


def format_day(day: int) -> str:
    """``YYYY-MM-DD`` of an ordinal."""
    return date.fromordinal(day).isoformat()


@_remembered
def first_day(month: int) -> int:
    """The ordinal of the first day of a month; every month after 9999-12 begins the day after the calendar ends."""
    if month > _LAST_MONTH:
        return date.max.toordinal() + 1
    return date(month // 12, month % 12 + 1, 1).toordinal()


def last_day(month: int) -> int:
    """The ordinal of the last day of a month."""
    return first_day(month + 1) - 1


def format_minute(at_ms: int) -> str:
    """``YYYY-MM-DD HH:MM`` at Beijing."""
    minutes = (at_ms + BEIJING_OFFSET_MS) % DAY_MS // MINUTE_MS
    return f"{format_day(local_day(at_ms))} {minutes // 60:02d}:{minutes % 60:02d}"


def start_of_day_ms(day: int) -> int:
    """The instant at which a Beijing calendar day begins."""
    return (day - _EPOCH_ORDINAL) * DAY_MS - BEIJING_OFFSET_MS
