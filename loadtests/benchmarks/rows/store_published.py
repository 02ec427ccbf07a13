"""Rows about publishing: how long after its answer an append is under a signed checkpoint that anybody can fetch."""

import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.callers import Answered, append_together, slowest_hundredth
from benchmarks.folders import fresh_folder
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.rows.store import Records, bench_ledger
from cylinder_trace.events import Record
from cylinder_trace.store.ledger import Ledger

_LOOK_EVERY_S = 0.005
_PATIENCE_S = 60.0
_PROMISE_MS = 1000.0
_PROMISE_TO_THE_WAITING_MS = 50.0
_WAITING = 8


@contextmanager
def _prepare_published(scale: Scale) -> Iterator[Pair]:
    amount = scale.count(10_000)
    with _published_ledger() as (ledger, checkpoint):
        fresh = Records()

        def ours() -> float:
            with Watch(checkpoint) as watch:
                answered = append_together(ledger, fresh.take(amount))
                watch.wait_for(max(answer.log_index for answer in answered))
            return 1000 * slowest_hundredth(watch.waits(answered))

        yield Pair(ours, lambda: _PROMISE_MS)


@contextmanager
def _prepare_when_waiting(scale: Scale) -> Iterator[Pair]:
    amount = scale.count(400)
    with _published_ledger() as (ledger, _checkpoint), ThreadPoolExecutor(_WAITING) as threads:
        fresh = Records()

        def append_and_wait(record: Record) -> float:
            (receipt,) = ledger.append([record])
            started = time.perf_counter()
            if not ledger.publisher.wait_published(receipt.index + 1, _PATIENCE_S):
                raise BenchError(f"entry {receipt.index} was not published in {_PATIENCE_S:.0f} s")
            return time.perf_counter() - started

        def ours() -> float:
            return 1000 * slowest_hundredth(list(threads.map(append_and_wait, fresh.take(amount))))

        yield Pair(ours, lambda: _PROMISE_TO_THE_WAITING_MS)


@contextmanager
def _published_ledger() -> Iterator[tuple[Ledger, Path]]:
    """A ledger on SQLite of which everything is published, and its checkpoint's file."""
    with fresh_folder() as folder, bench_ledger(f"sqlite:///{folder / 'ledger.db'}", folder) as ledger:
        ledger.publisher.publish()
        yield ledger, folder / "log" / "checkpoint"


class Watch:
    """Looks at the published checkpoint as a reader would, and keeps when it grew to which size."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes: list[int] = []
        self._times: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait_for(self, index: int) -> None:
        """Wait until a checkpoint covers entry `index`; raises BenchError when none does in a minute."""
        deadline = time.monotonic() + _PATIENCE_S
        while not (self._sizes and self._sizes[-1] > index):
            if time.monotonic() > deadline:
                raise BenchError(f"no checkpoint that covers entry {index} was published in {_PATIENCE_S:.0f} s")
            time.sleep(_LOOK_EVERY_S)

    def waits(self, answered: Sequence[Answered]) -> list[float]:
        """Seconds from each answer to the first checkpoint seen that covers it."""
        return [max(0.0, self._times[bisect_right(self._sizes, one.log_index)] - one.answered) for one in answered]

    def _run(self) -> None:
        known = None
        while not self._stop.wait(_LOOK_EVERY_S):
            about = self._path.stat()
            # each publication is a new file under the old name
            if (about.st_ino, about.st_mtime_ns) != known:
                known = about.st_ino, about.st_mtime_ns
                size = int(self._path.read_text(encoding="utf-8").split("\n")[1])
                self._times.append(time.perf_counter())
                self._sizes.append(size)


PUBLISHED_P99 = Row(
    name="store.published_p99",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 99 in 100 appends are under a published signed checkpoint 1 s after their answer",
    prepare=_prepare_published,
)
"""64 callers at once, as fast as they are answered; the checkpoint's file is looked at every 5 ms."""

PUBLISHED_WHEN_WAITING_P99 = Row(
    name="store.published_when_waiting_p99",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 99 in 100 callers who ask to wait for the checkpoint have it 50 ms after their answer",
    prepare=_prepare_when_waiting,
)
"""Eight callers at once, each appends one fill, waits until it is published, and appends the next."""
