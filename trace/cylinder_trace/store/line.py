"""The writer's line to the database: one connection that stays open, one transaction at a time.

Taking a connection out of a pool, and giving it back, costs more than writing an entry.  So the connection is kept; a
line that broke while nobody used it is noticed when a transaction begins, before any work has run, and laid anew.

The wire begins and commits.  SQLAlchemy is in the transaction only when work asks for tables of the service, and its
own end of it then comes behind the wire's and changes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from cylinder_trace.store.postgres_wire import PostgresWire
from cylinder_trace.store.sqlite_wire import SqliteWire
from cylinder_trace.store.wire import NOTHING_AHEAD, Ahead, Newest, Wire

LET_GO_AFTER_S = 30
"""A writer that stands still for so long in the middle of a transaction loses it, and with it the lock."""
_KNOWS_TRANSACTION_TIMEOUT = 170_000


class Begun(NamedTuple):
    """A transaction that holds the writer's lock, and the log's last entry as it stands now."""

    connection: Connection
    wire: Wire
    newest: Newest | None


class Line:
    """One writer's connection; not for several threads at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: Begun | None = None

    @contextmanager
    def transaction(self, ahead: Ahead = NOTHING_AHEAD) -> Iterator[Begun]:
        """Begin; commit when the block ends, undo everything when it raises. Raises CommitUnknown."""
        begun = self._begin(ahead)
        try:
            yield begun
            _commit(begun)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the connection go; what is not committed is undone."""
        kept, self._kept = self._kept, None
        if kept is not None:
            # Whatever the database says to the undoing: without a commit it does the same by itself.
            with suppress(Exception):
                kept.connection.invalidate()
                kept.connection.close()

    def _begin(self, ahead: Ahead) -> Begun:
        if self._kept is not None:
            try:
                return self._read_newest(self._kept.connection, self._kept.wire, ahead)
            except Exception:  # noqa: BLE001 - it is old and may be broken in any way; a new one says what is wrong
                self.close()
        connection = self._engine.connect()
        try:
            return self._read_newest(connection, _wire_of(connection), ahead)
        except BaseException:
            connection.close()
            raise

    def _read_newest(self, connection: Connection, wire: Wire, ahead: Ahead) -> Begun:
        wire.begin(ahead)
        self._kept = Begun(connection, wire, wire.newest())
        return self._kept


def _commit(begun: Begun) -> None:
    begun.wire.commit()
    # Work that asked for other tables has SQLAlchemy in the transaction, which must hear that it is over.
    if begun.connection.in_transaction():
        begun.connection.commit()


def _wire_of(connection: Connection) -> Wire:
    """The wire of a connection that has done nothing yet."""
    driver: Any = connection.connection.driver_connection
    error = connection.dialect.loaded_dbapi.Error
    if connection.dialect.name != "postgresql":
        return SqliteWire(driver, error)
    # The driver's own BEGIN would be a message by itself; the wire sends one with the lock.
    connection.execution_options(isolation_level="AUTOCOMMIT")
    # A process that sleeps, or whose machine is gone, would otherwise hold up all others for hours.
    driver.execute(f"SET idle_in_transaction_session_timeout = '{LET_GO_AFTER_S}s'")
    if driver.info.server_version >= _KNOWS_TRANSACTION_TIMEOUT:
        # One that stands still in the middle of sending a batch is not idle to the server, and is let go by this alone.
        driver.execute(f"SET transaction_timeout = '{2 * LET_GO_AFTER_S}s'")
    return PostgresWire(driver, error)
