"""A backup or a restore that dies at a named point, as by kill -9, in a process of its own."""

import signal
from collections.abc import Callable
from pathlib import Path

from cylinder_codes.keys import parse_signer
from cylinder_trace.store import backup, rebuild
from cylinder_trace.store.backup import make_backup
from cylinder_trace.store.restore import restore
from laws.crash_points import Install, Trap, after, before, on_either_wire
from laws.writing import fork

BACKUP: dict[str, Install] = {
    "the folder is marked": after(backup, "_begin"),
    "the log is mirrored": after(backup, "update_mirror"),
    "the rows are copied": before(backup, "copy_files"),
    "all is copied": before(backup, "_audit"),
    "audited": before(backup, "write_sums"),
    "summed up": before(backup, "write_manifest"),
    "the manifest is written": after(backup, "write_manifest"),
}
RESTORE: dict[str, Install] = {
    "marked": after(rebuild, "_mark"),
    "in the first thousand": on_either_wire(before, "put_subjects"),
    "all entries": before(rebuild._Making, "_require_roots"),
    "in the other rows": after(rebuild._Making, "_write_rows"),
    "all rows": before(rebuild._Making, "_publish"),
    "published": before(rebuild, "audit_home"),
    "audited": after(rebuild, "audit_home"),
}


def killed_backup(point: str, url: str, data: Path, target: Path) -> None:
    """Begin a backup that dies there."""
    _die(_back_up, point, url, data, target)


def killed_restore(point: str, source: Path, url: str, data: Path) -> None:
    """Begin a restore that dies there."""
    _die(_put_back, point, source, url, data)


def _back_up(point: str, url: str, data: Path, target: Path) -> None:
    BACKUP[point](Trap(armed=True))
    make_backup(url, data, parse_signer((data / "keys" / "log.key").read_text().strip()), target, 0)


def _put_back(point: str, source: Path, url: str, data: Path) -> None:
    RESTORE[point](Trap(armed=True))
    restore(source, url, data)


def _die(act: Callable[..., None], *values: object) -> None:
    process = fork(act, *values)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
