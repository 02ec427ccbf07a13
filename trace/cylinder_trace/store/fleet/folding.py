"""One cylinder of the fleet: what the follower knows of it, and the row that says so.

The row holds the state of the log's first entries and nothing else, so two followers, or one and the same from nothing,
write the same rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from cylinder_trace import events
from cylinder_trace.cylinder import CylinderState, Status, next_state
from cylinder_trace.events import Entry
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.rules.deadlines import due_month, last_legal_day
from cylinder_trace.subjects import format_state
from cylinder_trace.values import Frozen, Id, Instant

ENDED: frozenset[Status] = frozenset({"condemned", "cancelled", "destroyed", "withdrawn"})
"""No inspection is due any more."""
MarkKind = Literal["seized", "lost", "recall"]
_MARK_KINDS: tuple[MarkKind, ...] = ("seized", "lost", "recall")


class Memo(Frozen):
    """What the state does not say, and the figures and lists need."""

    condemned_at: Instant | None = None
    """When it was first condemned."""
    sold: bool | None = None
    """Whether the gas of the last fill was sold with a real name; absent before the first fill."""
    check_id: Id | None = None
    """The check under which the valve was opened last."""
    lot_id: Id | None = None
    """The gas lot of the last fill (气质批次)."""


class StationPlace(NamedTuple):
    """Whose a station is, and where it lies, as its licence says; and when that was stated."""

    company_id: str
    region: str
    at: int


Stations = dict[str, StationPlace]


def district_of_owner(stations: Stations, owner_id: str) -> str | None:
    """Where an owner's cylinders belong that are bound to no region: where its first station by id lies."""
    found = min((key for key, place in stations.items() if place.company_id == owner_id), default=None)
    return stations[found].region if found is not None else None


class Due(NamedTuple):
    """How a due day is reckoned, and where: all that a row needs beside the cylinder's own history."""

    book: Rulebook | None
    stations: Stations


@dataclass(slots=True)
class Known:
    """A cylinder while entries are folded."""

    cylinder_id: str
    state: CylinderState | None = None
    memo: Memo = field(default_factory=Memo)
    stored: Mapping[str, Any] | None = None
    """Its row as it is stored; None while it has none."""

    def take(self, entry: Entry, event: events.Event, lot_id: str | None) -> None:
        """One entry further; `lot_id`: what the decision of a fill says. Raises StateError."""
        before, self.state = self.state, next_state(self.state, entry, event)
        change = _memo_change(before, self.memo, entry, event, lot_id)
        if change:
            self.memo = self.memo.model_copy(update=change)

    def row(self, due: Due) -> dict[str, Any]:
        """The row as the table takes it."""
        state = self.state
        assert state is not None  # noqa: S101 - only what was folded is written
        day = due_day(state, due.book)
        marks = marks_of(state)
        return {
            "cylinder_id": self.cylinder_id,
            "owner_id": state.owner_id,
            "station_id": station_of(state),
            "district": state.region or district_of_owner(due.stations, state.owner_id),
            "maker": state.stamp.maker,
            "serial": state.stamp.serial,
            "model": state.stamp.model,
            "made": state.stamp.manufactured_month,
            "status": state.status,
            "due_day": day,
            "lot_id": self.memo.lot_id,
            "black": "black" in marks,
            "lost": "lost" in marks,
            "marks": "".join(f"|{mark}" for mark in marks) + "|" * bool(marks),
            "state": format_state(state),
            "memo": self.memo.model_dump_json(exclude_none=True),
        }


def _memo_change(
    before: CylinderState | None, memo: Memo, entry: Entry, event: events.Event, lot_id: str | None
) -> dict[str, Any]:
    match event:
        case events.FillStarted():
            return {"check_id": event.check_id, "lot_id": event.lot_id}
        case events.Filled() if before is None or event.ended_at >= (before.last_filled_at or 0):
            begun = memo.lot_id if memo.check_id == event.check_id else None
            return {"sold": False, "check_id": event.check_id, "lot_id": lot_id or begun}
        case events.Sold() if memo.sold is False:
            return {"sold": True}
        case events.Condemned() if memo.condemned_at is None:
            return {"condemned_at": entry.at}
    return {}


def due_day(state: CylinderState, book: Rulebook | None) -> int | None:
    """The last day (ordinal) on which it may be filled without another inspection; None once its life has ended."""
    if book is None or state.status in ENDED:
        return None
    month = due_month(state, book)
    return None if month is None else last_legal_day(month, book.inspection)


def station_of(state: CylinderState) -> str | None:
    """The station that saw it last: by a scan or by a fill."""
    if (state.last_filled_at or 0) > (state.last_seen_at or 0):
        return state.last_filled_station_id
    return state.last_seen_station_id or state.last_filled_station_id


def marks_of(state: CylinderState) -> tuple[str, ...]:
    """Every mark that stands, by its word, sorted: flags of authorities, seizure, loss, recall."""
    return tuple(sorted({*state.flags, *(kind for kind in _MARK_KINDS if state.is_marked(kind))}))


DUE = "due."
"""Front of the words that count cylinders by their due day, seven digits."""


def words_of(row: Mapping[str, Any]) -> frozenset[str]:
    """What a row is counted as in the stock (存量)."""
    words = {f"stock.{row['status']}"}
    if row["status"] not in ENDED:
        words |= {word for word in ("black", "lost") if row[word]}
        if row["due_day"] is not None:
            words.add(f"{DUE}{row['due_day']:07}")
    return frozenset(words)


def shelf_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Where a row is counted: district, owner, station."""
    return row["district"] or "", row["owner_id"], row["station_id"] or ""


def known_of(row: Mapping[str, Any]) -> Known:
    """The cylinder that a stored row says."""
    return Known(
        cylinder_id=row["cylinder_id"],
        state=CylinderState.model_validate_json(row["state"]),
        memo=Memo.model_validate_json(row["memo"]),
        stored=row,
    )
