"""Many callers at once, as a service has them: each hands in its next append when the one before is answered."""

import gc
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple

from cylinder_trace.events import Record
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.unit import Receipt, hints_for

CALLERS = 64


class Answered(NamedTuple):
    """One append: its place in the log, and when it was asked for and answered, in seconds of `time.perf_counter`."""

    log_index: int
    asked: float
    answered: float


def append_together(ledger: Ledger, records: Sequence[Record]) -> list[Answered]:
    """Append all `records`, 64 of them on their way at any time."""
    waiting = iter(records)
    callers = [_Caller(ledger, waiting) for _ in range(CALLERS)]
    with made_ahead():
        for caller in callers:
            caller.next()
        for caller in callers:
            caller.finished.wait()
    return list(chain.from_iterable(caller.answered for caller in callers))


def slowest_hundredth(waits: Sequence[float]) -> float:
    """99 in 100 of `waits` are shorter."""
    return sorted(waits)[len(waits) * 99 // 100]


class _Caller:
    """A caller as the service's event loop is one: it waits for its answer without a thread of its own."""

    def __init__(self, ledger: Ledger, waiting: Iterator[Record]) -> None:
        self._ledger, self._waiting = ledger, waiting
        self.answered: list[Answered] = []
        self.finished = threading.Event()

    def next(self) -> None:
        """Hand in the next append; the answer hands in the one behind it."""
        record = next(self._waiting, None)
        if record is None:
            self.finished.set()
            return
        asked = time.perf_counter()
        future = self._ledger.submit(lambda unit: unit.append(record), hints_for([record]))
        future.add_done_callback(lambda done: self._take(asked, done))

    def _take(self, asked: float, done: "Future[Receipt]") -> None:
        self.answered.append(Answered(done.result().index, asked, time.perf_counter()))
        self.next()


@contextmanager
def made_ahead() -> Iterator[None]:
    """The garbage collector does not walk through what is there already, above all the records made ahead."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
