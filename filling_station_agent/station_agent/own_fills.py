"""What this station filled itself, by cylinder: what a re-weighing (复秤) belongs to, and which lack one."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cylinder_trace.events import Filled, PostfillChecked, Record, Reweighed

WORDS = (".filled", ".reweighed", ".postfill")
"""What stands behind the check id in the ids of these acts; a second re-weighing is ``….reweighed.2``."""
LOOKED_BACK = 20_000
"""So many records of the journal are looked through at the start; what was filled before is not weighed again here."""


KEPT = 10_000
"""So many fills are remembered, the youngest: five hours of the fastest carousel, weeks of a small station."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """A full cylinder's second weight, as far as it is asked about again."""

    scale_id: str
    worker_id: str
    full_gross_g: int
    within_limit: bool


@dataclass(slots=True)
class OwnFill:
    """One fill of this station, and what was found when it was looked at again."""

    cylinder_id: str
    check_id: str
    worker_id: str
    """The filler (充装人)."""
    lane: int
    n: int
    """It is the n-th of this run of the agent, those of the journal included; from 0."""
    weighed: int = 0
    """How often it was weighed again."""
    checked: int = 0
    """How often Q1 to Q6 were gone through."""
    last: Weighing | None = None


class Act(NamedTuple):
    """What is looked at of a record in this journal, which was checked when it was written."""

    type: str
    subject: str
    data: dict[str, Any]


def last_acts(newest_first: Iterable[bytes]) -> list[Act]:
    """Of the texts of such acts those about the last fill of each cylinder, oldest first.

    Thousands lie in a journal when an agent starts, so none is read as a record.
    """
    acts: list[Act] = []
    filled: set[str] = set()
    for text in newest_first:
        record = json.loads(text)
        if record["subject"] in filled:
            continue
        acts.append(Act(record["type"], record["subject"], record["data"]))
        if record["type"] == Filled.type:
            filled.add(record["subject"])
    return acts[::-1]


class OwnFills:
    """The last fill of each cylinder at this station, as far as it is one of the last `KEPT`."""

    def __init__(self, acts: Iterable[Act | Record] = ()) -> None:
        self._last: dict[str, OwnFill] = {}
        """Cylinder id → its fill, in the order of filling."""
        self._by_check: dict[str, OwnFill] = {}
        self.count = 0
        """How many fills there were: a shift remembers it, since the clock may be corrected in its middle."""
        for act in acts:
            self._take(act)

    def add(self, record: Record) -> None:
        """Take notice of what was recorded just now."""
        if any(word in record.id for word in WORDS):
            self._take(record)

    def _take(self, act: Act | Record) -> None:
        said = act.data
        match act.type:
            case Filled.type:
                self._begin(act.subject.removeprefix("cylinder/"), said)
            case Reweighed.type if fill := self._by_check.get(said["check_id"]):
                fill.weighed += 1
                fill.last = Weighing(said["scale_id"], said["worker_id"], said["full_gross_g"], said["within_limit"])
            case PostfillChecked.type if fill := self._by_check.get(said["check_id"]):
                fill.checked += 1

    def _begin(self, cylinder_id: str, filled: dict[str, Any]) -> None:
        self._forget(cylinder_id)
        fill = OwnFill(cylinder_id, filled["check_id"], filled["worker_id"], filled["lane"], self.count)
        self.count += 1
        self._last[cylinder_id] = self._by_check[fill.check_id] = fill
        if len(self._last) > KEPT:
            self._forget(next(iter(self._last)))

    def _forget(self, cylinder_id: str) -> None:
        if (fill := self._last.pop(cylinder_id, None)) is not None:
            del self._by_check[fill.check_id]

    def last_of(self, cylinder_id: str) -> OwnFill | None:
        """The last fill of a cylinder here."""
        return self._last.get(cylinder_id)

    def not_reweighed(self, first: int = 0, lane: int | None = None) -> list[OwnFill]:
        """Fills from the `first`-th on, at one lane or all, never weighed again (未复秤)."""
        return [
            fill for fill in self._last.values() if not fill.weighed and fill.n >= first and lane in (None, fill.lane)
        ]
