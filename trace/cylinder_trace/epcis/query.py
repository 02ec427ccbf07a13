"""What is asked of EPCIS events (事件查询), as values; `query_language` reads them from what a caller writes.

All conditions of a query must hold.  Each says which terms or which column of an event it looks at (see `indexing`),
which values it takes, and between which ends a value may lie.
"""

from typing import Any, Literal, NamedTuple

from cylinder_trace.epcis.indexing import Indexed

PER_PAGE = 30
"""What GS1's description says where nothing is asked for."""
FaultKind = Literal["parameter", "invalid", "too_complex"]


class QueryFault(ValueError):
    """The query cannot be answered; says which parameter is at fault, in both languages."""

    def __init__(self, kind: FaultKind, parameter: str, en: str, zh: str) -> None:
        self.kind, self.parameter = kind, parameter[:200]
        self.en, self.zh = f"{self.parameter}: {en}", f"{self.parameter}：{zh}"
        super().__init__(self.en)


class Span(NamedTuple):
    """From `low` on, below `high`; None = without end."""

    low: Any
    high: Any

    def has(self, value: Any) -> bool:
        """Whether a value lies in it."""
        return (self.low is None or value >= self.low) and (self.high is None or value < self.high)


class TermCondition(NamedTuple):
    """An event has a term of one of these names, with one of the values or within one of the spans."""

    parameter: str
    names: tuple[str, ...]
    values: frozenset[str] = frozenset()
    spans: tuple[Span, ...] = ()

    def holds(self, indexed: Indexed) -> bool:
        """Whether it holds of an event."""
        return any(
            term.name in self.names and (term.value in self.values or any(span.has(term.value) for span in self.spans))
            for term in indexed.terms
        )


Column = Literal[
    "event_time", "record_time", "error_time", "type", "action", "biz_step", "disposition", "read_point",
    "biz_location", "event_id",
]  # fmt: skip


class ColumnCondition(NamedTuple):
    """A column of an event holds one of the values, or something within one of the spans."""

    parameter: str
    column: Column
    values: frozenset[str] = frozenset()
    spans: tuple[Span, ...] = ()


Condition = TermCondition | ColumnCondition


class Order(NamedTuple):
    """By what the answer is ordered; None: as the events were recorded."""

    by: str | None = None
    """``event_time``, ``record_time``, or the name of a term."""
    descending: bool = False


class Query(NamedTuple):
    """What is asked for."""

    terms: tuple[TermCondition, ...] = ()
    columns: tuple[ColumnCondition, ...] = ()
    order: Order = Order()
    limit: int | None = None
    """eventCountLimit: the first so many."""
    most: int | None = None
    """maxEventCount: more than so many are an error."""
    per_page: int = PER_PAGE
