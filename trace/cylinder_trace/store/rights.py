"""What the service may do in PostgreSQL (最小权限): a role that appends, and cannot change what was appended.

The triggers refuse every change, but whoever owns a table can drop its triggers, and a superuser can do anything.  So
the tables belong to one role, which migrates, and the service runs as another one with these rights alone.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from cylinder_trace.store.database import StoreError, first_line, open_engine, parse_url
from cylinder_trace.store.tables import APPEND_ONLY, ENTRY_ID

_READ, _APPEND, _REPLACE = "SELECT", "SELECT, INSERT", "SELECT, INSERT, UPDATE"
SERVICE_RIGHTS: Mapping[str, str] = {
    **dict.fromkeys((*APPEND_ONLY, ENTRY_ID.name), _APPEND),
    **dict.fromkeys(("subject_now", "person", "client", "login", "device_code"), _REPLACE),
    # What has expired opens and proves nothing any more, and goes.
    **dict.fromkeys(("account", "assertion"), "SELECT, INSERT, UPDATE, DELETE"),
    "kept_answer": "SELECT, INSERT, UPDATE, DELETE",  # nobody asks again after some days
    # the follower of the log keeps them, and a rebuild empties them first
    **dict.fromkeys(("fleet", "figure", "followed"), "SELECT, INSERT, UPDATE, DELETE"),
    # An event stays as it is; a subscription and a named query end.
    **dict.fromkeys(("epcis_event", "epcis_context", "epcis_term"), _APPEND),
    "epcis_capture": _REPLACE,
    **dict.fromkeys(("epcis_query", "epcis_subscription"), "SELECT, INSERT, UPDATE, DELETE"),
    # A webhook that was deleted stays as a name; messages that have ended go after a while.
    "webhook": _REPLACE,
    "delivery": "SELECT, INSERT, UPDATE, DELETE",
    "code": "SELECT, INSERT, DELETE",  # a withdrawn registration gives its codes back
    **dict.fromkeys(("meta", "alembic_version"), _READ),
}
"""Table → what the service needs of it, and no more."""

_ROLE = text(
    "SELECT rolsuper OR pg_has_role(:role, (SELECT relowner FROM pg_class WHERE oid = to_regclass('entry')), 'MEMBER')"
    " FROM pg_roles WHERE rolname = :role"
)
_POWER = text(
    "SELECT current_user AS role, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,"
    " (SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass('entry')) AS owner,"
    " has_table_privilege('entry', 'UPDATE, DELETE, TRUNCATE') AS changes"
)

_HAS_RIGHT = text("SELECT has_table_privilege(to_regclass(:table), :right)")

_SQLITE_TRIGGERS = text("SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'")
_POSTGRES_TRIGGERS = text(
    "SELECT relname AS tbl_name, tgname AS name FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
    " WHERE tgenabled IN ('O', 'A') AND relnamespace = current_schema()::regnamespace"
)
_PARTS = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = to_regclass('entry')"
)


def grant_service(url: str, role: str) -> None:
    """Give `role` the service's rights and take all others from it; for the tables' owner. Raises StoreError."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "postgresql":
        raise StoreError("roles are PostgreSQL's; on SQLite the rights of the file ledger.db are all there is")
    engine = open_engine(parsed, writer=False)
    try:
        with engine.begin() as connection:
            _require_plain(connection, role)
            _grant(connection, role)
    except DBAPIError as error:
        raise StoreError(f"cannot give rights to {role}: {first_line(error)}; run this as the tables' owner") from error
    finally:
        engine.dispose()


def excess_of(engine: Engine) -> str | None:
    """What the present role could do to the ledger beyond the service's work, as a sentence; None if nothing."""
    if engine.dialect.name != "postgresql":
        return None
    with engine.connect() as connection:
        power = connection.execute(_POWER).one()
    for is_so, why in ((power.superuser, "a superuser"), (power.owner, "the owner of the tables")):
        if is_so:
            return f"role {power.role} is {why}, who can switch off what keeps entries from being changed"
    return f"role {power.role} has rights to change entries" if power.changes else None


def missing_rights(engine: Engine) -> list[str]:
    """What the present role may not do, and the service must: ``table: right``."""
    if engine.dialect.name != "postgresql":
        return []
    wanted = [(table, right) for table, rights in SERVICE_RIGHTS.items() for right in rights.split(", ")]
    with engine.connect() as connection:
        return [
            f"{table}: {right}"
            for table, right in wanted
            if not connection.scalar(_HAS_RIGHT, {"table": table, "right": right})
        ]


def missing_guards(engine: Engine) -> list[str]:
    """Triggers against a change of what was recorded that are not there, or switched off: ``table: trigger``."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            there = {(row.tbl_name, row.name) for row in connection.execute(_SQLITE_TRIGGERS)}
            wanted = {(table, f"{table}_no_{verb}") for table in APPEND_ONLY for verb in ("update", "delete")}
        else:
            there = {(row.tbl_name, row.name) for row in connection.execute(_POSTGRES_TRIGGERS)}
            wanted = {(table, f"{table}_append_only") for table in (*APPEND_ONLY, ENTRY_ID.name)}
            for part in connection.scalars(_PARTS):
                wanted |= {(part, "entry_append_only"), (part, f"{part}_no_truncate")}
    return sorted(f"{table}: {trigger}" for table, trigger in wanted - there)


def _require_plain(connection: Connection, role: str) -> None:
    too_powerful = connection.scalar(_ROLE, {"role": role})
    if too_powerful is None:
        raise StoreError(f"there is no role {role}: make it first, CREATE ROLE {role} LOGIN PASSWORD '…'")
    if too_powerful:
        raise StoreError(f"role {role} owns the tables or is a superuser: the service needs another one, without power")


def _grant(connection: Connection, role: str) -> None:
    name = connection.dialect.identifier_preparer.quote_identifier(role)
    schema = connection.dialect.identifier_preparer.quote_identifier(
        str(connection.scalar(text("SELECT current_schema()")))
    )
    for statement in (
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {name}",
        f"REVOKE ALL ON SCHEMA {schema} FROM {name}",
        f"GRANT USAGE ON SCHEMA {schema} TO {name}",
        *(f"GRANT {rights} ON {table} TO {name}" for table, rights in SERVICE_RIGHTS.items()),
    ):
        connection.exec_driver_sql(statement)
