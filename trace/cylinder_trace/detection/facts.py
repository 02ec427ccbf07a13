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
