"""Inspections that cannot all have been made: too many a day, the same readings, no rejects, marks ahead."""

from collections.abc import Iterator

from cylinder_trace.dates import format_day, format_month, local_day, local_month, parse_month
from cylinder_trace.detection.facts import Fact, Run, run_on
from cylinder_trace.detection.signals import Detail, Signal
from cylinder_trace.rulebook import Rulebook


def _was_made(fact: Fact) -> bool:
    """Whether the ledger saw the inspection made (检验), and not only its mark on a cylinder that was taken over.

    Such marks are all good ones, because the others were scrapped, and thousands of them are recorded in a day.
    """
    return fact.data.get("items") is not None or fact.data["result"] != "passed"


class InspectionRate:
    """More inspections by one body in a day than its line can make (检验工厂)."""

    reads = frozenset({"inspected"})

    def __init__(self, book: Rulebook) -> None:
        self._limit = book.detection.inspections_a_day
        self._days: dict[str, Run] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """A signal with the first inspection above the limit of a body's day, by the day of recording."""
        if not _was_made(fact):
            return
        body, day = fact.data["body_id"], local_day(fact.recorded_at)
        now = self._days[body] = run_on(self._days.get(body), day, fact.hash)
        if now.number == self._limit + 1:
            told: Detail = {"day": format_day(day), "count": now.number, "limit": self._limit}
            evidence = (now.first, fact.hash)
            yield Signal(
                kind="inspection_rate", subject=f"company/{body}", at=fact.recorded_at, detail=told, evidence=evidence
            )


class SameReadings:
    """One item of the inspection with the same reading on cylinder after cylinder."""

    reads = frozenset({"inspection_item_recorded"})

    def __init__(self, book: Rulebook) -> None:
        self._limit = book.detection.same_readings
        self._runs: dict[tuple[str, str], Run] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """A signal when a run of equal readings reaches the limit."""
        if (reading := fact.data.get("reading")) is None:
            return
        key = fact.data["body_id"], fact.data["item"]
        now = self._runs[key] = run_on(self._runs.get(key), reading, fact.hash)
        if now.number == self._limit:
            told: Detail = {
                "count": now.number,
                "item": key[1],
                "reading": f"{reading} {fact.data.get('unit', '')}".rstrip(),
            }
            evidence = (now.first, fact.hash)
            yield Signal(
                kind="inspection_readings", subject=f"company/{key[0]}", at=fact.at, detail=told, evidence=evidence
            )


_PASSED = 1


class NoRejects:
    """A body whose last several hundred cylinders all passed: no line sees only good cylinders."""

    reads = frozenset({"inspected", "condemned"})

    def __init__(self, book: Rulebook) -> None:
        self._limit = book.detection.no_rejects
        self._runs: dict[str, Run] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """A signal each time that a run of passes reaches the limit."""
        body = fact.data["body_id"]
        if fact.type == "condemned" or fact.data["result"] != "passed":
            self._runs.pop(body, None)
            return
        if not _was_made(fact):
            return
        now = self._runs[body] = run_on(self._runs.get(body), _PASSED, fact.hash)
        if now.number == self._limit:
            del self._runs[body]
            told: Detail = {"count": now.number}
            evidence = (now.first, fact.hash)
            yield Signal(kind="no_rejects", subject=f"company/{body}", at=fact.at, detail=told, evidence=evidence)


class RingAhead:
    """A mark whose month had not come when it was recorded, or that lasts longer than the interval (标记环超前)."""

    reads = frozenset({"inspected"})

    def __init__(self, book: Rulebook) -> None:
        self._interval = book.inspection.interval_months

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` shows alone."""
        inspected, due = parse_month(fact.data["inspected_month"]), fact.data.get("next_due_month")
        recorded = local_month(fact.recorded_at)
        too_long = due is not None and parse_month(due) > inspected + self._interval
        if inspected <= recorded and not too_long:
            return
        told: Detail = {
            "inspected": fact.data["inspected_month"],
            "due": due or "-",
            "recorded": format_month(recorded),
            "interval": self._interval,
        }
        yield Signal(kind="ring_ahead", subject=fact.subject, at=fact.at, detail=told, evidence=(fact.hash,))
