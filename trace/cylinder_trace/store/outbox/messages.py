"""The messages to webhooks: which are due, what came of them, sent again, listed, and cleaned away."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Engine, Row, Select, Table, Update, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from cylinder_trace.store.outbox.following import WAITING, message_id_of
from cylinder_trace.store.outbox.webhooks import DELIVERY, HEALTHY, WEBHOOK, is_live, live_webhooks
from cylinder_trace.store.tables import DeliveryRow, EntryRow, WebhookRow

DELIVERED, FAILED = "delivered", "failed"
State = Literal["waiting", "delivered", "failed"]
_DAY_MS = 24 * 3_600_000
KEPT_MS: Mapping[str, int] = {DELIVERED: 7 * _DAY_MS, FAILED: 30 * _DAY_MS}
"""So long a message is listed after it has ended."""
_AT_ONCE = 1000
_COLUMNS = tuple(column.name for column in DELIVERY.c)
_entry: Table = EntryRow.__table__  # type: ignore[attr-defined]


class About(NamedTuple):
    """What a message needs of its entry."""

    log_index: int
    id: str
    subject: str
    type: str
    occurred_at: int
    recorded_at: int
    hash: bytes


class Due(NamedTuple):
    """A message to send now, and where to."""

    message: DeliveryRow
    webhook: WebhookRow
    about: About | None
    """Absent for a test."""


class Tried(NamedTuple):
    """An attempt that was made, and what follows from it."""

    message_id: str
    webhook_id: str
    at: int
    status: int | None
    said: str
    accepted: bool
    due_at: int | None
    """When the message is tried next; absent when it has ended."""
    failures: int
    """How often its receiver has failed now, one after the other."""
    rests_until: int | None
    """When its receiver is tried next; absent when it answered well."""
    off_because: str | None
    """Why nothing more is sent to it; absent when it goes on."""


class Told(NamedTuple):
    """A message, and the entry it is about."""

    message: DeliveryRow
    type: str | None
    subject: str | None


def due_messages(engine: Engine, now: int, under_way: Mapping[str, Collection[str]], most: int) -> list[Due]:
    """Messages to send at `now`, in the order of the log for each webhook.

    `under_way`: for each webhook the ids of what is being sent to it, at most `most` at a time.  A receiver that failed
    last is sent one at a time, and that one is the least tried: a message that it will never take holds up no other.
    """
    found: list[Due] = []
    with engine.connect() as connection:
        waiting = set(connection.scalars(select(DELIVERY.c.webhook_id).where(DELIVERY.c.due_at <= now).distinct()))
        for webhook in live_webhooks(connection) if waiting else ():
            sent = under_way.get(webhook.webhook_id, ())
            room = (1 if webhook.failures else most) - len(sent)
            if webhook.webhook_id in waiting and now >= (webhook.rests_until or 0) and room > 0:
                rows = connection.execute(_due_of(webhook, now, sent).limit(room)).all()
                found += [_due(webhook, row) for row in rows]
    return found


def _due_of(webhook: WebhookRow, now: int, sent: Collection[str]) -> Select[Any]:
    query = select(DELIVERY, *(_entry.c[name].label(f"about_{name}") for name in About._fields))
    query = query.outerjoin(_entry, _entry.c.log_index == DELIVERY.c.log_index)
    query = query.where(DELIVERY.c.webhook_id == webhook.webhook_id, DELIVERY.c.due_at <= now)
    query = query.where(DELIVERY.c.log_index.is_(None) | _entry.c.log_index.is_not(None))
    if sent:
        query = query.where(DELIVERY.c.message_id.not_in(sent))
    in_log = func.coalesce(DELIVERY.c.log_index, -1)
    return query.order_by(DELIVERY.c.attempts, in_log) if webhook.failures else query.order_by(in_log)


def _due(webhook: WebhookRow, row: Row[Any]) -> Due:
    values = row._mapping
    message = DeliveryRow(**{name: values[name] for name in _COLUMNS})
    about = About(*(values[f"about_{name}"] for name in About._fields))
    return Due(message, webhook, None if message.log_index is None else about._replace(hash=bytes(about.hash)))


def record_attempts(engine: Engine, attempts: Sequence[Tried]) -> None:
    """Write down what came of some attempts, in one transaction."""
    with engine.begin() as connection:
        _lock(connection, {tried.webhook_id for tried in attempts})
        for tried in attempts:
            ended = tried.due_at is None
            state = DELIVERED if tried.accepted else FAILED if ended else WAITING
            here = DELIVERY.c.message_id == tried.message_id, DELIVERY.c.due_at.is_not(None)
            connection.execute(
                update(DELIVERY).where(*here).values(
                    state=state, attempts=DELIVERY.c.attempts + 1, tried_at=tried.at, status=tried.status,
                    said=tried.said, due_at=tried.due_at, ended_at=tried.at if ended else None,
                )
            )  # fmt: skip
            connection.execute(_receiver(tried))


def _lock(connection: Connection, webhook_ids: Collection[str]) -> None:
    """Whoever writes a webhook and its messages takes the webhook first, so that nobody waits for one who waits."""
    if connection.dialect.name == "postgresql":  # on SQLite there is one lock, which is taken by writing
        order = select(WEBHOOK.c.webhook_id).where(WEBHOOK.c.webhook_id.in_(webhook_ids)).order_by(WEBHOOK.c.webhook_id)
        connection.execute(order.with_for_update())


def _receiver(tried: Tried) -> Update:
    here = update(WEBHOOK).where(WEBHOOK.c.webhook_id == tried.webhook_id)
    if tried.accepted:
        return here.where(WEBHOOK.c.failures > 0).values(**HEALTHY)
    # Several that were under way at once failed together: that counts once.
    values: dict[str, Any] = {
        "failures": tried.failures,
        "failing_since": func.coalesce(WEBHOOK.c.failing_since, tried.at),
        "rests_until": tried.rests_until,
    }
    if tried.off_because is not None:
        values |= {"off_at": tried.at, "off_because": tried.off_because, "version": WEBHOOK.c.version + 1}
    return here.where(is_live(), WEBHOOK.c.failures < tried.failures).values(**values)


def send_again(engine: Engine, webhook_id: str, message_id: str, now: int) -> bool:
    """Have a message sent now, whatever came of it before; False where there is none."""
    here = DELIVERY.c.webhook_id == webhook_id, DELIVERY.c.message_id == message_id
    anew = {"state": WAITING, "attempts": 0, "since": now, "due_at": now, "ended_at": None}
    with engine.begin() as connection:
        _wake(connection, webhook_id)
        return connection.execute(update(DELIVERY).where(*here).values(**anew)).rowcount == 1


def add_test(engine: Engine, webhook_id: str, name: str, now: int) -> str:
    """Have a test message sent; the same `name` makes it once. Its id."""
    message_id = message_id_of(webhook_id, name)
    row = DeliveryRow(
        message_id=message_id, webhook_id=webhook_id, made_at=now, state=WAITING, since=now, due_at=now
    ).model_dump()
    with engine.begin() as connection:
        _wake(connection, webhook_id)
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(DELIVERY).values(**row).on_conflict_do_nothing())
    return message_id


def _wake(connection: Connection, webhook_id: str) -> None:
    connection.execute(update(WEBHOOK).where(WEBHOOK.c.webhook_id == webhook_id).values(rests_until=None))


def list_messages(
    engine: Engine, webhook_id: str, state: str | None, behind: tuple[int, str] | None, limit: int
) -> list[Told]:
    """Messages of a webhook, the newest first; `behind`: when the last one of the page before was made, and its id."""
    query = select(DELIVERY, _entry.c.type, _entry.c.subject)
    query = query.outerjoin(_entry, _entry.c.log_index == DELIVERY.c.log_index)
    query = query.where(DELIVERY.c.webhook_id == webhook_id)
    if state is not None:
        query = query.where(DELIVERY.c.state == state)
    if behind is not None:
        query = query.where(tuple_(DELIVERY.c.made_at, DELIVERY.c.message_id) < behind)
    query = query.order_by(DELIVERY.c.made_at.desc(), DELIVERY.c.message_id.desc()).limit(limit)
    with engine.connect() as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    return [Told(DeliveryRow(**{name: row[name] for name in _COLUMNS}), row["type"], row["subject"]) for row in rows]


def forget_messages(engine: Engine, now: int) -> int:
    """Let go of some messages that ended long ago; how many. Called again until there are none."""
    gone = 0
    for state, kept_ms in KEPT_MS.items():
        old = DELIVERY.c.state == state, DELIVERY.c.ended_at < now - kept_ms
        some = select(DELIVERY.c.message_id).where(*old).limit(_AT_ONCE)
        with engine.begin() as connection:
            gone += connection.execute(delete(DELIVERY).where(DELIVERY.c.message_id.in_(some))).rowcount
    return gone
