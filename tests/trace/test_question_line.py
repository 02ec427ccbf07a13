"""A line for small questions: always what stands now, and laid anew when it broke."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.question_line import QuestionLine
from ledgers.homes import Home, registered

_COUNT = text("SELECT count(*) FROM entry")
_OPEN = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
_PID = text("SELECT pg_backend_pid()")


def count(connection: Connection) -> int:
    found: int = connection.execute(_COUNT).scalar_one()
    return found


def pid(connection: Connection) -> int:
    found: int = connection.execute(_PID).scalar_one()
    return found


@pytest.fixture
def line(ledger: Ledger) -> Iterator[QuestionLine]:
    with closing(QuestionLine(ledger.engine)) as line:
        yield line


def test_each_question_sees_what_was_committed_before_it(ledger: Ledger, line: QuestionLine) -> None:
    for size in range(3):
        assert line.ask(count) == size
        ledger.append([registered(size)])


def test_a_question_that_fails_leaves_a_line_that_answers(ledger: Ledger, line: QuestionLine) -> None:
    def wrong(_connection: Connection) -> int:
        raise LookupError("nothing there")

    assert line.ask(count) == 0
    with pytest.raises(LookupError, match="nothing there"):
        line.ask(wrong)
    assert line.ask(count) == 0


def test_after_its_end_it_can_be_asked_again(line: QuestionLine) -> None:
    line.close()
    assert line.ask(count) == 0
    line.close()
    line.close()


@pytest.fixture
def on_postgresql(postgres_url: str, tmp_path: Path) -> Iterator[Ledger]:
    """Where a line is kept; on SQLite there is none."""
    with Home(postgres_url, tmp_path).open() as opened:
        yield opened


@pytest.fixture
def kept(on_postgresql: Ledger) -> Iterator[QuestionLine]:
    with closing(QuestionLine(on_postgresql.engine)) as line:
        yield line


def test_the_connection_is_kept_from_question_to_question(kept: QuestionLine) -> None:
    assert kept.ask(pid) == kept.ask(pid)


def test_a_line_that_the_server_cut_is_laid_anew_unnoticed(on_postgresql: Ledger, kept: QuestionLine) -> None:
    first = kept.ask(pid)
    with on_postgresql.engine.begin() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    assert kept.ask(pid) != first


def test_a_line_that_is_let_go_leaves_no_connection_open(on_postgresql: Ledger, kept: QuestionLine) -> None:
    first = kept.ask(pid)
    kept.close()
    with on_postgresql.engine.connect() as other:
        for _ in range(1000):  # the server notices in its own time
            if other.execute(_OPEN, {"pid": first}).scalar_one() == 0:
                return
            other.rollback()
            other.execute(text("SELECT pg_sleep(0.05)"))
    raise AssertionError("the connection is open still")
