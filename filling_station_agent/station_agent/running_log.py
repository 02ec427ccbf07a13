"""The running log (运行日志): `agent.log` in the data folder, for whoever has to find out what the machine did.

It is not the journal: nothing depends on it, it holds no personal data and no scan (only the fields below, of events
that say how the station is doing), and it is cut off by itself: at most five files of one megabyte.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from station_agent.lane import Lane
from station_agent.recorder import Tell

LOG_FILE = "agent.log"
_BYTES, _OLDER_FILES = 1_000_000, 4
_EVENTS = frozenset({
    "ready", "stopped", "link", "replica", "dead_codes", "uploaded", "disputed", "journal_closed", "journal_broken",
    "log_key_rotated", "fault", "denied_late", "locked", "decided", "filling", "filled", "refused",
    "not_seen_to_end",
})  # fmt: skip
_FIELDS = (
    "check_id", "outcome", "reasons", "ended_because", "link", "online", "detail", "records", "unsent", "version",
    "count", "seq", "id", "station_id", "lanes",
)  # fmt: skip


@contextmanager
def logged(tell: Tell, data: Path, now: Callable[[], int]) -> Iterator[Tell]:
    """`tell`, and a line in the running log beside it. A log that cannot be written stops nothing."""
    handler = RotatingFileHandler(
        data / LOG_FILE, maxBytes=_BYTES, backupCount=_OLDER_FILES, encoding="utf-8", delay=True
    )
    handler.handleError = lambda record: None  # type: ignore[method-assign] # the journal says what a full disk means

    def both(event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
        if event in _EVENTS:
            handler.handle(logging.makeLogRecord({"msg": _line(now(), event, lane, fields)}))
        tell(event, lane, fields)

    try:
        yield both
    finally:
        handler.close()


def _line(at: int, event: str, lane: Lane | None, fields: dict[str, Any]) -> str:
    moment = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    told = {name: fields[name] for name in _FIELDS if name in fields}
    return f"{moment} {event} {lane.number if lane else '-'} {json.dumps(told, ensure_ascii=False)}"
