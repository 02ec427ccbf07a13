"""Opening the two homes: SQLite (WAL, synchronous=FULL, one writing process) and PostgreSQL.

Every failure that a person can mend is a StoreError with one clear sentence.
"""

from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlmodel import SQLModel

from cylinder_trace.store.tables import APPEND_ONLY, SCHEMA_VERSION, MetaRow
from cylinder_trace.suite import SHA256, suite_of_origin


class StoreError(Exception):
    """The ledger's home cannot be used; the message says what, where and what to do."""


class LedgerInUse(StoreError):
    """Another process writes this SQLite file."""


BEGIN_WRITING = "BEGIN IMMEDIATE"
"""How a writer's transaction begins on SQLite: with the write lock."""
UNFINISHED = "unfinished"
"""The row of `meta` in a home that is being restored or rebuilt, and from what; it goes when the home is whole."""


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


def open_engine(url: URL, *, writer: bool) -> Engine:
    """An engine for `url`. The writer's transactions take SQLite's write lock at once, readers' never do."""
    path = sqlite_path(url)
    if path is None:
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=5, max_overflow=20)
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False, "timeout": 30})
    _tune_sqlite(engine, writer)
    return engine


def _tune_sqlite(engine: Engine, writer: bool) -> None:
    begin = BEGIN_WRITING if writer else "BEGIN"

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        # Python's own BEGIN logic is switched off: it would start transactions late and commit before DDL.
        connection.isolation_level = None
        if writer:  # it changes the file, and whoever only looks leaves a file as it is
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA busy_timeout=30000")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - a transaction has a connection
        if not driver.in_transaction:  # the group commit begins by itself, see `line`
            driver.execute(begin)


def create_schema(engine: Engine, origin: str) -> None:
    """Create what is missing and check that this database is ours; raises StoreError."""
    try:
        with engine.begin() as connection:
            _lock_schema(connection)
            SQLModel.metadata.create_all(connection)
            _guard_append_only(connection)
            _check_meta(connection, origin)
    except DBAPIError as error:
        raise StoreError(f"cannot use the database {_shown(engine)}: {first_line(error)}") from error


def first_line(error: DBAPIError) -> str:
    """What the database said, without the hints that PostgreSQL puts on lines of their own."""
    return str(error.orig).split("\n", 1)[0]


def _shown(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


def _lock_schema(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('pinglian-schema'))"))


def _guard_append_only(connection: Connection) -> None:
    for table in APPEND_ONLY:
        if connection.dialect.name == "sqlite":
            for verb in ("UPDATE", "DELETE"):
                connection.exec_driver_sql(
                    f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        else:
            connection.exec_driver_sql(_POSTGRES_GUARD.format(table=table))


_POSTGRES_GUARD = """
CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION '%% is append-only', TG_TABLE_NAME; END $$;
CREATE OR REPLACE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
  FOR EACH STATEMENT EXECUTE FUNCTION append_only();
"""


def _check_meta(connection: Connection, origin: str) -> None:
    expected = {"schema": SCHEMA_VERSION, "origin": origin, "suite": suite_of_origin(origin).name}
    stored = {row.key: row.value for row in connection.execute(select(MetaRow.__table__))}  # type: ignore[attr-defined]
    if not stored:
        rows = [{"key": key, "value": value} for key, value in expected.items()]
        connection.execute(insert(MetaRow), rows)
        return
    if begun := stored.get(UNFINISHED):
        raise StoreError(f"unfinished {begun}: run it again with the same arguments; until then no service opens it")
    for key, value in expected.items():
        # a ledger from before there was a choice says nothing, and is hashed with SHA-256
        if (held := stored.get(key, SHA256.name if key == "suite" else None)) != value:
            raise StoreError(f"this database holds {key} {held!r}, not {value!r}: wrong folder or wrong key")
