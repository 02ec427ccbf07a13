"""A process that writes to a ledger from several threads and notes each receipt; made to be killed. See `crash`.

Each runs in a fork of one process that has everything imported, so that a thousand of them are soon started.
"""

import faulthandler
import functools
import itertools
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

from cylinder_trace.events import Record
from cylinder_trace.store import publisher
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.publishing import publishing_of
from cylinder_trace.store.unit import Receipt
from laws import crash_points
from ledgers.homes import KEY, Home, bound, registered, returned

THREADS = 4
_LONGEST_S = 60.0
"""A writer whose tests were themselves killed must not write for ever."""
_HANGS_AFTER_S = 110.0
"""One that hangs says where, and ends."""
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


class Life(NamedTuple):
    """What a writer is told. `acknowledged` is the file of its receipts, a line ``id index hash`` each."""

    home: Home
    acknowledged: Path
    before: int = 0
    """Entries that are recorded and published before the threads begin."""
    point: str | None = None
    """The crash point at which it ends itself, once it is asked for its first entry."""
    first: int = 0
    """The number of the first thread: writers of one ledger at the same time have threads of their own."""
    gather_s: float = 0.02
    """How long the publisher gathers: the shorter, the more often something is just being published."""


def begin(life: Life) -> ForkServerProcess:
    """Start a writer."""
    return fork(live, life)


def fork(act: Callable[..., None], *values: Any) -> ForkServerProcess:
    """Start a process that does `act` and ends."""
    _ensure_running()
    process = _FORKS.Process(target=act, args=values, daemon=True)
    process.start()
    return process


@functools.cache
def _ensure_running() -> None:
    """The process that is forked imports what lies on our path, which Python 3.11 does not hand on to it."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        forkserver.ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        os.environ |= {} if before is None else {"PYTHONPATH": before}


def records_of(number: int, turn: int) -> list[Record]:
    """What thread `number` appends at its turn: the same whenever it is asked for."""
    if turn == 0:
        return [registered(number), bound(number)]
    return [returned(number, f"r{number}.{turn}.{part}") for part in range(1 + (number + turn) % 3)]


def _answered(ledger: Ledger, records: list[Record]) -> list[Receipt]:
    """Ask until there is an answer, with the same ids: a process that stood still may have lost its line meanwhile."""
    while True:
        with suppress(StoreError):
            return ledger.append(records)
        time.sleep(0.01)


def line_of(receipt: Receipt) -> str:
    """The receipt as it is noted."""
    return f"{receipt.id} {receipt.index} {receipt.hash}"


def live(life: Life) -> None:
    faulthandler.dump_traceback_later(_HANGS_AFTER_S, exit=True)
    publisher._GATHER_S = life.gather_s
    trap = crash_points.arm_at(life.point) if life.point else crash_points.Trap(armed=False)
    with Ledger(life.home.url, life.home.folder, KEY, life.home.clock, publishing_of(life.home.folder)) as ledger:
        if life.before:
            ledger.append([registered(1_000_000 + number) for number in range(life.before)])
            ledger.publisher.publish()
        trap.armed = life.point is not None
        write(ledger, life.acknowledged, life.first)


def write(ledger: Ledger, acknowledged: Path, first: int = 0) -> None:
    """Append from several threads for ever; a receipt is noted only after the ledger has answered."""
    notes = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    deadline = time.monotonic() + _LONGEST_S

    def append(number: int) -> None:
        for turn in itertools.count():
            receipts = _answered(ledger, records_of(number, turn))
            os.write(notes, "".join(f"{line_of(receipt)}\n" for receipt in receipts).encode())
            if time.monotonic() > deadline:
                os._exit(3)

    threads = [threading.Thread(target=append, args=(first + number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
