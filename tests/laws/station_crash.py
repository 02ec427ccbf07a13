"""Law: kill a station's agent at any moment; no gas is without its record, nothing is doubled, the valves are shut."""

import random
from itertools import count
from pathlib import Path

from stations.laws import all_sent, assert_sound, kill_at_random_moments
from stations.nursery import Nursery
from stations.pieces import station_in
from stations.service import running_service

MOMENTS = 10


def check(seed: int, folder: Path) -> None:
    """One station, killed ten times, with the service at hand."""
    with (
        running_service(folder / "service", cylinders=2 * MOMENTS) as service,
        station_in(folder / "station", time_factor=100) as place,
    ):
        place.enrol(service.url, service.enrolment_code())
        nursery = Nursery()
        try:
            scans = kill_at_random_moments(place, nursery, random.Random(seed), MOMENTS, count(1))
            agent = place.start(nursery)
            all_sent(place, agent)
            agent.stop()
            assert_sound(service, place, scans, f"seed {seed}")
        finally:
            nursery.close()
