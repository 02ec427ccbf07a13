"""Following the log into the EPCIS repository (跟随): each entry of a cylinder's life becomes its EPCIS events, once.

The append path knows nothing of it: the follower reads committed entries and writes a short transaction for each
stretch, see ``background`` for its rests.  Who asks for events helps it along first, so an answer is complete to the
log as it stood when the question came, or says to where it is.

Crash points: the events and the place up to which they hold are written in one transaction.  A kill before its commit
leaves the step undone, and it is done again from the same place; after it, it is not done twice.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, Engine, Table, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from cylinder_trace import events
from cylinder_trace.audit import StoredEntry
from cylinder_trace.cylinder import CylinderState, StateError, next_state
from cylinder_trace.epcis.context import Context, read_context
from cylinder_trace.epcis.faults import Faults
from cylinder_trace.epcis.indexing import index_of
from cylinder_trace.epcis.life import CONTEXT, EpcisEvent, Known, epcis_of, known_of
from cylinder_trace.events import Entry, Event
from cylinder_trace.store.background import Following
from cylinder_trace.store.epcis.writing import NewEvent, write_events
from cylinder_trace.store.fleet.place import Overtaken
from cylinder_trace.store.lead import leads
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import EntryRow, FollowedRow
from cylinder_trace.store.understood import NotUnderstood, entry_of, is_as_recorded

log = logging.getLogger(__name__)
_FOLLOWED: Table = FollowedRow.__table__  # type: ignore[attr-defined]
_ENTRY: Table = EntryRow.__table__  # type: ignore[attr-defined]
_NAME = "epcis"
"""Of the place, among those of other followers."""
_AT_ONCE = 160
"""Entries of a step: the write lock of SQLite is held for some milliseconds."""
_REMEMBERED = 4096
"""Cylinders whose names are remembered."""
_LEAD = "pinglian-epcis-follower"
_NAMING = (
    events.CylinderMade, events.CylinderRegistered, events.UseRegistered, events.RegistrationCancelled,
    events.CodeBound, events.RegistrationWithdrawn, events.CodeVoided, events.RetagRequested, events.RetagApproved,
    events.RetagRefused,
)  # fmt: skip
"""What a cylinder is called by hangs on these alone."""
_NAMING_WORDS = [cls.type for cls in _NAMING]
CONTEXT_TEXT = orjson.dumps(CONTEXT)
OWN_CONTEXT: Context = read_context(CONTEXT, Faults(), ())


class _Told(NamedTuple):
    """An entry that is understood."""

    stored: StoredEntry
    entry: Entry
    event: Event


class EpcisFollower(Following):
    """Keeps the ledger's own events in the repository; on PostgreSQL one process at a time does a step.

    `notify` it of what was committed; what is not written when it stops is written after the next start.
    """

    def __init__(self, engine: Engine, reader: Reader, clock: Callable[[], int]) -> None:
        """`engine` writes without taking SQLite's lock before it writes."""
        self._engine, self._reader, self._clock = engine, reader, clock
        self._names = _Names(engine)
        self._turn = threading.Lock()
        """One thread of this process steps at a time: the names remembered are those at the place."""
        super().__init__("epcis-follower", reader.size)

    def place(self) -> int:
        """To how many entries of the log the repository is complete."""
        with self._engine.connect() as reading:
            return _read_place(reading)

    def complete(self, within_s: float) -> int:
        """Bring the repository to where the log stands now, within a time; to how many entries it is complete."""
        size, until = self._reader.size(), time.monotonic() + within_s
        while (place := self.place()) < size and not self._stop.is_set() and time.monotonic() < until:
            if not self._try():
                self._stop.wait(0.01)  # another process or thread is at it
        return place

    def step(self, limit: int = _AT_ONCE) -> int:
        """Go one step on, unless another process does or there is nothing; by how many entries. Raises Overtaken."""
        with self._turn, self._engine.begin() as writing:
            if not leads(writing, _LEAD):
                return 0
            before = self.place()
            told, size = self._stretch(before, limit)
            if size == before:
                return 0
            self._names.at_hand([one.stored for one in told], before)
            made = list(self._events(told))  # nobody waits for the lock meanwhile
            _write_place(writing, before, size)
            write_events(writing, made, CONTEXT_TEXT, self._clock())
        self._names.place = size
        return size - before

    def _try_step(self) -> bool:
        return self._try() == _AT_ONCE

    def _try(self) -> int:
        try:
            return self.step()
        except Overtaken:
            self._names.forget()
            return 0
        except (SQLAlchemyError, OSError) as error:
            log.warning("the EPCIS repository does not follow, trying again: %s", type(error).__name__)
        except Exception:
            # whatever it is, the thread lives on and says so; no event in the repository is taken for a decision
            log.exception("the EPCIS repository does not follow, trying again")
        self._names.forget()
        return 0

    def _stretch(self, place: int, limit: int) -> tuple[list[_Told], int]:
        """The entries of a step that are understood, and the place behind it."""
        told, size = [], place
        for stored in self._reader.entries(place, limit):
            try:
                told.append(_Told(stored, *entry_of(stored.text, stored.type)))
            except NotUnderstood:
                if is_as_recorded(stored, self._reader.suite):
                    break  # a newer version's, which goes on from here
                log.warning("entry %d was changed behind the ledger's back and makes no event", stored.index)
            size = stored.index + 1
        return told, size

    def _events(self, told: Sequence[_Told]) -> Iterator[NewEvent]:
        for stored, entry, event in told:
            for made in epcis_of(entry, event, stored, self._known(stored, entry, event)):
                found_by = index_of(made, OWN_CONTEXT.expand)
                yield NewEvent(orjson.dumps(made), found_by, made["eventID"], made["eventID"], "", stored.index)

    def _known(self, stored: StoredEntry, entry: Entry, event: Event) -> Known | None:
        if not stored.subject.startswith("cylinder/"):
            return None
        before, state = self._names.now(stored.subject), self._names.after(stored, entry, event)
        if isinstance(event, events.RegistrationWithdrawn):
            state = before  # its codes are free from now on, and it is called by the one that it had
        if state is None:
            return None
        return known_of(state, self._corrected(event) if isinstance(event, events.Corrected) else ())

    def _corrected(self, correction: events.Corrected) -> tuple[EpcisEvent, ...]:
        """The events of the entry that is corrected, as they were made."""
        stored = self._reader.entry(correction.entry_id)
        if stored is None:
            return ()
        entry, event = entry_of(stored.text, stored.type)
        state = self._names.at(stored.subject, stored.index)
        return epcis_of(entry, event, stored, known_of(state) if state else None)


class _Names:
    """What cylinders are called by, as it was at each entry: folded from the entries that give and take names."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._states: OrderedDict[str, CylinderState | None] = OrderedDict()
        self.place = 0
        """To how many entries of the log what is remembered holds."""

    def forget(self) -> None:
        """Know nothing: the last step was not written."""
        self._states.clear()

    def at_hand(self, entries: Sequence[StoredEntry], place: int) -> None:
        """Have at hand what is known of these entries' cylinders at a place, from which they go on."""
        if place != self.place:  # another process has gone on meanwhile
            self.forget()
        subjects = {entry.subject for entry in entries if entry.subject.startswith("cylinder/")}
        unread = sorted(subjects - self._states.keys())
        if unread:
            self._states.update(self._read(unread, place))
        for subject in subjects:
            self._states.move_to_end(subject)
        while len(self._states) > max(_REMEMBERED, len(subjects)):
            self._states.popitem(last=False)

    def now(self, subject: str) -> CylinderState | None:
        """What is known of a cylinder at hand."""
        return self._states.get(subject)

    def after(self, stored: StoredEntry, entry: Entry, event: Event) -> CylinderState | None:
        """What is known of the cylinder once this entry is recorded."""
        if isinstance(event, _NAMING):
            self._states[stored.subject] = _folded(self._states.get(stored.subject), entry, event)
        return self._states.get(stored.subject)

    def at(self, subject: str, index: int) -> CylinderState | None:
        """The same at an entry of the past."""
        return self._read([subject], index + 1)[subject]

    def _read(self, subjects: Sequence[str], below: int) -> Mapping[str, CylinderState | None]:
        query = select(_ENTRY.c.subject, _ENTRY.c.type, _ENTRY.c.text).where(
            _ENTRY.c.subject.in_(subjects), _ENTRY.c.type.in_(_NAMING_WORDS), _ENTRY.c.log_index < below
        )
        states: dict[str, CylinderState | None] = dict.fromkeys(subjects)
        with self._engine.connect() as reading:
            for subject, word, stored in reading.execute(query.order_by(_ENTRY.c.subject, _ENTRY.c.n)):
                states[subject] = _folded(states[subject], *entry_of(bytes(stored), word))
        return states


def _folded(state: CylinderState | None, entry: Entry, event: Event) -> CylinderState | None:
    try:
        return next_state(state, entry, event)
    except StateError:  # it hangs on something else than names, and took or gave none
        return state


def _read_place(connection: Connection) -> int:
    said = connection.scalar(select(_FOLLOWED.c.value).where(_FOLLOWED.c.name == _NAME))
    return int(said or 0)


def _write_place(connection: Connection, before: int, after: int) -> None:
    """Go on from one place to the next; raises Overtaken when the stored place is another one."""
    here = _FOLLOWED.c.name == _NAME, _FOLLOWED.c.value == str(before)
    if connection.execute(update(_FOLLOWED).where(*here).values(value=str(after))).rowcount == 1:
        return
    if before:
        raise Overtaken
    try:
        connection.execute(insert(_FOLLOWED).values(name=_NAME, value=str(after)))
    except IntegrityError as error:  # the first step of all; two at once meet at the key
        raise Overtaken from error
