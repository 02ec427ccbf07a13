"""Which of several processes does a thing that only one may do at a time (领导锁): a lock of PostgreSQL by its name.

On SQLite there is one process.
"""

from contextlib import suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from cylinder_trace.store import line

_LET_GO = "SELECT set_config('idle_in_transaction_session_timeout', CAST(:ms AS text), true)"
"""Without it the locks of a process that sleeps, or whose machine is gone, would be held for hours."""
_IF_FREE = text(f"{_LET_GO}, pg_try_advisory_xact_lock(hashtext(:name)) AS leads")
_IN_TURN = text(f"{_LET_GO}, pg_advisory_xact_lock(hashtext(:name))")


def leads(connection: Connection, name: str) -> bool:
    """Whether the transaction of `connection` is the one that does it; if so, no other is until it ends."""
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.execute(_IF_FREE, _facts(name)).one().leads)


def wait_for_lead(connection: Connection, name: str) -> None:
    """Wait until the transaction of `connection` is the one that does it."""
    if connection.dialect.name == "postgresql":
        connection.execute(_IN_TURN, _facts(name))


def _facts(name: str) -> dict[str, object]:
    return {"ms": line.LET_GO_AFTER_S * 1000, "name": name}


class Lead:
    """Held from one look to the next, with a connection of its own; not for several threads at once.

    PostgreSQL takes it from a process that dies at once, and from one that stands still after half a minute.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self._name = engine, name
        self._held: Connection | None = None

    def holds(self) -> bool:
        """Whether this process is the one; asked again before each piece of work."""
        if self._engine.dialect.name != "postgresql":
            return True
        if self._held is not None:
            try:
                self._held.execute(text("SELECT 1"))
            except SQLAlchemyError:
                self.let_go()
        return self._held is not None or self._take()

    def let_go(self) -> None:
        """Let another process do it."""
        held, self._held = self._held, None
        if held is not None:
            with suppress(SQLAlchemyError):
                held.rollback()
            with suppress(SQLAlchemyError):
                held.close()

    def _take(self) -> bool:
        connection = self._engine.connect()
        try:
            led = leads(connection, self._name)
        except BaseException:
            connection.close()
            raise
        if led:
            self._held = connection
        else:
            connection.close()
        return led
