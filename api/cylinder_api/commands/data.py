"""Putting data in: ``migrate``, ``seed``, ``import``."""

import argparse
from contextlib import closing
from functools import partial

from cylinder_api.acts import importing
from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.output import say, show
from cylinder_api.commands.town import Wish, seed_folder
from cylinder_api.folder import make_folder
from cylinder_api.service import Service, open_service, system_clock
from cylinder_api.settings import settings_for
from cylinder_codes.importing import RowError
from cylinder_trace.store.ledger import Ledger

_ROWS_AT_ONCE = 1000


def migrate(options: argparse.Namespace) -> int:
    """Make the folder, its keys and the tables; check them when they are there."""
    settings = settings_for(options.data, options.database_url)
    keys = make_folder(settings.data, options.origin)
    with Ledger(settings.database_url, settings.data, keys.log, system_clock) as ledger:
        size = ledger.reader.size()
    facts = {"data": str(settings.data), "origin": keys.log.name, "entries": size}
    show(options, facts, f"{settings.data} is ready: log {keys.log.name}, {size} entries")
    return 0


def seed(options: argparse.Namespace) -> int:
    """Write a generated town into an empty folder, with its answer key beside it."""
    settings = settings_for(options.data, options.database_url)
    keys = make_folder(settings.data)
    wish = Wish(options.cylinders, options.seed, options.as_of)
    with Ledger(settings.database_url, settings.data, keys.log, system_clock) as ledger:
        seeded = seed_folder(settings.data, ledger, keys, wish, system_clock(), say)
        size = ledger.reader.size()
    facts = {"data": str(settings.data), "generated": True, "seeded": seeded, "entries": size}
    done = "holds" if seeded else "already held"
    show(options, facts, f"{settings.data} {done} a generated town: {size} entries")
    return 0


def import_file(options: argparse.Namespace) -> int:
    """Register the cylinders of a table, as the route does; 1 if a row could not be used."""
    try:
        data = options.file.read_bytes()
    except OSError as error:
        raise CannotDo(f"cannot read {options.file}: {error.strerror}") from error
    with closing(open_service(settings_for(options.data, options.database_url))) as service:
        hosts = service.settings.link_hosts
        table = importing.read_table(data, options.file.name, options.company, service.keys.tag, hosts)
        if table.errors and table.errors[0].row_number == 0:
            raise CannotDo(f"{options.file}: {table.errors[0].what}: {table.errors[0].mend}")
        parts = _import_parts(service, table, options)
    errors = sorted([*table.errors, *(fault for part in parts for fault in part.errors)], key=_row_number)
    registered, known = sum(part.registered for part in parts), sum(part.known for part in parts)
    for fault in errors:
        say(f"row {fault.row_number}, {fault.column}: {fault.what}: {fault.mend}")
    facts = {"registered": registered, "known": known, "errors": len(errors), "dry_run": options.dry_run}
    show(options, facts, f"{registered} registered, {known} known already, {len(errors)} errors")
    return 1 if errors else 0


def _import_parts(service: Service, table: importing.Table, options: argparse.Namespace) -> list[importing.Imported]:
    parts = []
    for start in range(0, len(table.rows), _ROWS_AT_ONCE):
        rows = table.rows[start : start + _ROWS_AT_ONCE]
        act = partial(
            importing.import_rows,
            file_hash=table.file_hash,
            rows=rows,
            company_id=options.company,
            dry_run=options.dry_run,
        )
        parts.append(service.ledger.transact(act))
    return parts


def _row_number(error: RowError) -> int:
    return error.row_number
