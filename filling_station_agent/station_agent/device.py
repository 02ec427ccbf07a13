"""The station's device (站端设备): its key, its token, and the ledger it was enrolled with; files only it may read."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cylinder_codes.keys import (
    KeyFormatError,
    SigningKey,
    VerifyingKey,
    format_vkey,
    parse_vkey,
)
from station_agent import key_at_rest
from station_agent.key_at_rest import KeyLocked, ProtectedBy

KEY_FILE, TOKEN_FILE, DEVICE_FILE = "device.key", "token", "device.json"
JOURNAL_FILE, REPLICA_FILE = "journal.db", "replica.db"


class DeviceError(Exception):
    """The device's files cannot be used. The text says what and how to mend it."""


@dataclass(frozen=True, slots=True)
class Device:
    """Who this station PC is."""

    device_id: str
    station_id: str
    log_key: VerifyingKey
    """The ledger's key: what it signed is believed."""
    key: SigningKey
    token: str


def load_device(data: Path) -> Device:
    """The device whose files lie in the folder `data`; raises DeviceError."""
    try:
        about = json.loads((data / DEVICE_FILE).read_text("utf-8"))
        return Device(
            device_id=str(about["device_id"]),
            station_id=str(about["station_id"]),
            log_key=parse_vkey(str(about["log_vkey"])),
            key=load_key(data / KEY_FILE),
            token=(data / TOKEN_FILE).read_text("utf-8").strip(),
        )
    except KeyLocked as error:
        raise DeviceError(str(error)) from error
    except FileNotFoundError as error:
        raise DeviceError(f"{error.filename} is missing; enrol this device: station-agent enrol --help") from error
    except OSError as error:
        raise DeviceError(f"{error.filename} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DeviceError(f"The files of the device in {data} are damaged ({error}); enrol it again.") from error


def load_key(file: Path) -> SigningKey:
    """The device's key in `file` of the data folder; raises OSError, KeyLocked, KeyFormatError."""
    return key_at_rest.open_key(file.read_text("ascii"), file.parent)


def key_protection(data: Path) -> ProtectedBy:
    """What protects the device's key in the folder `data`; raises OSError, KeyLocked."""
    return key_at_rest.protected_by((data / KEY_FILE).read_text("ascii"))


def protect_key(data: Path, *, passphrase: bool = False) -> Path | None:
    """Encrypt the device's key, which may be plain or protected otherwise, anew; the file that opens it from now on.

    The new file is opened once before it takes the place of the old one.  Raises DeviceError, OSError.
    """
    try:
        key = load_key(data / KEY_FILE)
        return _keep_key(data, key, passphrase=passphrase)
    except (KeyLocked, KeyFormatError) as error:
        raise DeviceError(str(error)) from error


def _keep_key(data: Path, key: SigningKey, *, passphrase: bool) -> Path | None:
    if passphrase:
        write_secret(data / KEY_FILE, key_at_rest.seal_with_passphrase(key, key_at_rest.new_passphrase()))
        return None
    file = key_at_rest.machine_key_file(data)
    if not file.exists():
        write_secret(file, key_at_rest.new_machine_key())
    text = key_at_rest.seal_with_file(key, file.read_text("ascii"))
    if key_at_rest.open_key(text, data) != key:
        raise DeviceError(f"The key encrypted with {file} does not open again; nothing was changed.")
    write_secret(data / KEY_FILE, text)
    return file


def write_secret(file: Path, text: str) -> None:
    """Write `text` so that only this user can read it, whole or not at all."""
    half = file.with_name(f"{file.name}.part")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as half_written:
        half_written.write(text + "\n")
        half_written.flush()
        os.fsync(half_written.fileno())
    half.replace(file)
    _flush_folder(file.parent)


def _flush_folder(folder: Path) -> None:
    """Have a new name in a folder survive a power cut; Windows opens no folder, and keeps names in a log of its own."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep_device(data: Path, answer: dict[str, Any]) -> None:
    """Store what the service said at enrolment; raises DeviceError for an answer without all of it, OSError."""
    try:
        about = {name: str(answer[name]) for name in ("device_id", "station_id", "log_vkey", "origin")}
        log_key = parse_vkey(about["log_vkey"])
        token = str(answer["token"])
    except (KeyError, KeyFormatError) as error:
        raise DeviceError(f"The service's answer to the enrolment cannot be used: {error!r}.") from error
    if log_key.name != about["origin"]:
        raise DeviceError("The service's answer to the enrolment cannot be used: key and ledger have different names.")
    write_secret(data / TOKEN_FILE, token)
    write_secret(data / DEVICE_FILE, json.dumps(about, indent=2))


def new_key(data: Path, name: str, seed: bytes, *, passphrase: bool = False) -> SigningKey:
    """A key of this device in the folder `data`: the one that is there, or a new one from `seed`, encrypted at rest.

    Raises DeviceError, OSError.
    """
    try:
        if (data / KEY_FILE).exists():
            return load_key(data / KEY_FILE)
        key = SigningKey(name, seed)
        _keep_key(data, key, passphrase=passphrase)
    except (KeyLocked, KeyFormatError) as error:
        raise DeviceError(str(error)) from error
    return key


def public_text(key: SigningKey) -> str:
    """What the service is told of the key."""
    return format_vkey(key.verifying_key)


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Hold the folder for one running agent; raises DeviceError if another one has it."""
    with (data / "running").open("ab+") as held:
        try:
            _lock(held.fileno())
        except OSError as error:
            raise DeviceError(f"Another agent already runs in {data}; stop it first.") from error
        yield


def _lock(descriptor: int) -> None:
    """An advisory lock that ends with the process."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)  # it locks the bytes from here on
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
