"""Messages to PostgreSQL (一次往返): statements that go out in one piece, and answers that come back in one.

psycopg's own pipeline sends each statement by itself: the server is woken for every one of them, and so are we.  Here
they are gathered in libpq, to which ``psycopg.pq`` leads, and go out when the message is complete.  Everything else on
the connection stays psycopg's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult
from psycopg.waiting import Ready, Wait

from cylinder_trace.store.wire import Values


@dataclass(slots=True)
class Answer:
    """What one statement of a message brought, once the message was sent."""

    rows: Sequence[Values] = ()


NOTHING = Answer()
"""To what was not asked."""


class Messages:
    """Of one connection, and for one thread at a time. A connection that refused something is of no more use."""

    def __init__(self, connection: "Connection[Any]") -> None:
        self._connection, self._line = connection, connection.pgconn
        self._reading = Transformer(connection)
        self._names: dict[str, bytes] = {}
        """Statements that the server has read already."""
        self._awaited: list[Answer] = []

    def put(self, statement: str, *values: Any) -> Answer:
        """Put a statement into the message, with its values for $1, $2, …; the server reads it once in a connection.

        A value is a string, bytes, an integer or None; the statement says of which type each is.
        """
        sent = [_sent(value) for value in values]
        # Whatever may hold a zero byte goes out with its length: as text it would end there.
        formats = [Format.TEXT if isinstance(value, int) else Format.BINARY for value in values]
        if not self._awaited:
            self._line.enter_pipeline_mode()
        name = self._names.get(statement) or self._prepare(statement)
        self._line.send_query_prepared(name, sent, formats, Format.BINARY)
        return self._await()

    def send(self) -> None:
        """Send the message and wait for its answers.

        Raises psycopg.Error: the server's first refusal, behind which it has done nothing more, or a broken line.
        """
        if not self._awaited:
            return
        self._line.pipeline_sync()
        results = self._connection.wait(self._exchange())
        self._line.exit_pipeline_mode()
        answers, self._awaited = self._awaited, []
        for answer, result in zip(answers, results, strict=True):
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
            if result.ntuples:
                self._reading.set_pgresult(result)
                answer.rows = self._reading.load_rows(0, result.ntuples, tuple)

    def ask(self, statement: str, *values: Any) -> Sequence[Values]:
        """The rows of one statement, by a message of its own."""
        answer = self.put(statement, *values)
        self.send()
        return answer.rows

    def _prepare(self, statement: str) -> bytes:
        word = statement.partition(" ")[0]  # for whoever looks into pg_prepared_statements
        name = self._names[statement] = f"{word} {len(self._names)}".encode()
        self._line.send_prepare(name, statement.encode())
        self._await()
        return name

    def _await(self) -> Answer:
        answer = Answer()
        self._awaited.append(answer)
        return answer

    def _exchange(self) -> PQGen[list[PGresult]]:
        line, results = self._line, list[PGresult]()
        while line.flush():  # too much at once: the server takes no more before its answers are read
            if (yield Wait.RW) & Ready.R:
                line.consume_input()
        while True:
            while line.is_busy():
                yield Wait.R
                line.consume_input()
            result = line.get_result()
            if result is None:  # the end of what one statement brought
                if line.status == ConnStatus.BAD:
                    raise OperationalError(line.get_error_message())
            elif result.status == ExecStatus.PIPELINE_SYNC:
                return results
            else:
                results.append(result)


def _sent(value: Any) -> bytes | None:
    match value:
        case None | bytes():
            return value
        case str():
            return value.encode()
        case int():
            return b"%d" % value
        case _:
            raise TypeError(f"a {type(value).__name__} is not sent to PostgreSQL")
