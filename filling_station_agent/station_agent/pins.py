"""PINs (口令): whoever has no badge at hand types the worker id and a PIN; the file keeps their scrypt hashes only.

`station-agent pin --worker ID` writes the file in the station's data folder.  It is read at each try, so that a new PIN
counts at once.  After five wrong tries a worker's PIN is not looked at for five minutes; a badge is.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import scrypt
from pathlib import Path
from typing import Literal

from cylinder_codes.keys import decode_base64, encode_base64
from station_agent.device import DeviceError, write_secret

PINS_FILE = "pins.json"
SHORTEST, LONGEST = 4, 12
SALT_BYTES = 16
_COST = {"n": 2**14, "r": 8, "p": 1}
_TRIES = 5
_LOCKED_MS = 300_000
_STRANGERS = 1_000

Tried = Literal["good", "wrong", "locked"]


@dataclass(slots=True)
class _Wrong:
    tries: int = 0
    locked_until: int = 0


class Pins:
    """The PINs in a station's data folder. `steady` gives milliseconds that only run forward."""

    def __init__(self, data: Path, steady: Callable[[], int]) -> None:
        self._file = data / PINS_FILE
        self._steady = steady
        self._wrong: dict[str, _Wrong] = {}

    def try_pin(self, worker_id: str, pin: str) -> Tried:
        """Whether this is the worker's PIN; takes a moment, so it is asked beside the loop. Raises DeviceError."""
        kept = _kept(self._file)
        wrong = self._wrong.setdefault(worker_id, _Wrong())
        if self._steady() < wrong.locked_until:
            return "locked"
        if _is_pin(kept.get(worker_id), pin):
            self._wrong.pop(worker_id, None)
            return "good"
        self._forget_strangers(kept)
        wrong.tries += 1
        if wrong.tries < _TRIES:
            return "wrong"
        self._wrong[worker_id] = _Wrong(locked_until=self._steady() + _LOCKED_MS)
        return "locked"

    def _forget_strangers(self, kept: Mapping[str, object]) -> None:
        """Tries at ids that have no PIN are counted like any, for the last thousand of them: no memory is filled so."""
        if len(self._wrong) > _STRANGERS + len(kept):
            oldest = next((worker_id for worker_id in list(self._wrong) if worker_id not in kept), None)
            self._wrong.pop(oldest or "", None)


def set_pin(data: Path, worker_id: str, pin: str, salt: bytes) -> None:
    """Keep the hash of a worker's PIN. Raises ValueError for one too short or no number, DeviceError, OSError."""
    if not (pin.isascii() and pin.isdecimal() and SHORTEST <= len(pin) <= LONGEST):
        raise ValueError(f"A PIN has {SHORTEST} to {LONGEST} digits.")
    kept = _kept(data / PINS_FILE)
    kept[worker_id] = {**_COST, "salt": encode_base64(salt), "hash": encode_base64(_hash(pin, salt, _COST))}
    write_secret(data / PINS_FILE, json.dumps(kept, indent=2))


def remove_pin(data: Path, worker_id: str) -> bool:
    """Forget a worker's PIN; False if there was none. Raises DeviceError, OSError."""
    kept = _kept(data / PINS_FILE)
    if kept.pop(worker_id, None) is None:
        return False
    write_secret(data / PINS_FILE, json.dumps(kept, indent=2))
    return True


def _is_pin(entry: dict[str, str | int] | None, pin: str) -> bool:
    if entry is None:
        _hash(pin, bytes(SALT_BYTES), _COST)  # as long as for a worker who has one
        return False
    salt, kept = decode_base64(str(entry["salt"])) or b"", decode_base64(str(entry["hash"])) or b""
    cost = {name: int(entry[name]) for name in _COST}
    return hmac.compare_digest(_hash(pin, salt, cost), kept)


def _hash(pin: str, salt: bytes, cost: dict[str, int]) -> bytes:
    return scrypt(pin.encode(), salt=salt, n=cost["n"], r=cost["r"], p=cost["p"], dklen=32)


def _kept(file: Path) -> dict[str, dict[str, str | int]]:
    try:
        kept = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DeviceError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise DeviceError(f"{file} is damaged; remove it and set the PINs anew: station-agent pin --help") from error
    if not isinstance(kept, dict):
        raise DeviceError(f"{file} holds no PINs; remove it and set them anew: station-agent pin --help")
    return kept
