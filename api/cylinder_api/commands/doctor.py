"""``doctor``: what is wrong with an installation, and what to do about it."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from cylinder_api.commands.output import show
from cylinder_api.diagnosis.backups import newest_backup
from cylinder_api.diagnosis.database import look_at_database, schema
from cylinder_api.diagnosis.finding import Finding, wrong
from cylinder_api.diagnosis.ledger import Opened, look_at_ledger
from cylinder_api.diagnosis.machine import look_at_machine
from cylinder_api.diagnosis.outside import look_outside
from cylinder_api.diagnosis.sending import look_at_sending
from cylinder_api.folder import Keys, open_folder
from cylinder_api.settings import Settings, settings_for
from cylinder_codes.keys import format_vkey
from cylinder_trace.store.database import StoreError, open_engine, parse_url, sqlite_path
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.reader import Reader
from cylinder_trace.suite import suite_of_origin


def doctor(options: argparse.Namespace) -> int:
    """Look at everything; 1 if something is wrong."""
    settings = settings_for(options.data, options.database_url, options.redis_url)
    parse_url(settings.database_url)
    findings = list(_findings(settings, open_folder(settings.data), options.backups))
    ok = all(finding.ok for finding in findings)
    lines = [finding.as_line() for finding in findings]
    show(options, {"ok": ok, "findings": [finding.as_json() for finding in findings]}, "\n".join(lines))
    return 0 if ok else 1


def _findings(settings: Settings, keys: Keys, backups: Path | None) -> Iterator[Finding]:
    yield from look_at_machine(settings, os.environ)
    yield from look_outside(settings)
    if backups is not None:
        yield newest_backup(backups)
    try:
        yield from _inside(settings, keys)
    except (DBAPIError, StoreError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        mend = "start the database; put a damaged one back with: cylinder-api restore; make a new one with: migrate"
        yield wrong("database", reason, mend)


def _inside(settings: Settings, keys: Keys) -> Iterator[Finding]:
    url = parse_url(settings.database_url)
    if (path := sqlite_path(url)) is not None and not path.is_file():
        mend = "name the folder that holds it, or put it back: cylinder-api restore; a new one: cylinder-api migrate"
        yield wrong("database", f"there is no {path}", mend)  # SQLite would make an empty one
        return
    engine = open_engine(url, writer=False)
    try:
        fits = schema(engine, keys.log.name)
        yield fits
        if not fits.ok:
            return  # whatever else is asked may not be there yet
        yield from look_at_database(engine)
        files = LogFiles(settings.data / "log", suite_of_origin(keys.log.name))
        reader = Reader(engine, files, format_vkey(keys.log.verifying_key))
        yield from look_at_ledger(Opened(engine, reader, settings, keys))
        with engine.connect() as connection:
            yield from look_at_sending(connection)
    finally:
        engine.dispose()
