"""When each cylinder was filled, which several detectors ask: in the order in which it occurred, however late told."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from cylinder_trace.detection.facts import Fact, Seen, remember
from cylinder_trace.detection.signals import Signal


class Fills:
    """The fills of each cylinder; it stands before those who ask it, so that it knows the fill that they look at."""

    reads = frozenset({"filled"})

    def __init__(self) -> None:
        self._of: dict[str, list[Seen]] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Remember the fill; no signal."""
        remember(self._of.setdefault(fact.subject, []), fact.seen)
        return iter(())

    def of(self, subject: str) -> Sequence[Seen]:
        """The fills of a cylinder, oldest first."""
        return self._of.get(subject, ())

    def place(self, fact: Fact) -> int:
        """Where the fill that was just taken stands among those of its cylinder."""
        return bisect_left(self.of(fact.subject), fact.seen)

    def between(self, subject: str, first: int, last: int) -> tuple[int, int]:
        """Where the fills from one instant to another (UTC ms, both counted) begin among the cylinder's, and end."""
        fills = self.of(subject)
        return bisect_left(fills, first, key=_at), bisect_right(fills, last, key=_at)


def _at(seen: Seen) -> int:
    return seen.at
