"""a second branch of a device whose journal forked."""

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"


def upgrade() -> None:
    op.create_table(
        "journal_branch",
        sa.Column("device_id", sa.String(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
    )
    if op.get_context().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER journal_branch_no_{verb.lower()} BEFORE {verb} ON journal_branch "
                "BEGIN SELECT RAISE(ABORT, 'journal_branch is append-only'); END"
            )
        return
    op.execute(
        "CREATE TRIGGER journal_branch_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_branch "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )
