"""Writing the service's own tables (accounts, clients, logins) from another process, beside a running service."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine

from cylinder_trace.store.database import StoreError
from cylinder_trace.store.line import Line
from cylinder_trace.store.unit import Batch, Unit

Answer = TypeVar("Answer")


def write_beside(engine: Engine, work: Callable[[Unit], Answer], now: int) -> Answer:
    """Run `work` in a transaction of its own, under the writer's lock. Raises StoreError if it appends an entry.

    Only the one group commit of a process appends: it remembers how long the log is.
    """
    line = Line(engine)
    try:
        with line.transaction() as begun:
            size = begun.newest.log_index + 1 if begun.newest else 0
            batch = Batch(begun.connection, begun.wire, size, now)
            unit = Unit(batch)
            answer = work(unit)
            if unit.staged.entries:
                raise StoreError("entries are appended by the service alone; nothing was written")
            batch.staged.absorb(unit.staged)
            batch.flush()
    finally:
        line.close()
    return answer
