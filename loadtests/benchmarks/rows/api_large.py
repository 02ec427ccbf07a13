"""Rows about the service when a million cylinders are registered: how long a fill check waits, what memory it takes."""

import asyncio
import atexit
import random
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, partial
from itertools import count
from pathlib import Path

from benchmarks.callers import slowest_hundredth
from benchmarks.folders import fresh_folder
from benchmarks.http_client import answer_times, answers_per_second
from benchmarks.machine import resident_mb
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.rows.api import fill_check_request
from cylinder_codes.identifiers import make_code, new_cylinder_id
from cylinder_codes.keys import parse_signer, parse_tag_key
from cylinder_trace import events
from cylinder_trace.events import Record, Stamp, state_event
from cylinder_trace.store.ledger import Ledger
from load_stations import Cylinder, Station
from processes import ServerError
from town_service import AccessError, running_town, station_in

_TOWN = 200
_SEED = 20_261_122
_AT_ONCE = 500
_PROMISE_MS = 50.0
_PROMISE_MB = 200.0
_HALF = 0.5
"""Of the rate at which the service is saturated."""
_CHECKS = 200
_TARE_G = 16_500

_until_the_end = ExitStack()
atexit.register(_until_the_end.close)


class _Land:
    """A data folder in which one company has registered that many cylinders, and the station that fills them."""

    def __init__(self, cylinders: int) -> None:
        self.folder = _until_the_end.enter_context(fresh_folder())
        self._drawn, self._numbers = random.Random(_SEED), count()
        with running_town(self.folder, _TOWN) as town:
            self._station = station_in(town)
        self._tag = parse_tag_key(self._key_text("tag"))
        self._cylinders = cylinders
        self._register(self._owner())

    def some_checks(self, port: int, amount: int) -> list[bytes]:
        """Scans of any of all cylinders."""
        scanned = [Cylinder(self._code(self._drawn.randrange(self._cylinders)), _TARE_G) for _ in range(amount)]
        station: Station = replace(self._station, cylinders=tuple(scanned))
        first = next(self._numbers) * amount
        # The number also picks the cylinder: counted on, so that each check has an id that was never used.
        return [fill_check_request(station, port, first + number) for number in range(amount)]

    def _register(self, owner_id: str) -> None:
        data, started, said = self.folder / "data", time.monotonic(), time.monotonic()
        log = parse_signer(self._key_text("log"))
        with Ledger(f"sqlite:///{data / 'ledger.db'}", data, log, _now) as ledger:
            for start in range(0, self._cylinders, _AT_ONCE):
                numbers = range(start, min(self._cylinders, start + _AT_ONCE))
                ledger.append([record for number in numbers for record in self._records(number, owner_id)])
                if time.monotonic() - said > 5:
                    said = time.monotonic()
                    print(f"  building: {numbers.stop:,} of {self._cylinders:,} cylinders", file=sys.stderr)
            ledger.publisher.publish()
        print(f"  building: {self._cylinders:,} cylinders, {time.monotonic() - started:,.0f} s", file=sys.stderr)

    def _records(self, number: int, owner_id: str) -> tuple[Record, Record]:
        subject = f"cylinder/{new_cylinder_id(number.to_bytes(16, 'big'))}"
        stamp = Stamp(maker="generated", serial=f"B{number:07d}", model="YSP35.5", tare_g=_TARE_G,
                      manufactured_month="2024-03", water_volume_ml=35_500, max_fill_g=14_900)  # fmt: skip
        registered = events.CylinderRegistered(
            stamp=stamp, owner_id=owner_id, registration_no=f"L{number}", in_service_on="2024-04-01"
        )
        state = partial(state_event, subject=subject, occurred_at=1_720_000_000_000, by="bench")
        bound = events.CodeBound(code=self._code(number))
        return state(registered, id=f"large.{number}"), state(bound, id=f"large.{number}.code")

    def _code(self, number: int) -> str:
        return make_code(b"L" + number.to_bytes(9, "big"), self._tag).text

    def _owner(self) -> str:
        data = self.folder / "data"
        with Ledger(f"sqlite:///{data / 'ledger.db'}", data, parse_signer(self._key_text("log")), _now) as ledger:
            state = ledger.reader.state(f"station/{self._station.station_id}")
        owner_id = getattr(state, "company_id", None)
        if not isinstance(owner_id, str):
            raise BenchError(f"station {self._station.station_id} has no company: the town was made otherwise")
        return owner_id

    def _key_text(self, name: str) -> str:
        return Path(self.folder / "data" / "keys" / f"{name}.key").read_text(encoding="utf-8").strip()


@cache
def _land(cylinders: int) -> _Land:
    return _Land(cylinders)


@contextmanager
def _prepare_p99(scale: Scale) -> Iterator[Pair]:
    checks = scale.count(_CHECKS)
    try:
        land = _land(scale.count(100_000))
        with running_town(land.folder, _TOWN) as town:
            most = answers_per_second(town.port, land.some_checks(town.port, checks))

            def p99_ms() -> float:
                requests = land.some_checks(town.port, checks)
                drawn = random.Random(_SEED)
                return 1e3 * slowest_hundredth(asyncio.run(answer_times(town.port, requests, _HALF * most, drawn)))

            yield Pair(ours=p99_ms, other=lambda: _PROMISE_MS)
    except (ServerError, AccessError) as error:
        raise BenchError(str(error)) from error


@contextmanager
def _prepare_memory(scale: Scale) -> Iterator[Pair]:
    checks = scale.count(_CHECKS)
    try:
        land = _land(scale.count(100_000))
        with running_town(land.folder, _TOWN) as town:

            def most_memory_mb() -> float:
                answers_per_second(town.port, land.some_checks(town.port, checks))
                return resident_mb(town.pid)

            yield Pair(ours=most_memory_mb, other=lambda: _PROMISE_MB)
    except (ServerError, AccessError) as error:
        raise BenchError(str(error)) from error


def _now() -> int:
    return time.time_ns() // 1_000_000


FILL_CHECK_P99 = Row(
    name="api.fill_check_p99",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 50 ms, the slowest hundredth, at half of the rate that saturates, 1,000,000 cylinders",
    prepare=_prepare_p99,
    sizes="large",
)
"""From the moment at which a check should have been sent, drawn at random, whether or not the service was ready."""

MEMORY = Row(
    name="api.memory",
    unit="MB",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 200 MB resident, saturated with fill checks, 1,000,000 cylinders",
    prepare=_prepare_memory,
    sizes="large",
)
"""The most that `cylinder-api serve` ever had resident."""
