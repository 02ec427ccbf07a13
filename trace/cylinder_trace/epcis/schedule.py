"""When a standing query is asked (订阅时间表): the fields of EPCIS's QuerySchedule, in UTC.

Each field is a list of numbers and of ranges in brackets, ``0,15,[30-45]``; a moment must match all that are given.
What is finer than the finest given field is 0, so ``{"hour": "1", "minute": "5"}`` means 01:05:00 each day; what is
coarser is any.  Days of the week count from 1, Monday, to 7, Sunday.  UTC has no summer time: no moment comes twice.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from cylinder_trace.dates import DAY_MS

_RANGES = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "dayOfMonth": (1, 31),
    "month": (1, 12),
    "dayOfWeek": (1, 7),
}
FIELDS = tuple(_RANGES)
_ELEMENT = re.compile(r"([0-9]{1,2})|\[([0-9]{1,2})-([0-9]{1,2})\]")
_EPOCH = date(1970, 1, 1).toordinal()
_LOOKED_AT = 366 * 41
"""Days. The 29th of February falls on a given day of the week after 40 years at the latest."""


class ScheduleFault(ValueError):
    """No schedule; says which field is at fault, in both languages."""

    def __init__(self, field: str, en: str, zh: str) -> None:
        self.en, self.zh = f"schedule.{field}: {en}", f"schedule.{field}：{zh}"
        super().__init__(self.en)


class Schedule(NamedTuple):
    """The moments at which a query is asked: the values that each field may have."""

    second: frozenset[int]
    minute: frozenset[int]
    hour: frozenset[int]
    day_of_month: frozenset[int]
    month: frozenset[int]
    day_of_week: frozenset[int]


def parse_schedule(said: Mapping[str, str]) -> Schedule:
    """The schedule that these fields say; raises ScheduleFault."""
    for name in said:
        if name not in _RANGES:
            raise ScheduleFault(name[:50], "a schedule has no such field", "时间表没有这一字段")
    if not said:
        raise ScheduleFault("hour", "say at least one field", "至少写明一个字段")
    finest = min(FIELDS.index(name) for name in said)
    values = [
        _values(name, said[name]) if name in said else _default(name, finer=number < finest)
        for number, name in enumerate(FIELDS)
    ]
    schedule = Schedule(*values)
    if next_time(schedule, 0) is None:
        raise ScheduleFault("dayOfMonth", "no day is ever so", "永远不会有这样的一天")
    return schedule


def next_time(schedule: Schedule, after: int) -> int | None:
    """The first moment behind `after` (both UTC ms) that matches; None if there never is one."""
    day, ms = divmod((after // 1000 + 1) * 1000, DAY_MS)
    earliest = ms // 1000
    for ordinal in range(_EPOCH + day, min(_EPOCH + day + _LOOKED_AT, date.max.toordinal())):
        if _is_day(schedule, date.fromordinal(ordinal)):
            found = _in_day(schedule, earliest)
            if found is not None:
                return (ordinal - _EPOCH) * DAY_MS + found * 1000
        earliest = 0
    return None


def _is_day(schedule: Schedule, day: date) -> bool:
    return day.month in schedule.month and day.day in schedule.day_of_month and day.isoweekday() in schedule.day_of_week


def _in_day(schedule: Schedule, earliest: int) -> int | None:
    """The first second of a day that matches, from `earliest` on."""
    for hour in sorted(schedule.hour):
        if hour * 3600 + 3599 < earliest:
            continue
        for minute in sorted(schedule.minute):
            start = hour * 3600 + minute * 60
            matching = [start + second for second in schedule.second if start + second >= earliest]
            if matching:
                return min(matching)
    return None


def _values(name: str, text: str) -> frozenset[int]:
    low, high = _RANGES[name]
    found: set[int] = set()
    for element in text.split(","):
        match = _ELEMENT.fullmatch(element)
        first, last = _ends(match) if match else (high + 1, high + 1)
        if not low <= first <= last <= high:
            raise ScheduleFault(
                name,
                f"takes numbers from {low} to {high} and ranges like [{low}-{high}], parted by commas",
                f"须为 {low} 至 {high} 的数，或 [{low}-{high}] 这样的范围，以逗号分隔",
            )
        found.update(range(first, last + 1))
    return frozenset(found)


def _ends(match: re.Match[str]) -> tuple[int, int]:
    single, first, last = match.groups()
    return (int(single), int(single)) if single else (int(first), int(last))


def _default(name: str, *, finer: bool) -> frozenset[int]:
    low, high = _RANGES[name]
    is_of_a_day = name in ("second", "minute", "hour")
    return frozenset((low,)) if finer and is_of_a_day else frozenset(range(low, high + 1))
