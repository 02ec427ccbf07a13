"""Where the follower stands: how much of the log is folded, and what it must know to go on."""

import json
from dataclasses import dataclass, field
from functools import lru_cache

from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from cylinder_trace.enactment import RulebookState, in_force
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.store.fleet.folding import StationPlace, Stations
from cylinder_trace.store.tables import FigureRow, FleetRow, FollowedRow
from cylinder_trace.subjects import format_state
from cylinder_trace.values import Count, Frozen, Instant, Text

FLEET: Table = FleetRow.__table__  # type: ignore[attr-defined]
FIGURE: Table = FigureRow.__table__  # type: ignore[attr-defined]
FOLLOWED: Table = FollowedRow.__table__  # type: ignore[attr-defined]


class Redo(Frozen):
    """Rows that must be made anew, because a rulebook came into force or a station moved; done before going on."""

    owners: tuple[str, ...] | None = None
    """Only these owners' cylinders; absent = all."""
    after: str = ""
    """The cylinder behind which there is still something to do."""


class Place(Frozen):
    """How far the fold has come."""

    size: Count = 0
    """Entries folded: the lists are complete to log index `size` - 1."""
    recorded_at: Instant = 0
    """The ledger's clock at the last of them."""
    month: int | None = None
    """The running month, since year 0; those before it are closed."""
    rulebook: Text | None = None
    """By which version due days are reckoned, ``id@version``."""
    redo: Redo | None = None


@dataclass(slots=True)
class Followed:
    """What is stored beside the rows."""

    place: Place = field(default_factory=Place)
    stations: Stations = field(default_factory=dict)
    rules: RulebookState | None = None


_PLACE, _STATIONS, _RULES = "place", "stations", "rulebook"


class Overtaken(Exception):
    """Another follower went on from the same place."""


def read_followed(connection: Connection) -> Followed:
    """Where the follower stands; at the beginning, if it never ran."""
    said = {row.name: row.value for row in connection.execute(select(FOLLOWED))}
    stations = {key: StationPlace(*values) for key, values in json.loads(said.get(_STATIONS, "{}")).items()}
    rules = RulebookState.model_validate_json(said[_RULES]) if _RULES in said else None
    return Followed(Place.model_validate_json(said.get(_PLACE, "{}")), stations, rules)


def read_place(connection: Connection) -> Place:
    """How far the fold has come."""
    said = connection.scalar(select(FOLLOWED.c.value).where(FOLLOWED.c.name == _PLACE))
    return Place.model_validate_json(said or "{}")


def write_followed(connection: Connection, before: Followed, after: Followed) -> None:
    """Go on from `before` to `after`; raises Overtaken when the stored place is not the one of `before`."""
    if before.place == Place():
        try:
            connection.execute(insert(FOLLOWED).values(name=_PLACE, value=_text(after.place)))
        except IntegrityError as error:  # the first step of all; two at once meet at the key
            raise Overtaken from error
    else:
        here = FOLLOWED.c.name == _PLACE, FOLLOWED.c.value == _text(before.place)
        moved = connection.execute(update(FOLLOWED).where(*here).values(value=_text(after.place)))
        if moved.rowcount != 1:
            raise Overtaken
    if after.stations != before.stations:
        _put(connection, _STATIONS, json.dumps(after.stations, ensure_ascii=False))
    if after.rules is not None and after.rules is not before.rules:
        _put(connection, _RULES, format_state(after.rules))


def forget(connection: Connection) -> None:
    """Drop every row, so that the fold begins anew."""
    for table in (FLEET, FIGURE):
        connection.execute(delete(table))
    # Other followers keep their places in the same table.
    connection.execute(delete(FOLLOWED).where(FOLLOWED.c.name.in_((_PLACE, _STATIONS, _RULES))))


def count_of(connection: Connection) -> int:
    """How many cylinders have a row."""
    return int(connection.scalar(select(func.count()).select_from(FLEET)) or 0)


@lru_cache(maxsize=4)
def book_on(rules: RulebookState | None, day: int) -> Rulebook | None:
    """The version in force on a day."""
    return None if rules is None else in_force(rules, day)


def _text(place: Place) -> str:
    return place.model_dump_json(exclude_none=True)


def _put(connection: Connection, name: str, value: str) -> None:
    connection.execute(delete(FOLLOWED).where(FOLLOWED.c.name == name))
    connection.execute(insert(FOLLOWED).values(name=name, value=value))
