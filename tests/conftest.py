"""What every test may ask for: a real PostgreSQL, a real Redis. Each starts when the first test wants it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from redis import Redis

from gs1.folder import conformance_folder
from servers.postgres import QUICK, fresh_database, fresh_role, running_postgres
from servers.redis import running_redis

# No example may fail because the machine was busy; CI draws the same examples every time.
hypothesis.settings.register_profile(
    "pinglian",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
hypothesis.settings.load_profile("pinglian")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give `tmp_path` a folder of this run's own; pytest would keep those of the last three runs."""
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="pinglian-tests-")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three processes for two cores: a third of their time tests wait for other processes, clocks and the disk."""
    return min(8, (os.cpu_count() or 1) * 3 // 2)  # more would only wait for the longest files


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the files, begin with the slow ones, so that none is left alone with one."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a running server; PINGLIAN_TEST_POSTGRES_URL names one whose user may create databases."""
    running = os.environ.get("PINGLIAN_TEST_POSTGRES_URL")
    if running:
        yield running
        return
    with running_postgres(QUICK) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL (postgresql+psycopg://…) of an empty database of this test's own."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def role_url(postgres_url: str) -> Iterator[str]:
    """URL of the same database for a role that may log in and has no rights yet."""
    with fresh_role(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """URL of a running server; PINGLIAN_TEST_REDIS_URL names one whose database may be emptied."""
    running = os.environ.get("PINGLIAN_TEST_REDIS_URL")
    if running:
        yield running
        return
    with running_redis() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """URL of a Redis database that is empty when the test begins."""
    with Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


@pytest.fixture(scope="session")
def conformance_data() -> Path:
    """The folder of GS1's schemas and examples, PINGLIAN_CONFORMANCE_DATA: skips without it, never with it."""
    return conformance_folder(os.environ.get("PINGLIAN_CONFORMANCE_DATA"))
