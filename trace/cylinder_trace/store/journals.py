"""What a device has uploaded of its own chain, as a unit sees it: committed, or staged in the same batch."""

from sqlalchemy import select

from cylinder_trace.chain import EMPTY, Head
from cylinder_trace.store.tables import JournalRow
from cylinder_trace.store.unit import Unit

_journal = JournalRow.__table__  # type: ignore[attr-defined]


def journal_head(unit: Unit, device_id: str) -> Head:
    """How many records of the device are here, and the hash of the last of them."""
    newest = select(_journal.c.seq, _journal.c.hash).where(_journal.c.device_id == device_id)
    row = unit.connection.execute(newest.order_by(_journal.c.seq.desc()).limit(1)).one_or_none()
    head = Head(row.seq + 1, row.hash) if row else EMPTY
    staged = (Head(row.seq + 1, row.hash) for row in unit.staged_rows(JournalRow) if row.device_id == device_id)
    return max((head, *staged), key=lambda found: found.n)


def journal_rows(unit: Unit, device_id: str, first: int, end: int) -> dict[int, JournalRow]:
    """The device's records from `first` up to, not including, `end`, by sequence."""
    span = (_journal.c.seq >= first, _journal.c.seq < end)
    found = unit.connection.execute(select(_journal).where(_journal.c.device_id == device_id, *span))
    rows = {row.seq: JournalRow(**row._mapping) for row in found}
    staged = (row for row in unit.staged_rows(JournalRow) if row.device_id == device_id and first <= row.seq < end)
    return rows | {row.seq: row for row in staged}
