"""The outbox follows the log (跟随): each webhook has its own place, and what lies behind it becomes messages.

One transaction holds a stretch's messages and the new place.  A kill before its commit leaves the stretch undone, and
it is done again; after it, it is not done twice.  Sending again from an instant is nothing but an earlier place: the
messages have the same ids as before.

The log itself is the queue: for a webhook with many messages waiting no more are made until some have gone.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Engine, update
from sqlalchemy.dialects import postgresql, sqlite

from cylinder_trace.audit import StoredEntry
from cylinder_trace.store.outbox.places import Places
from cylinder_trace.store.outbox.webhooks import DELIVERY, WEBHOOK, is_live, live_webhooks, waiting_of
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import DeliveryRow, WebhookRow

MOST_WAITING = 500
"""Messages of one webhook that are waiting, at most, when more are made."""
_STRETCH = 256
"""Entries looked at in a step."""
WAITING = "waiting"
_PERSONS = frozenset({"customer", "worker"})
"""Kinds of subjects that nobody is told of: their chains are about people."""


class Outbox:
    """Makes the messages of one ledger; one process at a time."""

    def __init__(self, engine: Engine, reader: Reader, sent: Collection[str]) -> None:
        """`engine` writes without taking SQLite's lock before it writes. `sent`: words of events that are told."""
        self._engine, self._reader, self._sent = engine, reader, frozenset(sent)
        self._places = Places()

    def step(self, now: int, limit: int = _STRETCH) -> bool:
        """Look at the next stretch for the webhooks that are furthest behind; False if there was nothing to do."""
        due = self._behind()
        if not due:
            return False
        start = min(webhook.next_index for webhook in due)
        group = [webhook for webhook in due if webhook.next_index == start]
        further = [webhook.next_index - start for webhook in due if webhook.next_index > start]
        entries = self._reader.entries(start, min([limit, *further]))
        if not entries:
            return False
        return self._write(group, start, entries[-1].index + 1, self._messages(group, entries, now))

    def _behind(self) -> Sequence[WebhookRow]:
        with self._engine.connect() as connection:
            live = live_webhooks(connection)
        if not live:
            return ()
        size = self._reader.size()
        behind = [webhook for webhook in live if webhook.next_index < size]
        waiting = waiting_of(self._engine) if behind else {}
        return [webhook for webhook in behind if waiting.get(webhook.webhook_id, 0) < MOST_WAITING]

    def _messages(self, group: Sequence[WebhookRow], entries: Sequence[StoredEntry], now: int) -> list[DeliveryRow]:
        wanted = {webhook.webhook_id: frozenset(webhook.words.split()) or self._sent for webhook in group}
        told = self._sent & frozenset().union(*wanted.values())
        some = [one for one in entries if one.type in told and one.subject.partition("/")[0] not in _PERSONS]
        if not some:
            return []
        with self._engine.connect() as connection:
            concerned = self._places.of(connection, some)
        return [
            _message(webhook, entry, now)
            for entry, whom in zip(some, concerned, strict=True)
            for webhook in group
            if entry.type in wanted[webhook.webhook_id]
            and whom.concerns(webhook.role, webhook.org_id, webhook.district)
        ]

    def _write(self, group: Sequence[WebhookRow], start: int, end: int, messages: Sequence[DeliveryRow]) -> bool:
        names = [webhook.webhook_id for webhook in group]
        here = WEBHOOK.c.webhook_id.in_(names), WEBHOOK.c.next_index == start, is_live()
        with self._engine.begin() as writing:
            moved = writing.execute(update(WEBHOOK).where(*here).values(next_index=end))
            if moved.rowcount != len(names):  # somebody changed one of them: look again
                writing.rollback()
                return True
            if messages:
                insert = postgresql.insert if writing.dialect.name == "postgresql" else sqlite.insert
                new = insert(DELIVERY)
                keys = ("message_id", "webhook_id", "log_index")
                again = {column.name: new.excluded[column.name] for column in DELIVERY.c if column.name not in keys}
                put = new.on_conflict_do_update(index_elements=["message_id"], set_=again)
                writing.execute(put, [message.model_dump() for message in messages])
        return True


def message_id_of(webhook_id: str, about: int | str) -> str:
    """The id of the message about an entry, the same however often it is made."""
    return f"msg_{webhook_id.removeprefix('wh_')}_{about}"


def _message(webhook: WebhookRow, entry: StoredEntry, now: int) -> DeliveryRow:
    return DeliveryRow(
        message_id=message_id_of(webhook.webhook_id, entry.index),
        webhook_id=webhook.webhook_id,
        log_index=entry.index,
        made_at=now,
        state=WAITING,
        since=now,
        due_at=now,
    )
