"""Reading the monthly figures, and how far they and the lists have come."""

from typing import Any, Literal, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Select, func, select

from cylinder_trace.dates import last_day
from cylinder_trace.store.fleet.folding import DUE
from cylinder_trace.store.fleet.place import FIGURE, Place, read_place
from cylinder_trace.store.fleet.stretch import STOCK
from cylinder_trace.store.reader import Reader

By = Literal["district", "company", "station"]
_COLUMNS: dict[By, Column[Any]] = {
    "district": FIGURE.c.district,
    "company": FIGURE.c.company_id,
    "station": FIGURE.c.station_id,
}
_BEHIND_ALL = "\U0010ffff"


class Standing(NamedTuple):
    """How much of the log the lists and figures hold."""

    place: Place
    waits_since: int | None
    """When the first entry that they do not hold yet was recorded, UTC ms; None when they hold all."""

    def age_ms(self, now: int) -> int:
        """For how long they have not been complete."""
        return 0 if self.waits_since is None else max(0, now - self.waits_since)


class Asked(NamedTuple):
    """Whose figures, and apart by what."""

    by: By | None = None
    district: str | None = None
    """The front of an administrative code."""
    company_id: str | None = None
    station_id: str | None = None


Sums = dict[str, dict[str, int]]
"""District, company or station, or nothing → word → sum."""


def read_standing(connection: Connection, reader: Reader) -> Standing:
    """How far the follower has come."""
    place = read_place(connection)
    waiting = reader.entries(place.size, 1)
    return Standing(place, waiting[0].recorded_at if waiting else None)


def read_sums(connection: Connection, place: Place, month: int, today: int, asked: Asked) -> Sums:
    """The figures of a month, the stock (存量) as at its end; of the running month, as it is `today` (ordinal).

    `overdue` counts the cylinders whose last day without another inspection was over.
    """
    sums: Sums = {}
    if place.month is not None and month >= place.month:
        _take(sums, connection, _sum(asked, FIGURE.c.month == STOCK, FIGURE.c.word.not_like(f"{DUE}%")))
        until = min(today - 1, last_day(month))
        late = FIGURE.c.word.like(f"{DUE}%"), FIGURE.c.word <= f"{DUE}{until:07}"
        _take(sums, connection, _sum(asked, FIGURE.c.month == STOCK, *late), word="overdue")
    _take(sums, connection, _sum(asked, FIGURE.c.month == month))
    return sums


def _sum(asked: Asked, *where: ColumnElement[bool]) -> Select[Any]:
    group = [_COLUMNS[asked.by]] if asked.by else []
    query = select(FIGURE.c.word, func.sum(FIGURE.c.value).label("total"), *group).where(*where)
    if asked.district is not None:
        query = query.where(FIGURE.c.district >= asked.district, FIGURE.c.district < asked.district + _BEHIND_ALL)
    for column, value in ((FIGURE.c.company_id, asked.company_id), (FIGURE.c.station_id, asked.station_id)):
        if value is not None:
            query = query.where(column == value)
    return query.group_by(FIGURE.c.word, *group)


def _take(sums: Sums, connection: Connection, query: Select[Any], word: str | None = None) -> None:
    for said, total, *group in connection.execute(query):
        words = sums.setdefault(group[0] if group else "", {})
        words[word or said] = words.get(word or said, 0) + int(total)
