"""Keeping data safe: ``backup``, ``restore``. The same form from and for both homes, and an audit behind each."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from cylinder_api.backups import keep_newest, name_at
from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.output import show
from cylinder_api.folder import open_folder
from cylinder_api.service import system_clock
from cylinder_api.settings import settings_for
from cylinder_trace.audit import Fault
from cylinder_trace.commands.pace import Pace
from cylinder_trace.commands.passes import few_collections
from cylinder_trace.commands.shared import CannotCheck, kept_checkpoint
from cylinder_trace.dates import format_day, local_day
from cylinder_trace.store.backup import make_backup
from cylinder_trace.store.backup_form import DamagedBackup, Manifest
from cylinder_trace.store.mirror import NotMirrored
from cylinder_trace.store.progress import Tell
from cylinder_trace.store.rebuild import NotRebuilt, Rebuilt
from cylinder_trace.store.restore import restore as restore_home

Done = TypeVar("Done")
_SHOWN_FAULTS = 5


def backup(options: argparse.Namespace) -> int:
    """Take a backup while the service may be running; 1 if the ledger is not sound."""
    settings = settings_for(options.data, options.database_url)
    key, now = open_folder(settings.data).log, system_clock()
    to = options.to or options.under / name_at(now)
    try:
        made = on_disk(to, lambda tell: make_backup(settings.database_url, settings.data, key, to, now, tell))
    except NotMirrored as error:
        return _bad(options, f"the ledger is NOT sound: {error}; {to} is no backup, keep the older ones")
    # Only behind a sound one: whatever is wrong with the ledger, the older backups stay.
    removed = keep_newest(options.under, options.keep) if options.under and options.keep and not made.faults else []
    facts = {"to": str(to), "ok": not made.faults, **asdict(made), "removed": [str(path) for path in removed]}
    gone = f"\n{len(removed)} older removed" if removed else ""
    show(options, facts, f"{to}: {_held(made)}; it holds the keys, keep it safe\n{verdict(made.faults)}{gone}")
    return 1 if made.faults else 0


def restore(options: argparse.Namespace) -> int:
    """Fill an empty home from a backup; 1 if the backup or what came of it is not sound."""
    settings = settings_for(options.data, options.database_url)
    try:
        kept = [kept_checkpoint(path) for path in options.remembered]
        manifest, made = on_disk(
            settings.data,
            lambda tell: restore_home(options.source, settings.database_url, settings.data, kept, tell),
        )
    except CannotCheck as error:
        raise CannotDo(str(error)) from error
    except (DamagedBackup, NotRebuilt) as error:
        return _bad(options, f"the backup {options.source} is NOT sound: {error}; nothing of it can be opened")
    faults = made.report.faults
    facts = {"data": str(settings.data), "finished": made.finished, "found": made.found, **made.report.as_json()}
    held = f"{settings.data}: {_held(manifest)}, {made.subjects} states made anew"
    show(options, facts, f"{held}\n{verdict(faults)}\n{_what_now(manifest, made)}")
    return 1 if faults else 0


def on_disk(folder: Path, work: Callable[[Tell], Done]) -> Done:
    """Do work that fills `folder`, telling how far it is; raises CannotDo."""
    try:
        with few_collections(), Pace() as tell:
            return work(tell)
    except OSError as error:
        where = error.filename or folder
        reason = error.strerror or str(error)
        raise CannotDo(f"cannot write {where}: {reason}; make room, then run the same command again") from error
    except KeyboardInterrupt as error:
        raise CannotDo(f"stopped; {folder} is unfinished, and the same command takes it up again") from error


def _held(manifest: Manifest) -> str:
    signed = f"{manifest.signed} of them signed, root {manifest.root}"
    return f"{manifest.entries} entries 条记录 of {manifest.origin}, {signed}"


def verdict(faults: list[Fault]) -> str:
    """What an audit found, in some lines."""
    if not faults:
        return "✔ audited 已核查: every entry, chain, tile, state, checkpoint and device record is sound"
    lines = [f"✘ {fault.kind}: index {fault.index}: {fault.message}" for fault in faults[:_SHOWN_FAULTS]]
    hidden = len(faults) - len(lines)
    return "\n".join(
        ["✘ the ledger is NOT sound:", *lines, *[f"… and {hidden} more (--json lists all)"] * bool(hidden)]
    )


def _what_now(manifest: Manifest, made: Rebuilt) -> str:
    if not made.finished:
        return "the home is unfinished, and no service opens it: take a newer backup, or find out what happened"
    day = format_day(local_day(manifest.taken_at))
    return f"what was recorded after {day}, when the backup was taken, is not here; witnesses will say if there was any"


def _bad(options: argparse.Namespace, sentence: str) -> int:
    show(options, {"ok": False, "problem": sentence}, f"✘ {sentence}")
    return 1
