"""Rows about the service, measured over HTTP."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from benchmarks.folders import fresh_folder
from benchmarks.http_client import answers_per_second, post
from benchmarks.machine import ROOT
from benchmarks.measure import BenchError, Pair, Row, Scale
from load_stations import Station, fill_request
from processes import ServerError, free_port, running_server
from town_service import AccessError, running_town, station_in

_PATH = "/v1/fill-checks"
_CYLINDERS = 2000


@contextmanager
def _prepare_fill_check(scale: Scale) -> Iterator[Pair]:
    checks, numbers = scale.count(1000), count()
    try:
        with fresh_folder() as folder, running_town(folder, _CYLINDERS) as town, empty_endpoint(folder) as empty:
            station = station_in(town)

            def ask(port: int) -> float:
                return answers_per_second(
                    port, [fill_check_request(station, port, next(numbers)) for _ in range(checks)]
                )

            yield Pair(ours=lambda: ask(town.port), other=lambda: ask(empty))
    except (ServerError, AccessError) as error:
        raise BenchError(str(error)) from error


def fill_check_request(station: Station, port: int, number: int) -> bytes:
    """A scan of the next cylinder, on the lanes in turn, every check with an id of its own."""
    cylinder = station.cylinders[number % len(station.cylinders)]
    check_id = f"bench-{number}"
    body = fill_request(station, check_id, number % 8 + 1, cylinder.code, cylinder.tare_g + 100)
    return post(_PATH, port, {**station.headers, "Idempotency-Key": check_id}, body)


@contextmanager
def empty_endpoint(folder: Path) -> Iterator[int]:
    """The port of the peer."""
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "benchmarks.peers.empty_endpoint:app",
        "--app-dir", str(ROOT / "loadtests"), "--port", str(port), "--log-level", "warning", "--no-access-log",
    ]  # fmt: skip
    with running_server(command, f"http://127.0.0.1:{port}/healthz", folder / "empty_endpoint.log"):
        yield port


FILL_CHECK = Row(
    name="api.fill_check",
    unit="/s",
    better="higher",
    goal=0.45,
    kind="bound",
    against="an empty FastAPI endpoint that validates the same bodies",
    prepare=_prepare_fill_check,
)
"""Authenticated, all rules, recorded durably before the answer; 32 connections against one process each."""
