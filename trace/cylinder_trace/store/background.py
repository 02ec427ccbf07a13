"""Work beside the requests (后台): a thread of its own that is woken when there may be something to do."""

import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

_REST = 4
"""Times as long as it worked whatever follows the log rests while the log grows: whoever waits for an answer goes
first, and yet a steady day's entries are followed as they come."""
_LOOK_AGAIN_S = 1.0
_GATHER_S = 0.6


class Background:
    """Begun once, woken, and stopped between two pieces of its work; whoever derives from it writes `_run`."""

    def __init__(self, name: str) -> None:
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work in the background."""
        self._thread.start()

    def notify(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def stop(self) -> None:
        """Stop between two pieces of work and wait for the end of the thread; also where it never began."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        """Work until `_stop` is set, resting on `_wake`."""
        raise NotImplementedError


class Following(Background):
    """Follows the log in steps: those that more waits behind go one after the other, with rests while the log grows.

    Where nothing waits any more, what is committed in the next moment comes together: a step costs some thirty messages
    to PostgreSQL, however few entries it takes.
    """

    def __init__(self, name: str, size: Callable[[], int]) -> None:
        """`size` reads how many entries the log has."""
        super().__init__(name)
        self._size = size

    def _run(self) -> None:
        seen = 0
        while not self._stop.is_set():
            started = time.monotonic()
            more_waits = self._try_step()
            size = self._size_or(seen)
            grows, seen = size > seen, size
            if not more_waits:
                self._wake.wait(_LOOK_AGAIN_S)
                self._stop.wait(_GATHER_S)
                self._wake.clear()
            elif grows:
                self._stop.wait(_REST * (time.monotonic() - started))

    def _size_or(self, otherwise: int) -> int:
        try:
            return self._size()
        except (SQLAlchemyError, OSError):
            return otherwise

    def _try_step(self) -> bool:
        """Go one step on; whether it was a full one, so that more may wait. Must not raise."""
        raise NotImplementedError
