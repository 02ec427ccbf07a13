"""An entry as detection reads it: straight from its text, without the typed event: there are millions."""

from typing import Any, NamedTuple

import orjson


class Fact(NamedTuple):
    """One entry: its hash, whose chain it belongs to, what is said, and when it occurred and was recorded (UTC ms)."""

    hash: str
    subject: str
    type: str
    at: int
    """By the author's clock, but never after it was recorded."""
    recorded_at: int
    data: dict[str, Any]


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
