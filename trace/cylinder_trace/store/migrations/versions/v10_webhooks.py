"""webhooks, and the messages to them."""

import sqlalchemy as sa
from alembic import op

revision = "10"
down_revision = "9"


def upgrade() -> None:
    op.create_table(
        "webhook",
        sa.Column("webhook_id", sa.String(), primary_key=True),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("district", sa.String()),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary()),
        sa.Column("old_secret_sealed", sa.LargeBinary()),
        sa.Column("old_secret_until", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("next_index", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("rests_until", sa.BigInteger()),
        sa.Column("off_at", sa.BigInteger()),
        sa.Column("off_because", sa.String()),
        sa.Column("deleted_at", sa.BigInteger()),
    )
    op.create_table(
        "delivery",
        sa.Column("message_id", sa.String(), primary_key=True),
        sa.Column("webhook_id", sa.String(), nullable=False),
        sa.Column("log_index", sa.BigInteger()),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("tried_at", sa.BigInteger()),
        sa.Column("status", sa.Integer()),
        sa.Column("said", sa.String()),
        sa.Column("ended_at", sa.BigInteger()),
    )
    op.create_index("delivery_by_webhook", "delivery", ["webhook_id", "made_at", "message_id"])
    _make_partial("delivery_due", ["webhook_id", "due_at"], "due_at IS NOT NULL")
    _make_partial("delivery_ended", ["ended_at"], "ended_at IS NOT NULL")


def _make_partial(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "delivery", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
