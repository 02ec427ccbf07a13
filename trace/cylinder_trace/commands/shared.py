"""What the commands of `cylinder-trace` share: reading files and sources, saying one sentence, exit statuses."""

import json
import os
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from cylinder_codes.keys import KeyFormatError, VerifyingKey
from cylinder_trace.checkpoint import CheckpointError, parse_checkpoint
from cylinder_trace.cosignature import LogKey, parse_log_keys
from cylinder_trace.dates import LATEST_INSTANT, parse_day, start_of_day_ms
from cylinder_trace.rotation import RotationError, parse_rotations, successors
from cylinder_trace.suite import OUTSIDE_C2SP, suite_of_origin

GOOD, BAD, COULD_NOT_CHECK = 0, 1, 2
Item = TypeVar("Item")


class CannotCheck(Exception):
    """One sentence for the person at the keyboard: what, where, what to do next."""


def open_source_of(arguments: Namespace) -> Any:
    """The ledger that the arguments name; its reading errors become one sentence."""
    from cylinder_trace.store.sources import open_source

    return _Careful(from_store(lambda: open_source(arguments.source, arguments.token)))


def texts_of(source: Any, tell: Callable[[str, int, int], None]) -> Callable[[], Iterator[bytes]]:
    """Gives all stored entries of a source whenever it is called, and tells how far each pass has come."""
    from cylinder_trace.store.progress import counted

    size, passes = source.size(), count(1)

    def texts() -> Iterator[bytes]:
        rows = counted(source.texts(0, size), f"entries read, pass {next(passes)} of 2 已读", size, tell)
        return (text for _index, text in rows)

    return texts


class _Careful:
    """A source whose reading errors become one sentence."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return lambda *asked: from_store(lambda: getattr(self._source, name)(*asked))

    def entries(self) -> Iterator[Any]:
        with _one_sentence():
            yield from self._source.entries()

    def texts(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        with _one_sentence():
            yield from self._source.texts(start, end)


def from_store(read: Callable[[], Item]) -> Item:
    """Run a read and turn what the store says into one sentence; the store is an extra that may be missing."""
    with _one_sentence():
        return read()


@contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        from cylinder_trace.store.database import StoreError, first_line
    except ModuleNotFoundError as error:
        raise CannotCheck("this needs the extra `store`: install cylinder-trace[store]") from error
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except StoreError as error:
        raise CannotCheck(str(error)) from error
    except DBAPIError as error:
        raise CannotCheck(f"the database cannot be read as a ledger: {first_line(error)}") from error


def keys_in(text: str, rotations: str | None = None) -> list[LogKey]:
    """The verifying keys in an argument: a key, or a file with keys, a line each; and those that followed on them.

    `rotations` names a file with the statements by which the log's key was rotated.
    """
    try:
        keys = parse_log_keys(text_or_file(text).splitlines())
    except KeyFormatError as error:
        raise CannotCheck(f"not a verifying key name+id+base64, as in the log's file keys: {error}") from error
    if not keys:
        raise CannotCheck(f"{text} names no key that this program knows")
    return keys if rotations is None else with_successors(keys, read_text(rotations), rotations)


def with_successors(keys: Sequence[LogKey], statements: str, place: str) -> list[LogKey]:
    """`keys` and those that followed on them by the log's `statements`, which were found at `place`.

    The statements need no trust of their own: each is signed by the key that it leads away from.
    """
    try:
        rotations = parse_rotations(statements)
    except RotationError as error:
        raise CannotCheck(f"{place} does not hold rotations of a key, as in log/rotations: {error}") from error
    later = [new for key in keys if isinstance(key, VerifyingKey) for new in successors(key, rotations)]
    return list(dict.fromkeys([*keys, *later]))


def named_keys(arguments: Namespace) -> list[LogKey]:
    """The keys in --vkey, and those that followed on them by --rotations."""
    return keys_in(arguments.vkey, arguments.rotations)


def text_or_file(text: str) -> str:
    """An argument itself, or what stands in the file it names."""
    # a long key is no name of a file, and asking a path for it would fail
    return read_text(text).strip() if "+" not in text or os.path.isfile(text) else text  # noqa: PTH113


def read_text(path: str) -> str:
    """The text of a file."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise CannotCheck(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CannotCheck(f"cannot read {path}: it is not UTF-8 text; name another file") from error


def period(arguments: Namespace) -> tuple[int, int]:
    """The instants (UTC ms) from the day in --since up to, not including, the one behind --until (Beijing days)."""
    try:
        since = start_of_day_ms(parse_day(arguments.since)) if arguments.since else 0
        until = start_of_day_ms(parse_day(arguments.until) + 1) if arguments.until else LATEST_INSTANT + 1
    except ValueError as error:
        raise CannotCheck(f"--since and --until are days, YYYY-MM-DD: {error}") from error
    if since >= until:
        raise CannotCheck(f"--since {arguments.since} lies behind --until {arguments.until}; turn them round")
    return since, until


def say(arguments: Namespace, told: dict[str, Any], story: str) -> None:
    """Print the story, or with --json the same as one object."""
    print(json.dumps(told, ensure_ascii=False) if arguments.json else story)


def bad(arguments: Namespace, problem: str) -> int:
    """Say what is wrong with what was checked; the exit status."""
    say(arguments, {"ok": False, "problem": problem}, f"✘ {problem}")
    return BAD


def story(proves: Any, does_not_prove: Any, origin: str) -> list[str]:
    """What a check proves and what not, a line each."""
    lines = [f"  proves 证明: {line}" for line in proves]
    lines += [f"  does not prove 不能证明: {line}" for line in does_not_prove]
    return lines if suite_of_origin(origin).is_c2sp else [*lines, f"  {OUTSIDE_C2SP}"]


def kept_checkpoint(path: str) -> str:
    """A checkpoint that was kept in a file, unverified; a file that is none says nothing about the log."""
    note = read_text(path)
    try:
        parse_checkpoint(note)
    except CheckpointError as error:
        raise CannotCheck(f"{path} is not a checkpoint: {error}; name the file that `witness` keeps") from error
    return note
