"""One code, one cylinder, one place: clones, double fills, one code for many, one stamp under two codes."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from cylinder_trace.dates import HOUR_MS
from cylinder_trace.detection.facts import Fact, Seen
from cylinder_trace.detection.fills import Fills
from cylinder_trace.detection.places import Places
from cylinder_trace.detection.signals import Detail, Signal
from cylinder_trace.rulebook import Rulebook


class TwoPlaces:
    """The same cylinder scanned at two stations too soon after each other to have been carried (复制的码)."""

    reads = frozenset({"fill_decided"})

    def __init__(self, book: Rulebook) -> None:
        self._places = Places("two_places", book)

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        if fact.subject.startswith("cylinder/"):
            yield from self._places.seen(fact.subject, fact, fact.data["request"]["station_id"])


_ENDS_A_FILL = frozenset({"returned", "inspected", "sent_to_inspection"})


class FilledTwice:
    """Two fills and no return between them: a second cylinder under the code, or a return that nobody recorded."""

    reads = frozenset({"filled"}) | _ENDS_A_FILL

    def __init__(self, fills: Fills) -> None:
        self._fills = fills
        self._emptied: dict[str, list[int]] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        if fact.type in _ENDS_A_FILL:
            insort(self._emptied.setdefault(fact.subject, []), fact.at)
            return
        fills, place = self._fills.of(fact.subject), self._fills.place(fact)
        neighbours = [*fills[max(0, place - 1) : place], *fills[place + 1 : place + 2]]
        for other in neighbours:
            if not self._was_emptied(fact.subject, min(other.at, fact.at), max(other.at, fact.at)):
                evidence, at = (other.hash, fact.hash), max(other.at, fact.at)
                yield Signal(kind="filled_twice", subject=fact.subject, at=at, detail={}, evidence=evidence)

    def _was_emptied(self, subject: str, first: int, last: int) -> bool:
        emptied = self._emptied.get(subject, ())
        place = bisect_left(emptied, first)
        return place < len(emptied) and emptied[place] <= last


class ManyFills:
    """One cylinder filled again and again within hours: one good code for whatever stands on the scale."""

    reads = frozenset({"filled"})

    def __init__(self, book: Rulebook, fills: Fills) -> None:
        self._rules, self._fills = book.detection, fills
        self._told: set[str] = set()

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes; one for each time that the number is reached."""
        for window in self._windows(fact):
            if not any(fill.hash in self._told for fill in window):
                evidence = tuple(fill.hash for fill in window)
                self._told.update(evidence)
                told: Detail = {"count": len(window), "hours": self._rules.fills_window_hours}
                yield Signal(kind="many_fills", subject=fact.subject, at=window[-1].at, detail=told, evidence=evidence)

    def _windows(self, fact: Fact) -> Iterator[Sequence[Seen]]:
        """Runs of fills around this one that are as many as the number, and close enough together."""
        fills, place = self._fills.of(fact.subject), self._fills.place(fact)
        number, hours = self._rules.fills_in_window, self._rules.fills_window_hours
        for first in range(max(0, place - number + 1), min(place, len(fills) - number) + 1):
            if fills[first + number - 1].at - fills[first].at < hours * HOUR_MS:
                yield fills[first : first + number]


class DuplicateSerial:
    """Maker, serial number and year of one stamp on two cylinders on file (多家登记)."""

    reads = frozenset({"cylinder_registered", "cylinder_made"})

    def __init__(self) -> None:
        self._first: dict[tuple[str, str, str], tuple[str, str]] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        stamp = fact.data["stamp"]
        key = (stamp["maker"], stamp["serial"], stamp.get("manufactured_month", "")[:4])
        subject, digest = self._first.setdefault(key, (fact.subject, fact.hash))
        if subject != fact.subject:
            other: Detail = {"other": subject}
            evidence = (digest, fact.hash)
            yield Signal(kind="duplicate_serial", subject=fact.subject, at=fact.at, detail=other, evidence=evidence)
