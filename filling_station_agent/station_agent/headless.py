"""`--headless`: one JSON line per change of state, for integrators and tests."""

import io
import json
from collections.abc import Callable
from typing import Any, TextIO

from station_agent.lane import Lane


def in_utf8(out: TextIO) -> TextIO:
    """The same stream, writing UTF-8 as JSON is exchanged (RFC 8259), and not the code page of a Windows console."""
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    return out


class Headless:
    """Writes every event as it happens: `at` (UTC ms), `lane` (its digit, or null), `event`, and the event's fields."""

    def __init__(self, out: TextIO, now: Callable[[], int]) -> None:
        self._out = out
        self._now = now

    def tell(self, event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
        """Write one line."""
        line = {"at": self._now(), "lane": lane.number if lane else None, "event": event, **fields}
        self._out.write(json.dumps(line | {"lane": lane.number if lane else None}, ensure_ascii=False) + "\n")
        self._out.flush()
