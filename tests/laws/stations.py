"""Simulated stations in large numbers: months of five, and days of a hundred (`stations.simulated`)."""

from pathlib import Path

from stations.simulated.simulation import simulate


def month_of_five(seed: int, folder: Path) -> None:
    """Five stations for thirty days, more than 3,000 fills; the folder in memory is its own."""
    report = simulate(seed)
    assert report.fills >= 3_000


def days_of_a_hundred(seed: int, folder: Path) -> None:
    """A hundred stations at one ledger."""
    report = simulate(seed, stations=100, days=4, fills=12)
    assert report.fills >= 3_000
