"""What a backup (备份) is: a folder of plain files, the same from either home.

    manifest.json           what it holds, with counts; written last, and a folder without it is no backup
    SHA256SUMS              every other file, as `sha256sum` writes it: `sha256sum -c SHA256SUMS` checks it
    log/                    the log under its newest checkpoint, as a mirror
    tables/<table>.jsonl    rows, a JSON object a line, bytes in base64; of `entry` those that no checkpoint covers yet
    files/                  what else lies in the data folder: keys, witnesses.policy, alarms and so on
    unfinished              only while it is being made

The read model is left out: a restore makes it anew, by replay.
"""

import base64
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import orjson
from sqlalchemy import LargeBinary, Table
from sqlmodel import SQLModel

from cylinder_trace.audit import Fault
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.durable import sync_folder
from cylinder_trace.store.progress import Tell, silent
from cylinder_trace.store.snapshot import Row
from cylinder_trace.store.tables import (
    CodeRow,
    EntryRefRow,
    EntryRow,
    FigureRow,
    FleetRow,
    FollowedRow,
    MetaRow,
    SubjectNowRow,
)

FORMAT = "pinglian-backup/1"
FILES, LOG, TABLES = "files", "log", "tables"
UNFINISHED_MARK, _MANIFEST, _SUMS = "unfinished", "manifest.json", "SHA256SUMS"

ENTRY: Table = EntryRow.__table__  # type: ignore[attr-defined]
_READ_MODELS = (SubjectNowRow, CodeRow, FleetRow, FigureRow, FollowedRow)
_MADE_ANEW = {row.__tablename__ for row in (EntryRow, EntryRefRow, *_READ_MODELS, MetaRow)}
KEPT: tuple[Table, ...] = tuple(table for table in SQLModel.metadata.sorted_tables if table.name not in _MADE_ANEW)
"""Tables whose rows are copied; a table that is new some day is among them by itself."""


class DamagedBackup(Exception):
    """The backup was read, and it is not what its manifest says; the message names the part."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    origin: str
    taken_at: int
    """UTC milliseconds by the clock of the machine that made it."""
    entries: int
    signed: int
    """How many of the entries its newest checkpoint covers."""
    root: str
    """The signed root, hex."""
    rows: dict[str, int]
    """How many rows of each table."""
    files: int
    sums_sha256: str
    """Of SHA256SUMS."""
    faults: list[Fault]
    """What the audit of the backup found: nothing, when the ledger was sound."""

    @property
    def name(self) -> str:
        """Tells this backup from every other."""
        return self.sums_sha256[:16]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """The last step: from here on the folder is a backup."""
    text = json.dumps({"format": FORMAT, **asdict(manifest)}, ensure_ascii=False, indent=1)
    write_part(folder / _MANIFEST, f"{text}\n".encode())


def read_manifest(folder: Path) -> Manifest:
    """Raises StoreError for a folder that is no backup, DamagedBackup for a manifest that cannot be read."""
    if (folder / UNFINISHED_MARK).exists():
        raise StoreError(f"{folder} is an unfinished backup: run that backup again, or take another one")
    try:
        told = orjson.loads((folder / _MANIFEST).read_bytes())
        if told.pop("format") != FORMAT:
            raise StoreError(f"{folder} is a backup of another kind than {FORMAT}: use the program that made it")
        return Manifest(**{**told, "faults": [Fault(**fault) for fault in told["faults"]]})
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(f"{folder} is not a backup: it has no {_MANIFEST}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedBackup(f"{_MANIFEST} is damaged: {error}") from error


def write_sums(folder: Path, tell: Tell = silent) -> tuple[int, str]:
    """Read every file back from the disk and write its hash down; how many there are, and the hash of the list."""
    lines, count = sha256(), 0
    with _new_file(folder / _SUMS) as sums:
        parts = [path for part in (FILES, LOG, TABLES) for path in sorted(files_below(folder / part))]
        for count, path in enumerate(parts, start=1):
            line = f"{_hash(path)}  {path.relative_to(folder).as_posix()}\n".encode()
            sums.write(line)
            lines.update(line)
            tell("files read back 回读", count, len(parts))
        _flush(sums)
    return count, lines.hexdigest()


def check_parts(folder: Path, manifest: Manifest, tell: Tell = silent) -> None:
    """Raise DamagedBackup unless every part is there and is what was written."""
    unknown = set(manifest.rows) - {table.name for table in (ENTRY, *KEPT)}
    if unknown:
        raise StoreError(f"{folder} has rows of {min(unknown)}, which this program does not know: use a newer one")
    if not (folder / _SUMS).is_file():
        raise DamagedBackup(f"{_SUMS} is missing")
    if _hash(folder / _SUMS) != manifest.sums_sha256:
        raise DamagedBackup(f"{_SUMS} is not what {_MANIFEST} says")
    with (folder / _SUMS).open(encoding="utf-8") as sums:
        for done, line in enumerate(sums, start=1):
            _check_part(folder, *line.rstrip("\n").split("  ", 1))
            tell("files checked 核对", done, manifest.files)


def _check_part(folder: Path, digest: str, name: str) -> None:
    path = folder / name
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise DamagedBackup(f"{_SUMS} names {name}, which lies elsewhere")
    if not path.is_file():
        raise DamagedBackup(f"{name} is missing")
    if _hash(path) != digest:
        raise DamagedBackup(f"{name} is damaged: its SHA-256 is not the one in {_SUMS}")


def write_rows(folder: Path, table: Table, rows: Iterable[Row], tell: Tell = silent) -> int:
    """Write the rows of a table; how many there were."""
    done = 0
    with _new_file(folder / TABLES / f"{table.name}.jsonl") as file:
        for done, row in enumerate(rows, start=1):
            file.write(orjson.dumps(row, default=_as_text, option=orjson.OPT_APPEND_NEWLINE))
            if done % 1000 == 0:
                tell(f"rows of {table.name} copied 复制", done, 0)
        _flush(file)
    return done


def read_rows(folder: Path, table: Table) -> Iterator[Row]:
    """The rows of a table, as they stood in the database; none where the backup is from before there was the table."""
    path = folder / TABLES / f"{table.name}.jsonl"
    if not path.exists():
        return
    binary = [column.name for column in table.columns if isinstance(column.type, LargeBinary)]
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = _row(line, binary)
            except (ValueError, TypeError, AttributeError) as error:
                raise DamagedBackup(f"line {number} of {path.name} is not a row: {error}") from error
            if unknown := row.keys() - table.columns.keys():
                raise StoreError(f"{path} has {min(unknown)}, which this program does not know: use a newer one")
            yield row


def _row(line: bytes, binary: list[str]) -> Row:
    row: Row = dict(orjson.loads(line).items())
    for name in binary:
        if row.get(name) is not None:
            row[name] = base64.b64decode(row[name], validate=True)
    return row


def _as_text(value: Any) -> str:
    return base64.b64encode(value).decode()


def copy_files(source: Path, target: Path, leave_out: Iterable[str] = ()) -> None:
    """Copy a folder's files with the rights they have; nothing that is hidden."""
    left_out = set(leave_out)
    for path in files_below(source):
        name = path.relative_to(source)
        if name.parts[0] not in left_out:
            with path.open("rb") as data, _new_file(target / name, path.stat().st_mode & 0o777) as file:
                shutil.copyfileobj(data, file)
                _flush(file)


def files_below(folder: Path) -> Iterator[Path]:
    """Every file that is not hidden, nor in a hidden folder."""
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(parent) / name for name in names if not name.startswith("."))
        yield from (path for path in paths if path.is_file())


def sync_folders(folder: Path) -> None:
    """Have the names of everything below on the disk."""
    for parent, _folders, _names in os.walk(folder):
        sync_folder(Path(parent))


def write_part(path: Path, data: bytes) -> None:
    """Write a file; its name outlives a power cut only after `sync_folders`."""
    with _new_file(path) as file:
        file.write(data)
        _flush(file)


@contextmanager
def _new_file(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        yield file


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
