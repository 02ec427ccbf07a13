"""entries in sixteen parts on PostgreSQL, by the hash of their subject."""

from alembic import op

revision = "3"
down_revision = "2"

_PARTS = 16


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    # No group commit of another process may fall between the copy and the new name.
    op.execute("SELECT pg_advisory_xact_lock(hashtext('pinglian-writer'))")
    op.execute(_PARTED)
    for part in range(_PARTS):
        op.execute(
            f"CREATE TABLE {_name(part)} PARTITION OF entry_parted FOR VALUES WITH (MODULUS {_PARTS}, REMAINDER {part})"
        )
    op.execute(_ROWS)
    op.execute(_IDS)
    op.execute("DROP TABLE entry")
    op.execute("ALTER TABLE entry_parted RENAME TO entry")
    for statement in _KEYS:
        op.execute(statement)
    _guard()
    # Sizes and indexes are always given: a default would only ever hide a mistake.
    op.execute("ALTER TABLE checkpoint ALTER COLUMN size DROP DEFAULT")
    op.execute("DROP SEQUENCE IF EXISTS checkpoint_size_seq")


def _name(part: int) -> str:
    return f"entry_part_{part:02}"


_PARTED = """
CREATE TABLE entry_parted (
    log_index bigint NOT NULL, id varchar NOT NULL, subject varchar NOT NULL, n bigint NOT NULL, type varchar NOT NULL,
    occurred_at bigint NOT NULL, recorded_at bigint NOT NULL, hash bytea NOT NULL, text bytea NOT NULL
) PARTITION BY HASH (subject)
"""
_ROWS = """
INSERT INTO entry_parted
SELECT log_index, id, subject, n, type, occurred_at, recorded_at, hash, text FROM entry ORDER BY log_index
"""
_IDS = """
CREATE TABLE entry_id AS SELECT log_index, id, subject, recorded_at FROM entry ORDER BY log_index
"""
# Types that come with every filling are found by walking the log: an index of them would cost every append.
_BY_TYPE = """
CREATE INDEX entry_by_type ON entry (type, log_index) WHERE type NOT IN (
    'prefill_checked', 'fill_decided', 'fill_started', 'filled', 'postfill_checked',
    'left_station', 'handed_over', 'sold', 'safety_checked', 'returned'
)
"""
# The keys come behind the rows: an index is built faster than it grows.
_KEYS = (
    "ALTER TABLE entry ADD CONSTRAINT entry_subject_n_key UNIQUE (subject, n)",
    "CREATE INDEX entry_by_index ON entry (log_index)",
    _BY_TYPE,
    "ALTER TABLE entry_id ADD PRIMARY KEY (log_index), ADD UNIQUE (id)",
    "ALTER TABLE entry_id ALTER id SET NOT NULL, ALTER subject SET NOT NULL, ALTER recorded_at SET NOT NULL",
)


def _guard() -> None:
    """Rows: a trigger of the whole table, which every part has, one attached later too. TRUNCATE: one for each part."""
    op.execute(
        "CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION append_only()"
    )
    op.execute(
        "CREATE TRIGGER entry_id_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry_id "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )
    for table in ("entry", *map(_name, range(_PARTS))):
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
