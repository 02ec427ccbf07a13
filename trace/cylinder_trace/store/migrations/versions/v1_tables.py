"""the ledger's tables, and those of the service."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None

_APPEND_ONLY = ("entry", "entry_ref", "checkpoint", "cosignature", "journal")
# SQLite only makes an INTEGER primary key the row id itself.
_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _make_ledger()
    _make_read_model()
    _make_service()
    for table in _APPEND_ONLY:
        _guard(table)


def _make_ledger() -> None:
    op.create_table(
        "entry",
        sa.Column("log_index", _ROW_ID, primary_key=True),
        _text("id", unique=True),
        _text("subject"),
        _long("n"),
        _text("type"),
        _long("occurred_at"),
        _long("recorded_at"),
        _bytes("hash"),
        _bytes("text"),
        sa.UniqueConstraint("subject", "n"),
    )
    op.create_index("entry_by_type", "entry", ["type", "log_index"])
    op.create_table("entry_ref", _key("ref"), _long_key("log_index"), sqlite_with_rowid=False)
    op.create_table("checkpoint", sa.Column("size", _ROW_ID, primary_key=True), _text("note"), _long("published_at"))
    op.create_table("cosignature", _long_key("size"), _key("key"), _text("line"))


def _make_read_model() -> None:
    head = (_text("kind"), _long("n"), _text("head"), _long("log_index"))
    op.create_table("subject_now", _key("subject"), *head, _text("owner_id", nullable=True), _text("state"))
    op.create_index("subject_by_owner", "subject_now", ["owner_id", "log_index"])
    op.create_index("subject_by_kind", "subject_now", ["kind", "log_index"])
    op.create_table("code", _key("code"), _text("cylinder_id"))


def _make_service() -> None:
    wrapped = sa.Column("wrapped_key", sa.LargeBinary(), nullable=True)
    op.create_table("person", _key("customer_id"), wrapped, _bytes("sealed"), _text("commitment"))
    holder = (_text("account_id"), _text("role"), _text("org_id"), _long("revoked_at", nullable=True))
    op.create_table("account", _key("token_sha256"), *holder)
    life = (_text("station_id"), _long("expires_at"), _long("used_at", nullable=True))
    op.create_table("device_code", _key("code_sha256"), *life)
    record = (_text("hash"), _text("id"), _text("status"), _long("log_index"), _bytes("text"))
    op.create_table("journal", _key("device_id"), _long_key("seq"), *record)
    op.create_table("meta", _key("key"), _text("value"))


def _text(name: str, *, nullable: bool = False, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable, unique=unique)


def _long(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), primary_key=True)


def _long_key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False)


def _guard(table: str) -> None:
    if op.get_context().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(_REFUSE)
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )


_REFUSE = """
CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""
