"""A database as the first version of the program made it, before there were migrations: frozen, never to be changed."""

from pathlib import Path

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, text

from ledgers.homes import Home

_TABLES = """
CREATE TABLE account (token_sha256 VARCHAR NOT NULL, account_id VARCHAR NOT NULL, role VARCHAR NOT NULL,
    org_id VARCHAR NOT NULL, revoked_at BIGINT, PRIMARY KEY (token_sha256));
CREATE TABLE checkpoint (size {size} NOT NULL, note VARCHAR NOT NULL, published_at BIGINT NOT NULL, PRIMARY KEY (size));
CREATE TABLE code (code VARCHAR NOT NULL, cylinder_id VARCHAR NOT NULL, PRIMARY KEY (code));
CREATE TABLE cosignature (size BIGINT NOT NULL, "key" VARCHAR NOT NULL, line VARCHAR NOT NULL,
    PRIMARY KEY (size, "key"));
CREATE TABLE device_code (code_sha256 VARCHAR NOT NULL, station_id VARCHAR NOT NULL, expires_at BIGINT NOT NULL,
    used_at BIGINT, PRIMARY KEY (code_sha256));
CREATE TABLE entry (log_index {size} NOT NULL, id VARCHAR NOT NULL, subject VARCHAR NOT NULL, n BIGINT NOT NULL,
    type VARCHAR NOT NULL, occurred_at BIGINT NOT NULL, recorded_at BIGINT NOT NULL, hash {bytes} NOT NULL,
    text {bytes} NOT NULL, PRIMARY KEY (log_index), UNIQUE (subject, n), UNIQUE (id));
CREATE INDEX entry_by_type ON entry (type, log_index);
CREATE TABLE entry_ref (ref VARCHAR NOT NULL, log_index BIGINT NOT NULL, PRIMARY KEY (ref, log_index)){clustered};
CREATE TABLE journal (device_id VARCHAR NOT NULL, seq BIGINT NOT NULL, hash VARCHAR NOT NULL, id VARCHAR NOT NULL,
    status VARCHAR NOT NULL, log_index BIGINT NOT NULL, text {bytes} NOT NULL, PRIMARY KEY (device_id, seq));
CREATE TABLE meta ("key" VARCHAR NOT NULL, value VARCHAR NOT NULL, PRIMARY KEY ("key"));
CREATE TABLE person (customer_id VARCHAR NOT NULL, wrapped_key {bytes}, sealed {bytes} NOT NULL,
    commitment VARCHAR NOT NULL, PRIMARY KEY (customer_id));
CREATE TABLE subject_now (subject VARCHAR NOT NULL, kind VARCHAR NOT NULL, n BIGINT NOT NULL, head VARCHAR NOT NULL,
    log_index BIGINT NOT NULL, owner_id VARCHAR, state VARCHAR NOT NULL, PRIMARY KEY (subject));
CREATE INDEX subject_by_owner ON subject_now (owner_id, log_index);
CREATE INDEX subject_by_kind ON subject_now (kind, log_index);
"""
_WORDS = {
    "sqlite": {"size": "INTEGER", "bytes": "BLOB", "clustered": " WITHOUT ROWID"},
    "postgresql": {"size": "BIGSERIAL", "bytes": "BYTEA", "clustered": ""},
}
_APPEND_ONLY = ("entry", "entry_ref", "checkpoint", "cosignature", "journal")
_REFUSE = """
CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""
Rows = dict[str, list[tuple[object, ...]]]


def engine_of(home: Home) -> Engine:
    """A plain engine whose transactions hold DDL too."""
    engine = create_engine(home.url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def on_connect(connection: object, _record: object) -> None:
            connection.isolation_level = None  # type: ignore[attr-defined]

        @event.listens_for(engine, "begin")
        def on_begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    return engine


def rows_of(home: Home) -> Rows:
    """Every row of every table of the first version, in the order of its values."""
    engine = engine_of(home)
    try:
        with engine.connect() as connection:
            found = {}
            for table in _names():
                rows = connection.execute(text(f'SELECT * FROM "{table}"'))
                found[table] = sorted((tuple(map(_plain, row)) for row in rows), key=repr)
            return found
    finally:
        engine.dispose()


def set_back(source: Home, url: str, folder: Path, *, without: tuple[str, ...] = ()) -> Home:
    """A home of the first version at `url` that holds what `source` holds."""
    home = Home(url, folder, source.clock)
    old, new = engine_of(home), engine_of(source)
    try:
        with old.begin() as target, new.connect() as connection:
            _make(target)
            _copy(connection, target)
            target.execute(text("UPDATE meta SET value = '1' WHERE \"key\" = 'schema'"))
            for table in without:
                target.execute(text(f"DROP TABLE {table}"))
    finally:
        old.dispose()
        new.dispose()
    return home


def _names() -> list[str]:
    return [line.split()[2] for line in _TABLES.splitlines() if line.startswith("CREATE TABLE")]


def _make(connection: Connection) -> None:
    dialect = connection.dialect.name
    for statement in _TABLES.format(**_WORDS[dialect]).split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
    if dialect == "postgresql":
        connection.exec_driver_sql(_REFUSE.replace("%", "%%"))
    for table in _APPEND_ONLY:
        for statement in _guards(dialect, table):
            connection.exec_driver_sql(statement)


def _guards(dialect: str, table: str) -> list[str]:
    if dialect == "postgresql":
        when = f"BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        return [f"CREATE TRIGGER {table}_append_only {when} FOR EACH STATEMENT EXECUTE FUNCTION append_only()"]
    return [
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ]


def _copy(source: Connection, target: Connection) -> None:
    found, made = MetaData(), MetaData()
    found.reflect(source, only=_names())
    made.reflect(target)
    for name in _names():
        rows = [dict(row._mapping) for row in source.execute(found.tables[name].select())]
        if rows:
            target.execute(made.tables[name].insert(), rows)


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value
