"""A folder of backups, each in a folder of its own that is named by the moment it was begun: ``20261122T031500Z``."""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cylinder_trace.store.backup_form import DamagedBackup, Manifest, read_manifest
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.durable import sync_folder

_NAME = re.compile(r"\d{8}T\d{6}Z")
_REMOVED = ".removed-"
HOUR_MS = 3_600_000


class Backup(NamedTuple):
    """A finished backup."""

    folder: Path
    manifest: Manifest

    def age_ms(self, now: int) -> int:
        """How long ago it was taken."""
        return now - self.manifest.taken_at


def name_at(now: int) -> str:
    """What a backup begun at this instant (UTC ms) is called."""
    return datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")


def finished_in(folder: Path) -> list[Backup]:
    """Every finished backup in a folder, the newest first; what is no backup is passed over. Raises OSError."""
    return sorted(_finished(folder), key=lambda backup: backup.manifest.taken_at, reverse=True)


def _finished(folder: Path) -> Iterator[Backup]:
    for path in (path for path in folder.iterdir() if not path.name.startswith(_REMOVED)):
        try:
            yield Backup(path, read_manifest(path))
        except (StoreError, DamagedBackup):
            continue


def keep_newest(folder: Path, most: int) -> list[Path]:
    """Remove sound backups that we named ourselves beyond the newest `most`; what was removed.

    One with faults is evidence and stays; so does whatever has another name.
    """
    ours = [backup for backup in finished_in(folder) if _NAME.fullmatch(backup.folder.name)]
    sound = [backup.folder for backup in ours if not backup.manifest.faults]
    for path in sound[most:]:
        # Renamed first: a removal that is cut off leaves nothing that looks like a backup.
        gone = path.rename(path.with_name(f"{_REMOVED}{path.name}"))
        sync_folder(folder)
        shutil.rmtree(gone)
    for path in folder.glob(f"{_REMOVED}*"):
        shutil.rmtree(path, ignore_errors=True)
    return sound[most:]
