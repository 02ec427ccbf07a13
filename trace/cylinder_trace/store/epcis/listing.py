"""Which values stand in the events (取值清单): EPCs, business steps, places, page by page in their order.

Each value is one look into an index, however many events have it.  An organisation is told the values of events that
it may see; for each of them no more than the newest `_LOOKED_AT` events are looked at.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, literal, select

from cylinder_trace.epcis.query import Column
from cylinder_trace.store.epcis.selecting import EVENT, TERM, Visible, is_visible

_LOOKED_AT = 1_000
_PASSED_OVER = 2_000
"""Values that a page looks at; those of others are not told."""


class Source(NamedTuple):
    """Where values of a kind stand: in a column, or in the terms of these names."""

    column: Column | None = None
    names: tuple[str, ...] = ()
    always: frozenset[str] = frozenset()
    """Those that are told whatever the events hold."""


def list_values(
    connection: Connection, source: Source, visible: Visible, behind: str, limit: int
) -> tuple[list[str], str | None]:
    """Up to `limit` values behind one, and behind what the next page begins; None at the end."""
    found: list[str] = []
    for _ in range(_PASSED_OVER):
        value = _next(connection, source, behind)
        if value is None:
            return found, None
        if len(found) == limit:
            return found, behind
        if value in source.always or has_value(connection, source, visible, value):
            found.append(value)
        behind = value
    return found, behind


def has_value(connection: Connection, source: Source, visible: Visible, value: str) -> bool:
    """Whether an event that may be seen has this value."""
    e = EVENT.c
    if source.column is not None:
        newest = select(e.seq).where(e[source.column] == value).order_by(e.seq.desc()).limit(_LOOKED_AT)
    else:
        here = TERM.c.name.in_(source.names), TERM.c.value == value
        newest = select(TERM.c.seq).where(*here).order_by(TERM.c.seq.desc()).limit(_LOOKED_AT)
    query = select(literal(1)).where(e.seq.in_(newest.scalar_subquery()))
    if visible.org_id is not None:
        query = query.where(is_visible(connection, visible.org_id))
    return connection.scalar(query.limit(1)) is not None


def _next(connection: Connection, source: Source, behind: str) -> str | None:
    found = [value for value in source.always if value > behind]
    found += [value for look in _looks(source) if (value := look(connection, behind)) is not None]
    return min(found, default=None)


def _looks(source: Source) -> Sequence[Callable[[Connection, str], str | None]]:
    def in_column(connection: Connection, behind: str) -> str | None:
        column = EVENT.c[source.column or "biz_step"]
        return connection.scalar(select(func.min(column)).where(column > behind))

    def in_terms(name: str) -> Callable[[Connection, str], str | None]:
        query = select(func.min(TERM.c.value)).where(TERM.c.name == name)
        return lambda connection, behind: connection.scalar(query.where(TERM.c.value > behind))

    return [*([in_column] if source.column else []), *(in_terms(name) for name in source.names)]
