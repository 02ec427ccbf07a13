"""The ledger on disk: group commit in front, publisher behind, reader beside.

Callers hand in *work*: a function that reads states, decides and appends through a `Unit`.  One writing thread gathers
whatever work has arrived, runs it piece by piece against memory, writes the result in bulk and commits once.  A caller
who waits for his answer anyway, and finds nobody else there, commits in his own thread: two changes of threads cost as
much as the commit.  Of bulk work (an upload, an import) a commit takes some, behind everybody else's: a fill check does
not wait for all that stations send after an outage.  An answer means durable.  Work that raises gets
its exception back and leaves nothing; its neighbours are not touched.

Crash points: before the commit nothing of the batch exists and nobody was answered; after it all of it exists, and a
caller who did not get the answer asks again with the same id and gets the same receipt.
"""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from filelock import FileLock
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace.events import Record
from cylinder_trace.promise import RECEIPT_FORMAT, Promise, SignedReceipt, sign_promise
from cylinder_trace.store.database import StoreError, create_schema, lock_file, open_engine, parse_url, sqlite_path
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.line import Begun, Line
from cylinder_trace.store.memory import Memory
from cylinder_trace.store.publisher import Publisher
from cylinder_trace.store.publishing import ALARMS, ONE_KEY, Publishing
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.unit import NO_HINTS, Batch, Hints, Receipt, Unit, hints_for, keys_by_model, table_of
from cylinder_trace.store.wire import Ahead, CommitUnknown
from cylinder_trace.store.write_back import WriteBack
from cylinder_trace.suite import Suite, suite_of_origin
from cylinder_trace.values import built

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Clock = Callable[[], int]
"""Answers with UTC milliseconds."""
Listener = Callable[[int, Sequence[str]], None]
"""Called after each commit with the log's new size and the subjects that changed."""

_LARGEST_BATCH = 512
_BULK_AT_ONCE = 1000
"""Records of bulk work in one commit, about; a tenth of a second and more."""
_IN_RECEIPT = ("id", "subject", "n", "prev", "index", "hash", "recorded_at")
_NOT_RECORDED = "the ledger cannot write now; nothing of this was recorded, try again"
_UNKNOWN = "the database did not say whether this was recorded: ask again with the same id, which records it once"


class _Work(NamedTuple):
    """A caller's work, waiting for its group commit."""

    run: Callable[[Unit], Any]
    hints: Hints
    future: Future[Any]
    records: int


class Ledger:
    """An open ledger. Use as a context manager, or call `close`."""

    def __init__(self, url: str, folder: Path, key: SigningKey, clock: Clock, publishing: Publishing = ONE_KEY) -> None:
        """Open the ledger at `url`, its public files under ``folder/log``; raises StoreError.

        `key` is named as the log's origin, which also says the hash suite: SM3 if it ends in ``/sm3``.
        """
        parsed = parse_url(url)
        self._lock = _take_lock(sqlite_path(parsed))
        self._clock = clock
        self._listeners: list[Listener] = []
        self._works: deque[_Work] = deque()
        self._bulk: deque[_Work] = deque()
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        """True for each work handed in, False at the end."""
        self._memory: Memory | None = None
        self._turn = threading.Lock()
        """Whoever holds it commits. Works leave their queue under it alone: nobody overtakes what was there before."""
        self._closed = False
        self._engine = open_engine(parsed, writer=True)
        self._line = Line(self._engine)
        self._reading = open_engine(parsed, writer=False)
        self._write_back = WriteBack(self._reading) if self._lock else None
        self._suite = suite_of_origin(key.name)
        files = LogFiles(folder / "log", self._suite)
        self.key = key
        self.reader = Reader(self._reading, files, format_vkey(key.verifying_key))
        # Publishing must not hold the writer's lock while it writes tiles: its transactions lock only when they write.
        self.publisher = Publisher(self._reading, self.reader, files, key, clock, publishing, folder / ALARMS)
        self._start()

    def _start(self) -> None:
        try:
            create_schema(self._engine, self.key.name)
            self.publisher.start()
        except BaseException:
            self._release()
            raise
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()
        if self._write_back is not None:
            self._write_back.start()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def engine(self) -> Engine:
        """For reading the service's own tables."""
        return self._reading

    @property
    def waiting(self) -> int:
        """Works that wait for the next group commit."""
        return len(self._works) + len(self._bulk)

    def submit(self, work: Callable[[Unit], Answer], hints: Hints = NO_HINTS, *, bulk: int = 0) -> "Future[Answer]":
        """Run `work` in the next group commit; the future answers once the commit is durable.

        `hints` may name what the work will look up, so that one query reads it for all works of the commit.  `bulk`:
        about so many records, of work that gives way to others.  Raises StoreError when the ledger is closed.
        """
        if self._closed:
            raise StoreError("the ledger is closed")
        future: Future[Answer] = Future()
        (self._bulk if bulk else self._works).append(_Work(work, hints, future, bulk))
        self._wake.put(True)
        return future

    def transact(self, work: Callable[[Unit], Answer], hints: Hints = NO_HINTS) -> Answer:
        """`submit` and wait."""
        if not self._turn.acquire(blocking=False):
            return self.submit(work, hints).result()
        try:
            alone = not self.waiting and not self._closed
            # Only his own work: an interrupt of this thread must not leave other callers without an answer.
            future = self._commit_own(work, hints) if alone else None
        finally:
            self._turn.release()
        return (future or self.submit(work, hints)).result()

    def _commit_own(self, work: Callable[[Unit], Answer], hints: Hints) -> "Future[Answer]":
        future: Future[Answer] = Future()
        self._commit([_Work(work, hints, future, 0)])
        return future

    def append(self, records: Sequence[Record]) -> list[Receipt]:
        """Append `records` in one transaction: all or none."""
        return self.transact(lambda unit: unit.append_all(records), hints_for(records))

    def sign(self, receipt: Receipt) -> SignedReceipt:
        """The receipt with this ledger's signed promise, for whoever must be able to hold it against the ledger.

        Only for a receipt that a commit has answered with: nothing is promised that may yet be undone.
        """
        # All of it comes from the ledger itself, which has checked it, and not from a caller.
        fields = {"format": RECEIPT_FORMAT, **{name: getattr(receipt, name) for name in _IN_RECEIPT}}
        promise = {"origin": self.key.name, **{name: fields[name] for name in ("index", "hash", "recorded_at")}}
        fields["promise"] = sign_promise(built(Promise, promise, set(promise)), self.key)
        return built(SignedReceipt, fields, set(fields))

    def listen(self, listener: Listener) -> None:
        """Call `listener` after each commit, in the thread that committed: it must be quick and must not raise."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Finish what was submitted, publish it, and let go of the database."""
        with self._turn:
            self._closed = True
        self._wake.put(False)
        self._thread.join()
        self.publisher.stop()
        if self._write_back is not None:
            self._write_back.stop()
        self._release()

    def _release(self) -> None:
        self._line.close()
        self._engine.dispose()
        self._reading.dispose()
        if self._lock is not None:
            self._lock.release()

    def _run(self) -> None:
        while self._wake.get():
            with self._turn:
                works = self._next_works()
                if running := [work for work in works if work.future.set_running_or_notify_cancel()]:
                    self._commit(running)

    def _next_works(self) -> list[_Work]:
        """What has arrived, and behind it some of the bulk work."""
        works = [self._works.popleft() for _ in range(min(len(self._works), _LARGEST_BATCH))]
        room = _BULK_AT_ONCE
        while self._bulk and room > 0:
            works.append(self._bulk.popleft())
            room -= works[-1].records
        return works

    def _commit(self, works: Sequence[_Work]) -> None:
        answers: list[tuple[Any, BaseException | None]] = []
        # Taken away until the commit is known to be durable: a failed one leaves no memory of what never came to be.
        memory, self._memory = self._memory, None
        hints = _all_hints(works)
        try:
            with self._line.transaction(_ahead(hints, memory)) as begun:
                batch = _open_batch(begun, self._clock(), memory, self._suite)
                batch.prefetch(hints)
                answers = [_run_work(work.run, batch) for work in works]
                batch.flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers get an answer and the thread lives on
            log.error("group commit failed: %s", _said(error))
            _fail(works, StoreError(_UNKNOWN if isinstance(error, CommitUnknown) else _NOT_RECORDED))
            return
        self._memory = batch.remember()
        self._announce(batch)
        for work, (answer, failure) in zip(works, answers, strict=True):
            work.future.set_exception(failure) if failure else work.future.set_result(answer)

    def _announce(self, batch: Batch) -> None:
        if not batch.staged.entries:
            return
        self.publisher.notify()
        if self._write_back is not None:
            self._write_back.committed(len(batch.staged.entries))
        for listener in self._listeners:
            listener(batch.next_index, list(batch.staged.subjects))


def _take_lock(path: Path | None) -> FileLock | None:
    if path is None:
        return None
    if not path.parent.is_dir():
        raise StoreError(f"there is no folder {path.parent}; create it or name another with --data")
    lock = lock_file(path)
    # The vault and the accounts lie in it too; SQLite gives its side files the rights of the database.
    path.touch(mode=0o600, exist_ok=True)
    return lock


def _all_hints(works: Sequence[_Work]) -> Hints:
    if len(works) == 1:
        return works[0].hints
    return Hints(
        [id for work in works for id in work.hints.ids],
        [subject for work in works for subject in work.hints.subjects],
        [code for work in works for code in work.hints.codes],
        [row for work in works for row in work.hints.rows],
    )


def _ahead(hints: Hints, memory: Memory | None) -> Ahead:
    """What `hints` leave to be asked for, when no more is known than `memory`."""
    rows = {table_of(model): keys for model, keys in keys_by_model(hints.rows).items()}
    if memory is None:
        return Ahead(None, hints.ids, hints.subjects, hints.codes, rows=rows)
    ids = [id for id in hints.ids if id not in memory.entries]
    cylinders = [f"cylinder/{memory.codes[code]}" for code in hints.codes if code in memory.codes]
    remembered = [subject for subject in (*hints.subjects, *cylinders) if subject in memory.subjects]
    return Ahead(memory.size, ids, hints.subjects, hints.codes, remembered, rows)


def _open_batch(begun: Begun, now: int, memory: Memory | None, suite: Suite) -> Batch:
    connection, wire, newest = begun
    size, clock = (newest.log_index + 1, max(now, newest.recorded_at)) if newest else (0, now)
    if memory is None or not memory.can_catch_up(size):
        memory = Memory(size)
    elif memory.size != size:  # another process has written
        memory.catch_up(size, wire.written_since(memory.size))
    return Batch(connection, wire, size, clock, memory, suite=suite)


def _said(error: Exception) -> str:
    """What went wrong, without the values that were to be written: a driver may quote them behind the first line."""
    return str(error) if isinstance(error, DBAPIError) else str(error).partition("\n")[0]


def _run_work(work: Callable[[Unit], Any], batch: Batch) -> tuple[Any, BaseException | None]:
    unit = Unit(batch)
    try:
        answer = work(unit)
    except (DBAPIError, OSError, batch.wire.Error):
        raise
    except Exception as error:  # noqa: BLE001 - whatever one caller's work raises is that caller's answer
        return None, error
    batch.staged.absorb(unit.staged)
    return answer, None


def _fail(works: Sequence[_Work], error: StoreError) -> None:
    for work in works:
        work.future.set_exception(error)
