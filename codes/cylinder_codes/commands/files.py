"""Files as the commands read and write them: UTF-8, never overwritten, there whole or not at all."""

import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from cylinder_codes.commands.common import CannotCheck
from cylinder_codes.keys import KeyFormatError

Key = TypeVar("Key")


def read_text(path: Path) -> str:
    """Return a file's text; CannotCheck when it is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8")  # not read_text: it would change line ends, and signatures with them
    except UnicodeDecodeError as error:
        raise CannotCheck(f"{path}: not UTF-8 text: save it as UTF-8, or name another file") from error


def read_key(path: Path, parse: Callable[[str], Key]) -> Key:
    """Return the key in a file; CannotCheck when ``parse`` finds none."""
    try:
        return parse(read_text(path))
    except KeyFormatError as error:
        raise CannotCheck(f"{path}: {error}") from error


def require_free(*paths: Path) -> None:
    """Refuse what is there already."""
    for path in paths:
        if path.exists():
            raise CannotCheck(f"{path} is there already and is not overwritten: name another file")


def require_folder(out: Path) -> None:
    """Refuse a file whose folder is not there."""
    if not out.parent.is_dir():
        raise CannotCheck(f"{out.parent} is not a folder: make it first")


def require_place(out: Path) -> None:
    """Refuse before the work what could not be written after it."""
    require_folder(out)
    require_free(out)


def write_new(path: Path, content: str | bytes, mode: int) -> None:
    """Write a small file of its own under its name at once; a text ends with a line end."""
    require_free(path)
    if isinstance(content, str):
        content = (content if content.endswith("\n") else content + "\n").encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write_to_disk(file, [content])
    except OSError as error:
        path.unlink()  # half a file would be in the way of the next try
        raise CannotCheck(f"{path}: {error.strerror}; nothing is left of it") from error


def write_whole(out: Path, parts: Iterable[bytes]) -> None:
    """Write a file so that a reader never meets half of it, nor a power cut takes it away again."""
    unfinished = out.with_name(out.name + ".part")
    try:
        with unfinished.open("wb") as file:
            _write_to_disk(file, parts)
        require_free(out)
        unfinished.replace(out)
    except OSError as error:
        raise CannotCheck(f"{out}: {error.strerror}; nothing is left of it: name another place") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)  # a full disk has better use for the room
    sync_folder(out.parent)


def replace_file(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file and put it in the place of ``path`` in one step, so that nobody ever meets half of it."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_new(unfinished, text, mode)
    unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk before going on."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_to_disk(file: BinaryIO, parts: Iterable[bytes]) -> None:
    file.writelines(parts)
    file.flush()
    os.fsync(file.fileno())
