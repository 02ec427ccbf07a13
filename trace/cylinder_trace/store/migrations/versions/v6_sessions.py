"""when a session began, so that one in constant use ends too."""

import sqlalchemy as sa
from alembic import op

revision = "6"
down_revision = "5"


def upgrade() -> None:
    op.add_column("account", sa.Column("started_at", sa.BigInteger()))
