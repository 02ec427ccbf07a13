"""More seeds of `test_simulated_stations.py`: tests are spread over processes by file."""

import pytest

from stations.simulated.simulation import simulate


@pytest.mark.parametrize("seed", range(5, 9))
def test_days_of_five_stations_hold_every_law(seed: int) -> None:
    report = simulate(seed, stations=5, days=5, fills=12)
    assert report.fills >= 200
