"""All detectors over one ledger, in one pass in the order of the log. Nothing is recorded, nobody is refused."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from cylinder_trace.detection import codes, inspections, lives, stations
from cylinder_trace.detection.facts import Fact, read_fact
from cylinder_trace.detection.signals import Signal
from cylinder_trace.rulebook import Rulebook


class Detector(Protocol):
    """Remembers what it needs of the facts so far, and says what a fact completes."""

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""


def detectors(book: Rulebook) -> tuple[Detector, ...]:
    """One of each, with nothing seen yet."""
    return (
        codes.TwoPlaces(book),
        codes.FilledTwice(book),
        codes.ManyFills(book),
        codes.DuplicateSerial(book),
        lives.AfterItsEnd(book),
        lives.FilledAtCustomer(book),
        lives.MovedBackAndForth(book),
        lives.KnownLate(book),
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
    all_of_them = detectors(book)
    for text, digest in entries:
        fact = read_fact(text, digest)
        for detector in all_of_them:
            yield from detector.take(fact)
