"""Taking over a company's own table of cylinders (批量建档).

Ids are made from the file's hash and the row, so the same file twice changes nothing, and an import that was cut off
is finished by sending the file again.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cylinder_codes.authenticity import TagKey, tag_is_genuine
from cylinder_codes.identifiers import Code, new_cylinder_id
from cylinder_codes.importing import CylinderRow, RowError, parse_cylinder_table
from cylinder_trace.dates import format_day, local_day
from cylinder_trace.events import CodeBound, CylinderRegistered, Event, Inspected, Record, Stamp, state_event
from cylinder_trace.store.unit import Unit


class Table(NamedTuple):
    """A table as read: good rows, and what is wrong with the others. Nothing is recorded yet."""

    file_hash: str
    rows: list[CylinderRow]
    errors: list[RowError]


class Imported(NamedTuple):
    """What became of some rows of a table."""

    registered: int
    known: int
    errors: list[RowError]


def read_table(data: bytes, filename: str, company_id: str, tag_key: TagKey, hosts: Sequence[str]) -> Table:
    """Read a company's table; a row with an invented code or another owner is an error."""
    rows, errors = parse_cylinder_table(data, filename, hosts)
    good: list[CylinderRow] = []
    for row in rows:
        faults = list(_faults(row, company_id, tag_key))
        errors += faults
        good += [] if faults else [row]
    return Table(hashlib.sha256(data).hexdigest()[:32], good, sorted(errors, key=lambda error: error.row_number))


def _faults(row: CylinderRow, company_id: str, tag_key: TagKey) -> Iterable[RowError]:
    if not tag_is_genuine(Code(row.code), tag_key):
        yield RowError(
            row.row_number, "code", "no such code was ever issued", "take it from the label",
            "此码不是本系统发出的码", "请按标签填写",
        )  # fmt: skip
    if row.owner_id not in (None, company_id):
        yield RowError(
            row.row_number, "owner_id", f"the owner is not {company_id}", "leave it out, or let the owner import it",
            "产权单位不是本单位", "请删除该行，或由产权单位导入",
        )  # fmt: skip


def import_rows(unit: Unit, file_hash: str, rows: Sequence[CylinderRow], company_id: str, dry_run: bool) -> Imported:
    """Register the cylinders of `rows` and bind their codes, all in this unit; count what is known already."""
    ids = [_id(file_hash, row, "registered") for row in rows]
    unit.prefetch(ids=ids, codes=[row.code for row in rows])
    registered, known, errors = 0, 0, list[RowError]()
    for row, id in zip(rows, ids, strict=True):
        if unit.entry(id) is not None:
            known += 1
        elif (holder := unit.cylinder_by_code(row.code)) is not None:
            same = (holder.stamp.maker, holder.stamp.serial, holder.owner_id) == (row.maker, row.serial, company_id)
            known += same
            errors += [] if same else [_code_taken(row)]
        else:
            registered += 1
            if not dry_run:
                unit.append_all(_records(file_hash, row, company_id, unit.now))
    return Imported(registered, known, errors)


def _code_taken(row: CylinderRow) -> RowError:
    return RowError(
        row.row_number, "code", "the code already leads to another cylinder", "give this cylinder a code of its own",
        "此码已属于另一只气瓶", "请为该瓶另赋一码",
    )  # fmt: skip


def _records(file_hash: str, row: CylinderRow, company_id: str, now: int) -> list[Record]:
    digest = hashlib.sha256(f"{file_hash}/{row.row_number}".encode()).digest()
    subject = f"cylinder/{new_cylinder_id(digest[:16])}"
    # The table does not say since when the cylinder is in service; the grace period for registering counts from now.
    registered = CylinderRegistered(
        stamp=_stamp(row),
        owner_id=company_id,
        registration_no=row.registration_no,
        in_service_on=format_day(local_day(now)),
    )
    events: dict[str, Event] = {"registered": registered, "code": CodeBound(code=row.code)}
    if row.inspected_on:
        events["inspected"] = _inspection(file_hash, row, company_id)
    return [
        state_event(
            event,
            id=_id(file_hash, row, word),
            subject=subject,
            occurred_at=now,
            by=company_id,
            refs=(f"company/{company_id}",),
            act_id=f"import.{file_hash}",
        )
        for word, event in events.items()
    ]


def _stamp(row: CylinderRow) -> Stamp:
    return Stamp(
        maker=row.maker,
        serial=row.serial,
        model=row.model,
        manufactured_month=row.manufactured_month,
        tare_g=row.tare_g,
        water_volume_ml=row.water_volume_ml,
        max_fill_g=row.max_fill_g,
    )


def _inspection(file_hash: str, row: CylinderRow, company_id: str) -> Inspected:
    """The last inspection as the owner's table states it; the owner, not an inspection body, answers for it."""
    return Inspected(
        body_id=company_id,
        inspected_month=str(row.inspected_on)[:7],
        next_due_month=row.next_due_month,
        result="passed",
        report_no=f"import.{file_hash[:8]}.{row.row_number}",
    )


def _id(file_hash: str, row: CylinderRow, word: str) -> str:
    return f"import.{file_hash}.{row.row_number}.{word}"
