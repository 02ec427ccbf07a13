"""the EPCIS repository: events, their contexts and terms, capture jobs, named queries, subscriptions."""

import sqlalchemy as sa
from alembic import op

revision = "9"
down_revision = "8"


def upgrade() -> None:
    _make_events()
    _make_captures()
    op.create_table(
        "epcis_query",
        sa.Column("org_id", sa.String(), primary_key=True),
        sa.Column("name", _word(), primary_key=True),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
    )
    op.create_table(
        "epcis_subscription",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("query_name", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("epc_format", sa.String()),
        sa.Column("secret_sealed", sa.LargeBinary()),
        sa.Column("at_seq", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("tried_at", sa.BigInteger()),
        sa.Column("taken_at", sa.BigInteger()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
    )
    op.create_index("epcis_subscription_by_query", "epcis_subscription", ["org_id", "query_name"])


def _make_events() -> None:
    op.create_table(
        "epcis_event",
        sa.Column("seq", _long(), primary_key=True, autoincrement=False),
        sa.Column("text_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("hash_id", sa.String()),
        sa.Column("record_time", sa.BigInteger(), nullable=False),
        sa.Column("event_time", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("action", sa.String()),
        sa.Column("biz_step", _word()),
        sa.Column("disposition", _word()),
        sa.Column("read_point", _word()),
        sa.Column("biz_location", _word()),
        sa.Column("error_time", sa.BigInteger()),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("capture_id", sa.String()),
        sa.Column("log_index", sa.BigInteger()),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("context_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("org_id", "text_sha256"),
    )
    op.create_index("epcis_event_by_id", "epcis_event", ["event_id"])
    op.create_index("epcis_event_by_event_time", "epcis_event", ["event_time", "seq"])
    op.create_index("epcis_event_by_record_time", "epcis_event", ["record_time"])
    for name in ("biz_step", "disposition", "read_point", "biz_location"):
        op.create_index(f"epcis_event_by_{name}", "epcis_event", [name, "seq"])
    _make_partial("epcis_event_by_capture", "epcis_event", ["capture_id", "seq"], "capture_id IS NOT NULL")
    op.create_table(
        "epcis_context",
        sa.Column("id", _long(), primary_key=True, autoincrement=False),
        sa.Column("text_sha256", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("text", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "epcis_term",
        sa.Column("name", _word(), primary_key=True),
        sa.Column("value", _word(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )


def _make_captures() -> None:
    op.create_table(
        "epcis_capture",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("behaviour", sa.String(), nullable=False),
        sa.Column("document_sha256", sa.String(), nullable=False),
        sa.Column("document", sa.LargeBinary()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("errors", sa.String(), nullable=False),
    )
    op.create_index("epcis_capture_by_org", "epcis_capture", ["org_id", "created_at", "id"])
    _make_partial("epcis_capture_running", "epcis_capture", ["created_at"], "finished_at IS NULL")


def _make_partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _word() -> sa.types.TypeEngine[str]:
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def _long() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
