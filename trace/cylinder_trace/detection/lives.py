"""What a life should not show: acts after the end, fills at a customer's, ownership there and back, late flags."""

from collections.abc import Iterator

from cylinder_trace.dates import DAY_MS, format_day, local_day
from cylinder_trace.detection.facts import Fact
from cylinder_trace.detection.signals import Detail, Signal
from cylinder_trace.rulebook import Rulebook

_ENDS = frozenset({"condemned", "destroyed", "registration_cancelled"})
_ACTS = frozenset({"fill_decided", "filled", "left_station", "sold", "returned", "ownership_transferred", "inspected"})


class AfterItsEnd:
    """A scrapped cylinder that is scanned, filled or sold afterwards (报废后复活)."""

    def __init__(self, book: Rulebook) -> None:
        self._ended: dict[str, Fact] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes: one for each act that occurred after the end."""
        if fact.type in _ENDS:
            self._ended.setdefault(fact.subject, fact)
        elif fact.type in _ACTS and (end := self._ended.get(fact.subject)) is not None and fact.at > end.at:
            told: Detail = {"end": format_day(local_day(end.at)), "word": fact.type}
            evidence = (end.hash, fact.hash)
            yield Signal(kind="after_its_end", subject=fact.subject, at=fact.at, detail=told, evidence=evidence)


class FilledAtCustomer:
    """Filled at a station while the record has it at a customer: a copy of its code, or a sale that was none."""

    def __init__(self, book: Rulebook) -> None:
        self._sold: dict[str, Fact] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        if fact.type == "sold":
            self._sold[fact.subject] = fact
        elif fact.type == "returned":
            self._sold.pop(fact.subject, None)
        elif fact.type == "filled" and (sale := self._sold.get(fact.subject)) is not None and fact.at > sale.at:
            told: Detail = {"station": fact.data["station_id"]}
            evidence = (sale.hash, fact.hash)
            yield Signal(kind="filled_at_customer", subject=fact.subject, at=fact.at, detail=told, evidence=evidence)


class MovedBackAndForth:
    """Given away and had back within days, and filled in between: a transfer for the sake of a fill (借转户洗瓶)."""

    def __init__(self, book: Rulebook) -> None:
        self._days = book.detection.back_and_forth_days
        self._moves: dict[str, list[Fact]] = {}
        self._fills: dict[str, list[int]] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        if fact.type == "filled":
            self._fills.setdefault(fact.subject, []).append(fact.at)
        elif fact.type == "ownership_transferred":
            moves = self._moves.setdefault(fact.subject, [])
            moves.append(fact)
            if len(moves) > 1:
                yield from self._back(moves[-2], fact)

    def _back(self, there: Fact, back: Fact) -> Iterator[Signal]:
        owner = there.data["from_owner_id"]
        if back.data["to_owner_id"] != owner or back.at - there.at > self._days * DAY_MS:
            return
        fills = sum(there.at <= at <= back.at for at in self._fills.get(back.subject, ()))
        told: Detail = {"owner": owner, "other": there.data["to_owner_id"], "days": self._days, "fills": fills}
        evidence = (there.hash, back.hash)
        yield Signal(kind="moved_back_and_forth", subject=back.subject, at=back.at, detail=told, evidence=evidence)


_BECOMES_KNOWN = frozenset({"flagged", "recalled", "seized", "condemned", "reported_lost"})


class KnownLate:
    """What became known of a cylinder that had been filled before (事后得知): which fills, and who had it last.

    A later fact never makes an earlier fill a fault; it makes a cylinder that must be found.
    """

    def __init__(self, book: Rulebook) -> None:
        self._days = book.detection.looked_back_days
        self._fills: dict[str, list[tuple[int, str]]] = {}
        self._holder: dict[str, str] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        if fact.type == "filled":
            self._fills.setdefault(fact.subject, []).append((fact.at, fact.hash))
            self._holder[fact.subject] = f"station/{fact.data['station_id']}"
        elif fact.type in _HOLDERS:
            self._holder[fact.subject] = _HOLDERS[fact.type].format_map(fact.data)
        elif fact.type in _BECOMES_KNOWN or (fact.type == "inspected" and fact.data["result"] == "failed"):
            yield from self._listed(fact)

    def _listed(self, known: Fact) -> Iterator[Signal]:
        since = known.at - self._days * DAY_MS
        fills = [digest for at, digest in self._fills.get(known.subject, ()) if since <= at <= known.at]
        if not fills:
            return
        told: Detail = {
            "word": known.type,
            "days": self._days,
            "fills": len(fills),
            "holder": self._holder[known.subject],
        }
        evidence = (*fills, known.hash)
        yield Signal(kind="known_late", subject=known.subject, at=known.at, detail=told, evidence=evidence)


_HOLDERS = {
    "sold": "customer/{customer_id}",
    "returned": "station/{station_id}",
    "left_station": "worker/{worker_id}",
    "handed_over": "holder/{to_holder_id}",
    "sent_to_inspection": "company/{body_id}",
}
"""Event → who has the cylinder after it."""
