"""The writer's line to the database: one connection that stays open, one transaction at a time.

Taking a connection out of a pool, and giving it back, costs more than writing an entry.  So the connection is kept; a
line that broke while nobody used it is noticed when a transaction begins, before any work has run, and laid anew.

The driver begins and commits.  SQLAlchemy hears of the transaction only when work asks for tables of the service, and
then its own end of it is the driver's.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from cylinder_trace.store.postgres_wire import PostgresWire
from cylinder_trace.store.sqlite_wire import SqliteWire
from cylinder_trace.store.wire import Newest, Wire

LET_GO_AFTER_S = 30
"""A writer that stands still for so long in the middle of a transaction loses it, and with it the lock."""
_KNOWS_TRANSACTION_TIMEOUT = 170_000


class Begun(NamedTuple):
    """A transaction that holds the writer's lock, and the log's last entry as it stands now."""

    connection: Connection
    wire: Wire
    newest: Newest | None


class CommitUnknown(Exception):
    """The database was told to commit, and its answer did not come: it may have, or not."""


class Line:
    """One writer's connection; not for several threads at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: Begun | None = None

    @contextmanager
    def transaction(self) -> Iterator[Begun]:
        """Begin; commit when the block ends, undo everything when it raises. Raises CommitUnknown."""
        begun = self._begin()
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

    def _begin(self) -> Begun:
        if self._kept is not None:
            try:
                return self._read_newest(self._kept.connection, self._kept.wire)
            except Exception:  # noqa: BLE001 - it is old and may be broken in any way; a new one says what is wrong
                self.close()
        connection = self._engine.connect()
        try:
            return self._read_newest(connection, None)
        except BaseException:
            connection.close()
            raise

    def _read_newest(self, connection: Connection, wire: Wire | None) -> Begun:
        wire = wire or _wire_of(connection)
        wire.begin()
        self._kept = Begun(connection, wire, wire.newest())
        return self._kept


def _commit(begun: Begun) -> None:
    try:
        # Work that asked for other tables has SQLAlchemy in the transaction, which must then hear of its end.
        if begun.connection.in_transaction():
            begun.connection.commit()
        else:
            begun.wire.commit()
    except Exception as error:
        # Crash point: the line broke behind the word COMMIT. Only asking again with the same id tells.
        raise CommitUnknown(str(error)) from error


def _wire_of(connection: Connection) -> Wire:
    """The wire of an open transaction's connection."""
    driver: Any = connection.connection.driver_connection
    error = connection.dialect.loaded_dbapi.Error
    if connection.dialect.name != "postgresql":
        return SqliteWire(driver, error)
    # A process that sleeps, or whose machine is gone, would otherwise hold up all others for hours.
    driver.execute(f"SET idle_in_transaction_session_timeout = '{LET_GO_AFTER_S}s'")
    if driver.info.server_version >= _KNOWS_TRANSACTION_TIMEOUT:
        # One that stands still in the middle of sending a batch is not idle to the server, and is let go by this alone.
        driver.execute(f"SET transaction_timeout = '{2 * LET_GO_AFTER_S}s'")
    return PostgresWire(driver, error)
