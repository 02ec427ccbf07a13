"""Files that are there whole or not at all, whenever the power goes."""

import os
import secrets
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in the place of `path`, and make its folder where that is missing; the bytes are on the disk then.

    Crash point: before the rename what stood there before still stands.  The new name is only certain to outlive a
    power cut after `sync_folder`, which one calls once behind the last of several files.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: another process may be writing the same file, and must not find half of ours in its place.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)  # on a full disk it would be in the way of the next try
        raise


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk before going on."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file whole or not at all; file and folder are flushed to the disk."""
    replace_file(path, data)
    sync_folder(path.parent)
