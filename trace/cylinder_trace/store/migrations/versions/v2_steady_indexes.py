"""indexes of the read model that an append leaves alone, and room beside its rows on PostgreSQL."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    _make_what_late_tables_lack()
    for index in ("subject_by_owner", "subject_by_kind"):
        op.drop_index(index, "subject_now", if_exists=True)
    op.create_index("subject_by_kind", "subject_now", ["kind", "owner_id"])
    # An update whose indexed columns stay as they are needs no new index entries if its page has room for it.
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE subject_now SET (fillfactor = 70)")


def _make_what_late_tables_lack() -> None:
    """A database made before there were cosignatures has no table of them, but says the same version."""
    if sa.inspect(op.get_bind()).has_table("cosignature"):
        return
    op.create_table(
        "cosignature",
        sa.Column("size", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("line", sa.String(), nullable=False),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER cosignature_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cosignature "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER cosignature_no_{verb.lower()} BEFORE {verb} ON cosignature "
            "BEGIN SELECT RAISE(ABORT, 'cosignature is append-only'); END"
        )
