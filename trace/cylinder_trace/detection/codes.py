"""One code, one cylinder, one place: clones, double fills, one code for many, one stamp under two codes."""

from collections.abc import Iterator

from cylinder_trace.dates import HOUR_MS
from cylinder_trace.detection.facts import Fact
from cylinder_trace.detection.places import Places
from cylinder_trace.detection.signals import Detail, Signal
from cylinder_trace.rulebook import Rulebook


class TwoPlaces:
    """The same cylinder scanned at two stations too soon after each other to have been carried (复制的码)."""

    def __init__(self, book: Rulebook) -> None:
        self._places = Places("two_places", book.identity.travel_minutes)

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        if fact.type == "fill_decided" and fact.subject.startswith("cylinder/"):
            yield from self._places.seen(fact.subject, fact.at, fact.data["request"]["station_id"], fact.hash)


_ENDS_A_FILL = frozenset({"returned", "inspected", "sent_to_inspection"})


class FilledTwice:
    """Two fills and no return between them: a second cylinder under the code, or a return that nobody recorded."""

    def __init__(self, book: Rulebook) -> None:
        self._full: dict[str, Fact] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        if fact.type in _ENDS_A_FILL:
            self._full.pop(fact.subject, None)
        elif fact.type == "filled":
            before = self._full.get(fact.subject)
            self._full[fact.subject] = fact
            if before is not None:
                evidence = (before.hash, fact.hash)
                yield Signal(kind="filled_twice", subject=fact.subject, at=fact.at, detail={}, evidence=evidence)


class ManyFills:
    """One cylinder filled again and again within hours: one good code for whatever stands on the scale."""

    def __init__(self, book: Rulebook) -> None:
        self._rules = book.detection
        self._fills: dict[str, list[tuple[int, str]]] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes; one for each time that the number is reached."""
        if fact.type != "filled":
            return
        since = fact.at - self._rules.fills_window_hours * HOUR_MS
        recent = [fill for fill in self._fills.get(fact.subject, ()) if fill[0] > since]
        recent.append((fact.at, fact.hash))
        self._fills[fact.subject] = recent
        if len(recent) >= self._rules.fills_in_window:
            told: Detail = {"count": len(recent), "hours": self._rules.fills_window_hours}
            evidence = tuple(digest for _, digest in recent)
            self._fills[fact.subject] = []
            yield Signal(kind="many_fills", subject=fact.subject, at=fact.at, detail=told, evidence=evidence)


class DuplicateSerial:
    """Maker, serial number and year of one stamp on two cylinders on file (多家登记)."""

    def __init__(self, book: Rulebook) -> None:
        self._first: dict[tuple[str, str, str], Fact] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        if fact.type not in ("cylinder_registered", "cylinder_made"):
            return
        stamp = fact.data["stamp"]
        key = (stamp["maker"], stamp["serial"], stamp.get("manufactured_month", "")[:4])
        first = self._first.setdefault(key, fact)
        if first.subject != fact.subject:
            other: Detail = {"other": first.subject}
            evidence = (first.hash, fact.hash)
            yield Signal(kind="duplicate_serial", subject=fact.subject, at=fact.at, detail=other, evidence=evidence)
