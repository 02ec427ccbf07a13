"""The laws that `make soak` checks in large numbers, each on a few seeds."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from laws import admission, crash, reading, tamper
from laws.own_server import template_on
from ledgers.homes import Home
from servers.postgres import fresh_database


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "law",
    [
        pytest.param(tamper.check, id="one_changed_byte_anywhere_in_the_ledger_is_found"),
        pytest.param(reading.check, id="the_reader_never_guesses_a_code"),
        pytest.param(admission.check, id="a_dead_cylinder_is_never_filled"),
    ],
)
def test_law(law: Callable[[int, Path], None], seed: int, tmp_path: Path) -> None:
    law(seed, tmp_path)


@pytest.mark.parametrize("seed", range(20))
def test_killed_at_any_moment_a_ledger_on_sqlite_loses_nothing_it_acknowledged(seed: int, tmp_path: Path) -> None:
    crash.on_sqlite(seed, tmp_path)


@pytest.fixture(scope="module")
def template(postgres_server: str) -> Iterator[str]:
    with template_on(postgres_server) as name:
        yield name


@pytest.mark.parametrize("seed", range(20))
def test_killed_at_any_moment_a_ledger_on_postgresql_loses_nothing_it_acknowledged(
    seed: int, tmp_path: Path, postgres_server: str, template: str
) -> None:
    with fresh_database(postgres_server, template) as url:
        crash.check(seed, Home(url, tmp_path))
