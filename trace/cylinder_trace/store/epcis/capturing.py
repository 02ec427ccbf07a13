"""Capture jobs (采集任务): what others sent is kept durably first, then written as events, then fixed in the ledger.

Crash points.  Once a job's row is committed its document is ours: whoever is killed after that, here or at another
process, the job goes on at the next look.  Events are written some at a time, and the same again changes nothing.  The
ledger's entry and the end of the job are one transaction of the group commit, so a job that has ended has its entry.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Engine, Table, func, insert, select, text, tuple_
from sqlalchemy.exc import SQLAlchemyError

from cylinder_trace.epcis.claims import named_where_we_speak, speaks_our_words
from cylinder_trace.epcis.document import Captured, Document, Invalid, read_any
from cylinder_trace.epcis.event_hash import event_hash
from cylinder_trace.events import EpcisCaptured, state_event
from cylinder_trace.merkle import HashesInMemory, leaf_hash, root_hash
from cylinder_trace.store.background import Background
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.epcis.writing import EVENT, NewEvent, write_events
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import CodeRow, EpcisCaptureRow, SubjectNowRow
from cylinder_trace.store.unit import Unit

log = logging.getLogger(__name__)
Behaviour = Literal["rollback", "proceed"]
_CAPTURE: Table = EpcisCaptureRow.__table__  # type: ignore[attr-defined]
_CODE: Table = CodeRow.__table__  # type: ignore[attr-defined]
_NOW: Table = SubjectNowRow.__table__  # type: ignore[attr-defined]


class Stretch(NamedTuple):
    """What one transaction writes at most; a single event that has more goes alone."""

    events: int
    terms: int


_BESIDE = Stretch(64, 2_000)
"""On SQLite: fills wait for it some milliseconds."""
_AT_ONCE = Stretch(1_000, 50_000)
"""On PostgreSQL, where other captures and the follower of the log wait alone."""
_READY = 4
"""Jobs whose documents stay in memory until it is their turn; further ones are read again."""
_LOOK_AGAIN_S = 5.0
_KEYS = 500
_CLAIM = text("SELECT pg_try_advisory_lock(hashtext('pinglian-capture'), hashtext(:id))")


class Sender(NamedTuple):
    """Who captures."""

    org_id: str
    account_id: str


@dataclass(frozen=True, slots=True)
class Job:
    """A capture job as it stands."""

    id: str
    behaviour: str
    created_at: int
    finished_at: int | None
    errors: str
    """As JSON."""


class Captures(Background):
    """Takes documents, and works them off one after the other in the background, first what was left unfinished.

    It stops between two transactions; an unfinished job goes on after the next start.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], int]) -> None:
        self._ledger, self._engine, self._clock = ledger, ledger.engine, clock
        self._ready: deque[tuple[str, Document | None]] = deque()
        super().__init__("epcis-capture")

    def take(self, id: str, sender: Sender, behaviour: Behaviour, data: bytes, document: Document, errors: str) -> None:
        """Keep a valid document durably; its events are written soon."""
        with self._engine.begin() as writing:
            writing.execute(insert(_CAPTURE).values(**self._row(id, sender, behaviour, data, document, errors)))
        self._ready.append((id, document if len(self._ready) < _READY else None))
        self.notify()

    def take_now(self, id: str, sender: Sender, data: bytes, document: Document) -> str:
        """Write the one event of `document` and fix it in the ledger; its event id."""
        new = list(_new_events(document.events, sender.org_id))
        with self._engine.begin() as writing:
            row = self._row(id, sender, "rollback", data, document, "[]")
            writing.execute(insert(_CAPTURE).values(**row))
            write_events(writing, new, document.context_text, self._clock(), id)
        self._finish(id)
        return new[0].event_id

    def ours_among(self, events: Sequence[Captured]) -> list[int]:
        """The numbers of events that only the ledger may state."""
        ours = {one.number for one in events if speaks_our_words(one.event, one.context)}
        named = {one.number: named_where_we_speak(one.found_by) for one in events}
        codes = sorted({code for by in named.values() for code in by.codes})
        subjects = sorted({subject for by in named.values() for subject in by.subjects})
        given = {one.context.expand(one.event["eventID"]): one.number for one in events if "eventID" in one.event}
        with self._engine.connect() as reading:
            known = {*_found(reading, _CODE.c.code, codes), *_found(reading, _NOW.c.subject, subjects)}
            ids = _found(reading, EVENT.c.event_id, sorted(given), EVENT.c.source == "ledger")
        ours |= {number for number, by in named.items() if known & {*by.codes, *by.subjects}}
        return sorted(ours | {given[id] for id in ids})

    def job(self, id: str, org_id: str | None) -> Job | None:
        """A job, if it is the organisation's own; of any with None."""
        query = select(_CAPTURE).where(_CAPTURE.c.id == id)
        with self._engine.connect() as reading:
            row = reading.execute(query).one_or_none()
        return _job_of(row) if row and org_id in (None, row.org_id) else None

    def jobs(self, org_id: str | None, behind: tuple[int, str] | None, limit: int) -> list[Job]:
        """Jobs, the newest first, behind one that was created then and has this id."""
        place = tuple_(_CAPTURE.c.created_at, _CAPTURE.c.id)
        query = select(_CAPTURE).order_by(_CAPTURE.c.created_at.desc(), _CAPTURE.c.id.desc()).limit(limit)
        if org_id is not None:
            query = query.where(_CAPTURE.c.org_id == org_id)
        if behind is not None:
            query = query.where(place < tuple_(*behind))
        with self._engine.connect() as reading:
            return [_job_of(row) for row in reading.execute(query)]

    def work_off(self) -> None:
        """Finish what is unfinished and nobody else works on."""
        with self._engine.connect() as reading:
            query = select(_CAPTURE.c.id).where(_CAPTURE.c.finished_at.is_(None)).order_by(_CAPTURE.c.created_at)
            ids = reading.scalars(query).all()
        for id in ids:
            self._try_work(id, None)

    def _row(
        self, id: str, sender: Sender, behaviour: Behaviour, data: bytes, document: Document, errors: str
    ) -> dict[str, Any]:
        return {
            "id": id, "org_id": sender.org_id, "account_id": sender.account_id, "behaviour": behaviour,
            "document_sha256": sha256(data).hexdigest(), "document": data, "created_at": self._clock(),
            "events": document.size, "stored": 0, "errors": errors,
        }  # fmt: skip

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            while self._ready:
                self._try_work(*self._ready.popleft())
            try:
                self.work_off()
            except (SQLAlchemyError, OSError) as error:
                log.warning("capture jobs cannot be read, trying again: %s", type(error).__name__)
            self._wake.wait(_LOOK_AGAIN_S)

    def _try_work(self, id: str, document: Document | None) -> None:
        """Go on with a job as far as it goes; whatever stops it, the next look finds it unfinished."""
        try:
            with _claimed(self._engine, id) as is_mine:
                if is_mine:
                    self._work(id, document)
        except (SQLAlchemyError, OSError, StoreError) as error:
            log.warning("captured events are not written, trying again: %s", type(error).__name__)
        except Exception:
            log.exception("captured events are not written, trying again")

    def _work(self, id: str, document: Document | None) -> None:
        columns = (_CAPTURE.c.org_id, _CAPTURE.c.finished_at, *([] if document else [_CAPTURE.c.document]))
        with self._engine.connect() as reading:
            row = reading.execute(select(*columns).where(_CAPTURE.c.id == id)).one()
        if row.finished_at is None and self._write(id, row.org_id, document or _read_again(row.document)):
            self._finish(id)

    def _write(self, id: str, org_id: str, document: Document) -> bool:
        """Write the events; whether all are written, and not the service stopped."""
        most = _AT_ONCE if self._engine.dialect.name == "postgresql" else _BESIDE
        for some in stretches(document.events, most):
            if self._stop.is_set():
                return False
            new = list(_new_events(some, org_id))
            with self._engine.begin() as writing:
                write_events(writing, new, document.context_text, self._clock(), id)
        return True

    def _finish(self, id: str) -> None:
        """End the job and fix in the ledger what it brought."""
        kept = [column for column in _CAPTURE.columns if column.name != "document"]
        with self._engine.connect() as reading:
            job = EpcisCaptureRow(**reading.execute(select(*kept).where(_CAPTURE.c.id == id)).one()._mapping)
            texts = reading.scalars(select(EVENT.c.text).where(EVENT.c.capture_id == id).order_by(EVENT.c.seq)).all()
        suite = self._ledger.reader.suite
        hashes = HashesInMemory([leaf_hash(bytes(stored), suite) for stored in texts], suite)
        root = root_hash(len(texts), hashes, suite).hex() if texts else ""
        self._ledger.transact(lambda unit: _end(unit, job, len(texts), root))


def _end(unit: Unit, job: EpcisCaptureRow, count: int, root: str) -> None:
    """The job has ended: its entry in the ledger, if it brought anything new, and its row without the document."""
    ended = select(_CAPTURE.c.finished_at).where(_CAPTURE.c.id == job.id)
    if unit.connection.scalar(ended) is not None:
        return  # by another process that was slower than its claim
    if count:
        event = EpcisCaptured(org_id=job.org_id, document_sha256=job.document_sha256, count=count, root=root)
        subject = f"capture/{job.id}"
        unit.append(state_event(event, id=job.id, subject=subject, occurred_at=job.created_at, by=job.account_id))
    unit.put(EpcisCaptureRow(**{**job.model_dump(), "document": None, "finished_at": unit.now, "stored": count}))


def stretches(events: Sequence[Captured], most: Stretch) -> Iterator[list[Captured]]:
    """The events in order, each list as much as one transaction writes."""
    some: list[Captured] = []
    terms = 0
    for one in events:
        if some and (len(some) == most.events or terms + len(one.found_by.terms) > most.terms):
            yield some
            some, terms = [], 0
        some.append(one)
        terms += len(one.found_by.terms)
    if some:
        yield some


def _new_events(events: Sequence[Captured], org_id: str) -> Iterator[NewEvent]:
    for one in events:
        hash_id = None if "eventID" in one.event else event_hash(one.event, one.context.prefixes)
        yield NewEvent(one.text, one.found_by, hash_id or one.event["eventID"], hash_id, org_id)


def _read_again(data: bytes) -> Document:
    """A document that was valid when it came, in the eyes of this version of the program."""
    try:
        return read_any(data)
    except Invalid:
        log.error("a captured document is not valid to this version of the program; nothing more of it is written")
        return Document(b"", (), (), 0)


def _found(reading: Connection, column: Any, values: Sequence[str], *more: Any) -> set[str]:
    return {
        value
        for start in range(0, len(values), _KEYS)
        for value in reading.scalars(select(column).where(column.in_(values[start : start + _KEYS]), *more))
    }


def _job_of(row: Any) -> Job:
    return Job(row.id, row.behaviour, row.created_at, row.finished_at, row.errors)


@contextmanager
def _claimed(engine: Engine, id: str) -> Iterator[bool]:
    """Whether this process alone works on a job; the claim ends with the process."""
    if engine.dialect.name != "postgresql":
        yield True  # one process writes the file
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as claiming:
        is_mine = bool(claiming.scalar(_CLAIM, {"id": id}))
        try:
            yield is_mine
        finally:
            if is_mine:
                claiming.execute(select(func.pg_advisory_unlock(func.hashtext("pinglian-capture"), func.hashtext(id))))
