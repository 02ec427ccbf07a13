"""Keeping data safe: ``backup``, ``restore``."""

import argparse
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.output import show
from cylinder_api.folder import Keys, open_folder
from cylinder_api.settings import settings_for
from cylinder_codes.keys import format_vkey
from cylinder_trace.audit import Auditor, AuditReport, read_vkey
from cylinder_trace.store.database import open_engine, parse_url
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.reader import Reader

_DATABASE = "ledger.db"
_NOT_COPIED = (_DATABASE, f"{_DATABASE}-wal", f"{_DATABASE}-shm", f"{_DATABASE}.lock")


def backup(options: argparse.Namespace) -> int:
    """Copy a folder while the service may be running, and check the copy; 1 if the copy's ledger is not sound."""
    settings = settings_for(options.data, options.database_url)
    if not settings.database_url.startswith("sqlite"):
        raise CannotDo("the ledger is on PostgreSQL: use pg_dump, and copy the folders keys and log beside it")
    keys = open_folder(settings.data)
    _require_empty(options.to, settings.data)
    # The database first: tiles may be ahead of it, never behind.
    _copy_database(settings.data / _DATABASE, options.to / _DATABASE)
    _copy_files(settings.data, options.to)
    report = audit_folder(options.to, keys)
    facts = {"to": str(options.to), "entries": report.entries, "ok": report.ok}
    verdict = "sound" if report.ok else f"NOT sound: {report.faults[0].message}"
    show(options, facts, f"{options.to}: {report.entries} entries, {verdict}; it holds the keys, keep it safe")
    return 0 if report.ok else 1


def restore(options: argparse.Namespace) -> int:
    """Copy a backup into an empty folder, and check it; 1 if its ledger is not sound."""
    source = options.source
    if not (source / _DATABASE).is_file() or not (source / "keys").is_dir():
        raise CannotDo(f"{source} is not a backup: it needs {_DATABASE} and keys")
    _require_empty(options.data, source)
    _copy_database(source / _DATABASE, options.data / _DATABASE)
    _copy_files(source, options.data)
    report = audit_folder(options.data, open_folder(options.data))
    facts = {"data": str(options.data), "entries": report.entries, "ok": report.ok}
    verdict = "sound" if report.ok else f"NOT sound: {report.faults[0].message}"
    show(options, facts, f"{options.data}: {report.entries} entries, {verdict}")
    return 0 if report.ok else 1


def audit_folder(folder: Path, keys: Keys) -> AuditReport:
    """Every entry and checkpoint of the folder's ledger checked again."""
    vkey = format_vkey(keys.log.verifying_key)
    engine = open_engine(parse_url(f"sqlite:///{folder.absolute() / _DATABASE}"), writer=False)
    try:
        reader = Reader(engine, LogFiles(folder / "log"), vkey)
        auditor = Auditor(reader.checkpoints(), read_vkey(vkey))
        auditor.check(reader.all_entries())
        return auditor.finish(reader.read_model())
    finally:
        engine.dispose()


def _require_empty(folder: Path, source: Path) -> None:
    if source.resolve() in folder.resolve().parents:
        raise CannotDo(f"{folder} lies inside {source}; nothing was copied: name a folder elsewhere")
    if folder.exists() and not folder.is_dir():
        raise CannotDo(f"{folder} is not a folder; nothing was copied: name an empty folder")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CannotDo(f"{folder} is not empty; nothing was copied: name an empty folder")
    except OSError as error:
        raise CannotDo(f"cannot write into {folder}: {error.strerror}") from error


def _copy_database(source: Path, target: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as original,
            closing(sqlite3.connect(target)) as copy,
        ):
            original.backup(copy)
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)  # half a copy would be in the way of the next try
        raise CannotDo(f"cannot copy {source}: {error}") from error


def _copy_files(source: Path, target: Path) -> None:
    for item in source.iterdir():
        if item.name in _NOT_COPIED or item.name.startswith("."):
            continue
        if item.is_dir():
            shutil.copytree(item, target / item.name, ignore=shutil.ignore_patterns(".*.new"))
        else:
            shutil.copy2(item, target / item.name)
