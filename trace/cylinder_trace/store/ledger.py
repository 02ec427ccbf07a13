"""The ledger on disk: group commit in front, publisher behind, reader beside.

Callers hand in *work*: a function that reads states, decides and appends through a `Unit`.  One writing thread gathers
whatever work has arrived, runs it piece by piece against memory, writes the result in bulk and commits once.  An answer
means durable.  Work that raises gets its exception back and leaves nothing; its neighbours are not touched.

Crash points: before the commit nothing of the batch exists and nobody was answered; after it all of it exists, and a
caller who did not get the answer asks again with the same id and gets the same receipt.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from filelock import FileLock
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import DBAPIError

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace.events import Record
from cylinder_trace.store.database import StoreError, create_schema, lock_file, open_engine, parse_url, sqlite_path
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.publisher import Publisher
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import EntryRow
from cylinder_trace.store.unit import Batch, Receipt, Unit

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Clock = Callable[[], int]
"""Answers with UTC milliseconds."""
Listener = Callable[[int, Sequence[str]], None]
"""Called after each commit with the log's new size and the subjects that changed."""

_LARGEST_BATCH = 512


class Ledger:
    """An open ledger. Use as a context manager, or call `close`."""

    def __init__(self, url: str, folder: Path, key: SigningKey, clock: Clock) -> None:
        """Open the ledger at `url`, its public files under ``folder/log``; raises StoreError."""
        parsed = parse_url(url)
        self._lock = _take_lock(sqlite_path(parsed))
        self._clock = clock
        self._listeners: list[Listener] = []
        self._works: queue.SimpleQueue[tuple[Callable[[Unit], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._engine = open_engine(parsed, writer=True)
        self._reading = open_engine(parsed, writer=False)
        files = LogFiles(folder / "log")
        self.key = key
        self.reader = Reader(self._reading, files, format_vkey(key.verifying_key))
        # Publishing must not hold the writer's lock while it writes tiles: its transactions lock only when they write.
        self.publisher = Publisher(self._reading, self.reader, files, key, clock)
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

    def submit(self, work: Callable[[Unit], Answer]) -> "Future[Answer]":
        """Run `work` in the next group commit; the future answers once the commit is durable."""
        future: Future[Answer] = Future()
        self._works.put((work, future))
        return future

    def transact(self, work: Callable[[Unit], Answer]) -> Answer:
        """`submit` and wait."""
        return self.submit(work).result()

    def append(self, records: Sequence[Record]) -> list[Receipt]:
        """Append `records` in one transaction: all or none."""
        return self.transact(lambda unit: unit.append_all(records))

    def listen(self, listener: Listener) -> None:
        """Call `listener` after each commit, in the writing thread: it must be quick and must not raise."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Finish what was submitted, publish it, and let go of the database."""
        self._works.put(None)
        self._thread.join()
        self.publisher.stop()
        self._release()

    def _release(self) -> None:
        self._engine.dispose()
        self._reading.dispose()
        if self._lock is not None:
            self._lock.release()

    def _run(self) -> None:
        while (first := self._works.get()) is not None:
            works = [first]
            while len(works) < _LARGEST_BATCH and not self._works.empty():
                following = self._works.get()
                if following is None:
                    self._works.put(None)
                    break
                works.append(following)
            self._commit([work for work in works if work[1].set_running_or_notify_cancel()])

    def _commit(self, works: "list[tuple[Callable[[Unit], Any], Future[Any]]]") -> None:
        answers: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with self._engine.begin() as connection:
                batch = _open_batch(connection, self._clock())
                answers = [(future, *_run_work(work, batch)) for work, future in works]
                batch.flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers get an answer and the thread lives on
            log.error("group commit failed: %s", error)
            _fail(works, StoreError("the ledger cannot write now; nothing of this was recorded, try again"))
            return
        self._announce(batch)
        for future, answer, failure in answers:
            future.set_exception(failure) if failure else future.set_result(answer)

    def _announce(self, batch: Batch) -> None:
        if not batch.staged.entries:
            return
        self.publisher.notify()
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


_entry = EntryRow.__table__  # type: ignore[attr-defined]
_NEWEST_ENTRY = select(_entry.c.log_index, _entry.c.recorded_at).order_by(_entry.c.log_index.desc()).limit(1)


def _open_batch(connection: Connection, now: int) -> Batch:
    if connection.dialect.name == "postgresql":
        # One writer at a time gives gap-free indexes; the group commit makes that one lock per batch, not per entry.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('pinglian-writer'))"))
    row = connection.execute(_NEWEST_ENTRY).one_or_none()
    return Batch(connection, row.log_index + 1, max(now, row.recorded_at)) if row else Batch(connection, 0, now)


def _run_work(work: Callable[[Unit], Any], batch: Batch) -> tuple[Any, BaseException | None]:
    unit = Unit(batch)
    try:
        answer = work(unit)
    except (DBAPIError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever one caller's work raises is that caller's answer
        return None, error
    batch.staged.absorb(unit.staged)
    return answer, None


def _fail(works: "list[tuple[Callable[[Unit], Any], Future[Any]]]", error: StoreError) -> None:
    for _work, future in works:
        future.set_exception(error)


def wait_published(ledger: Ledger, size: int, timeout_s: float = 2.0) -> bool:
    """Wait until a checkpoint of at least `size` entries is published; False if it is not in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        newest = ledger.reader.checkpoint()
        if newest and newest[0] >= size:
            return True
        time.sleep(0.02)
    return False
