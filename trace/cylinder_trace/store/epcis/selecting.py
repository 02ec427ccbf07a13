"""Finding EPCIS events (查找事件): a `Query` → rows of `epcis_event`, a page at a time, on either home.

There are two ways to an answer.  Where a condition names what few events have (an EPC, a business transaction, an
event id), these are *gathered*.  Otherwise a page *walks* along the index of its order and looks at `_WALKED` rows at
most; one whose conditions hardly anything meets may have fewer rows than asked for, or none, and the next goes on
behind it.  So no question takes longer than another for long.

What an index of terms answers by one look, SQL tells; sizes, patterns and the like are held against the event itself.

A page sees no event behind `upto`, the newest when the first page was asked for: numbers rise in the order of the
commits, so later pages are of the same events, whatever is recorded meanwhile.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)

from cylinder_trace.epcis.context import Context, read_context
from cylinder_trace.epcis.faults import Faults
from cylinder_trace.epcis.indexing import Indexed, index_of
from cylinder_trace.epcis.query import ColumnCondition, Order, Query, QueryFault, Span, TermCondition
from cylinder_trace.store.tables import (
    ENTRY_ID,
    EntryRow,
    EpcisContextRow,
    EpcisEventRow,
    EpcisTermRow,
    SubjectNowRow,
)

EVENT = EpcisEventRow.__table__  # type: ignore[attr-defined]
TERM = EpcisTermRow.__table__  # type: ignore[attr-defined]
CONTEXT = EpcisContextRow.__table__  # type: ignore[attr-defined]
_entry = EntryRow.__table__  # type: ignore[attr-defined]
_now = SubjectNowRow.__table__  # type: ignore[attr-defined]
_E = EVENT.c

_GATHERED = 20_000
"""Events that are gathered at most; what more have is not worth gathering."""
_TRIED = 2
"""Conditions of which it is found out whether few events have them."""
_WALKED = 20_000
"""Rows that a page looks at."""
_COUNTED = 100_000
"""Rows that are looked at to count."""
_STRETCH = 5_000
"""Rows that one statement looks at."""
_SORTED = 5_000
"""Events that are put into the order of an extension's field."""
_AT_ONCE = 50
"""Texts that are read by one statement: of others' events each may have a megabyte."""
_KEYS = 1_000
"""Numbers that are looked up by one statement."""
_PAGE_BYTES = 8 * 2**20
"""Of the texts of a page, which may have one more beyond."""
_SINGLE = frozenset(("epc", "parent", "input", "output", "transformation", "corrective"))
"""Terms that hardly many events have in common; so are business transactions."""
_LINES = frozenset(("biz_step", "disposition", "read_point", "biz_location"))
"""Columns with an index of their own, which goes on in the order of recording."""


class Visible(NamedTuple):
    """Whose events may be seen: all, or those of one organisation's cylinders and what it captured itself."""

    org_id: str | None = None


class Mark(NamedTuple):
    """The place of an event in the order of an answer."""

    key: Any
    """What is ordered by; in the order of recording the same as `seq`."""
    seq: int


class Found(NamedTuple):
    """An event that was asked for."""

    mark: Mark
    event_id: str
    record_time: int
    context: bytes
    """The @context that it came under, as JSON."""
    text: bytes


class Page(NamedTuple):
    """Some events, and behind what the next page begins; None at the end."""

    events: tuple[Found, ...]
    next: Mark | None


def newest_seq(connection: Connection) -> int:
    """The number of the newest event; 0 without any."""
    return int(connection.scalar(select(func.max(_E.seq))) or 0)


def select_page(
    connection: Connection, query: Query, visible: Visible, upto: int, behind: Mark | None, limit: int, above: int = 0
) -> Page:
    """Up to `limit` events behind a mark, among those numbered `above` + 1 to `upto`; raises QueryFault."""
    search = _Search(connection, query, visible, upto, above)
    events: list[Found] = []
    last, size = behind, 0
    for marks, looked_to in search.stretches(behind, _WALKED):
        for found in search.fitting(marks):
            if len(events) == limit or size > _PAGE_BYTES:
                return Page(tuple(events), events[-1].mark)
            events.append(found)
            size += len(found.text)
        last = looked_to
        if last is None:
            return Page(tuple(events), None)
    return Page(tuple(events), last)


def count_upto(connection: Connection, query: Query, visible: Visible, upto: int, most: int) -> int:
    """How many events there are, at most `most`; raises QueryFault where that takes too long to find out."""
    search = _Search(connection, query, visible, upto, 0)
    count, looked_to = 0, None
    for marks, looked_to in search.stretches(None, _COUNTED):
        count += sum(1 for _ in search.fitting(marks)) if search.beside else len(marks)
        if count >= most or looked_to is None:
            return min(count, most)
    raise QueryFault("too_complex", "maxEventCount", "takes too long to count; ask for less", "计数太久；请缩小范围")


class _Search:
    """One question at one moment."""

    def __init__(self, connection: Connection, query: Query, visible: Visible, upto: int, above: int) -> None:
        self._connection, self._query, self._order = connection, query, query.order
        self._bounds = (_E.seq <= upto, _E.seq > above)
        self._by = _E.get(query.order.by, _E.seq)
        self._sorts = query.order.by is not None and query.order.by not in _E
        self._whole = (connection, query._replace(order=Order()), visible, upto, above)
        self._gathered, done = self._gather(query)
        self.beside = [one for one in query.terms if one.spans and one is not done]
        """Conditions that are held against the event itself."""
        self._sql = [
            *(_of_column(one) for one in query.columns if one is not done),
            *(_has_term(one) for one in query.terms if not one.spans and one is not done),
            *([] if visible.org_id is None else [is_visible(connection, visible.org_id)]),
        ]

    def stretches(self, behind: Mark | None, most: int) -> Iterator[tuple[list[Mark], Mark | None]]:
        """Marks in the answer's order of what SQL finds fitting, and to where it has looked; None = to the end."""
        if self._sorts:
            yield self._sorted(behind), None
        elif self._gathered is not None:
            yield self._in_order(self._gathered, behind), None
        else:
            yield from self._walk(behind, most)

    def fitting(self, marks: Sequence[Mark]) -> Iterator[Found]:
        """The events at these marks that all conditions hold of."""
        for start in range(0, len(marks), _AT_ONCE):
            some = marks[start : start + _AT_ONCE]
            rows = self._rows([mark.seq for mark in some])
            for mark in some:
                event_id, record_time, context, text = rows[mark.seq]
                found = Found(mark, event_id, record_time, context, text)
                if not self.beside or self._holds(indexed_of(found)):
                    yield found

    def _holds(self, indexed: Indexed) -> bool:
        return all(condition.holds(indexed) for condition in self.beside)

    def _rows(self, seqs: Sequence[int]) -> dict[int, tuple[str, int, bytes, bytes]]:
        query = select(_E.seq, _E.event_id, _E.record_time, CONTEXT.c.text, _E.text)
        query = query.join(CONTEXT, CONTEXT.c.id == _E.context_id).where(_E.seq.in_(seqs))
        rows = self._connection.execute(query)
        return {seq: (id, at, bytes(context), bytes(text)) for seq, id, at, context, text in rows}

    def _gather(self, query: Query) -> tuple[list[int] | None, TermCondition | ColumnCondition | None]:
        """The numbers of all events that one condition holds of, and that condition, if they are few."""
        for condition in _rare_first(query)[:_TRIED]:
            found = set(self._connection.scalars(self._having(condition).limit(_GATHERED + 1)))
            if len(found) <= _GATHERED:
                return sorted(found), condition
        return None, None

    def _having(self, condition: TermCondition | ColumnCondition) -> Select[Any]:
        if isinstance(condition, ColumnCondition):
            return select(_E.seq).where(_of_column(condition), *self._bounds)
        upto, above = self._whole[3:]
        return select(TERM.c.seq).where(*_of_term(condition), TERM.c.seq <= upto, TERM.c.seq > above)

    def _in_order(self, seqs: Sequence[int], behind: Mark | None) -> list[Mark]:
        if self._by is _E.seq and not self._sql:
            marks = [Mark(seq, seq) for seq in seqs]
        else:
            marks = list(self._marks_of(seqs))
        marks.sort(reverse=self._order.descending)
        if behind is None:
            return marks
        return [mark for mark in marks if (mark < behind if self._order.descending else mark > behind)]

    def _marks_of(self, seqs: Sequence[int]) -> Iterator[Mark]:
        """The places of those that the conditions hold of."""
        for start in range(0, len(seqs), _KEYS):
            query = select(self._by.label("key"), _E.seq).where(_E.seq.in_(seqs[start : start + _KEYS]))
            yield from (Mark(*row) for row in self._connection.execute(query.where(*self._sql)))

    def _walk(self, behind: Mark | None, most: int) -> Iterator[tuple[list[Mark], Mark | None]]:
        looked, size = 0, 250
        while looked < most:
            rows = self._connection.execute(self._stretch(behind, size)).all()
            behind = Mark(rows[-1].key, rows[-1].seq) if rows else None
            yield [Mark(row.key, row.seq) for row in rows if row.fits], behind if len(rows) == size else None
            if len(rows) < size:
                return
            looked, size = looked + size, min(size * 4, _STRETCH)

    def _stretch(self, behind: Mark | None, size: int) -> Select[Any]:
        """The next rows along the index, and of each whether the conditions hold.

        They stand among what is selected: as conditions of the search they would lead the database to other indexes.
        """
        along, beside = self._line(), self._sql
        if self._by is _E.seq:
            along = [*self._bounds, *along]
        else:  # as a bound of the search, SQLite would run along the numbers and sort
            beside = [*self._bounds, *beside]
        query = select(self._by.label("key"), _E.seq, and_(true(), *beside).label("fits")).where(*along)
        if behind is not None:
            query = query.where(self._behind(behind))
        columns = [_E.seq] if self._by is _E.seq else [self._by, _E.seq]
        return query.order_by(*(column.desc() if self._order.descending else column for column in columns)).limit(size)

    def _behind(self, mark: Mark) -> Any:
        if self._by is _E.seq:
            return _E.seq < mark.seq if self._order.descending else _E.seq > mark.seq
        here, there = tuple_(self._by, _E.seq), tuple_(literal(mark.key), literal(mark.seq))
        return here < there if self._order.descending else here > there

    def _line(self) -> list[ColumnElement[bool]]:
        """What bounds the part of the index that is walked along."""
        if self._by is not _E.seq:
            return [_of_column(one) for one in self._query.columns if _E[one.column] is self._by]
        fixed = (one for one in self._query.columns if one.column in _LINES and len(one.values) == 1 and not one.spans)
        return [_of_column(one) for one in fixed][:1]

    def _sorted(self, behind: Mark | None) -> list[Mark]:
        """The places of all events in the order of a field of an extension; those without it stand at the end."""
        marks: list[Mark] = []
        plain = _Search(*self._whole)
        for some, looked_to in plain.stretches(None, _WALKED):
            found = [
                Mark(_sort_value(indexed_of(one), self._order.by or ""), one.mark.seq) for one in plain.fitting(some)
            ]
            marks += found
            if len(marks) > _SORTED:
                break
            if looked_to is None:
                return _behind_in(marks, self._order.descending, behind)
        raise QueryFault(
            "too_complex",
            "orderBy",
            f"no more than {_SORTED} events are put into the order of a field; ask for less",
            f"按扩展字段排序至多 {_SORTED} 个事件；请缩小范围",
        )


def _behind_in(marks: list[Mark], descending: bool, behind: Mark | None) -> list[Mark]:
    """Marks in order, those with an empty key last, from behind one of them on."""
    having = sorted((mark for mark in marks if mark.key), reverse=descending)
    lacking = sorted(mark for mark in marks if not mark.key)
    ordered = having + lacking
    return ordered if behind is None else ordered[ordered.index(behind) + 1 :]


def _sort_value(indexed: Indexed, name: str) -> str:
    """By what an event is put into the order of a field: its instant, else its number, else its text."""
    values = {term.value for term in indexed.terms if term.name == name}
    for kind in "tnbs":
        if found := [value for value in values if value.startswith(kind)]:
            return min(found)
    return ""


def indexed_of(found: Found) -> Indexed:
    """What an event is found by, from its text."""
    event = orjson.loads(found.text)
    context = context_of(found.context)
    if "@context" in event:
        context = read_context(event["@context"], Faults(), (), context)
    return index_of(event, context.expand)


@lru_cache(maxsize=256)
def context_of(text: bytes) -> Context:
    """The context that a stored text says."""
    return read_context(orjson.loads(text), Faults(), ())


def _rare_first(query: Query) -> list[TermCondition | ColumnCondition]:
    """The conditions whose events an index tells, those that name single things in front."""
    ids = [one for one in query.columns if one.column == "event_id"]
    terms = [one for one in query.terms if not one.spans]
    return [*ids, *sorted(terms, key=lambda one: (not _is_single(one), _probes(one)))]


def _is_single(condition: TermCondition) -> bool:
    return all(name in _SINGLE or name.startswith("biztx:") for name in condition.names)


def _probes(condition: TermCondition) -> int:
    return len(condition.names) * len(condition.values)


def _of_term(condition: TermCondition) -> tuple[ColumnElement[bool], ...]:
    return TERM.c.name.in_(condition.names), TERM.c.value.in_(sorted(condition.values))


def _has_term(condition: TermCondition) -> ColumnElement[bool]:
    return exists(select(literal(1)).where(*_of_term(condition), TERM.c.seq == _E.seq))


def _of_column(condition: ColumnCondition) -> ColumnElement[bool]:
    column = _E[condition.column]
    ways = [_within(column, span) for span in condition.spans]
    if condition.values:
        ways.append(column.in_(sorted(condition.values)))
    return or_(false(), *ways)


def _within(column: Column[Any], span: Span) -> ColumnElement[bool]:
    ends = [] if span.low is None else [column >= span.low]
    return and_(true(), *ends, *([] if span.high is None else [column < span.high]))


def is_visible(connection: Connection, org_id: str) -> ColumnElement[bool]:
    """Whether an organisation may see an event: it captured it, or owns the cylinder whose entry it was made from."""
    # On PostgreSQL `entry` has no key by the index alone; the table beside it has.
    entry: Any = ENTRY_ID if connection.dialect.name == "postgresql" else _entry
    # One value for each row, not EXISTS: for that PostgreSQL would go through all entries of the organisation at once.
    owner = select(_now.c.owner_id).where(entry.c.log_index == _E.log_index, _now.c.subject == entry.c.subject)
    captured = and_(_E.source == "captured", _E.org_id == org_id)
    return or_(captured, and_(_E.log_index.is_not(None), owner.scalar_subquery() == org_id))
