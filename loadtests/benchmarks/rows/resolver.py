"""Rows about what the public asks, measured over HTTP: the redirect behind a label, and the page it leads to."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import httpx

from benchmarks.folders import fresh_folder
from benchmarks.http_client import answers_per_second, get
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.rows.api import empty_endpoint
from processes import ServerError
from town_service import AccessError, Town, bearer, running_town, station_in

_CYLINDERS = 2000
_PATIENCE_S = 120
_AS_A_PHONE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}


@contextmanager
def _prepare(scale: Scale, before: str, status: int) -> Iterator[Pair]:
    """Labels of a whole town in turn, so that no answer is asked for twice before all the others were."""
    times = scale.count(1000)
    try:
        with fresh_folder() as folder, running_town(folder, _CYLINDERS) as town, empty_endpoint(folder) as empty:
            codes = [cylinder.code for cylinder in station_in(town).cylinders]
            _wait_for_the_lists(town)

            def ask(port: int, before: str, status: int) -> float:
                paths = (f"{before}/c/{codes[number % len(codes)]}" for number in range(times))
                return answers_per_second(port, [get(path, port, _AS_A_PHONE) for path in paths], status=status)

            yield Pair(ours=lambda: ask(town.port, before, status), other=lambda: ask(empty, "", 200))
    except (ServerError, AccessError) as error:
        raise BenchError(str(error)) from error


def _wait_for_the_lists(town: Town) -> None:
    """A service that has just begun follows the log beside its first requests; that is measured elsewhere."""
    patience = time.monotonic() + _PATIENCE_S
    while time.monotonic() < patience:
        told = httpx.get(f"{town.base_url}/v1/cylinders?limit=1", headers=bearer(town, "regulator")).json()
        if told["complete_to"]["age_ms"] == 0:
            return
        time.sleep(0.5)
    raise BenchError("the lists of the generated town were never complete")


_AN_EMPTY_ENDPOINT = "an empty FastAPI endpoint with a code in its path"
PUBLIC_ANSWER = Row(
    name="api.public_answer", unit="/s", better="higher", goal=0.5, kind="bound", against=_AN_EMPTY_ENDPOINT,
    prepare=partial(_prepare, before="/about", status=200),
)  # fmt: skip
"""Looked up each time, and written where its record has changed since; 32 connections, one process each."""
REDIRECT = Row(
    name="api.resolver_redirect", unit="/s", better="higher", goal=0.7, kind="bound", against=_AN_EMPTY_ENDPOINT,
    prepare=partial(_prepare, before="", status=307),
)  # fmt: skip
"""The label read, the code looked up, sent on."""
