"""One thing at two places sooner than the way between them takes: a cylinder's code, or a worker's certificate."""

from collections.abc import Iterator
from typing import Literal

from cylinder_trace.dates import DAY_MS, MINUTE_MS
from cylinder_trace.detection.facts import Fact, Seen, forget, remember
from cylinder_trace.detection.signals import Signal
from cylinder_trace.rulebook import Rulebook


class Places:
    """Where each subject was seen, as far back as an upload may be late."""

    def __init__(self, kind: Literal["two_places", "worker_in_two_places"], book: Rulebook) -> None:
        self._kind, self._minutes = kind, book.identity.travel_minutes
        self._kept_ms = book.detection.looked_back_days * DAY_MS
        self._seen: dict[str, list[Seen]] = {}

    def seen(self, subject: str, fact: Fact, place: str) -> Iterator[Signal]:
        """A signal where it was elsewhere just before or after, by the time at which each occurred."""
        history = self._seen.setdefault(subject, [])
        forget(history, fact.recorded_at - self._kept_ms)
        now = Seen(fact.at, fact.hash, place)
        index = remember(history, now)
        elsewhere = [other for other in history[max(0, index - 1) : index + 2] if other.place != place]
        if not elsewhere:
            return
        other = min(elsewhere, key=lambda seen: abs(fact.at - seen.at))
        minutes = abs(fact.at - other.at) // MINUTE_MS
        if minutes < self._minutes:
            yield Signal(
                kind=self._kind,
                subject=subject,
                at=max(fact.at, other.at),
                detail={"minutes": minutes, "first": other.place, "second": place},
                evidence=(other.hash, fact.hash),
            )
