"""lists of cylinders and monthly figures, which follow the log, and who answers for a customer's data."""

import sqlalchemy as sa
from alembic import op

revision = "7"
down_revision = "6"

_FOUND_BY = {
    "due": "due_day", "owner": "owner_id", "station": "station_id", "district": "district",
    "maker": "maker", "serial": "serial", "status": "status", "lot": "lot_id",
}  # fmt: skip


def upgrade() -> None:
    op.add_column("person", sa.Column("company_id", sa.String()))
    op.create_table(
        "fleet",
        sa.Column("cylinder_id", _word(), primary_key=True),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("station_id", sa.String()),
        sa.Column("district", _word()),
        sa.Column("maker", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("made", sa.String()),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("due_day", sa.Integer()),
        sa.Column("lot_id", sa.String()),
        sa.Column("black", sa.Boolean(), nullable=False),
        sa.Column("lost", sa.Boolean(), nullable=False),
        sa.Column("marks", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("memo", sa.String(), nullable=False),
    )
    _make_indexes()
    op.create_table(
        "figure",
        sa.Column("month", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("word", _word(), primary_key=True),
        sa.Column("district", _word(), primary_key=True),
        sa.Column("company_id", sa.String(), primary_key=True),
        sa.Column("station_id", sa.String(), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "followed",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("value", sa.String(), nullable=False),
    )


def _make_indexes() -> None:
    for name, column in _FOUND_BY.items():
        op.create_index(f"fleet_by_{name}", "fleet", [column, "cylinder_id"])
    for name, on_sqlite, on_postgresql in (
        ("black", "black = 1", "black"),
        ("lost", "lost = 1", "lost"),
        ("marked", "marks <> ''", "marks <> ''"),
    ):
        op.create_index(
            f"fleet_{name}",
            "fleet",
            ["cylinder_id"],
            sqlite_where=sa.text(on_sqlite),
            postgresql_where=sa.text(on_postgresql),
        )
    # An update that leaves the indexed columns as they are needs no new index entries if its page has room.
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE fleet SET (fillfactor = 70)")


def _word() -> sa.types.TypeEngine[str]:
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")
