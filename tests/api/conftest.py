"""Running services for the tests of the HTTP door. One that is only added to is shared by the tests of a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_house import Device, House, database_of


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The service on each of its two homes: one process on SQLite, two that share the work on PostgreSQL."""
    folder = tmp_path_factory.mktemp("house")
    with database_of(request) as url, House(folder, url, two_processes=bool(url)) as house:
        yield house


@pytest.fixture(scope="module")
def one_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service on SQLite, for what does not depend on the home."""
    with House(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service whose rulebook lets a station fill what is entrusted to its company."""
    text = House(Path()).rulebook
    text = text.replace('basis = ["owned"]', 'basis = ["owned", "entrusted"]')
    with House(tmp_path_factory.mktemp("trusting"), rulebook=text) as house:
        yield house


@pytest.fixture
def device() -> Device:
    """The enrolled device of st_1, with nothing recorded yet."""
    return Device()
