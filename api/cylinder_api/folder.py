"""The data folder and its keys.

    keys/log.key      signs the log's checkpoints and the stations' replicas
    keys/master.key   opens the vault of personal data, unless MASTER_KEY_FILE or MASTER_KEY says another (`master_key`)
    keys/tag.key      tells genuine codes from invented ones
    log/              tiles and checkpoint, public
    ledger.db         the ledger, on SQLite

Keys are made once, readable by their owner alone.  Beside a ledger none is ever made anew: a new key would not fit.
"""

import base64
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cylinder_api.master_key import MasterKeyError, is_rotating, kept_path, outside_key
from cylinder_codes.authenticity import TAG_SECRET_BYTES, TagKey
from cylinder_codes.keys import (
    SEED_BYTES,
    KeyFormatError,
    SigningKey,
    decode_base64,
    format_signer,
    format_tag_key,
    parse_signer,
    parse_tag_key,
)
from cylinder_trace.store.vault import KEY_BYTES

DEFAULT_ORIGIN = "ledger.pinglian.example/cylinders"
TAG_KEY_NAME = "pinglian"


class FolderError(Exception):
    """The data folder cannot be used; the message says what, where and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of one installation."""

    log: SigningKey
    tag: TagKey
    master: bytes = field(repr=False)


def open_folder(folder: Path) -> Keys:
    """The keys of an existing data folder; raises FolderError. Nothing is put into a folder of something else."""
    try:
        known = any((folder / name).exists() for name in ("keys", "ledger.db"))
    except OSError as error:
        raise FolderError(f"cannot use the data folder: {error.filename}: {error.strerror}") from error
    if not known:
        raise FolderError(f"there is no data folder {folder}; make it with: cylinder-api migrate --data {folder}")
    return make_folder(folder)


def make_folder(folder: Path, origin: str = DEFAULT_ORIGIN) -> Keys:
    """The keys of a data folder; folder and keys are made if they are not there. Raises FolderError."""
    try:
        (folder / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
        return Keys(
            log=parse_signer(_key_text(folder, "log", lambda: format_signer(_new_signer(origin)))),
            tag=parse_tag_key(_key_text(folder, "tag", lambda: format_tag_key(_new_tag_key()))),
            master=_master_key(folder),
        )
    except MasterKeyError as error:
        raise FolderError(str(error)) from error
    except KeyFormatError as error:
        raise FolderError(f"a key in {folder / 'keys'} is damaged: {error}; put the right one back") from error
    except OSError as error:
        raise FolderError(f"cannot use the data folder: {error.filename}: {error.strerror}") from error


def _key_text(folder: Path, name: str, make: Callable[[], str]) -> str:
    path = folder / "keys" / f"{name}.key"
    if path.exists():
        return path.read_text(encoding="ascii", errors="replace")
    if (folder / "ledger.db").exists():
        raise FolderError(f"{path} is missing, but a ledger is here: put back the key it was made with")
    text = make()
    write_secret(path, f"{text}\n")
    return text


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _new_signer(origin: str) -> SigningKey:
    return SigningKey(origin, secrets.token_bytes(SEED_BYTES))


def _new_tag_key() -> TagKey:
    return TagKey(TAG_KEY_NAME, secrets.token_bytes(TAG_SECRET_BYTES))


def fresh_master_key() -> str:
    """A new master key, in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _master_key(folder: Path) -> bytes:
    if is_rotating(folder):
        raise MasterKeyError(
            f"the master key is being exchanged: finish that with cylinder-api rotate-master-key --data {folder}"
        )
    outside = outside_key()
    if outside is None:
        return _parse_master(_key_text(folder, "master", fresh_master_key))
    if kept_path(folder).exists():
        raise MasterKeyError(
            f"MASTER_KEY_FILE or MASTER_KEY is set, but {kept_path(folder)} seals the vault: unset it and hand over to "
            "the new key with cylinder-api rotate-master-key --to FILE"
        )
    return outside


def _parse_master(text: str) -> bytes:
    key = decode_base64(text.strip())
    if key is None or len(key) != KEY_BYTES:
        raise KeyFormatError(f"master.key does not hold {KEY_BYTES} bytes in base64")
    return key
