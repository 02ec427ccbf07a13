"""Putting data in: ``seed``, ``import``."""

import argparse
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from cylinder_api.acts import importing
from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.output import say, show
from cylinder_api.commands.town import Wish, seed_folder
from cylinder_api.folder import make_folder
from cylinder_api.service import Service, open_service, system_clock
from cylinder_api.settings import settings_for
from cylinder_codes.importing import RowError, bad_rows
from cylinder_codes.tables import Row, write_csv, write_xlsx
from cylinder_trace.dates import format_day, local_day
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.publishing import publishing_of

_ROWS_AT_ONCE = 1000
_OPERATOR = "operator"
"""Author of what is done at the service's own command line."""


def seed(options: argparse.Namespace) -> int:
    """Write a generated town into an empty folder, with its answer key beside it."""
    settings = settings_for(options.data, options.database_url)
    keys = make_folder(settings.data)
    wish = Wish(options.cylinders, options.seed, options.as_of)
    with Ledger(settings.database_url, settings.data, keys.log, system_clock, publishing_of(settings.data)) as ledger:
        seeded = seed_folder(settings.data, ledger, keys, wish, system_clock(), say)
        size = ledger.reader.size()
    facts = {"data": str(settings.data), "generated": True, "seeded": seeded, "entries": size}
    done = "holds" if seeded else "already held"
    show(options, facts, f"{settings.data} {done} a generated town: {size} entries")
    return 0


def import_file(options: argparse.Namespace) -> int:
    """Register the cylinders of a table, list imports, or undo one; 1 if a row or a cylinder stood in the way."""
    wanted = [options.file is not None, options.list, options.undo is not None]
    if sum(wanted) != 1:
        raise CannotDo("name one of: a table to import, --list, or --undo IMPORT_ID")
    if options.list:
        return _list_imports(options)
    return _undo_import(options) if options.undo else _import_table(options)


def _import_table(options: argparse.Namespace) -> int:
    if options.company is None:
        raise CannotDo("name the owner of the cylinders with --company")
    if options.bad_rows and options.bad_rows.exists():
        raise CannotDo(f"{options.bad_rows} is there already and is not overwritten: name another file")
    try:
        data = options.file.read_bytes()
    except OSError as error:
        raise CannotDo(f"cannot read {options.file}: {error.strerror}") from error
    with closing(open_service(settings_for(options.data, options.database_url))) as service:
        forms = service.settings.forms
        reader = service.ledger.reader
        table = importing.read_table(data, options.file.name, options.company, service.keys.tag, forms, reader)
        if table.errors and table.errors[0].row_number == 0:
            raise CannotDo(f"{options.file}: {table.errors[0].what}: {table.errors[0].mend}")
        parts = _import_parts(service, table, options)
    errors = sorted([*table.errors, *(fault for part in parts for fault in part.errors)], key=_row_number)
    registered, known = sum(part.registered for part in parts), sum(part.known for part in parts)
    for fault in errors:
        say(f"row {fault.row_number}, {fault.column}: {fault.what}: {fault.mend}")
    if errors and options.bad_rows:
        _write_bad_rows(options.bad_rows, bad_rows(table.source, errors))
    facts = {"registered": registered, "known": known, "errors": len(errors), "dry_run": options.dry_run,
             "import_id": table.import_id, "sheet": table.source.source.name}  # fmt: skip
    show(options, facts, f"{registered} registered, {known} known already, {len(errors)} errors")
    return 1 if errors else 0


def _write_bad_rows(path: Path, rows: list[Row]) -> None:
    path.write_bytes(write_xlsx(rows) if path.suffix.lower() == ".xlsx" else write_csv(rows))
    say(f"{path}: the rows with errors; mend them there and import that file")


def _list_imports(options: argparse.Namespace) -> int:
    with closing(open_service(settings_for(options.data, options.database_url))) as service:
        past = importing.list_imports(service.ledger.reader, options.company)
    lines = [
        f"{item.import_id}  {format_day(local_day(item.imported_at))}  {item.company_id}  "
        f"{item.cylinders} cylinders, {item.withdrawn} withdrawn"
        for item in past
    ]
    show(options, {"imports": [item._asdict() for item in past]}, "\n".join(lines) or "no imports yet")
    return 0


def _undo_import(options: argparse.Namespace) -> int:
    if not options.cause:
        raise CannotDo("say with --cause why the import is taken back; it stands in the ledger")
    with closing(open_service(settings_for(options.data, options.database_url))) as service:
        parts = list(_undo_parts(service, options))
    kept = [one for part in parts for one in part.kept]
    withdrawn, before = sum(part.withdrawn for part in parts), sum(part.before for part in parts)
    for one in kept:
        say(f"row {one.row}, {one.cylinder_id}: kept, for it has lived since: {one.because}")
    facts = {"withdrawn": withdrawn, "withdrawn_before": before, "kept": [one._asdict() for one in kept]}
    show(options, facts, f"{withdrawn} withdrawn, {before} withdrawn before, {len(kept)} kept")
    return 1 if kept else 0


def _undo_parts(service: Service, options: argparse.Namespace) -> Iterator[importing.Undone]:
    reader = service.ledger.reader
    company_id = importing.find_import(reader, options.undo, options.company)
    for subjects in importing.imported_cylinders(reader, options.undo):
        act = partial(
            importing.undo_import,
            import_id=options.undo,
            company_id=company_id,
            subjects=subjects,
            by=_OPERATOR,
            cause=options.cause,
        )
        yield service.ledger.transact(act)


def _import_parts(service: Service, table: importing.Table, options: argparse.Namespace) -> list[importing.Imported]:
    parts = []
    for start in range(0, len(table.rows), _ROWS_AT_ONCE):
        rows = table.rows[start : start + _ROWS_AT_ONCE]
        act = partial(
            importing.import_rows,
            import_id=table.import_id,
            rows=rows,
            company_id=options.company,
            dry_run=options.dry_run,
        )
        parts.append(service.ledger.transact(act))
    return parts


def _row_number(error: RowError) -> int:
    return error.row_number
