"""Where the ledger of a load test lies, and the service on it: SQLite with one process, PostgreSQL and Redis with two.

The servers come from the packages that the tests use; PostgreSQL runs with its own defaults, so a commit is on disk
when it is answered.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from processes import ServerError, free_port, running_server
from servers.postgres import running_postgres
from servers.redis import running_redis
from town_service import Town

API = Path(sys.executable).with_name("cylinder-api")
HomeDb = Literal["sqlite", "postgres"]
_READY_S = 900
"""A large town takes its time."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the ledger lies, and what a process of the service must be told of it."""

    data: Path
    database_url: str
    environment: Mapping[str, str]

    @property
    def audited(self) -> str:
        """What ``cylinder-trace audit`` is told to look at."""
        return (
            str(self.data) if self.database_url.startswith("sqlite") else self.database_url.replace("+psycopg", "", 1)
        )


@dataclass(frozen=True, slots=True)
class Home:
    """A running service: one town for each of its processes, all of the same ledger."""

    towns: tuple[Town, ...]

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of the service."""
        return tuple(town.pid for town in self.towns)


@contextmanager
def running_place(folder: Path, home_db: HomeDb) -> Iterator[Place]:
    """Start the servers under the service, if it needs any, until the block ends. Raises ServerError."""
    data = folder / "data"
    if home_db == "sqlite":
        yield Place(data, f"sqlite:///{data / 'ledger.db'}", {})
        return
    with ExitStack() as stack:
        try:
            database, redis = stack.enter_context(running_postgres()), stack.enter_context(running_redis())
        except (RuntimeError, OSError) as error:
            raise ServerError(f"{error}; make load HOME_DB=sqlite needs neither") from error
        yield Place(data, database, {"DATABASE_URL": database, "REDIS_URL": redis})


@contextmanager
def running_home(folder: Path, place: Place, cylinders: int, processes: int, port: int | None) -> Iterator[Home]:
    """Seed a town and serve it with so many processes until the block ends. Raises ServerError."""
    seeds = ["--demo", "--cylinders", str(cylinders)]
    with ExitStack() as stack:
        first = stack.enter_context(_served(folder, place, seeds, port))
        more = [stack.enter_context(_served(folder, place, [], None)) for _ in range(processes - 1)]
        yield Home((first, *more))


@contextmanager
def _served(folder: Path, place: Place, more: list[str], port: int | None) -> Iterator[Town]:
    chosen = free_port(port or 0)
    base_url = f"http://127.0.0.1:{chosen}"
    command = [str(API), "serve", "--data", str(place.data), "--port", str(chosen), "--log-level", "warning", *more]
    log = folder / f"cylinder-api-{chosen}.log"
    with running_server(command, f"{base_url}/readyz", log, _READY_S, place.environment) as pid:
        yield Town(base_url, place.data, pid)
