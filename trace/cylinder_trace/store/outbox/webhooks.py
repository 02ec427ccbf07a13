"""The rows of webhooks: made, changed, switched off, deleted.

Two sides write them: people, through the functions here, and the deliverer, which moves a webhook on through the log
and notes how its receiver answers.  Each writes its own columns alone, in short transactions, so neither undoes what
the other wrote.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from cylinder_trace.store.tables import DeliveryRow, EntryRow, WebhookRow

WEBHOOK: Table = WebhookRow.__table__  # type: ignore[attr-defined]
DELIVERY: Table = DeliveryRow.__table__  # type: ignore[attr-defined]
_entry: Table = EntryRow.__table__  # type: ignore[attr-defined]
HEALTHY: Mapping[str, int | None] = {"failures": 0, "failing_since": None, "rests_until": None}
"""What the deliverer notes of a receiver that answers well, or of which nothing is known."""


def read_webhook(engine: Engine, webhook_id: str) -> WebhookRow | None:
    """A webhook, also one that was deleted."""
    with engine.connect() as connection:
        row = connection.execute(select(WEBHOOK).where(WEBHOOK.c.webhook_id == webhook_id)).one_or_none()
    return WebhookRow(**row._mapping) if row else None


def read_webhooks(engine: Engine, role: str | None = None, org_id: str | None = None) -> list[WebhookRow]:
    """Those that were not deleted, by their making; of one organisation if it is named."""
    query = select(WEBHOOK).where(WEBHOOK.c.deleted_at.is_(None)).order_by(WEBHOOK.c.created_at, WEBHOOK.c.webhook_id)
    if org_id is not None:
        query = query.where(WEBHOOK.c.role == role, WEBHOOK.c.org_id == org_id)
    with engine.connect() as connection:
        return [WebhookRow(**row._mapping) for row in connection.execute(query)]


def add_webhook(engine: Engine, row: WebhookRow) -> bool:
    """Write a new webhook; False where there is one of this id."""
    try:
        with engine.begin() as connection:
            connection.execute(insert(WEBHOOK).values(**row.model_dump()))
    except IntegrityError:
        return False
    return True


def change_webhook(
    engine: Engine, row: WebhookRow, changes: Mapping[str, Any], now: int, *, anew: bool = False
) -> bool:
    """Change some columns of a webhook that is as `row` has it; False where somebody changed it since, or deleted it.

    `anew`: nothing is known of the receiver any more; what waits is sent now, as if it were made now.
    """
    with engine.begin() as connection:
        here = WEBHOOK.c.webhook_id == row.webhook_id, WEBHOOK.c.version == row.version, WEBHOOK.c.deleted_at.is_(None)
        values = {**changes, **(HEALTHY if anew else {}), "version": row.version + 1}
        if connection.execute(update(WEBHOOK).where(*here).values(values)).rowcount != 1:
            return False
        if anew:
            waiting = DELIVERY.c.webhook_id == row.webhook_id, DELIVERY.c.due_at.is_not(None)
            connection.execute(update(DELIVERY).where(*waiting).values(due_at=now, since=now))
    return True


def delete_webhook(engine: Engine, row: WebhookRow, now: int) -> bool:
    """Let a webhook go, with its secrets and its messages; its id is never given again. False as `change_webhook`."""
    gone = {"secret_sealed": None, "old_secret_sealed": None, "url": "", "deleted_at": now}
    if not change_webhook(engine, row, gone, now):
        return False
    with engine.begin() as connection:
        connection.execute(delete(DELIVERY).where(DELIVERY.c.webhook_id == row.webhook_id))
    return True


def is_live() -> Any:
    """Whether a webhook is neither off nor deleted."""
    return WEBHOOK.c.off_at.is_(None) & WEBHOOK.c.deleted_at.is_(None)


def live_webhooks(connection: Connection) -> list[WebhookRow]:
    """Those that messages are made for and sent to."""
    rows = connection.execute(select(WEBHOOK).where(is_live()).order_by(WEBHOOK.c.webhook_id))
    return [WebhookRow(**row._mapping) for row in rows]


def first_since(engine: Engine, at: int) -> int:
    """The index of the first entry that was recorded at `at` or later, UTC ms; the log's size where there is none.

    The ledger's clock never runs backwards, so it is found by halving.
    """
    with engine.connect() as connection:
        low, high = 0, int(connection.scalar(select(func.coalesce(func.max(_entry.c.log_index) + 1, 0))) or 0)
        while low < high:
            middle = (low + high) // 2
            recorded_at = connection.scalar(select(_entry.c.recorded_at).where(_entry.c.log_index == middle))
            if recorded_at is None or recorded_at >= at:
                high = middle
            else:
                low = middle + 1
    return low


def waiting_of(engine: Engine) -> dict[str, int]:
    """How many messages wait for each webhook that has any."""
    query = select(DELIVERY.c.webhook_id, func.count()).where(DELIVERY.c.due_at.is_not(None))
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query.group_by(DELIVERY.c.webhook_id))}


class Doing(NamedTuple):
    """How all webhooks together are doing."""

    waiting: int
    """Messages."""
    failing: int
    """Webhooks whose receivers fail."""
    off: int


def doing(engine: Engine) -> Doing:
    """How all webhooks together are doing."""
    there = WEBHOOK.c.deleted_at.is_(None)
    with engine.connect() as connection:
        waiting = connection.scalar(select(func.count()).select_from(DELIVERY).where(DELIVERY.c.due_at.is_not(None)))
        failing = connection.scalar(select(func.count()).where(is_live(), WEBHOOK.c.failures > 0))
        off = connection.scalar(select(func.count()).where(there, WEBHOOK.c.off_at.is_not(None)))
    return Doing(waiting or 0, failing or 0, off or 0)


def secrets_of(row: WebhookRow, now: int) -> list[bytes]:
    """The sealed secrets that sign at `now`, the newest first."""
    old = row.old_secret_sealed if now < (row.old_secret_until or 0) else None
    return [secret for secret in (row.secret_sealed, old) if secret is not None]
