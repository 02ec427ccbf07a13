"""What a life should not show: acts after the end, fills at a customer's, ownership there and back, late flags."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from cylinder_trace.dates import DAY_MS, format_day, local_day
from cylinder_trace.detection.facts import Fact, Seen
from cylinder_trace.detection.fills import Fills
from cylinder_trace.detection.signals import Detail, Signal
from cylinder_trace.rulebook import Rulebook

_ENDS = frozenset({"condemned", "destroyed", "registration_cancelled"})
_ACTS = frozenset({"fill_decided", "filled", "left_station", "sold", "returned", "ownership_transferred", "inspected"})


class AfterItsEnd:
    """A scrapped cylinder that is scanned, filled or sold afterwards (报废后复活)."""

    reads = _ENDS | _ACTS

    def __init__(self) -> None:
        self._ended: dict[str, Seen] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes: one for each act that occurred after the end."""
        if fact.type in _ENDS:
            self._ended.setdefault(fact.subject, fact.seen)
        elif (end := self._ended.get(fact.subject)) is not None and fact.at > end.at:
            told: Detail = {"end": format_day(local_day(end.at)), "word": fact.type}
            evidence = (end.hash, fact.hash)
            yield Signal(kind="after_its_end", subject=fact.subject, at=fact.at, detail=told, evidence=evidence)


class FilledAtCustomer:
    """Filled at a station while the record has it at a customer: a copy of its code, or a sale that was none."""

    reads = frozenset({"sold", "returned", "filled"})

    def __init__(self) -> None:
        self._sold: dict[str, Seen] = {}
        self._returned: dict[str, Seen] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        if fact.type == "filled":
            yield from self._filled(fact)
            return
        last = self._sold if fact.type == "sold" else self._returned
        last[fact.subject] = max(last.get(fact.subject, fact.seen), fact.seen)

    def _filled(self, fill: Fact) -> Iterator[Signal]:
        sale, back = self._sold.get(fill.subject), self._returned.get(fill.subject)
        if sale is None or fill.at <= sale.at or (back is not None and back.at >= sale.at):
            return
        told: Detail = {"station": fill.data["station_id"]}
        evidence = (sale.hash, fill.hash)
        yield Signal(kind="filled_at_customer", subject=fill.subject, at=fill.at, detail=told, evidence=evidence)


class MovedBackAndForth:
    """Given away and had back within days, and filled in between: a transfer for the sake of a fill (借转户洗瓶)."""

    reads = frozenset({"ownership_transferred"})

    def __init__(self, book: Rulebook, fills: Fills) -> None:
        self._days, self._fills = book.detection.back_and_forth_days, fills
        self._last: dict[str, Fact] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        there = self._last.get(fact.subject)
        self._last[fact.subject] = fact
        if there is not None:
            yield from self._back(there, fact)

    def _back(self, there: Fact, back: Fact) -> Iterator[Signal]:
        owner = there.data["from_owner_id"]
        if back.data["to_owner_id"] != owner or back.at - there.at > self._days * DAY_MS:
            return
        first, end = self._fills.between(back.subject, there.at, back.at)
        told: Detail = {
            "owner": owner,
            "other": there.data["to_owner_id"],
            "days": self._days,
            "fills": max(0, end - first),
        }
        evidence = (there.hash, back.hash)
        yield Signal(kind="moved_back_and_forth", subject=back.subject, at=back.at, detail=told, evidence=evidence)


_BECOMES_KNOWN = frozenset({"flagged", "recalled", "seized", "condemned", "reported_lost"})
_HOLDERS = {
    "filled": "station/{station_id}",
    "sold": "customer/{customer_id}",
    "returned": "station/{station_id}",
    "left_station": "worker/{worker_id}",
    "handed_over": "holder/{to_holder_id}",
    "sent_to_inspection": "company/{body_id}",
}
"""Event → who has the cylinder after it."""
_FILLS_SHOWN = 50
"""So many fills, the latest, are named as evidence; a copied code may have thousands."""


class _Known(NamedTuple):
    recorded_at: int
    at: int
    word: str
    hash: str


class KnownLate:
    """What became known of a cylinder that had been filled before (事后得知): which fills, and who had it last.

    Known is what is recorded; before counts by when the fill occurred, so that a fill which a station uploads behind
    the record is listed too. A later fact never makes an earlier fill a fault; it makes a cylinder that must be found.
    What the inspection body that has the cylinder tells about it asks nobody to find it.
    """

    reads = frozenset({"inspected"}) | _BECOMES_KNOWN | _HOLDERS.keys()

    def __init__(self, book: Rulebook, fills: Fills) -> None:
        self._days, self._fills = book.detection.looked_back_days, fills
        self._known: dict[str, list[_Known]] = {}
        self._holders: dict[str, tuple[int, str]] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        if (holder := _HOLDERS.get(fact.type)) is not None:
            self._held(fact, holder.format_map(fact.data))
        if fact.type == "filled":
            yield from self._told_late(fact)
        elif fact.type in _BECOMES_KNOWN or (fact.type == "inspected" and fact.data["result"] == "failed"):
            yield from self._becomes_known(fact)

    def _held(self, fact: Fact, holder: str) -> None:
        before = self._holders.get(fact.subject)
        if before is None or before[0] <= fact.at:
            self._holders[fact.subject] = fact.at, holder

    def _becomes_known(self, fact: Fact) -> Iterator[Signal]:
        if self._holders.get(fact.subject, (0, ""))[1] == f"company/{fact.data.get('body_id')}":
            return
        known = _Known(fact.recorded_at, fact.at, fact.type, fact.hash)
        self._known.setdefault(fact.subject, []).append(known)
        first, end = self._fills.between(fact.subject, fact.recorded_at - self._days * DAY_MS, fact.recorded_at)
        if first < end:
            shown = self._fills.of(fact.subject)[max(first, end - _FILLS_SHOWN) : end]
            evidence = (*(fill.hash for fill in shown), fact.hash)
            yield self._signal(fact.subject, max(fact.at, shown[-1].at), fact.type, end - first, evidence)

    def _told_late(self, fill: Fact) -> Iterator[Signal]:
        known = self._known.get(fill.subject)
        if known is None:
            return
        place = bisect_left(known, fill.at, key=_recorded_at)
        if place < len(known) and known[place].recorded_at - self._days * DAY_MS <= fill.at:
            first = known[place]
            yield self._signal(fill.subject, max(first.at, fill.at), first.word, 1, (first.hash, fill.hash))

    def _signal(self, subject: str, at: int, word: str, fills: int, evidence: tuple[str, ...]) -> Signal:
        holder = self._holders[subject][1]
        told: Detail = {"word": word, "days": self._days, "fills": fills, "holder": holder}
        return Signal(kind="known_late", subject=subject, at=at, detail=told, evidence=evidence)


def _recorded_at(known: _Known) -> int:
    return known.recorded_at
