"""Opening the two homes: SQLite (WAL, synchronous=FULL, one writing process) and PostgreSQL.

Every failure that a person can mend is a StoreError with one clear sentence.
"""

import logging
import math
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from cylinder_trace.store.migrating import BESIDE, Step, move_schema, steps_from
from cylinder_trace.store.tables import OLDEST_BESIDE, SCHEMA_VERSION, MetaRow
from cylinder_trace.suite import SHA256, suite_of_origin

log = logging.getLogger(__name__)


class StoreError(Exception):
    """The ledger's home cannot be used; the message says what, where and what to do."""


class LedgerInUse(StoreError):
    """Another process writes this SQLite file."""


BEGIN_WRITING = "BEGIN IMMEDIATE"
"""How a writer's transaction begins on SQLite: with the write lock."""
UNFINISHED = "unfinished"
"""The row of `meta` in a home that is being restored or rebuilt, and from what; it goes when the home is whole."""
_NO_RIGHT = "42501"
"""PostgreSQL's code for a missing right."""
_LOCKED = "55P03"
"""Its code for a lock that was not to be had in time."""
_LONGEST_LOCK = "2s"
"""So long a step waits for a table. Whoever wants the table meanwhile waits behind it: all writers of the service."""


def parse_url(url: str) -> URL:
    """The database URL, with the driver we ship; raises StoreError for other databases."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # the URL is not repeated: it may hold a password
        raise StoreError("not a database URL: write sqlite:////FILE or postgresql://USER@HOST:PORT/NAME") from error
    match parsed.get_backend_name():
        case "sqlite":
            return parsed.set(drivername="sqlite")
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise StoreError(f"{other} is not supported: use sqlite:///FILE or postgresql://…")


def sqlite_path(url: URL) -> Path | None:
    """The file of an SQLite URL; None for PostgreSQL."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise StoreError("the ledger needs a file: sqlite:////path/to/ledger.db")
    return Path(url.database)


def lock_file(path: Path) -> FileLock:
    """The lock that makes this process the one writer of `path`; raises LedgerInUse or StoreError."""
    # Not bound to this thread: a ledger may be closed by another thread than the one that opened it.
    lock = FileLock(f"{path}.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LedgerInUse(f"another process already writes {path}; stop it first or use another folder") from error
    except OSError as error:
        raise StoreError(f"cannot write in {path.parent}: {error.strerror}") from error
    return lock


_BUSY_S = 30
"""So long whoever wants SQLite's file waits for another who has it."""
_FRESH_S = 1.0
_RESTS_SINCE = "rests since"
_MOST_PAGES = 8000
"""Of 4 KB each: what SQLite's write-ahead log grows to before whoever commits writes it back himself."""
_READ_CACHE_KIB = 400
"""Pages that a connection keeps which only reads: a history is as quick as with the 2 MB of SQLite's own choice, which
fifteen connections take fifteen times. What is read often lies in the system's cache."""


def open_engine(url: URL, *, writer: bool) -> Engine:
    """An engine for `url`. The writer's transactions take SQLite's write lock at once, readers' never do."""
    path = sqlite_path(url)
    if path is None:
        engine = create_engine(url, hide_parameters=True, pool_size=5, max_overflow=20)
        _ask_those_that_rested(engine)
        return engine
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False, "timeout": _BUSY_S})
    _tune_sqlite(engine, writer)
    return engine


def _ask_those_that_rested(engine: Engine) -> None:
    """Nobody gets a connection that broke while it rested; one that was used a moment ago is not asked how it is.

    The asking costs as much as most questions. Whoever is first to meet a line that broke in that moment is told so,
    and with it all connections of the pool are laid anew.
    """

    @event.listens_for(engine, "checkin")
    def on_checkin(_driver: object, record: ConnectionPoolEntry) -> None:
        record.info[_RESTS_SINCE] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def on_checkout(driver: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get(_RESTS_SINCE, math.inf) < _FRESH_S:
            return
        try:
            engine.dialect.do_ping(driver)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error  # its place is taken by a new one, and nobody hears of it


def _tune_sqlite(engine: Engine, writer: bool) -> None:
    begin = BEGIN_WRITING if writer else "BEGIN"

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        # Python's own BEGIN logic is switched off: it would start transactions late and commit before DDL.
        connection.isolation_level = None
        if writer:  # it changes the file, and whoever only looks leaves a file as it is
            _write_ahead(connection)
        else:
            connection.execute(f"PRAGMA cache_size=-{_READ_CACHE_KIB}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA busy_timeout={1000 * _BUSY_S}")
        connection.execute(f"PRAGMA wal_autocheckpoint={_MOST_PAGES}")  # until then it is done beside, see `write_back`

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - a transaction has a connection
        if not driver.in_transaction:  # the group commit begins by itself, see `line`
            driver.execute(begin)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Have the file keep a write-ahead log; SQLite itself does not wait here for another process that does the same."""
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def create_schema(engine: Engine, origin: str) -> None:
    """Make the schema, or move an older one up, and check that this database is ours; raises StoreError."""
    try:
        with engine.begin() as connection:
            if _is_ready(read_meta(connection), origin):
                return
        with engine.begin() as connection:
            _lock_schema(connection)
            _make_ready(connection, origin)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _NO_RIGHT:
            raise StoreError(
                f"the tables must be made or moved to schema {SCHEMA_VERSION}, and this role has no right to do that "
                f"({first_line(error)}): run cylinder-api migrate as the tables' owner"
            ) from error
        if getattr(error.orig, "sqlstate", None) == _LOCKED:
            raise StoreError(
                f"the tables were not moved to schema {SCHEMA_VERSION}: somebody else holds one of them, a backup "
                "perhaps; nothing was changed, run it again when that has ended"
            ) from error
        raise StoreError(f"cannot use the database {_shown(engine)}: {first_line(error)}") from error


def planned_move(url: str) -> tuple[str | None, Sequence[Step]]:
    """The version of the schema at `url`, None where there is none yet, and the migrations that it needs.

    Nothing is written. Raises StoreError.
    """
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    if path is not None and not path.exists():
        return None, steps_from(None)
    engine = open_engine(parsed, writer=False)
    try:
        with engine.connect() as connection:
            stored = read_meta(connection)
    except DBAPIError as error:
        raise StoreError(f"cannot use the database {_shown(engine)}: {first_line(error)}") from error
    finally:
        engine.dispose()
    version = known_version(stored) if stored else None
    return version, steps_from(version)


def read_meta(connection: Connection) -> dict[str, str]:
    """What the database says it is; empty where there is no ledger yet."""
    if not inspect(connection).has_table(MetaRow.__tablename__):
        return {}
    return {row.key: row.value for row in connection.execute(select(MetaRow.__table__))}  # type: ignore[attr-defined]


def _make_ready(connection: Connection, origin: str) -> None:
    stored = read_meta(connection)  # anew, under the lock: another process may just have done it
    if _is_ready(stored, origin):
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LONGEST_LOCK}'"))
    held = stored.get("schema")
    log.info("the schema of the database moves from %s to %s", held or "nothing", SCHEMA_VERSION)
    move_schema(connection, held)
    if not stored:
        rows = [{"key": key, "value": value} for key, value in _expected(origin).items()]
        connection.execute(insert(MetaRow), rows)


def first_line(error: DBAPIError) -> str:
    """What the database said, without the hints that PostgreSQL puts on lines of their own."""
    return str(error.orig).split("\n", 1)[0]


def _shown(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


def _lock_schema(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('pinglian-schema'))"))


def _expected(origin: str) -> dict[str, str]:
    return {
        "schema": SCHEMA_VERSION, "origin": origin, "suite": suite_of_origin(origin).name, BESIDE: OLDEST_BESIDE
    }  # fmt: skip


def _is_ready(stored: Mapping[str, str], origin: str) -> bool:
    """Whether it is our ledger in a schema that this program can work on; False if it must be made or moved up."""
    if not stored:
        return False
    if begun := stored.get(UNFINISHED):
        raise StoreError(f"unfinished {begun}: run it again with the same arguments; until then no service opens it")
    for key in ("origin", "suite"):
        # a ledger from before there was a choice says nothing, and is hashed with SHA-256
        held, value = stored.get(key, SHA256.name if key == "suite" else None), _expected(origin)[key]
        if held != value:
            raise StoreError(f"this database holds {key} {held!r}, not {value!r}: wrong folder or wrong key")
    return _may_go_on_beside(stored) or known_version(stored) == SCHEMA_VERSION


def _may_go_on_beside(stored: Mapping[str, str]) -> bool:
    """Whether a newer version has moved the tables, and only added to what this one works with."""
    held, oldest = stored.get("schema", ""), stored.get(BESIDE, "")
    if not (held.isdecimal() and oldest.isdecimal()):
        return False
    goes_on = int(oldest) <= int(SCHEMA_VERSION) < int(held)
    if goes_on:
        log.warning("the database has schema %s; this version, of schema %s, works beside it", held, SCHEMA_VERSION)
    return goes_on


def known_version(stored: Mapping[str, str]) -> str:
    """The version of the schema; raises StoreError when it is none of ours, or newer than this program."""
    held = stored.get("schema", "")
    if not held.isdecimal():
        raise StoreError(f"this database holds schema {held!r}, which no version of this program has made")
    if int(held) > int(SCHEMA_VERSION):
        raise StoreError(
            f"this database has schema {held}, made by a newer version; this program knows schemas up to "
            f"{SCHEMA_VERSION}: install the newer version"
        )
    return held
