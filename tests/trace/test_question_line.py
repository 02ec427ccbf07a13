"""A line for small questions: always what stands now, and laid anew when it broke."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.question_line import ANY_OF_THEM, Question, QuestionLine
from ledgers.homes import Home, registered

_OPEN = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
_SIZE = Question("SELECT count(*) FROM entry WHERE id <> $1", "")
_PID = Question("SELECT pg_backend_pid() WHERE $1 <> ''", "x")
_THESE = f"SELECT id FROM entry WHERE id {ANY_OF_THEM} ORDER BY id"


def count(line: QuestionLine) -> int:
    ((found,),) = line.ask(_SIZE)[0]
    return int(found)


def pid(line: QuestionLine) -> int:
    ((found,),) = line.ask(_PID)[0]
    return int(found)


@pytest.fixture
def line(ledger: Ledger) -> Iterator[QuestionLine]:
    with closing(QuestionLine(ledger.engine)) as line:
        yield line


def test_each_question_sees_what_was_committed_before_it(ledger: Ledger, line: QuestionLine) -> None:
    for size in range(3):
        assert count(line) == size
        ledger.append([registered(size)])


def test_questions_asked_together_are_answered_each_for_itself(ledger: Ledger, line: QuestionLine) -> None:
    records = [registered(number) for number in range(3)]
    ledger.append(records)
    ids = [record.id for record in records]
    some, none, all_of_them = line.ask(
        Question(_THESE, ids[:2]), Question(_THESE, ["x", "'", '"', "瓶"]), Question(_THESE, ids)
    )
    assert ([row[0] for row in some], list(none), [row[0] for row in all_of_them]) == (sorted(ids[:2]), [], sorted(ids))
    assert list(line.ask(Question(_THESE, []))[0]) == []


def test_a_question_that_fails_leaves_a_line_that_answers(ledger: Ledger, line: QuestionLine) -> None:
    assert count(line) == 0
    with pytest.raises(DBAPIError):
        line.ask(Question("SELECT nothing_there FROM entry WHERE id = $1", ""))
    assert count(line) == 0


def test_after_its_end_it_can_be_asked_again(line: QuestionLine) -> None:
    line.close()
    assert count(line) == 0
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
    assert pid(kept) == pid(kept)


def test_a_line_that_the_server_cut_is_laid_anew_unnoticed(on_postgresql: Ledger, kept: QuestionLine) -> None:
    first = pid(kept)
    with on_postgresql.engine.begin() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    assert pid(kept) != first


def test_a_line_that_is_let_go_leaves_no_connection_open(on_postgresql: Ledger, kept: QuestionLine) -> None:
    first = pid(kept)
    kept.close()
    with on_postgresql.engine.connect() as other:
        for _ in range(1000):  # the server notices in its own time
            if other.execute(_OPEN, {"pid": first}).scalar_one() == 0:
                return
            other.rollback()
            other.execute(text("SELECT pg_sleep(0.05)"))
    raise AssertionError("the connection is open still")
