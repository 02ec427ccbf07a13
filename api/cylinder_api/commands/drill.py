"""``drill`` (恢复演练): the newest backup is put back into an empty place, audited, compared with the log, removed."""

import argparse
import tempfile
from pathlib import Path

from cylinder_api.backups import HOUR_MS, Backup, finished_in
from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.keep import on_disk, verdict
from cylinder_api.commands.output import show
from cylinder_api.service import system_clock
from cylinder_trace.merkle import root_hash
from cylinder_trace.store.backup_form import DamagedBackup, Manifest
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.rebuild import NotRebuilt, Rebuilt
from cylinder_trace.store.restore import restore
from cylinder_trace.suite import suite_of_origin
from cylinder_trace.tiles import nodes_from_tiles


def drill(options: argparse.Namespace) -> int:
    """Try the newest backup; 1 when it is not sound, not of this log, or older than it may be."""
    found = finished_in(options.backups)
    if not found:
        raise CannotDo(f"there is no finished backup in {options.backups}: take one with cylinder-api backup --under")
    newest = found[0]
    hours = newest.age_ms(system_clock()) / HOUR_MS
    try:
        made = _restored(newest, options.place)
        faults = made.report.faults
        problems = [*([verdict(faults)] if faults else []), *_not_of(newest.manifest, options.data)]
        subjects = made.subjects
    except (DamagedBackup, NotRebuilt) as error:
        problems, subjects = [f"✘ the backup is NOT sound: {error}"], 0
    if hours > options.max_age:
        problems.append(f"✘ it is {hours:.1f} hours old, and may be {options.max_age}: is the timer running?")
    facts = {"backup": str(newest.folder), "ok": not problems, "age_hours": round(hours, 1),
             "entries": newest.manifest.entries, "states": subjects, "problems": problems}  # fmt: skip
    held = f"{newest.folder}: {newest.manifest.entries} entries, {hours:.1f} hours old, {subjects} states made anew"
    show(options, facts, "\n".join([held, *(problems or ["✔ it can be put back 可恢复: restored, audited, removed"])]))
    return 1 if problems else 0


def _restored(backup: Backup, place: Path | None) -> Rebuilt:
    # What is restored holds the keys: it lies in a folder of ours alone, and goes whatever happens.
    with tempfile.TemporaryDirectory(prefix="drill-", dir=place) as empty:
        data = Path(empty) / "data"
        return on_disk(data, lambda tell: restore(backup.folder, f"sqlite:///{data}/ledger.db", data, (), tell)[1])


def _not_of(manifest: Manifest, data: Path) -> list[str]:
    """What tells that a backup is not of the log whose public files lie in a data folder."""
    suite, read = suite_of_origin(manifest.origin), LogFiles(data / "log").read_tile
    try:
        here = root_hash(manifest.signed, nodes_from_tiles(manifest.signed, read, suite), suite).hex()
    except (OSError, IndexError):
        here = "shorter than that"
    if not manifest.signed or here == manifest.root:
        return []
    return [f"✘ the log in {data} is another: at {manifest.signed} entries it is {here}, the backup's {manifest.root}"]
