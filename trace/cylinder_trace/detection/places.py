"""One thing at two places sooner than the way between them takes: a cylinder's code, or a worker's certificate."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from cylinder_trace.dates import MINUTE_MS
from cylinder_trace.detection.signals import Signal


class _Seen(NamedTuple):
    at: int
    place: str
    hash: str


class Places:
    """Where each subject was seen last."""

    def __init__(self, kind: Literal["two_places", "worker_in_two_places"], minutes: int) -> None:
        self._kind, self._minutes = kind, minutes
        self._seen: dict[str, _Seen] = {}

    def seen(self, subject: str, at: int, place: str, digest: str) -> Iterator[Signal]:
        """A signal where it was elsewhere less than the minutes ago, or ahead."""
        now, before = _Seen(at, place, digest), self._seen.get(subject)
        self._seen[subject] = now
        if before is None or before.place == place:
            return
        minutes = abs(at - before.at) // MINUTE_MS
        if minutes < self._minutes:
            yield Signal(
                kind=self._kind,
                subject=subject,
                at=max(at, before.at),
                detail={"minutes": minutes, "first": before.place, "second": place},
                evidence=(before.hash, digest),
            )
