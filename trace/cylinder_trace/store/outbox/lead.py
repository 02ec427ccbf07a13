"""Which of several processes does a thing that only one may do at a time (领导锁)."""

from contextlib import suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from cylinder_trace.store.publisher import LET_GO_AFTER_S

_LEAD = text(
    "SELECT set_config('idle_in_transaction_session_timeout', CAST(:ms AS text), true), "
    "pg_try_advisory_xact_lock(hashtext(:name)) AS leads"
)


class Lead:
    """Held from one look to the next, with a connection of its own; not for several threads at once.

    PostgreSQL takes it from a process that dies at once, and from one that stands still after half a minute.  On SQLite
    there is one process.
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
            leads = connection.execute(_LEAD, {"ms": LET_GO_AFTER_S * 1000, "name": self._name}).one().leads
        except BaseException:
            connection.close()
            raise
        if leads:
            self._held = connection
        else:
            connection.close()
        return bool(leads)
