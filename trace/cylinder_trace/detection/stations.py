"""What a station's days should not show: more gas out than in, fills by night, one worker in two places."""

from collections.abc import Iterator
from typing import NamedTuple

from cylinder_trace.dates import BEIJING_OFFSET_MS, DAY_MS, HOUR_MS, format_day, local_day
from cylinder_trace.detection.facts import Count, Fact, counted_on
from cylinder_trace.detection.places import Places
from cylinder_trace.detection.signals import Detail, Signal
from cylinder_trace.rulebook import Rulebook


class _Balance(NamedTuple):
    received_g: int
    filled_g: int
    first_lot: str


class MassBalance:
    """More gas filled than came in, by the lots on record (气量平衡): gas that nobody recorded, or lots left out.

    A station of which no lot was ever recorded is not judged.
    """

    reads = frozenset({"gas_lot_received", "filled"})

    def __init__(self, book: Rulebook) -> None:
        self._permille = book.detection.balance_permille
        self._balances: dict[str, _Balance] = {}
        self._told: set[tuple[str, int]] = set()

    def take(self, fact: Fact) -> Iterator[Signal]:
        """At most one signal a station and Beijing day, with the fill that went beyond."""
        if fact.type == "gas_lot_received":
            station = fact.data["station_id"]
            before = self._balances.get(station, _Balance(0, 0, fact.hash))
            self._balances[station] = before._replace(received_g=before.received_g + fact.data["mass_g"])
        elif (balance := self._balances.get(fact.data["station_id"])) is not None:
            yield from self._filled(fact, balance)

    def _filled(self, fact: Fact, balance: _Balance) -> Iterator[Signal]:
        station, day = fact.data["station_id"], local_day(fact.at)
        now = self._balances[station] = balance._replace(filled_g=balance.filled_g + fact.data["net_g"])
        beyond = now.filled_g * 1000 > now.received_g * (1000 + self._permille)
        if not beyond or (station, day) in self._told:
            return
        self._told.add((station, day))
        told: Detail = {
            "day": format_day(day),
            "filled_kg": now.filled_g // 1000,
            "received_kg": now.received_g // 1000,
        }
        evidence = (now.first_lot, fact.hash)
        yield Signal(kind="mass_balance", subject=f"station/{station}", at=fact.at, detail=told, evidence=evidence)


class NightFills:
    """Many fills in the hours in which nobody looks (00–05 时)."""

    reads = frozenset({"filled"})

    def __init__(self, book: Rulebook) -> None:
        self._rules = book.detection
        self._nights: dict[tuple[str, int], Count] = {}

    def take(self, fact: Fact) -> Iterator[Signal]:
        """A signal when a station's night reaches the number."""
        hour = (fact.at + BEIJING_OFFSET_MS) % DAY_MS // HOUR_MS
        if not self._rules.night_from_hour <= hour < self._rules.night_to_hour:
            return
        station, day = fact.data["station_id"], local_day(fact.at)
        now = self._nights[station, day] = counted_on(self._nights.get((station, day)), fact.hash)
        if now.number == self._rules.night_fills:
            told: Detail = {
                "day": format_day(day),
                "count": now.number,
                "from_hour": self._rules.night_from_hour,
                "to_hour": self._rules.night_to_hour,
            }
            evidence = (now.first, fact.hash)
            yield Signal(kind="night_fills", subject=f"station/{station}", at=fact.at, detail=told, evidence=evidence)


class WorkerInTwoPlaces:
    """Acts under one certificate at two places too soon after each other (一证两用、挂证)."""

    reads = frozenset({"filled"})

    def __init__(self, book: Rulebook) -> None:
        self._places = Places("worker_in_two_places", book)

    def take(self, fact: Fact) -> Iterator[Signal]:
        """Signals that `fact` completes."""
        yield from self._places.seen(f"worker/{fact.data['worker_id']}", fact, fact.data["station_id"])
