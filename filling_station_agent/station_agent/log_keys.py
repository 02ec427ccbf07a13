"""The keys that a station believes: the one it was enrolled with, and those that followed on it by rotation (密钥轮换).

The statements of a rotation are public, signed by the old key and the new one, and kept on disk, so that a station that
starts without a network still believes the key that it believed before.
"""

from pathlib import Path

from cylinder_codes.keys import VerifyingKey
from cylinder_trace.rotation import RotationError, parse_rotations, successors
from station_agent.device import write_secret

ROTATIONS_FILE = "log-rotations"


class LogKeys:
    """The ledger's keys, oldest first."""

    def __init__(self, pinned: VerifyingKey, data: Path) -> None:
        """`data` is the device's folder; a damaged file there counts as none, and is fetched anew."""
        self._file = data / ROTATIONS_FILE
        self._pinned = pinned
        self._keys = [pinned, *_followed(pinned, _read(self._file))]

    def verify(self, signature: bytes, data: bytes | bytearray) -> bool:
        """Whether one of the keys signed `data`."""
        return any(key.verify(signature, data) for key in self._keys)

    def follow(self, statements: str) -> bool:
        """Believe the keys that `statements` lead to from ours; whether one of them is new. Raises OSError."""
        keys = [self._pinned, *_followed(self._pinned, statements)]
        if set(keys) <= set(self._keys):
            return False
        write_secret(self._file, statements.rstrip("\n"))
        self._keys = keys
        return True


def _followed(pinned: VerifyingKey, statements: str) -> list[VerifyingKey]:
    try:
        return successors(pinned, parse_rotations(statements))
    except RotationError:
        return []


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
