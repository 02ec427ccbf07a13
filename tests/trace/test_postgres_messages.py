"""Statements gathered into one message: each is answered as if it had been sent alone, or none behind a refused one."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg.errors import InFailedSqlTransaction, UniqueViolation
from psycopg.pq import TransactionStatus
from sqlalchemy import make_url

from cylinder_trace.store.postgres_messages import Messages
from servers.stoppable import LosingLine, cut_all_others

Connection = psycopg.Connection[tuple[object, ...]]
_GIVEN = "SELECT $1::bigint, $2::text, $3::bytea"


@pytest.fixture
def connection(postgres_url: str) -> Iterator[Connection]:
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as opened:
        opened.execute("CREATE TABLE kept (number bigint PRIMARY KEY)")
        yield opened


def test_every_statement_of_a_message_has_its_own_answer(connection: Connection) -> None:
    messages = Messages(connection)
    answers = [messages.put(_GIVEN, number, "瓶" * number, bytes(number)) for number in range(3)]
    written = messages.put("INSERT INTO kept VALUES ($1)", 7)
    kept = messages.put("SELECT number FROM kept")
    messages.send()
    assert [answer.rows for answer in answers] == [[(number, "瓶" * number, bytes(number))] for number in range(3)]
    assert (written.rows, kept.rows) == ((), [(7,)])


def test_what_is_absent_goes_and_comes_as_none(connection: Connection) -> None:
    assert Messages(connection).ask(_GIVEN, None, None, None) == [(None, None, None)]


def test_a_string_with_a_zero_byte_is_refused_and_never_cut_short(connection: Connection) -> None:
    with pytest.raises(psycopg.DataError):
        Messages(connection).ask("SELECT $1::text", "sound\0ness")


@pytest.mark.parametrize("value", [1.5, bytearray(b"x"), memoryview(b"x"), ["x"]])
def test_what_the_ledger_never_holds_is_not_sent(connection: Connection, value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        Messages(connection).put("SELECT $1::text", value)


def test_a_message_of_nothing_is_not_sent(connection: Connection) -> None:
    Messages(connection).send()
    assert connection.info.transaction_status == TransactionStatus.IDLE


def test_a_message_and_its_answers_may_be_larger_than_every_buffer_between(connection: Connection) -> None:
    messages = Messages(connection)
    large = bytes(range(256)) * 8192
    answers = [messages.put("SELECT $1::bytea", large) for _ in range(12)]
    messages.send()
    assert all(answer.rows == [(large,)] for answer in answers)


def test_behind_a_refused_statement_nothing_more_is_done(connection: Connection) -> None:
    messages = Messages(connection)
    for statement in ("BEGIN", "INSERT INTO kept VALUES (1)", "INSERT INTO kept VALUES (1)", "DELETE FROM kept"):
        messages.put(statement)
    unanswered = messages.put("SELECT 1")
    with pytest.raises(UniqueViolation, match="kept_pkey"):
        messages.send()
    assert unanswered.rows == ()
    assert connection.info.transaction_status == TransactionStatus.INERROR
    with pytest.raises(InFailedSqlTransaction):
        connection.execute("SELECT number FROM kept")


def test_between_messages_the_connection_takes_other_statements(connection: Connection) -> None:
    messages = Messages(connection)
    messages.ask("BEGIN")
    connection.execute("INSERT INTO kept VALUES (1)")
    assert messages.ask("SELECT number FROM kept") == [(1,)]
    connection.execute("ROLLBACK")
    assert not messages.ask("SELECT number FROM kept")


def test_a_line_that_broke_is_an_error_and_no_answer(connection: Connection, postgres_url: str) -> None:
    messages = Messages(connection)
    assert messages.ask("SELECT 1") == [(1,)]
    cut_all_others(postgres_url)
    with pytest.raises(psycopg.OperationalError):
        messages.ask("SELECT 1")


def test_a_message_goes_out_in_one_piece_and_a_statement_is_spelt_out_once(
    connection: Connection, postgres_url: str
) -> None:
    url = make_url(postgres_url)
    with closing(LosingLine(url.port or 5432)) as line:
        heard = url.set(drivername="postgresql", port=line.port).render_as_string(hide_password=False)
        with psycopg.connect(heard, autocommit=True) as listened:
            messages = Messages(listened)
            for _ in range(3):
                for number in range(5):
                    messages.put("SELECT number FROM kept WHERE number = $1", number)
                messages.send()
        (said,) = line.said
    assert [message.count(b"SELECT number") for message in said if b"SELECT 0" in message] == [1, 0, 0]
