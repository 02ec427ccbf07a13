"""Following the log (跟随): one process at a time folds what was committed into the lists and the monthly figures.

The append path knows nothing of it: the follower reads committed entries and writes tables of its own, a short
transaction for each stretch, see ``background`` for its rests.

Crash points: rows, sums and the place up to which they hold are written in one transaction.  A kill before its commit
leaves the step undone, and it is done again from the same place; after it, it is not done twice.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, bindparam, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from cylinder_trace.audit import StoredEntry
from cylinder_trace.dates import last_day
from cylinder_trace.store.background import Following
from cylinder_trace.store.fleet.counting import Sums
from cylinder_trace.store.fleet.folding import DUE, Known, known_of
from cylinder_trace.store.fleet.place import (
    FIGURE,
    FLEET,
    Followed,
    Overtaken,
    count_of,
    forget,
    read_followed,
    write_followed,
)
from cylinder_trace.store.fleet.stretch import STOCK, Stretch, checks_of, scans_of
from cylinder_trace.store.lead import leads
from cylinder_trace.store.progress import Tell, silent
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.understood import NotUnderstood

log = logging.getLogger(__name__)
_BESIDE = 160
"""Entries of a stretch while others append: the write lock of SQLite is held for some milliseconds."""
_AT_ONCE = 2000
"""Entries of a stretch when nobody waits."""
_REDONE = 500
"""Rows made anew in a step, at least: most of them stay as they are."""
_GATHER_S = 0.3
_KEYS = 500
_LEAD = "pinglian-follower"


class _Went(NamedTuple):
    """What a step came to."""

    size: int
    """How many entries are folded now."""
    full: bool
    """It took as much as it may, so that more may wait."""


class Follower(Following):
    """Keeps the lists and figures of one ledger; on PostgreSQL only the process that holds the lock does.

    `notify` it of what was committed; what is not folded when it stops is folded after the next start.
    """

    def __init__(self, engine: Engine, reader: Reader, rulebook_id: str) -> None:
        """`engine` writes without taking SQLite's lock before it writes; due days are reckoned by `rulebook_id`."""
        self._engine, self._reader, self._rulebook_id = engine, reader, rulebook_id
        self._waits_for_newer = False
        super().__init__("follower", reader.size)

    def step(self, limit: int = _AT_ONCE) -> int:
        """Go one step on, unless another process does; how many entries are folded now, -1 if there was nothing."""
        went = self._go_on(limit)
        return went.size if went else -1

    def catch_up(self, tell: Tell = silent) -> int:
        """Have everything folded that is committed, by this process or by the one that leads; how many entries."""
        while (place := self._followed().place).size < (size := self._reader.size()) or place.redo is not None:
            tell("entries folded 归并", place.size, size)
            try:
                worked = self.step() >= 0
            except Overtaken:
                worked = False
            if not worked:
                self._stop.wait(_GATHER_S)
        return size

    def rebuild(self, tell: Tell = silent) -> int:
        """Drop the lists and figures and make them anew from the first entry on."""
        with self._engine.begin() as writing:
            forget(writing)
        return self.catch_up(tell)

    def place(self) -> int:
        """To how many entries of the log the lists are complete."""
        return self._followed().place.size

    def count(self) -> int:
        """How many cylinders the lists hold."""
        with self._engine.connect() as reading:
            return count_of(reading)

    def _try_step(self) -> bool:
        try:
            went = self._go_on(_BESIDE)
        except Overtaken:
            return False
        except NotUnderstood as error:
            if not self._waits_for_newer:
                log.warning("the lists wait for a process of a newer version: %s", error)
            self._waits_for_newer = True
        except (SQLAlchemyError, OSError) as error:
            log.warning("the lists do not follow, trying again: %s", type(error).__name__)
        except Exception:
            # whatever it is, the thread lives on and says so; no list is taken for a decision
            log.exception("the lists do not follow, trying again")
        else:
            self._waits_for_newer = False
            return went is not None and went.full
        return False

    def _go_on(self, limit: int) -> _Went | None:
        with self._engine.begin() as writing:
            if not leads(writing, _LEAD):
                return None
            before = self._followed()
            stretch = self._stretch(before, limit)
            if stretch is None:
                return None
            _write(writing, before, stretch)
        redone, folded = before.place.redo is not None, stretch.place.size - before.place.size
        return _Went(stretch.place.size, full=redone or folded == limit)

    def _followed(self) -> Followed:
        with self._engine.connect() as reading:
            return read_followed(reading)

    def _stretch(self, before: Followed, limit: int) -> Stretch | None:
        stretch = Stretch(before, self._rulebook_id, self._reader.suite)
        if before.place.redo is not None:
            most = max(limit, _REDONE)
            rows = self._rows_behind(before, most)
            stretch.redo(rows, done=len(rows) < most)
            return stretch
        entries = self._reader.entries(before.place.size, limit)
        if not entries:
            return None
        stretch.fold(entries, self._known(entries), self._scans(entries))
        return stretch

    def _rows_behind(self, before: Followed, limit: int) -> Sequence[dict[str, Any]]:
        redo = before.place.redo
        assert redo is not None  # noqa: S101 - asked only then
        query = select(FLEET).where(FLEET.c.cylinder_id > redo.after).order_by(FLEET.c.cylinder_id).limit(limit)
        if redo.owners is not None:
            query = query.where(FLEET.c.owner_id.in_(redo.owners))
        with self._engine.connect() as reading:
            return [dict(row._mapping) for row in reading.execute(query)]

    def _known(self, entries: Sequence[StoredEntry]) -> dict[str, Known]:
        names = {entry.subject.partition("/")[2] for entry in entries if entry.subject.startswith("cylinder/")}
        with self._engine.connect() as reading:
            found = [
                known_of(dict(row._mapping))
                for keys in _some(sorted(names))
                for row in reading.execute(select(FLEET).where(FLEET.c.cylinder_id.in_(keys)))
            ]
        return {f"cylinder/{known.cylinder_id}": known for known in found}

    def _scans(self, entries: Sequence[StoredEntry]) -> dict[str, tuple[int, str | None]]:
        decisions = [row for keys in _some(sorted(checks_of(entries))) for row in self._reader.entries_called(keys)]
        return scans_of(decisions)


def _some(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[start : start + _KEYS] for start in range(0, len(keys), _KEYS))


def _write(connection: Connection, before: Followed, stretch: Stretch) -> None:
    write_followed(connection, before, stretch.after)
    for month in stretch.closed:
        _close(connection, month)
    if stretch.new:
        connection.execute(insert(FLEET), stretch.new)
    for names, rows in stretch.changed.items():
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
        change = update(FLEET).where(FLEET.c.cylinder_id == bindparam("new_cylinder_id")).values(values)
        connection.execute(change, [{f"new_{name}": value for name, value in row.items()} for row in rows])
    _add(connection, stretch.sums)


def _close(connection: Connection, month: int) -> None:
    """Keep the stock as it is at the end of a month."""
    names = [column.name for column in FIGURE.columns]
    where = FIGURE.c.company_id, FIGURE.c.station_id
    stock = select(literal(month), FIGURE.c.word, FIGURE.c.district, *where, FIGURE.c.value)
    stock = stock.where(FIGURE.c.month == STOCK, FIGURE.c.value != 0, FIGURE.c.word.not_like(f"{DUE}%"))
    late = select(literal(month), literal("overdue"), FIGURE.c.district, *where, func.sum(FIGURE.c.value))
    late = late.where(FIGURE.c.month == STOCK, FIGURE.c.word.like(f"{DUE}%"))
    late = late.where(FIGURE.c.word <= f"{DUE}{last_day(month):07}").group_by(FIGURE.c.district, *where)
    for query in (stock, late):
        connection.execute(insert(FIGURE).from_select(names, query))


def _add(connection: Connection, sums: Sums) -> None:
    if not sums:
        return
    insert_into = postgresql.insert(FIGURE) if connection.dialect.name == "postgresql" else sqlite.insert(FIGURE)
    keys = list(FIGURE.primary_key.columns)
    more = insert_into.on_conflict_do_update(
        index_elements=keys, set_={"value": FIGURE.c.value + insert_into.excluded.value}
    )
    connection.execute(more, [{**key._asdict(), "value": value} for key, value in sorted(sums.items())])
