"""Putting a backup back (恢复) into an empty home of either kind. What is made, and how, stands in `rebuild`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Table

from cylinder_codes.keys import KeyFormatError, SigningKey, parse_signer
from cylinder_trace.store.backup_form import (
    ENTRY,
    FILES,
    LOG,
    DamagedBackup,
    Manifest,
    check_parts,
    copy_files,
    read_manifest,
    read_rows,
    sync_folders,
)
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.progress import Tell, silent
from cylinder_trace.store.rebuild import Rebuilt, rebuild
from cylinder_trace.store.snapshot import Row


def restore(
    backup: Path, url: str, data: Path, remembered: Sequence[str] = (), tell: Tell = silent
) -> tuple[Manifest, Rebuilt]:
    """Fill the empty home at `url`, with its data folder, from a backup, and audit it.

    `remembered` are checkpoints that were kept elsewhere: a backup that is older than they are stays unfinished.
    Raises StoreError when it cannot be done, DamagedBackup or NotRebuilt when the backup is not sound.
    """
    if backup.resolve() in (data.resolve(), *data.resolve().parents):
        raise StoreError(f"{data} lies inside the backup {backup}; nothing was written: name a folder elsewhere")
    manifest = read_manifest(backup)
    check_parts(backup, manifest, tell)
    key = _key(backup / FILES / "keys" / "log.key")
    return manifest, rebuild(backup / LOG, url, data, key, FromBackup(backup, manifest), remembered, tell)


def _key(path: Path) -> SigningKey:
    try:
        return parse_signer(path.read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError, KeyFormatError) as error:
        raise DamagedBackup(f"{path} is not the log's signing key: {error}") from error


class FromBackup:
    """Everything that a backup has beside its mirror."""

    def __init__(self, backup: Path, manifest: Manifest) -> None:
        self._backup, self._manifest = backup, manifest
        self.name = f"restore of backup {manifest.name}"
        self.notes: Mapping[int, str] = {}
        """None: the rows of the table are written as they are, and the audit compares each."""
        self.entries, self.known = manifest.entries, manifest.faults

    def require_room(self, data: Path, database: Path | None) -> None:
        if not data.exists():
            return
        if not data.is_dir():
            raise StoreError(f"{data} is not a folder; nothing was written: name an empty folder")
        # A run that was killed before it could make its mark has left no more than these.
        left = (".unfinished", database.name) if database else (".unfinished",)
        if any(not path.name.startswith(left) for path in data.iterdir()):
            raise StoreError(f"{data} is not empty; nothing was written: name an empty folder")

    def texts(self, start: int) -> Iterator[tuple[int, bytes]]:
        return ((row["log_index"], row["text"]) for row in read_rows(self._backup, ENTRY))

    def rows(self, table: Table, recorded_at: Mapping[int, int]) -> Iterator[Row]:
        done = 0
        for done, row in enumerate(read_rows(self._backup, table), start=1):  # noqa: B007 - the last one counts
            yield row
        if done != (stated := self._manifest.rows.get(table.name, 0)):
            raise DamagedBackup(f"there are {done} rows of {table.name}, and {stated} in the manifest")

    def copy_files(self, data: Path) -> None:
        copy_files(self._backup / FILES, data)
        sync_folders(data)
