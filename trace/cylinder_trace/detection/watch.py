"""All detectors over one ledger, in one pass in the order of the log. Nothing is recorded, nobody is refused."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from cylinder_trace.detection import codes, inspections, lives, stations
from cylinder_trace.detection.facts import Fact, read_fact
from cylinder_trace.detection.fills import Fills
from cylinder_trace.detection.signals import Signal
from cylinder_trace.rulebook import Rulebook


class Detector(Protocol):
    """Remembers what it needs of the facts so far, and says what a fact completes."""

    @property
    def reads(self) -> frozenset[str]:
        """The events that it is told of."""

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""


def detectors(book: Rulebook) -> tuple[Detector, ...]:
    """One of each, with nothing seen yet."""
    fills = Fills()
    return (
        fills,
        codes.TwoPlaces(book),
        codes.FilledTwice(fills),
        codes.ManyFills(book, fills),
        codes.DuplicateSerial(),
        lives.AfterItsEnd(),
        lives.FilledAtCustomer(),
        lives.MovedBackAndForth(book, fills),
        lives.KnownLate(book, fills),
        inspections.InspectionRate(book),
        inspections.SameReadings(book),
        inspections.NoRejects(book),
        inspections.RingAhead(book),
        stations.MassBalance(book),
        stations.NightFills(book),
        stations.WorkerInTwoPlaces(book),
    )


def detect(entries: Iterable[tuple[bytes, bytes]], book: Rulebook) -> Iterator[Signal]:
    """Signals in the stored texts and hashes of all entries, in the order in which they come up.

    Raises ValueError for a text that is not an entry.
    """
    told = _by_type(detectors(book))
    for text, digest in entries:
        fact = read_fact(text, digest)
        try:
            for detector in told.get(fact.type, ()):
                yield from detector.take(fact)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"entry {fact.hash} does not say what {fact.type!r} says: {error!r}") from error


def _by_type(all_of_them: Iterable[Detector]) -> dict[str, list[Detector]]:
    told: dict[str, list[Detector]] = {}
    for detector in all_of_them:
        for type_word in detector.reads:
            told.setdefault(type_word, []).append(detector)
    return told
