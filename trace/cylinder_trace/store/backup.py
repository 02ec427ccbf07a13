"""Taking a backup (备份) of a home while its service runs; the form is that of `backup_form`.

Steps, with what a crash leaves behind:
  1. mark the folder as unfinished                                  the same command clears it and begins anew
  2. in one snapshot: mirror the log, copy the rows                 the same
  3. copy the other files, keys among them                          the same
  4. audit what was copied, read it back and hash it                the same
  5. write the manifest, take the mark away                         a backup
The home is only read.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cylinder_codes.keys import SigningKey, VerifyingKey, format_vkey
from cylinder_trace.audit import AuditReport, StoredEntry, StoredRecord
from cylinder_trace.auditing.devices import SECOND_BRANCH
from cylinder_trace.checkpoint import CheckpointError, open_checkpoint
from cylinder_trace.merkle import leaf_hash
from cylinder_trace.rotation import RotationError, parse_rotations, predecessors
from cylinder_trace.store.backup_form import (
    ENTRY,
    FILES,
    KEPT,
    LOG,
    TABLES,
    UNFINISHED_MARK,
    Manifest,
    copy_files,
    read_rows,
    sync_folders,
    write_manifest,
    write_part,
    write_rows,
    write_sums,
)
from cylinder_trace.store.database import StoreError, lock_file, parse_url, sqlite_path
from cylinder_trace.store.durable import sync_folder
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.mirror import Mirrored, NotMirrored, update_mirror
from cylinder_trace.store.progress import Tell, silent
from cylinder_trace.store.snapshot import Row, Snapshot, open_snapshot
from cylinder_trace.store.sound import audit_copy
from cylinder_trace.store.tables import CheckpointRow, JournalBranchRow, JournalRow
from cylinder_trace.suite import suite_of_origin

_DATABASE = "ledger.db"
"""How the database in a data folder is called; beside PostgreSQL one may lie there from before a move."""
_ENDINGS = ("", "-wal", "-shm", ".lock")


def make_backup(url: str, data: Path, key: SigningKey, target: Path, taken_at: int, tell: Tell = silent) -> Manifest:
    """Back up the home at `url` with its data folder into `target`, an empty folder or an unfinished backup.

    `key` is the log's, `taken_at` UTC milliseconds.  Raises StoreError when it cannot be done, NotMirrored when the
    entries are not those that were signed; other faults of the ledger are copied and stand in the manifest.
    """
    _require_room(target, data)
    lock = lock_file(target / ".backup")
    try:
        _begin(target)
        published = LogFiles(data / "log").published()  # before the snapshot, which is then at least as new
        mirrored, rows, entries = _copy(url, data, key, target, tell)
        copy_files(data, target / FILES, {LOG, *_database_files(url)})
        report = _audit(target, key, [published] if published else [], tell)
        files, sums = write_sums(target, tell)
        sync_folders(target)
        root = mirrored.root.hex()
        manifest = Manifest(mirrored.origin, taken_at, entries, mirrored.size, root, rows, files, sums, report.faults)
        write_manifest(target, manifest)
        (target / UNFINISHED_MARK).unlink()
        sync_folder(target)
        return manifest
    finally:
        lock.release()


def _require_room(target: Path, data: Path) -> None:
    if data.resolve() in (target.resolve(), *target.resolve().parents):
        raise StoreError(f"{target} lies inside {data}; nothing was copied: name a folder elsewhere")
    if target.exists() and not target.is_dir():
        raise StoreError(f"{target} is not a folder; nothing was copied: name an empty folder")
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (target / UNFINISHED_MARK).exists() and any(_seen(target)):
            raise StoreError(f"{target} is not empty; nothing was copied: name an empty folder")
        with suppress(PermissionError):  # the place where a disk is mounted may be another's
            target.chmod(0o700)
    except OSError as error:
        raise StoreError(f"cannot write into {target}: {error.strerror}") from error


def _seen(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith(".backup"))


def _begin(target: Path) -> None:
    # The mark first: whatever is cleared below was never a whole backup.
    write_part(target / UNFINISHED_MARK, b"this backup is not finished: run the same command again\n")
    sync_folder(target)
    for name in (FILES, LOG, TABLES):
        shutil.rmtree(target / name, ignore_errors=True)


def _copy(url: str, data: Path, key: SigningKey, target: Path, tell: Tell) -> tuple[Mirrored, dict[str, int], int]:
    with open_snapshot(url, data) as snapshot:
        mirrored = update_mirror(snapshot, target / LOG, _vkeys(snapshot, _log_keys(snapshot, key)), tell)
        rows = {ENTRY.name: write_rows(target, ENTRY, _not_signed_yet(snapshot, mirrored), tell)}
        rows |= {table.name: write_rows(target, table, snapshot.rows(table), tell) for table in KEPT}
        return mirrored, rows, mirrored.size + rows[ENTRY.name]


def _not_signed_yet(snapshot: Snapshot, mirrored: Mirrored) -> Iterator[Row]:
    """What was acknowledged behind the newest checkpoint: no root tells yet whether it is what was recorded."""
    suite = suite_of_origin(mirrored.origin)
    for index, row in enumerate(snapshot.rows(ENTRY, ENTRY.c.log_index >= mirrored.size), start=mirrored.size):
        if row["log_index"] != index:
            raise NotMirrored(f"entry {index} is missing, and no checkpoint covers it yet")
        if leaf_hash(row["text"], suite) != row["hash"]:
            raise NotMirrored(f"entry {index} is not what was recorded, and no checkpoint covers it yet")
        yield row


def _vkeys(snapshot: Snapshot, keys: list[VerifyingKey]) -> list[str]:
    """As the log's folder names them, also those of other kinds; one that a rotation has just made comes first."""
    own, named = list(map(format_vkey, keys)), snapshot.vkeys()
    return list(dict.fromkeys([*named, *own] if own[0] in named else [*own, *named]))


def _log_keys(snapshot: Snapshot, key: SigningKey) -> list[VerifyingKey]:
    """The log's key and those before it, the newest checkpoint being signed by one of them."""
    if snapshot.origin != key.name:
        raise StoreError(f"the database is of the log {snapshot.origin}, the key of {key.name}: wrong folder or key")
    try:
        keys = [key.verifying_key, *predecessors(key.verifying_key, parse_rotations(snapshot.rotations()))]
        if (newest := snapshot.checkpoint()) is not None:
            open_checkpoint(newest, keys)
        return keys
    except RotationError as error:
        raise StoreError(f"log/rotations cannot be read ({error}): put back what was published") from error
    except CheckpointError as error:
        raise StoreError(
            f"the newest checkpoint is not signed by the key in keys/log.key ({error}): put back the right key, or a "
            "database that nobody has changed"
        ) from error


def _database_files(url: str) -> set[str]:
    path = sqlite_path(parse_url(url))
    return {f"{name}{end}" for name in (_DATABASE, path.name if path else _DATABASE) for end in _ENDINGS}


def _audit(target: Path, key: SigningKey, published: list[str], tell: Tell) -> AuditReport:
    rotations = parse_rotations(LogFiles(target / LOG).rotations())
    keys = [key.verifying_key, *predecessors(key.verifying_key, rotations)]
    return audit_copy(
        target / LOG, list(_checkpoints(target)), _entries(target), _journal(target), keys, published, tell
    )


def _checkpoints(target: Path) -> Iterator[str]:
    for row in read_rows(target, CheckpointRow.__table__):  # type: ignore[attr-defined]
        size, note = row["size"], row["note"]
        # A note beside another size than its own is handed on as what it is: none.
        yield note if note.split("\n")[1:2] == [str(size)] else f"{size}: {note}"


def _entries(target: Path) -> Iterator[StoredEntry]:
    return (StoredEntry(row.pop("log_index"), **row) for row in read_rows(target, ENTRY))


def _journal(target: Path) -> Iterator[StoredRecord]:
    yield from (StoredRecord(**row) for row in read_rows(target, JournalRow.__table__))  # type: ignore[attr-defined]
    for row in read_rows(target, JournalBranchRow.__table__):  # type: ignore[attr-defined]
        yield StoredRecord(**{**row, "device_id": row["device_id"] + SECOND_BRANCH})
