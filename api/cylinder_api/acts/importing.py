"""Taking over a company's own table of cylinders (批量建档), and taking it back (撤销导入).

An import has an id, made from the company and the file's bytes; ids of its entries are made from it and the row. So
the same file twice changes nothing, and an import that was cut off is finished by sending the file again. An import
that was undone stays undone: the same file, sent once more, is another import with an id of its own.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cylinder_api.acts.recalling import mark_registered
from cylinder_api.acts.registering import find_twin, stamps_of_year
from cylinder_api.refusals import Refused
from cylinder_codes.authenticity import TagKey, tag_is_genuine
from cylinder_codes.identifiers import Code, new_cylinder_id
from cylinder_codes.importing import CylinderRow, CylinderTable, RowError, parse_cylinder_table
from cylinder_codes.legacy_forms import ScanForms
from cylinder_codes.schemes import Scheme
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import format_day, local_day
from cylinder_trace.events import (
    CodeBound,
    CylinderRegistered,
    Entry,
    Event,
    FillDecided,
    Inspected,
    Recalled,
    RecallLifted,
    Record,
    RegistrationWithdrawn,
    Stamp,
    parse_entry,
    state_event,
)
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.unit import Hints, Told, Unit

SUBJECTS_AT_ONCE = 200
"""Cylinders of an import that one transaction of its undoing looks at."""


class Table(NamedTuple):
    """A company's table as read: good rows, and what is wrong with the others. Nothing is recorded yet."""

    import_id: str
    rows: list[CylinderRow]
    errors: list[RowError]
    source: CylinderTable


class Imported(NamedTuple):
    """What became of some rows of a table."""

    registered: int
    known: int
    errors: list[RowError]


# --- reading ------------------------------------------------------------------------------------------------


def read_table(data: bytes, filename: str, company_id: str, tag_key: TagKey, forms: ScanForms, reader: Reader) -> Table:
    """Read a company's table; a row with an invented code or another owner is an error."""
    source = parse_cylinder_table(data, filename, forms.hosts)
    errors = list(source.errors)
    good: list[CylinderRow] = []
    for row in source.rows:
        faults = list(_faults(row, company_id, tag_key))
        errors += faults
        good += [] if faults else [row]
    import_id = import_id_for(data, company_id, reader)
    return Table(import_id, good, sorted(errors, key=lambda error: error.row_number), source)


def import_id_for(data: bytes, company_id: str, reader: Reader) -> str:
    """The id under which a company's file is imported: the first that was not undone."""
    turn, digest = 0, hashlib.sha256(data).hexdigest()
    while True:
        import_id = hashlib.sha256(f"pinglian-import-v1\0{company_id}\0{digest}\0{turn}".encode()).hexdigest()[:32]
        if not reader.by_ref(f"undo/{import_id}", limit=1):
            return import_id
        turn += 1


def _faults(row: CylinderRow, company_id: str, tag_key: TagKey) -> Iterable[RowError]:
    # Only our own codes carry our tag for certain; what a GS1 code ends in is its issuer's business.
    if row.code and (code := Code(row.code)).scheme == Scheme.OWN and not tag_is_genuine(code, tag_key):
        yield RowError(
            row.row_number, "code", "no such code was ever issued", "take it from the label",
            "此码不是本系统发出的码", "请按标签填写",
        )  # fmt: skip
    if row.owner_id not in (None, company_id):
        yield RowError(
            row.row_number, "owner_id", f"the owner is not {company_id}", "leave it out, or let the owner import it",
            "产权单位不是本单位", "请删除该行，或由产权单位导入",
        )  # fmt: skip


# --- registering --------------------------------------------------------------------------------------------


def import_rows(unit: Unit, import_id: str, rows: Sequence[CylinderRow], company_id: str, dry_run: bool) -> Imported:
    """Register the cylinders of `rows` and bind their codes, all in this unit; count what is known already."""
    stamps = {row.row_number: _stamps(row) for row in rows}
    ids = [_id(import_id, row, "registered") for row in rows]
    unit.prefetch(Hints(ids, codes=[code for row in rows for code in (*row.codes, *stamps[row.row_number])]))
    known, errors, new = 0, list[RowError](), list[CylinderRow]()
    for row in rows:
        faults = _on_file(unit, import_id, row, stamps[row.row_number], company_id)
        if faults is None:
            new.append(row)
            if not dry_run:
                unit.append_all(_records(import_id, row, company_id, unit.now))
        known += faults == []
        errors += faults or []
    if not dry_run:
        mark_registered(unit, [_cylinder_id(import_id, row) for row in new], company_id)
    return Imported(len(new), known, errors)


def _on_file(unit: Unit, import_id: str, row: CylinderRow, stamps: list[str], company_id: str) -> list[RowError] | None:
    """What the ledger says against the row: nothing when it is a cylinder on file, None when it is a new one."""
    holders = {code: holder for code in row.codes if (holder := unit.cylinder_by_code(code)) is not None}
    if holders:
        return list(_conflicts(row, holders, company_id))
    if unit.entry(_id(import_id, row, "registered")) is not None:
        return [_undone_meanwhile(row)]
    twin = find_twin(unit, stamps)
    return [_registered_before(row, twin)] if twin else None


def _stamps(row: CylinderRow) -> list[str]:
    """The row's stamp in each month of its year of making; none where the month is not known."""
    return stamps_of_year(row.maker, row.manufactured_month, row.serial) if row.manufactured_month else []


def _conflicts(row: CylinderRow, holders: dict[str, CylinderState], company_id: str) -> Iterator[RowError]:
    """Why the row is not simply a cylinder that is on file; nothing when it is."""
    for code, holder in holders.items():
        if code in holder.voided_codes or holder.status in ("condemned", "destroyed"):
            yield _code_dead(row, code)
        elif (holder.stamp.maker, holder.stamp.serial, holder.owner_id) != (row.maker, row.serial, company_id):
            yield _registered_before(row, holder) if Code(code).scheme == Scheme.STAMP else _code_taken(row, code)
    if len({holder.cylinder_id for holder in holders.values()}) > 1:
        yield _two_cylinders(row)
    elif row.code and row.code not in holders:
        yield _code_not_bound(row)


def _column(code: str) -> str:
    scheme = Code(code).scheme
    return "code" if scheme in (Scheme.OWN, Scheme.GRAI, Scheme.GIAI) else scheme.value


def _code_taken(row: CylinderRow, code: str) -> RowError:
    return RowError(
        row.row_number, _column(code),
        "the code already leads to another cylinder", "give this cylinder a code of its own",
        "此码已属于另一只气瓶", "请为该瓶另赋一码",
    )  # fmt: skip


def _registered_before(row: CylinderRow, twin: CylinderState) -> RowError:
    """One stamp, two cylinders: both are named, because nobody can say from here which of them is wrong."""
    this = row.code or next(iter(row.aliases))
    return RowError(
        row.row_number, Scheme.STAMP.value,
        f"maker, serial number and year of making of {this} are those of {twin.cylinder_id}, on file as "
        f"{twin.owner_id}'s",
        "look at the steel of both, and have the wrong one corrected",
        f"{this} 的制造单位、出厂编号和制造年份与已建档的 {twin.cylinder_id}（{twin.owner_id}）相同",
        "请核对两只气瓶的钢印，并更正有误的一只",
    )  # fmt: skip


def _code_dead(row: CylinderRow, code: str) -> RowError:
    return RowError(
        row.row_number, _column(code), "the code is dead for ever: it was cancelled, or scrapped with its cylinder",
        "have the inspection body look at this cylinder", "此码已注销或随瓶报废，永不再用", "请将该瓶交检验机构核查",
    )  # fmt: skip


def _two_cylinders(row: CylinderRow) -> RowError:
    return RowError(
        row.row_number, "code", "its codes lead to different cylinders on file", "compare each with label and steel",
        "该行的几个编号分属不同气瓶", "请与标签和钢印逐一核对",
    )  # fmt: skip


def _code_not_bound(row: CylinderRow) -> RowError:
    return RowError(
        row.row_number, "code", "this cylinder is on file already, without this code",
        "bind the code to it (POST /v1/codes), or leave the row out", "该瓶已建档，但未绑定此码",
        "请为其单独绑定此码，或删除该行",
    )  # fmt: skip


def _undone_meanwhile(row: CylinderRow) -> RowError:
    return RowError(
        row.row_number, "", "this import was undone while it ran", "import the file again",
        "导入期间该次导入已被撤销", "请重新导入该文件",
    )  # fmt: skip


def _cylinder_id(import_id: str, row: CylinderRow) -> str:
    return new_cylinder_id(hashlib.sha256(f"{import_id}/{row.row_number}".encode()).digest()[:16])


def _records(import_id: str, row: CylinderRow, company_id: str, now: int) -> list[Record]:
    subject = f"cylinder/{_cylinder_id(import_id, row)}"
    return [
        state_event(
            event,
            id=_id(import_id, row, word),
            subject=subject,
            occurred_at=now,
            by=company_id,
            refs=(f"company/{company_id}", f"import/{import_id}")
            if word == "registered"
            else (f"company/{company_id}",),
            act_id=_act_id(import_id),
        )
        for word, event in _events(import_id, row, company_id, now)
    ]


def _events(import_id: str, row: CylinderRow, company_id: str, now: int) -> Iterator[tuple[str, Event]]:
    # The table does not say since when the cylinder is in service; the grace period for registering counts from now.
    yield (
        "registered",
        CylinderRegistered(
            stamp=_stamp(row),
            owner_id=company_id,
            registration_no=row.registration_no,
            in_service_on=format_day(local_day(now)),
        ),
    )
    for number, code in enumerate(row.codes):
        yield f"code.{number}", CodeBound(code=code, scheme=Code(code).scheme.value)
    if row.inspected_on:
        yield "inspected", _inspection(import_id, row, company_id)


def _stamp(row: CylinderRow) -> Stamp:
    return Stamp(
        maker=row.maker,
        serial=row.serial,
        model=row.model,
        manufactured_month=row.manufactured_month,
        tare_g=row.tare_g,
        water_volume_ml=row.water_volume_ml,
        max_fill_g=row.max_fill_g,
        design_life_months=row.design_life_months,
    )


def _inspection(import_id: str, row: CylinderRow, company_id: str) -> Inspected:
    """The last inspection as the owner's table states it; the owner, not an inspection body, answers for it."""
    return Inspected(
        body_id=company_id,
        inspected_month=str(row.inspected_on)[:7],
        next_due_month=row.next_due_month,
        result="passed",
        report_no=f"import.{import_id[:8]}.{row.row_number}",
    )


def _id(import_id: str, row: CylinderRow, word: str) -> str:
    return f"{_act_id(import_id)}.{row.row_number}.{word}"


def _act_id(import_id: str) -> str:
    return f"import.{import_id}"


# --- looking back, and undoing ------------------------------------------------------------------------------


class PastImport(NamedTuple):
    """An import that registered cylinders: whose, when, how many, and how many of them were withdrawn since."""

    import_id: str
    company_id: str
    imported_at: int
    """UTC ms, the ledger's clock at the first row."""
    cylinders: int
    withdrawn: int


class Kept(NamedTuple):
    """A cylinder that has lived since it was imported, and the first act that it lived through."""

    cylinder_id: str
    row: int
    because: str


class Undone(NamedTuple):
    """What became of some cylinders of an import: now withdrawn, withdrawn before, kept."""

    withdrawn: int
    before: int
    kept: list[Kept]


def list_imports(reader: Reader, company_id: str | None = None) -> list[PastImport]:
    """All imports, or a company's, oldest first."""
    undone = {found.ref.partition("/")[2]: found.entries for found in reader.refs("undo")}
    past = []
    for found in reader.refs("import"):
        import_id = found.ref.partition("/")[2]
        first = parse_entry(reader.entries(found.first_index, 1)[0].text)
        if company_id in (None, first.by):
            past.append(PastImport(import_id, first.by, first.recorded_at, found.entries, undone.get(import_id, 0)))
    return past


def find_import(reader: Reader, import_id: str, company_id: str | None = None) -> str:
    """The company whose import this is; raises Refused when there is none, or none of `company_id`'s."""
    first = reader.by_ref(f"import/{import_id}", limit=1)
    owner = parse_entry(first[0].text).by if first else None
    if owner is None or company_id not in (None, owner):
        raise Refused("import_unknown", "no import of yours has this id; list the imports to see theirs")
    return owner


def imported_cylinders(reader: Reader, import_id: str) -> Iterator[list[str]]:
    """The subjects that an import registered, some at a time."""
    after = -1
    while rows := reader.by_ref(f"import/{import_id}", after=after, limit=SUBJECTS_AT_ONCE):
        yield [row.subject for row in rows]
        after = rows[-1].index


def undo_import(unit: Unit, import_id: str, company_id: str, subjects: Sequence[str], by: str, cause: str) -> Undone:
    """Withdraw the registrations of those of an import's cylinders that have not lived since; list the others."""
    unit.prefetch(Hints(subjects=subjects))
    withdrawn, before, kept = 0, 0, list[Kept]()
    for subject in subjects:
        cylinder = unit.cylinder(subject.partition("/")[2])
        if cylinder is None or cylinder.status == "withdrawn":
            before += 1
            continue
        history = unit.told_between(subject, -1, cylinder.n)
        if lived := next((told.entry for told in history if _is_life(told, import_id)), None):
            kept.append(Kept(cylinder.cylinder_id, _row_of(history[0].entry), lived.type))
        else:
            unit.append(_withdrawal(import_id, company_id, subject, by, cause, unit.now))
            withdrawn += 1
    return Undone(withdrawn, before, kept)


def _is_life(told: Told, import_id: str) -> bool:
    """Whether an entry is more than the import itself, or a recall that its stamp brought upon it.

    A refused scan may be the very reason for undoing it.
    """
    entry, event = told
    if entry.act_id == _act_id(import_id) or isinstance(event, Recalled | RecallLifted):
        return False
    return not isinstance(event, FillDecided) or event.decision.permits


def _row_of(registered: Entry) -> int:
    return int(registered.id.split(".")[2])


def _withdrawal(import_id: str, company_id: str, subject: str, by: str, cause: str, now: int) -> Record:
    return state_event(
        RegistrationWithdrawn(import_id=import_id, company_id=company_id, cause=cause),
        id=f"undo.{import_id}.{subject.partition('/')[2]}",
        subject=subject,
        occurred_at=now,
        by=by,
        refs=(f"company/{company_id}", f"undo/{import_id}"),
        act_id=f"undo.{import_id}",
    )
