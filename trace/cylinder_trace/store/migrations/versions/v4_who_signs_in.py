"""people who sign in, systems with keys of their own, and tokens that end, are narrower or bound to a district."""

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    for column in (
        sa.Column("district", sa.String()),
        sa.Column("scope", sa.String()),
        sa.Column("expires_at", sa.BigInteger()),
    ):
        op.add_column("account", column)
    op.create_index("account_by_id", "account", ["account_id"])
    op.create_table(
        "client",
        sa.Column("client_id", sa.String(), primary_key=True),
        sa.Column("jwk", sa.String(), nullable=False),
        *_whom(),
        sa.Column("scope", sa.String()),
        sa.Column("revoked_at", sa.BigInteger()),
    )
    op.create_table(
        "assertion",
        sa.Column("assertion_sha256", sa.String(), primary_key=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "login",
        sa.Column("user_id", sa.String(), primary_key=True),
        *_whom(),
        sa.Column("password_hash", sa.String()),
        sa.Column("totp_sealed", sa.LargeBinary()),
        sa.Column("totp_used", sa.BigInteger()),
        sa.Column("invitation_sha256", sa.String()),
        sa.Column("invited_until", sa.BigInteger()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
    )


def _whom() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("district", sa.String()),
    )
