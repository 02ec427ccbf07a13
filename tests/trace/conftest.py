"""A ledger on either home (账本之家), SQLite and PostgreSQL in turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cylinder_trace.store.ledger import Ledger
from ledgers.homes import Home


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """Where a ledger may lie; nothing is there yet."""
    if request.param == "sqlite":
        return Home(f"sqlite:///{tmp_path}/ledger.db", tmp_path)
    return Home(request.getfixturevalue("postgres_url"), tmp_path)


@pytest.fixture
def ledger(home: Home) -> Iterator[Ledger]:
    """An empty one, open until the test ends."""
    with home.open() as opened:
        yield opened
