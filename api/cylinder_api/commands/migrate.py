"""``migrate``: make a ledger, move an older one's tables up, give the service's role its rights."""

import argparse
from collections.abc import Sequence

from cylinder_api.commands.output import show
from cylinder_api.folder import make_folder
from cylinder_api.service import system_clock
from cylinder_api.settings import settings_for
from cylinder_trace.store.database import planned_move
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.migrating import Step
from cylinder_trace.store.publishing import publishing_of
from cylinder_trace.store.rights import grant_service
from cylinder_trace.store.tables import SCHEMA_VERSION


def migrate(options: argparse.Namespace) -> int:
    """Make the folder, its keys and the tables, or move an older schema up; with --dry-run say what that would be."""
    settings = settings_for(options.data, options.database_url)
    held, steps = planned_move(settings.database_url)
    schema = {"from": held, "to": SCHEMA_VERSION, "steps": [step._asdict() for step in steps]}
    if options.dry_run:
        end = "nothing was written" if steps else "up to date"
        show(options, {"dry_run": True, "schema": schema}, f"{_told(held, steps)}{end}")
        return 0
    keys = make_folder(settings.data, options.origin)
    with Ledger(settings.database_url, settings.data, keys.log, system_clock, publishing_of(settings.data)) as ledger:
        size = ledger.reader.size()
    if options.service_role:
        grant_service(settings.database_url, options.service_role)
    facts = {"data": str(settings.data), "origin": keys.log.name, "entries": size, "dry_run": False, "schema": schema}
    ready = f"{settings.data} is ready: log {keys.log.name}, {size} entries"
    given = f"\nrole {options.service_role} has the service's rights, and no more" if options.service_role else ""
    show(options, {**facts, "service_role": options.service_role}, f"{_told(held, steps)}{ready}{given}")
    return 0


def _told(held: str | None, steps: Sequence[Step]) -> str:
    lines = [f"schema {held or 'none'} → {SCHEMA_VERSION}", *(f"  {step.version}: {step.does}" for step in steps)]
    return "\n".join([*lines, ""])
