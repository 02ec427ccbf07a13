"""Lists of the fleet, page by page.

Each list runs along one index, the one that narrows it most, and looks at no more than `_LOOKED_AT` rows for a page.
So a page takes as long with a million cylinders as with a thousand; one whose other conditions hardly anything meets
may have fewer rows than asked for, or none, and the next goes on behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Column, ColumnElement, Connection, Row, Select, literal, select, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from cylinder_trace.cylinder import CylinderState, Status
from cylinder_trace.store.fleet.place import FLEET

_LOOKED_AT = 1000
"""Each is found in the table by itself: at a million cylinders that takes up to 15 µs."""
_SELDOM: frozenset[Status] = frozenset({"made", "in_inspection", "condemned", "cancelled", "destroyed", "withdrawn"})
"""Few cylinders are so at a time."""
_BEHIND_ALL = "\U0010ffff"
_C = FLEET.c


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cylinders; every condition that is given must hold."""

    owner_id: str | None = None
    station_id: str | None = None
    district: str | None = None
    """The front of an administrative code."""
    maker: str | None = None
    serial: str | None = None
    model: str | None = None
    made: str | None = None
    """Year or month of making: YYYY or YYYY-MM."""
    status: Status | None = None
    lot_id: str | None = None
    black: bool = False
    lost: bool = False
    mark: str | None = None
    """A flag, ``seized`` or ``recall``."""
    due_from: int | None = None
    """Its last day without another inspection is this day (ordinal) or later."""
    due_to: int | None = None
    """Its last day without another inspection is this day or earlier; those without one are left out."""


class _Beside(ColumnElement[bool]):
    """A condition that rows of the line are held against, and that is no reason to run along another index.

    SQLite keeps no statistics of rows that come one by one, nor has PostgreSQL any of a new table: both would guess.
    """

    inherit_cache = True
    type = Boolean()

    def __init__(self, condition: ColumnElement[bool]) -> None:
        self.condition = condition

    _traverse_internals = [("condition", InternalTraversal.dp_clauseelement)]


@compiles(_Beside)
def _written(beside: _Beside, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(beside.condition, **options)}) IS TRUE"


@compiles(_Beside, "sqlite")
def _written_for_sqlite(beside: _Beside, compiler: SQLCompiler, **options: Any) -> str:
    return f"+({compiler.process(beside.condition, **options)})"


class Mark(NamedTuple):
    """Where a page ended: the value that the list runs along, and the cylinder."""

    value: str | int | None
    cylinder_id: str


_START = Mark(None, "")


class Listed(NamedTuple):
    """A row of a list."""

    cylinder: CylinderState
    district: str | None
    station_id: str | None
    due_day: int | None
    lot_id: str | None
    marks: tuple[str, ...]


class Found(NamedTuple):
    """A page, and behind what the next one begins; None at the end of the list."""

    rows: list[Listed]
    next: Mark | None


class _Line(NamedTuple):
    """Which part of an index is run along, and from where."""

    value: Column[Any] | None
    """The index's first column where it is ordered by it too; None where the part has one value of it."""
    within: tuple[ColumnElement[bool], ...]
    first: Mark


def read_page(connection: Connection, wanted: Wanted, behind: Mark | None, limit: int) -> Found:
    """Up to `limit` cylinders behind a mark, in the order of the index that narrows the list most."""
    line, others = _line_and_others(wanted)
    behind = behind or line.first
    last = _mark(line, connection.execute(_far(line, behind)).first()) if others else None
    query = _along(line, _places(line).where(*_part(line, behind, last), *map(_Beside, others)))
    found = connection.execute(query.limit(limit + 1)).all()
    rows = found[:limit]
    if len(found) > limit:
        last = _mark(line, rows[-1])
    return Found(_read(connection, [row.cylinder_id for row in rows]), last)


def read_rows(connection: Connection, cylinder_ids: Sequence[str]) -> list[Listed]:
    """The rows of these cylinders, in their order; who has none is left out."""
    return _read(connection, cylinder_ids)


def _line_and_others(wanted: Wanted) -> tuple[_Line, list[ColumnElement[bool]]]:
    line, *rest = _lines(wanted) or [_Line(None, (), _START)]
    others = [condition for other in rest for condition in (*other.within, *_from(other))]
    if wanted.model is not None:
        others.append(_C.model == wanted.model)
    if wanted.made is not None:
        others.append(_C.made.startswith(wanted.made, autoescape=True))
    return line, others


def _lines(wanted: Wanted) -> list[_Line]:
    """The indexes that fit, the one that narrows most in front."""
    status = _equal(_C.status, wanted.status)
    known: tuple[_Line | None, ...] = (
        _equal(_C.serial, wanted.serial),
        _Line(None, (_C.lost,), _START) if wanted.lost else None,
        _Line(None, (_C.black,), _START) if wanted.black else None,
        _equal(_C.lot_id, wanted.lot_id),
        _marked(wanted.mark),
        status if wanted.status in _SELDOM else None,
        _due(wanted),
        _equal(_C.station_id, wanted.station_id),
        _equal(_C.owner_id, wanted.owner_id),
        _in_district(wanted.district),
        _equal(_C.maker, wanted.maker),
        None if wanted.status in _SELDOM else status,
    )
    return [line for line in known if line is not None]


def _marked(mark: str | None) -> _Line | None:
    if mark is None:
        return None
    # Written out, so that SQLite sees that its index of marked cylinders holds them all.
    some = _C.marks != literal("", literal_execute=True)
    return _Line(None, (some, _C.marks.contains(f"|{mark}|", autoescape=True)), _START)


def _due(wanted: Wanted) -> _Line | None:
    if wanted.due_to is None:
        return None
    return _Line(_C.due_day, (_C.due_day <= wanted.due_to,), Mark(wanted.due_from or 0, ""))


def _in_district(district: str | None) -> _Line | None:
    if district is None:
        return None
    below = _C.district < district + _BEHIND_ALL
    return _Line(_C.district, (below,), Mark(district, ""))


def _equal(column: Column[Any], value: str | None) -> _Line | None:
    return None if value is None else _Line(None, (column == value,), _START)


def _from(line: _Line) -> tuple[ColumnElement[bool], ...]:
    """Where a line that is not run along begins, as a condition."""
    return () if line.value is None else (line.value >= line.first.value,)


def _behind(line: _Line, mark: Mark) -> ColumnElement[bool]:
    if line.value is None:
        return _C.cylinder_id > mark.cylinder_id
    # The pair alone bounds the index from below: beside a second bound it would be looked at row by row.
    return tuple_(line.value, _C.cylinder_id) > tuple_(literal(mark.value), literal(mark.cylinder_id))


def _part(line: _Line, behind: Mark, last: Mark | None) -> tuple[ColumnElement[bool], ...]:
    """The part of a line that a page runs along, with one bound at either end: only one would be looked up."""
    if last is None:
        return *line.within, _behind(line, behind)
    if line.value is None:
        return *line.within, _behind(line, behind), _C.cylinder_id <= last.cylinder_id
    upto = tuple_(line.value, _C.cylinder_id) <= tuple_(literal(last.value), literal(last.cylinder_id))
    return _behind(line, behind), upto


def _far(line: _Line, behind: Mark) -> Select[Any]:
    """The last row that a page looks at, found in the index alone."""
    return _along(line, _places(line).where(*_part(line, behind, None))).offset(_LOOKED_AT - 1).limit(1)


def _places(line: _Line) -> Select[Any]:
    """What stands in the index itself."""
    return select(_C.cylinder_id) if line.value is None else select(line.value, _C.cylinder_id)


def _along(line: _Line, query: Select[Any]) -> Select[Any]:
    return query.order_by(*([_C.cylinder_id] if line.value is None else [line.value, _C.cylinder_id]))


def _mark(line: _Line, row: Row[Any] | None) -> Mark | None:
    if row is None:
        return None
    return Mark(None if line.value is None else row._mapping[line.value.name], row.cylinder_id)


def _read(connection: Connection, cylinder_ids: Sequence[str]) -> list[Listed]:
    found = {
        row.cylinder_id: _listed(row)
        for row in connection.execute(select(FLEET).where(_C.cylinder_id.in_(cylinder_ids)))
    }
    return [found[cylinder_id] for cylinder_id in cylinder_ids if cylinder_id in found]


def _listed(row: Row[Any]) -> Listed:
    return Listed(
        cylinder=CylinderState.model_validate_json(row.state),
        district=row.district,
        station_id=row.station_id,
        due_day=row.due_day,
        lot_id=row.lot_id,
        marks=tuple(filter(None, row.marks.split("|"))),
    )
