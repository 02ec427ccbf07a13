"""Whether a backup was taken of late."""

from pathlib import Path

from cylinder_api.backups import HOUR_MS, finished_in
from cylinder_api.diagnosis.finding import Finding, good, wrong
from cylinder_api.service import system_clock

LONGEST_H = 26
"""One a day, and two hours for it to be taken."""
_WHAT = "newest backup"
_MEND = "systemctl status cylinder-api-backup.timer; by hand: cylinder-api backup --under DIR"


def newest_backup(folder: Path) -> Finding:
    """How old the newest finished backup in a folder of backups is, and whether its ledger was sound."""
    try:
        found = finished_in(folder)
    except OSError as error:
        return wrong(_WHAT, f"{folder}: {error.strerror}", "name the folder that backups are made under")
    if not found:
        return wrong(_WHAT, f"no finished one in {folder}", _MEND)
    newest = found[0]
    said = f"{newest.folder}, {newest.age_ms(system_clock()) // HOUR_MS} h old, {newest.manifest.entries} entries"
    if newest.manifest.faults:
        return wrong(_WHAT, f"{said}, of a ledger that was not sound", "cylinder-trace audit; keep the older backups")
    if newest.age_ms(system_clock()) > LONGEST_H * HOUR_MS:
        return wrong(_WHAT, said, _MEND)
    return good(_WHAT, said)
