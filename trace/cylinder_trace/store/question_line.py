"""One thread's line for small questions (查询专线): a connection that stays open, all questions in one message.

Out of a pool a question takes four messages to PostgreSQL: is the connection alive, begin, the question, undo what is
open.  On SQLite a connection is a file that is open, and the pool's is taken.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import orjson
import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from cylinder_trace.store.postgres_arrays import pack_texts
from cylinder_trace.store.postgres_messages import Messages
from cylinder_trace.store.wire import Values

ANY_OF_THEM = "= ANY($1::text[])"
"""How a question says that a column holds one of the strings of its value."""
_ANY_ON_SQLITE = "IN (SELECT value FROM json_each(?1))"


class Question(NamedTuple):
    """A query of one value, $1: a string, or strings for a column with `ANY_OF_THEM`."""

    query: str
    value: str | Sequence[str]


class _Line(NamedTuple):
    connection: Connection
    messages: Messages


class QuestionLine:
    """For one thread at a time. `close` it at the end; asked again, it is laid anew."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: _Line | None = None

    def ask(self, *questions: Question) -> list[Sequence[Values]]:
        """The rows of each question, with no transaction around them. Raises SQLAlchemyError.

        Whoever asks must not mind that it is asked twice: a line that broke while it rested is noticed by asking.
        """
        if self._engine.dialect.name != "postgresql":
            return self._ask_sqlite(questions)
        if self._kept is not None:
            with suppress(SQLAlchemyError):  # a new one says what is wrong
                return self._ask_kept(self._kept, questions)
        self._kept = self._laid()
        return self._ask_kept(self._kept, questions)

    def close(self) -> None:
        """Let the connection go."""
        kept, self._kept = self._kept, None
        if kept is not None:
            with suppress(SQLAlchemyError):
                kept.connection.invalidate()  # into no pool: that may have been thrown away by now
                kept.connection.close()

    def _laid(self) -> _Line:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        driver: Any = connection.connection.driver_connection
        return _Line(connection, Messages(driver))

    def _ask_kept(self, kept: _Line, questions: Sequence[Question]) -> list[Sequence[Values]]:
        try:
            answers = [kept.messages.put(query, _packed(value)) for query, value in questions]
            kept.messages.send()
        except BaseException as error:
            self.close()
            if isinstance(error, psycopg.Error):
                raise OperationalError(None, None, error) from error
            raise
        return [answer.rows for answer in answers]

    def _ask_sqlite(self, questions: Sequence[Question]) -> list[Sequence[Values]]:
        with self._engine.connect() as connection:
            asked = ((_on_sqlite(query), (_as_json(value),)) for query, value in questions)
            return [connection.exec_driver_sql(query, values).all() for query, values in asked]


@cache
def _on_sqlite(query: str) -> str:
    return query.replace(ANY_OF_THEM, _ANY_ON_SQLITE).replace("$1", "?1")


def _as_json(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _packed(value: str | Sequence[str]) -> str | bytes:
    return value if isinstance(value, str) else pack_texts(value)
