"""Answers kept under idempotency keys (幂等键): given again byte for byte to whoever asks again within some days."""

import zlib

from sqlalchemy import Engine, delete, select

from cylinder_trace.store.tables import KeptAnswerRow
from cylinder_trace.store.unit import Unit

KEPT_MS = 7 * 24 * 3_600_000
_kept = KeptAnswerRow.__table__  # type: ignore[attr-defined]


def packed(answer: bytes) -> bytes:
    """An answer as it is kept; most of a long one is the same words again."""
    return zlib.compress(answer, 1)


def unpacked(row: KeptAnswerRow) -> bytes | None:
    """The answer's own bytes, or None where it was not kept."""
    return None if row.answer is None else zlib.decompress(row.answer)


def read_kept_answer(engine: Engine, account_id: str, key: str) -> KeptAnswerRow | None:
    """What was answered to the account under this key."""
    query = select(_kept).where(_kept.c.account_id == account_id, _kept.c.key == key)
    with engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    return KeptAnswerRow(**row._mapping) if row else None


def keep_answer(unit: Unit, row: KeptAnswerRow) -> KeptAnswerRow:
    """Keep `row` unless the key has an answer already; the answer that stands."""
    if (first := unit.find(KeptAnswerRow, row.account_id, row.key)) is not None:
        return first
    unit.put(row)
    return row


def forget_answers(unit: Unit, before: int) -> None:
    """Let go of what was kept before `before` (UTC ms)."""
    unit.connection.execute(delete(_kept).where(_kept.c.kept_at < before))
