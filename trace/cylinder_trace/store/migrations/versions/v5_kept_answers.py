"""answers that are given again byte for byte when a request is sent again under its idempotency key."""

import sqlalchemy as sa
from alembic import op

revision = "5"
down_revision = "4"


def upgrade() -> None:
    op.create_table(
        "kept_answer",
        sa.Column("account_id", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("request_sha256", sa.String(), nullable=False),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary()),
    )
    op.create_index("kept_answer_by_age", "kept_answer", ["kept_at"])
