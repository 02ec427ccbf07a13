"""`cylinder-trace rotate-key`: give a log a new signing key.

Steps, with what a crash leaves behind (run it again, and it goes on from there):
  1. write the new key beside the old one, as FILE.next                   the old key signs on
  2. add the statement, signed by both keys, to log/rotations             the old key signs on
  3. keep the old key as FILE.<key id>                                    the old key signs on
  4. put FILE.next in the place of FILE                                   the next start signs with the new key
"""

import os
import secrets
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from cylinder_codes.keys import SEED_BYTES, KeyFormatError, SigningKey, format_signer, format_vkey, parse_signer
from cylinder_trace.commands.shared import GOOD, CannotCheck, from_store, read_text, say
from cylinder_trace.rotation import Rotation, RotationError, parse_rotation, parse_rotations, rotate

ROTATE = "give a log a new signing key; the old key and the new one sign a statement of it"


def add_rotate(parser: Any) -> None:
    """Arguments of `rotate-key`."""
    parser.add_argument("--key", required=True, metavar="FILE", help="the log's key file, as .data/keys/log.key")
    parser.add_argument("--log", required=True, metavar="FOLDER", help="the log's public folder, as .data/log")


def rotate_key(arguments: Namespace) -> int:
    """Run `rotate-key`."""
    path = Path(arguments.key)
    if not Path(arguments.log).is_dir():
        raise CannotCheck(f"there is no folder {arguments.log}; name the folder with the log's checkpoint")
    old = _signer(path)
    new = _next_key(path, old)
    _state(Path(arguments.log), old, new)
    _write_secret(path.with_name(f"{path.name}.{old.key_id.hex()}"), format_signer(old))
    path.with_name(f"{path.name}.next").replace(path)
    vkey = format_vkey(new.verifying_key)
    say(
        arguments,
        {"ok": True, "vkey": vkey},
        f"{vkey}\nrestart the service; give witnesses this key first 先告知见证人",
    )
    return GOOD


def _signer(path: Path) -> SigningKey:
    try:
        return parse_signer(read_text(str(path)))
    except KeyFormatError as error:
        raise CannotCheck(f"{path} is not a log's signing key: {error}") from error


def _next_key(path: Path, old: SigningKey) -> SigningKey:
    """The new key: the one that was begun with, if a rotation was cut short."""
    beside = path.with_name(f"{path.name}.next")
    if beside.exists():
        return _signer(beside)
    new = SigningKey(old.name, secrets.token_bytes(SEED_BYTES))
    _write_secret(beside, format_signer(new))
    return new


def _state(log: Path, old: SigningKey, new: SigningKey) -> None:
    files = from_store(lambda: _log_files(log))
    text = files.rotations()
    try:
        stated = parse_rotations(text)
        statement = rotate(old, new, time.time_ns() // 1_000_000)
        pair = parse_rotation(statement)
    except RotationError as error:
        raise CannotCheck(f"the key cannot be rotated: {error}") from error
    if not any(_same(rotation, pair) for rotation in stated):
        files.publish_rotations(text + statement)


def _same(one: Rotation, other: Rotation) -> bool:
    return (one.old, one.new) == (other.old, other.new)


def _log_files(log: Path) -> Any:
    from cylinder_trace.store.files import LogFiles

    return LogFiles(log)


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
