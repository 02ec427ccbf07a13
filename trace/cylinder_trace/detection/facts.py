"""An entry as detection reads it: straight from its text, without the typed event: there are millions."""

from bisect import bisect_left
from typing import Any, NamedTuple

import orjson


class Seen(NamedTuple):
    """That something occurred (UTC ms), and which entry tells it; `place` where the place matters."""

    at: int
    hash: str
    place: str = ""


class Fact(NamedTuple):
    """One entry: its hash, whose chain it belongs to, what is said, and when it occurred and was recorded (UTC ms)."""

    hash: str
    subject: str
    type: str
    at: int
    """By the author's clock, but never after it was recorded."""
    recorded_at: int
    data: dict[str, Any]

    @property
    def seen(self) -> Seen:
        """What is remembered of it: `data` would fill the memory within a year."""
        return Seen(self.at, self.hash)


def read_fact(text: bytes, digest: bytes) -> Fact:
    """The fact in an entry's stored text; raises ValueError for what is not one."""
    try:
        entry = orjson.loads(text)
        at, recorded_at = entry["occurred_at"], entry["recorded_at"]
        return Fact(digest.hex(), entry["subject"], entry["type"], min(at, recorded_at), recorded_at, entry["data"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an entry: {error!r}") from error


class Run(NamedTuple):
    """The same again and again: what it is, how often so far, and the hash of the first."""

    value: int
    number: int
    first: str


def run_on(before: Run | None, value: int, digest: str) -> Run:
    """The run after one more `value`: longer by one, or begun anew with another value."""
    if before is None or before.value != value:
        return Run(value, 1, digest)
    return before._replace(number=before.number + 1)


class Count(NamedTuple):
    """How many there are of something so far, and the hash of the first."""

    number: int
    first: str


def counted_on(before: Count | None, digest: str) -> Count:
    """The count after one more."""
    return Count(1, digest) if before is None else Count(before.number + 1, before.first)


def remember(history: list[Seen], seen: Seen) -> int:
    """Put `seen` where it belongs by the time at which it occurred, however late it is told; its place there."""
    if not history or history[-1] <= seen:
        history.append(seen)
        return len(history) - 1
    place = bisect_left(history, seen)
    history.insert(place, seen)
    return place


def forget(history: list[Seen], before: int) -> None:
    """Take away what occurred before this instant."""
    if history and history[0].at < before:
        del history[: bisect_left(history, Seen(before, ""))]
