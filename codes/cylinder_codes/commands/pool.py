"""Work on many things in several processes: stopped cleanly, and gone when the command is gone."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import repeat
from multiprocessing.connection import wait
from typing import Any, TypeVar

from cylinder_codes.commands.common import CannotCheck, whole_number

Job = TypeVar("Job")
Thing = TypeVar("Thing")
Result = TypeVar("Result")

_BATCH = 64
"""So few that a stop is quick and progress is seen, so many that handing them over costs nothing."""


_MOST_PROCESSES = 256


def add_processes(command: Any) -> None:
    """Add --processes, by default as many as this process may use processors."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    command.add_argument(
        "--processes", type=whole_number(1, _MOST_PROCESSES), default=here, help=f"processes that draw (default {here})"
    )


def in_batches(
    work: Callable[[Job, Sequence[Thing]], Result], job: Job, things: Sequence[Thing], processes: int
) -> Iterator[Result]:
    """Call ``work(job, some of things)`` until all are done, and give what each batch gave, in order.

    The first thing is done in this process: what is missing is missed at once, and what all share is made once. A
    single batch needs no other process. What ``work`` raises is raised here; batches already begun are finished.
    """
    yield work(job, things[:1])
    batches = [things[start : start + _BATCH] for start in range(1, len(things), _BATCH)]
    if processes == 1 or len(batches) <= 1:
        yield from (work(job, batch) for batch in batches)
    else:
        yield from _in_processes(work, job, batches, processes)


def _in_processes(
    work: Callable[[Job, Sequence[Thing]], Result], job: Job, batches: list[Sequence[Thing]], processes: int
) -> Iterator[Result]:
    pool = ProcessPoolExecutor(min(processes, len(batches)), initializer=_begin_worker)
    try:
        yield from pool.map(work, repeat(job), batches)
    except BrokenProcessPool as error:
        raise CannotCheck("a process that drew was killed: is there memory enough? Start the command again") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Ctrl-C reaches all processes of a terminal; only the first shall decide what becomes of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(parent: int) -> None:
    wait([parent])
    os._exit(1)  # a killed command leaves nobody who draws on
