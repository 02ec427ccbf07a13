"""What a witness must not forget, in a folder: the last checkpoint of each log, and the evidence of forks.

    <hex SHA-256 of the origin>/checkpoint        the signed note cosigned last, our cosignatures below it
    evidence/<UTC time>-<first bytes of hash>.json   both signed notes of a fork

Crash points: before the rename the old checkpoint stands and nobody was answered; after it the new one stands, and
a log that got no answer asks again with the old size, is told the new one by 409, and gets its cosignature by
asking from there.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from cylinder_trace.checkpoint import Checkpoint, CheckpointError, unverified_checkpoint
from cylinder_trace.store.durable import write_durably
from cylinder_trace.witnessing import AddCheckpoint, origin_path

EVIDENCE_FORMAT = "pinglian-fork-evidence/1"
_MOST_EVIDENCE = 1000


class WitnessStateError(Exception):
    """What was remembered cannot be read; going on would mean to forget it."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The checkpoint cosigned last, and the note that holds it."""

    checkpoint: Checkpoint
    note: str


class WitnessFiles:
    """The folder. One process writes it; the caller serialises what it does for one log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def last(self, origin: str) -> Remembered | None:
        """What was cosigned last for a log; None before the first. Raises WitnessStateError, never forgets.

        Its signatures are not checked again: they were when it was kept, perhaps by a key that has been retired since.
        """
        path = self._checkpoint_file(origin)
        try:
            note = path.read_text(encoding="utf-8")
            checkpoint = unverified_checkpoint(note)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, CheckpointError) as error:
            raise WitnessStateError(f"{path} cannot be read as a checkpoint ({error}): put it back") from error
        if checkpoint.origin != origin:
            raise WitnessStateError(
                f"{path} is of the log {checkpoint.origin}, not of {origin}: put the right one back"
            )
        return Remembered(checkpoint, note)

    def remember(self, origin: str, note: str) -> None:
        """Keep `note` as what was cosigned last; it is on the disk when this returns."""
        write_durably(self._checkpoint_file(origin), note.encode())

    def keep_evidence(self, seen: str | None, request: AddCheckpoint, reason: str, at_s: int) -> Path | None:
        """Keep both notes of a fork, once for the same pair; None when it is kept already or the folder is full."""
        told = {"format": EVIDENCE_FORMAT, "seen": seen, "shown": request.note, "old": request.old, "reason": reason}
        name = sha256(json.dumps([seen, request.note]).encode()).hexdigest()[:16]
        folder = self._folder / "evidence"
        kept = list(folder.glob("*.json"))
        if len(kept) >= _MOST_EVIDENCE or any(path.stem.endswith(name) for path in kept):
            return None
        path = folder / f"{datetime.fromtimestamp(at_s, UTC):%Y%m%dT%H%M%SZ}-{name}.json"
        write_durably(path, (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode())
        return path

    def evidence(self) -> list[Path]:
        """The forks that were seen, oldest first."""
        return sorted((self._folder / "evidence").glob("*.json"))

    def _checkpoint_file(self, origin: str) -> Path:
        return self._folder / origin_path(origin) / "checkpoint"
