"""A stretch of the log, folded: which rows it changes and what it adds to the figures. Nothing is written here.

A stretch ends where something must happen to all rows first: a month closes, another rulebook comes into force, a
station moves.  What happens depends on the log alone, and on no clock but the ledger's own.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from cylinder_trace import events
from cylinder_trace.audit import StoredEntry
from cylinder_trace.dates import local_day, month_of_day
from cylinder_trace.enactment import RulebookState, next_rulebook_state
from cylinder_trace.events import Entry
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.store.fleet.counting import Counter, Key, Sums, add
from cylinder_trace.store.fleet.folding import (
    Due,
    Known,
    StationPlace,
    district_of_owner,
    known_of,
    shelf_of,
    words_of,
)
from cylinder_trace.store.fleet.place import Followed, Redo, book_on
from cylinder_trace.store.understood import NotUnderstood, entry_of, is_as_recorded
from cylinder_trace.suite import Suite

log = logging.getLogger(__name__)
STOCK = 0
"""The month under which the stock of now is counted."""
Scans = Mapping[str, tuple[int, str | None]]
"""Check id → log index of its first decision, and the gas lot that it names."""


class Stretch:
    """One step of the follower, from where it stands."""

    def __init__(self, followed: Followed, rulebook_id: str, suite: Suite) -> None:
        self._suite = suite
        self.place, self.rules = followed.place, followed.rules
        self.stations = dict(followed.stations)
        self.new: list[dict[str, Any]] = []
        """Rows of cylinders that have none yet."""
        self.changed: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        """What changes of the other rows, by the names of the columns that do: an index of another column stays."""
        self.closed: list[int] = []
        """Months that end before anything of this stretch is added."""
        self._rulebook = f"rulebook/{rulebook_id}"
        self._known: dict[str, Known] = {}
        self._touched: dict[str, Known] = {}
        self._last: StoredEntry | None = None
        """The last entry folded in this stretch."""
        self._moment: tuple[int, RulebookState | None] | None = None
        """The day and the rulebooks that were looked at last."""
        self._counter = Counter(self.stations, self._book(local_day(self.place.recorded_at)))

    @property
    def sums(self) -> Sums:
        """What is to be added to the figures."""
        return self._counter.sums

    @property
    def after(self) -> Followed:
        """Where the follower stands when this is written."""
        return Followed(self.place, self.stations, self.rules)

    def fold(self, entries: Sequence[StoredEntry], known: Mapping[str, Known], scans: Scans) -> None:
        """Fold entries as far as a stretch goes; `known`: the rows of their cylinders, by subject.

        Raises NotUnderstood when the first of them is one that only a newer version knows.
        """
        self._known = dict(known)
        for stored in entries:
            moment = local_day(stored.recorded_at), self.rules
            # Asked once for each day and each publication: nothing else turns a month or a rulebook.
            if (moment != self._moment and not self.turn(moment[0])) or self.place.redo is not None:
                break
            self._moment = moment
            try:
                self._take(stored, scans)
            except NotUnderstood:
                if self._last is None:
                    raise
                break
            self._last = stored
        if self._last is not None:
            self._move(size=self._last.index + 1, recorded_at=self._last.recorded_at)
        self._write_rows()

    def turn(self, day: int) -> bool:
        """Let it be `day` at Beijing; False when entries were folded that must be written before."""
        month = month_of_day(day)
        opened = self.place.month is not None and month > self.place.month
        name = _name(self._book(day))
        changes = name != self.place.rulebook
        if (opened or changes) and self._last is not None:
            return False
        if opened:
            self.closed = list(range(self.place.month or month, month))
        self._move(month=month if self.place.month is None else max(month, self.place.month), rulebook=name)
        self._counter.book = self._book(day)
        if changes and self.place.size:
            self._move(redo=Redo())
        return True

    def redo(self, rows: Sequence[Mapping[str, Any]], done: bool) -> None:
        """Make these stored rows anew, under the rulebook and the stations of now."""
        redo = self.place.redo
        assert redo is not None  # noqa: S101 - asked only then
        for row in rows:
            known = known_of(row)
            self._touched[known.cylinder_id] = known
        self._write_rows()
        behind = None if done else redo.model_copy(update={"after": rows[-1]["cylinder_id"]})
        self._move(redo=behind)

    def _take(self, stored: StoredEntry, scans: Scans) -> None:
        try:
            entry, event = entry_of(stored.text, stored.type)
        except NotUnderstood:
            # Left out once, it would be missing for ever: a process of the newer version goes on from here.
            if is_as_recorded(stored, self._suite):
                raise
            log.error("entry %d is left out of the lists: it was changed", stored.index)
            return
        try:
            self._fold(stored, entry, event, scans)
        except ValueError as error:
            # What the ledger took follows; what was changed since is the audit's matter, and must not stop the lists.
            log.error("entry %d is left out of the lists: %s", stored.index, type(error).__name__)

    def _fold(self, stored: StoredEntry, entry: Entry, event: events.Event, scans: Scans) -> None:
        kind, _, name = entry.subject.partition("/")
        if kind == "cylinder":
            known = self._known.setdefault(entry.subject, Known(name))
            index, lot_id = scans.get(getattr(event, "check_id", ""), (stored.index, None))
            self._counter.count(entry, event, known, scanned=index < stored.index)
            known.take(entry, event, lot_id)
            self._touched[entry.subject] = known
        elif isinstance(event, events.FillDecided):
            self._counter.count(entry, event, None, scanned=False)
        elif isinstance(event, events.StationLicensed):
            self._license(name, entry, event)
        elif entry.subject == self._rulebook:
            self.rules = next_rulebook_state(self.rules, entry, event)

    def _license(self, station_id: str, entry: Entry, event: events.StationLicensed) -> None:
        held = self.stations.get(station_id)
        if held is not None and entry.at < held.at:
            return
        owners = {event.company_id, *([held.company_id] if held else [])}
        before = {owner: district_of_owner(self.stations, owner) for owner in owners}
        self.stations[station_id] = StationPlace(event.company_id, event.region, entry.at)
        moved = sorted(owner for owner in owners if district_of_owner(self.stations, owner) != before[owner])
        if moved:
            self._move(redo=Redo(owners=tuple(moved)))

    def _write_rows(self) -> None:
        due = Due(self._counter.book, self.stations)
        for known in self._touched.values():
            row = known.row(due)
            if known.stored is None:
                self.new.append(row)
            else:
                self._change(known.stored, row)
                self._count_in_stock(known.stored, -1)
            self._count_in_stock(row, 1)

    def _change(self, stored: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        names = tuple(name for name, value in row.items() if value != stored[name])
        if names:
            change = {name: row[name] for name in ("cylinder_id", *names)}
            self.changed.setdefault(names, []).append(change)

    def _count_in_stock(self, row: Mapping[str, Any], number: int) -> None:
        for word in words_of(row):
            add(self.sums, Key(STOCK, word, *shelf_of(row)), number)

    def _book(self, day: int) -> Rulebook | None:
        return book_on(self.rules, day)

    def _move(self, **change: Any) -> None:
        self.place = self.place.model_copy(update=change)


def _name(book: Rulebook | None) -> str | None:
    return f"{book.rulebook_id}@{book.version}" if book else None


def checks_of(entries: Sequence[StoredEntry]) -> set[str]:
    """The check ids under which cylinders were filled."""
    return {orjson.loads(stored.text)["data"]["check_id"] for stored in entries if stored.type == "filled"}


def scans_of(decisions: Sequence[StoredEntry]) -> dict[str, tuple[int, str | None]]:
    """What the decisions under check ids say of the fills."""
    said = {row.id: (row.index, orjson.loads(row.text)["data"]) for row in decisions if row.type == "fill_decided"}
    return {id: (index, data["request"].get("lot_id")) for id, (index, data) in said.items()}
