"""The machine: whose files they are and who may read them, room on the disk, whether it keeps its word, open files."""

import os
import resource
import stat
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

from cylinder_api.diagnosis.finding import Finding, good, look, wrong
from cylinder_api.master_key import FILE as MASTER_KEY_FILE
from cylinder_api.settings import Settings

_LEAST_BYTES = 2**30
_LEAST_SHARE = 0.05
_ROUNDS = 20
_NO_DISK_S = 0.00005
"""A disk, or its controller's memory with a battery, takes longer than this to keep four kilobytes."""
_FLEETING = ("tmpfs", "ramfs", "overlay")
_SPARE_FILES = 200
"""Open files beside connections: databases, tiles, logs, libraries."""


def look_at_machine(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Everything that needs no database."""
    yield from rights(settings.data, environment)
    yield room(settings.data)
    yield inodes(settings.data)
    yield disk(settings.data)
    yield open_files(settings.patience.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def rights(folder: Path, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Secrets are read by their owner alone, and the owner is who runs the service."""
    outside = environment.get(MASTER_KEY_FILE)
    ledger = [folder / f"ledger.db{end}" for end in ("", "-wal", "-shm")]
    secret = [folder / "keys", *sorted((folder / "keys").iterdir()), *ledger, *([Path(outside)] if outside else [])]
    for path in (path for path in secret if path.exists()):
        mode = stat.S_IMODE(path.stat().st_mode)
        name = f"rights of {path.name}"
        if mode & 0o077:
            yield wrong(name, f"mode {mode:04o}", f"chmod {'700' if path.is_dir() else '600'} {path}")
        elif path.stat().st_uid != os.geteuid():
            owner = f"owned by uid {path.stat().st_uid}, this is uid {os.geteuid()}"
            yield look(name, owner, "run this command as the service's user; if it is, give it the file with chown")
        else:
            yield good(name, f"mode {mode:04o}")


def room(folder: Path) -> Finding:
    """Without room nothing is recorded."""
    disk = os.statvfs(folder)
    free, share = disk.f_bavail * disk.f_frsize, disk.f_bavail / max(disk.f_blocks, 1)
    found = f"{free / 2**30:.1f} GiB free, {share:.0%} of the disk of {folder}"
    if free < _LEAST_BYTES or share < _LEAST_SHARE:
        return wrong(
            "disk space", found, "make room, or move the data folder to a larger disk: a full one stops writing"
        )
    return good("disk space", found)


def inodes(folder: Path) -> Finding:
    """Tiles are many small files."""
    disk = os.statvfs(folder)
    if not disk.f_files:
        return good("inodes", "this file system makes them as they are needed")
    share = disk.f_favail / disk.f_files
    found = f"{disk.f_favail} free, {share:.0%} of {disk.f_files}"
    if share < _LEAST_SHARE:
        return wrong("inodes", found, f"remove small files on the disk of {folder}, or make one with more inodes")
    return good("inodes", found)


def disk(folder: Path) -> Finding:
    """Whether what the disk says it keeps is kept: the kind of file system, and how long keeping takes."""
    kind = file_system_of(folder, Path("/proc/self/mounts"))
    try:
        seconds = _seconds_to_keep(folder)
    except OSError as error:
        mend = f"give {folder} to the user of the service (chown), writable (ReadWritePaths= in the unit)"
        return wrong("disk", f"cannot write into {folder}: {error.strerror}", mend)
    found = f"{kind}, fsync of 4 KiB takes {seconds * 1000:.2f} ms"
    if kind in _FLEETING:
        return look(
            "disk", f"{found}: gone with the machine or the container", "put the data folder on a disk that stays"
        )
    if seconds < _NO_DISK_S:
        mend = "ask whoever runs the disk whether its write cache survives a power cut; if not, switch the cache off"
        return look("disk", f"{found}: faster than a disk can keep anything", mend)
    return good("disk", found)


def file_system_of(folder: Path, mounts: Path) -> str:
    """The kind of the file system under `folder`, by the longest mount point above it."""
    best, kind = "", "unknown file system"
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return kind
    for _device, point, type_word, *_rest in (line.split() for line in lines):
        if folder.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, type_word
    return kind


def _seconds_to_keep(folder: Path) -> float:
    taken = []
    with NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def open_files(connections: int, allowed: int) -> Finding:
    """Each connection is an open file."""
    needed = connections + _SPARE_FILES
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        mend = f"LimitNOFILE={needed} in the unit (ulimit -n {needed} in a shell), or a smaller MOST_CONNECTIONS"
        return look("open files", f"{allowed} allowed here, MOST_CONNECTIONS={connections} needs {needed}", mend)
    return good("open files", f"{'any number' if allowed == resource.RLIM_INFINITY else allowed} allowed here")
