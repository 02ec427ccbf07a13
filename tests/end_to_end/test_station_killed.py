"""Agents killed with `kill -9` at thirty moments that nobody chooses: real processes, judged by the log of the scales.

Two stations at one service are killed at the same time; each agent has two lanes under way, or is starting.
"""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from stations.laws import Scanned, all_sent, assert_sound, kill_at_random_moments
from stations.nursery import Nursery
from stations.pieces import Place, station_in
from stations.service import RealService, running_service

pytestmark = pytest.mark.slow
_STATIONS, _MOMENTS = 2, 15
_SCANS = 2 * _MOMENTS
"""At most so many cylinders are scanned at one station."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RealService]:
    with running_service(tmp_path / "service", cylinders=_STATIONS * _SCANS) as service:
        yield service


@pytest.fixture
def places(tmp_path: Path, service: RealService) -> Iterator[list[Place]]:
    """Stations whose scales fill a hundred times as fast as real ones."""
    with ExitStack() as stack:
        folders = [tmp_path / f"station-{number}" for number in range(_STATIONS)]
        places = [stack.enter_context(station_in(folder, time_factor=100)) for folder in folders]
        for place in places:
            place.enrol(service.url, service.enrolment_code())
        yield places


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


def test_killed_at_thirty_random_moments_no_gas_is_without_its_record_and_nothing_is_doubled(
    service: RealService, places: list[Place], nursery: Nursery
) -> None:
    seed = random.randrange(10**6)

    def kill(number: int) -> list[Scanned]:
        place, dice = places[number], random.Random(seed + number)
        scans = kill_at_random_moments(place, nursery, dice, _MOMENTS, count(1 + number * _SCANS))
        agent = place.start(nursery)
        all_sent(place, agent)
        agent.stop()
        return scans

    with ThreadPoolExecutor(_STATIONS) as hands:
        every = list(hands.map(kill, range(_STATIONS)))
    for place, scans in zip(places, every, strict=True):
        assert_sound(service, place, scans, f"seed {seed}")
