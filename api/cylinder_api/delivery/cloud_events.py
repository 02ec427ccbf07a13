"""The body of a message: a CloudEvent 1.0 as structured JSON (https://cloudevents.io), and thin.

It says that something happened, where it stands in the ledger and where to read it; whoever wants to know more reads it
with a token of their own.  So nothing personal is ever sent, and nobody is sent more than they may read.
"""

from datetime import UTC, datetime
from typing import Any

import orjson

from cylinder_api.delivery.event_types import TEST, TYPES
from cylinder_trace.store.outbox.messages import About, Due

CONTENT_TYPE = "application/cloudevents+json"


class Bodies:
    """Makes the bodies of one ledger's messages; the same each time a message is sent."""

    def __init__(self, origin: str, public_url: str | None) -> None:
        """`origin` names the log; `public_url` is where the service is reached from outside."""
        self._source = f"https://{origin}"
        self._public_url = public_url or ""

    def of(self, due: Due) -> bytes:
        """The body of a message, about its entry or as a test."""
        message = due.message
        if due.about is None:
            return _event(message.message_id, self._source, TEST, message.webhook_id, message.made_at, {})
        return self._about(due.about)

    def _about(self, entry: About) -> bytes:
        data: dict[str, Any] = {
            "entry_id": entry.id,
            "event": entry.type,
            "log_index": entry.log_index,
            "entry_hash": entry.hash.hex(),
            "recorded_at": entry.recorded_at,
        }
        kind, _, name = entry.subject.partition("/")
        if kind == "cylinder":
            data["link"] = f"{self._public_url}/v1/cylinders/{name}/history"
        return _event(entry.id, self._source, TYPES[entry.type], entry.subject, entry.occurred_at, data)


def _event(id: str, source: str, type: str, subject: str, at: int, data: dict[str, Any]) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": id,
            "source": source,
            "type": type,
            "subject": subject,
            "time": rfc3339(at),
            "datacontenttype": "application/json",
            "data": data,
        }
    )


def rfc3339(at: int) -> str:
    """An instant (UTC ms) as RFC 3339 has it."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
