"""The master key (主密钥), which opens the vault of personal data: where it comes from, and how it is exchanged.

    MASTER_KEY_FILE   names a file that holds it, as a secret store mounts it: then whoever has the data folder, or a
                      backup of it, has not the key
    MASTER_KEY        is the key itself
    keys/master.key   in the data folder, made there when neither is set

A key is 32 bytes in base64.  While it is exchanged the folder holds `keys/rotating`, and no service opens it.

Steps of an exchange, with what a kill leaves behind (the same command goes on from there):
  1. make the new key, keys/master.next            a key that seals nothing yet
  2. put up keys/rotating                          a home that no service opens
  3. seal again what the old key sealed            rows under either key, each whole
  4. master.next takes the place of master.key     a home with the new key, still marked
  5. take keys/rotating away                       done
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cylinder_codes.keys import decode_base64
from cylinder_trace.store.durable import sync_folder, write_durably
from cylinder_trace.store.vault import KEY_BYTES

FILE, _TEXT = "MASTER_KEY_FILE", "MASTER_KEY"
_KEPT, _NEXT, _ROTATING = "master.key", "master.next", "rotating"


class MasterKeyError(Exception):
    """There is no usable master key, or too many; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A new master key on its way in."""

    new: bytes
    old: tuple[bytes, ...]
    """What may still have sealed rows; none when only the end was missing."""
    to: Path | None
    """The file that holds the new key outside the data folder."""


def outside_key(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The key that the environment holds or names; None when it does neither. Raises MasterKeyError."""
    path, text = environment.get(FILE), environment.get(_TEXT)
    if path and text:
        raise MasterKeyError(f"{FILE} and {_TEXT} are both set: leave one of them out")
    if path:
        return _read(Path(path), FILE)
    return _parsed(text, _TEXT) if text else None


def is_rotating(folder: Path) -> bool:
    """Whether an exchange was begun here and not ended."""
    return (folder / "keys" / _ROTATING).exists()


def kept_path(folder: Path) -> Path:
    """Where the folder keeps a master key of its own."""
    return folder / "keys" / _KEPT


def begin_exchange(folder: Path, to: Path | None, fresh: str, environment: Mapping[str, str] = os.environ) -> Exchange:
    """Steps 1 and 2. `to`: the file with the new key; without it `fresh`, in base64, becomes the folder's own.

    Raises MasterKeyError.
    """
    kept, following = kept_path(folder), folder / "keys" / _NEXT
    outside = outside_key(environment)
    if outside is not None and to is None:
        raise MasterKeyError("the master key lies outside the data folder: name the file with the new one, --to FILE")
    was_kept = _read(kept, "keys/master.key") if kept.exists() else None
    old = tuple(key for key in (outside, was_kept) if key is not None)
    if to is not None:
        new = _read(to, "--to")
    elif is_rotating(folder) and not following.exists() and was_kept is not None:
        return Exchange(was_kept, (), None)  # killed between the steps 4 and 5
    else:
        if not following.exists():
            _write_secret(following, fresh)
        new = _read(following, "keys/master.next")
    _write_secret(folder / "keys" / _ROTATING, "run cylinder-api rotate-master-key again")
    return Exchange(new, old, to)


def end_exchange(folder: Path, exchange: Exchange) -> None:
    """Steps 4 and 5: from here on the old key opens nothing, and is gone from the folder."""
    following = folder / "keys" / _NEXT
    if exchange.to is not None:
        for path in (kept_path(folder), following):
            path.unlink(missing_ok=True)
    elif following.exists():
        following.replace(kept_path(folder))
    sync_folder(folder / "keys")
    (folder / "keys" / _ROTATING).unlink(missing_ok=True)


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600, exist_ok=True)
    before = os.umask(0o077)
    try:
        write_durably(path, f"{text}\n".encode())
    finally:
        os.umask(before)


def _read(path: Path, what: str) -> bytes:
    try:
        return _parsed(path.read_text(encoding="ascii", errors="replace"), what)
    except OSError as error:
        raise MasterKeyError(f"{what}: cannot read {path}: {error.strerror}") from error


def _parsed(text: str, what: str) -> bytes:
    key = decode_base64(text.strip())
    if key is None or len(key) != KEY_BYTES:
        raise MasterKeyError(f"{what} does not hold {KEY_BYTES} bytes in base64; make it with: openssl rand -base64 32")
    return key
