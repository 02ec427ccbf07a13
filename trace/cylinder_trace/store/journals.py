"""What a device has uploaded of its own chain, as a unit sees it: committed, or staged in the same batch."""

from typing import NamedTuple

from sqlalchemy import Table, select

from cylinder_trace.chain import EMPTY, Head
from cylinder_trace.store.tables import JournalBranchRow, JournalRow
from cylinder_trace.store.unit import Unit

_journal = JournalRow.__table__  # type: ignore[attr-defined]
_branch = JournalBranchRow.__table__  # type: ignore[attr-defined]


class Uploaded(NamedTuple):
    """A row of `journal` or `journal_branch`."""

    device_id: str
    seq: int
    hash: str
    id: str
    status: str
    log_index: int
    text: bytes


def keep_record(unit: Unit, row: Uploaded) -> None:
    """Keep the next record of a device's journal."""
    unit.add(_journal, row)


def keep_beside(unit: Unit, row: Uploaded) -> None:
    """Keep a record of the second branch of a journal that forked."""
    unit.add(_branch, row)


def journal_head(unit: Unit, device_id: str, *, beside: bool = False) -> Head:
    """How many records of the device are here, and the hash of the last of them; `beside`: of its second branch."""
    table = _branch if beside else _journal
    newest = select(table.c.seq, table.c.hash).where(table.c.device_id == device_id)
    row = unit.connection.execute(newest.order_by(table.c.seq.desc()).limit(1)).one_or_none()
    head, staged = Head(row.seq + 1, row.hash) if row else EMPTY, _staged(unit, table, device_id)
    return max((head, *(Head(row.seq + 1, row.hash) for row in staged)), key=lambda found: found.n)


def journal_rows(unit: Unit, device_id: str, first: int, end: int, *, beside: bool = False) -> dict[int, Uploaded]:
    """The device's records from `first` up to, not including, `end`, by sequence; `beside`: of its second branch."""
    table = _branch if beside else _journal
    span = (table.c.seq >= first, table.c.seq < end)
    found = unit.connection.execute(select(table).where(table.c.device_id == device_id, *span))
    rows = {row.seq: Uploaded(*row) for row in found}
    return rows | {row.seq: row for row in _staged(unit, table, device_id) if first <= row.seq < end}


def _staged(unit: Unit, table: Table, device_id: str) -> list[Uploaded]:
    return [row for values in unit.added(table) if (row := Uploaded(*values)).device_id == device_id]
