"""One thread's line for small questions (查询专线): a connection that stays open, each statement by itself.

Out of a pool a question takes four messages to PostgreSQL: is the connection alive, begin, the question, undo what is
open.  Here it takes one.  On SQLite a connection is a file that is open, and the pool's is taken.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

Answer = TypeVar("Answer")


class QuestionLine:
    """For one thread at a time. `close` it at the end; asked again, it is laid anew."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: Connection | None = None

    def ask(self, question: Callable[[Connection], Answer]) -> Answer:
        """What `question` reads, with no transaction around its statements. Raises SQLAlchemyError.

        Whoever asks must not mind that it is asked twice: a line that broke while it rested is noticed by asking.
        """
        if self._engine.dialect.name != "postgresql":
            with self._engine.connect() as connection:
                return question(connection)
        if self._kept is not None:
            with suppress(SQLAlchemyError):  # a new one says what is wrong
                return self._ask_kept(question, self._kept)
        self._kept = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._ask_kept(question, self._kept)

    def close(self) -> None:
        """Let the connection go."""
        kept, self._kept = self._kept, None
        if kept is not None:
            with suppress(SQLAlchemyError):
                kept.invalidate()  # into no pool: that may have been thrown away by now
                kept.close()

    def _ask_kept(self, question: Callable[[Connection], Answer], kept: Connection) -> Answer:
        try:
            return question(kept)
        except BaseException:
            self.close()
            raise
