"""The eventsourcing library's recorder on PostgreSQL, in an environment of its own: eight threads, an event each time.

The recorder alone is asked, without the aggregates and mappers that an application puts before it.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from benchmarks.json_lines import answer_all

_THREADS = 8


class _Peer:
    """One recorder, and the aggregates of each thread: a thread's own, so that no two versions collide."""

    def __init__(self) -> None:
        self._recorder: Any = None
        self._event: Any = None
        self._state = b""
        self._aggregates: list[list[Any]] = []
        self._version = 0
        self._threads = ThreadPoolExecutor(_THREADS)

    def open(self, url: str, text: str, aggregates: int) -> bool:
        """Make its table in the database at `url`; every event will hold `text`."""
        at = urlsplit(url)
        environment = {
            "POSTGRES_HOST": at.hostname, "POSTGRES_PORT": str(at.port), "POSTGRES_USER": at.username,
            "POSTGRES_PASSWORD": at.password or "", "POSTGRES_DBNAME": at.path.strip("/"),
            "POSTGRES_POOL_SIZE": str(_THREADS),
        }  # fmt: skip
        factory = import_module("eventsourcing.postgres").PostgresFactory(environment)
        self._recorder = factory.application_recorder()
        self._event = import_module("eventsourcing.persistence").StoredEvent
        self._state = text.encode()
        self._aggregates = [[uuid4() for _ in range(aggregates // _THREADS)] for _ in range(_THREADS)]
        return True

    def append(self, each: int) -> float:
        """Events a second, when every thread appends `each` of them."""
        started = time.perf_counter()
        list(self._threads.map(lambda own: self._append(own, each), self._aggregates))
        took_s = time.perf_counter() - started
        self._version += each
        return _THREADS * each / took_s

    def _append(self, own: list[Any], each: int) -> None:
        for number in range(self._version, self._version + each):
            turn, place = divmod(number, len(own))
            self._recorder.insert_events([self._event(own[place], turn + 1, "filled", self._state)])


if __name__ == "__main__":
    peer = _Peer()
    answer_all({"open": peer.open, "append": peer.append})
