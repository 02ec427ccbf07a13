"""Pools of connections: what broke at rest is given to nobody, nothing is asked twice, readers keep few pages."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import OperationalError

from cylinder_trace.store.database import open_engine
from servers.stoppable import LosingLine, cut_all_others

_REST = "cylinder_trace.store.database._FRESH_S"
"""From how many seconds on a connection has rested, and is asked whether it still lives."""


@pytest.fixture
def pool(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(_REST, 600.0)  # longer than any test takes
    engine = open_engine(make_url(postgres_url), writer=False)
    yield engine
    engine.dispose()


def pids(pool: Engine, number: int = 1) -> set[int]:
    """Ask through so many connections at once who serves them."""
    with ExitStack() as stack:
        connections = [stack.enter_context(pool.connect()) for _ in range(number)]
        return {connection.scalar(text("SELECT pg_backend_pid()")) for connection in connections}


def test_connections_that_broke_while_they_rested_are_replaced_unnoticed(
    pool: Engine, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_REST, 0.0)
    before = pids(pool, 3)
    cut_all_others(postgres_url)
    after = pids(pool, 3)
    assert len(after) == 3
    assert not before & after


def test_a_question_right_behind_another_takes_one_message(pool: Engine, postgres_url: str) -> None:
    with closing(LosingLine(make_url(postgres_url).port or 5432)) as line:
        heard = open_engine(make_url(postgres_url).set(port=line.port), writer=False)
        for _ in range(5):
            with heard.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                connection.scalar(text("SELECT 'question'"))
        heard.dispose()
        (said,) = line.said
    first = next(place for place, message in enumerate(said) if b"question" in message)
    assert [b"question" in message for message in said[first : first + 5]] == [True] * 5


def test_who_meets_a_line_that_broke_this_moment_is_told_and_all_others_get_new_ones(
    pool: Engine, postgres_url: str
) -> None:
    before = pids(pool, 3)
    cut_all_others(postgres_url)
    with pytest.raises(OperationalError):
        pids(pool)
    after = pids(pool, 3)
    assert len(after) == 3
    assert not before & after


def test_a_connection_that_only_reads_a_file_keeps_less_of_it_than_half_a_megabyte(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'ledger.db'}")
    kept_kib = {}
    for writer in (True, False):
        engine = open_engine(url, writer=writer)
        with engine.connect() as connection:
            kept_kib[writer] = -connection.scalar(text("PRAGMA cache_size"))
        engine.dispose()
    assert kept_kib[False] < 500 < kept_kib[True]
