"""The database: does it answer, is it set up to keep its word, do its tables and rights fit this program."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, Engine, text

from cylinder_api.diagnosis.finding import Finding, good, look, wrong
from cylinder_api.diagnosis.outside import clock
from cylinder_api.service import system_clock
from cylinder_trace.store.database import UNFINISHED, StoreError, known_version, read_meta
from cylinder_trace.store.migrating import BESIDE
from cylinder_trace.store.rights import excess_of, missing_guards, missing_rights
from cylinder_trace.store.tables import SCHEMA_VERSION

_OLDEST_SERVER = 150_000
_CONNECTIONS = 50
"""Of one process at most: two pools of 25."""
_KEEPS = ("fsync", "full_page_writes", "synchronous_commit")


def schema(engine: Engine, origin: str) -> Finding:
    """Whether this is this key's ledger, whole, in a schema that this program knows."""
    with engine.connect() as connection:
        meta = read_meta(connection)
    if begun := meta.get(UNFINISHED):
        mend = "run it again with the same arguments: it goes on from where it was cut off"
        return wrong("database", f"unfinished {begun}", mend)
    if not meta:
        return wrong("schema", "there is no ledger in this database", "make one: cylinder-api migrate")
    if meta.get("origin") != origin:
        mend = "name the folder and the database that belong together, or put back the key the ledger was made with"
        return wrong("schema", f"the database is of the log {meta.get('origin')}, the key of {origin}", mend)
    return _version(meta)


def _version(meta: Mapping[str, str]) -> Finding:
    try:
        held = known_version(meta)
    except StoreError as error:
        oldest = meta.get(BESIDE, "")
        if oldest.isdecimal() and int(oldest) <= int(SCHEMA_VERSION):
            mend = "end the upgrade: install the newer version here, too"
            return look("schema", f"{meta['schema']}, moved by a newer version beside which this one may serve", mend)
        return wrong("schema", str(error), "install the newer version, or restore the backup from before it")
    if held != SCHEMA_VERSION:
        mend = "as the tables' owner: cylinder-api migrate --service-role NAME (--dry-run says first what it would do)"
        return wrong("schema", f"{held}, this program works with {SCHEMA_VERSION}", mend)
    return good("schema", f"{held}, as this program")


def look_at_database(engine: Engine) -> Iterator[Finding]:
    """Everything about the database itself; the schema is known to fit."""
    yield role(engine)
    yield service_rights(engine)
    yield guards(engine)
    if engine.dialect.name != "postgresql":
        return
    with engine.connect() as connection:
        yield server(connection)
        yield durability(connection)
        yield locale(connection)
        yield connections(connection)
        asked = system_clock()
        now = connection.scalar(text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"))
        yield clock("clock of the database", asked, int(now or 0))


def role(engine: Engine) -> Finding:
    """Whether the service could undo what keeps entries from being changed."""
    if excess := excess_of(engine):
        mend = "make a role for the service, and as the owner: cylinder-api migrate --service-role NAME"
        return wrong("database role", excess, mend)
    has_roles = engine.dialect.name == "postgresql"
    return good("database role", "can append, and change nothing that was appended" if has_roles else "SQLite has none")


def service_rights(engine: Engine) -> Finding:
    """Whether the role has what the service needs: a new table has no rights until they are given."""
    if missing := missing_rights(engine):
        mend = "as the tables' owner: cylinder-api migrate --service-role NAME; again after each move of the tables"
        return wrong("rights of the role", f"missing on {_some(missing)}", mend)
    return good("rights of the role", "all that the service needs")


def guards(engine: Engine) -> Finding:
    """Whether every trigger against a change of what was recorded is there."""
    if missing := missing_guards(engine):
        mend = "audit the ledger: somebody may have changed it; then put the triggers back, see docs/operations.md"
        return wrong("append-only", f"triggers are gone or switched off: {_some(missing)}", mend)
    return good("append-only", "every trigger against a change of what was recorded is there")


def server(connection: Connection) -> Finding:
    """PostgreSQL's version."""
    number, name = int(_setting(connection, "server_version_num")), _setting(connection, "server_version")
    if number < _OLDEST_SERVER:
        return wrong("PostgreSQL", name, "15 or newer is needed")
    return good("PostgreSQL", name)


def durability(connection: Connection) -> Finding:
    """An answer means durable only if the server's commit does."""
    off = [f"{name}={value}" for name in _KEEPS if (value := _setting(connection, name)) in ("off", "local")]
    if off:
        mend = "switch it on (ALTER SYSTEM SET … = on; SELECT pg_reload_conf()): what was answered can be lost without"
        return wrong("durability", ", ".join(off), mend)
    return good("durability", "a commit is on the disk when it is answered")


def locale(connection: Connection) -> Finding:
    """Keys are compared byte by byte."""
    query = "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = current_database()"
    encoding, collation = connection.execute(text(query)).one()
    if encoding != "UTF8":
        return wrong(
            "locale", f"encoding {encoding}", "make the database anew with ENCODING 'UTF8', and restore a backup"
        )
    if collation not in ("C", "POSIX", "C.UTF-8"):
        mend = "see docs/operations.md: LOCALE 'C' for the next one; after an upgrade of the C library REINDEX DATABASE"
        return look("locale", f"collation {collation}", mend)
    return good("locale", f"{encoding}, {collation}")


def connections(connection: Connection) -> Finding:
    """How many processes the server can take."""
    most = int(_setting(connection, "max_connections"))
    used = int(
        connection.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")) or 0
    )
    found = f"{used} of {most} used"
    if most - used < _CONNECTIONS:
        return look("connections", found, f"a process takes up to {_CONNECTIONS}: raise max_connections")
    return good("connections", found)


def _setting(connection: Connection, name: str) -> str:
    return str(connection.scalar(text("SELECT current_setting(:name)"), {"name": name}))


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
