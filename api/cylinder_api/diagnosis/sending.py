"""What is sent to others and taken from them: webhooks, EPCIS subscriptions, jobs of capture."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from cylinder_api.diagnosis.finding import Finding, good, look, wrong
from cylinder_api.service import system_clock
from cylinder_trace.store.tables import EpcisCaptureRow, EpcisSubscriptionRow, WebhookRow

_WEBHOOK: Table = WebhookRow.__table__  # type: ignore[attr-defined]
_SUBSCRIPTION: Table = EpcisSubscriptionRow.__table__  # type: ignore[attr-defined]
_CAPTURE: Table = EpcisCaptureRow.__table__  # type: ignore[attr-defined]
_FAILING_MS = 60 * 60_000
_JOB_MS = 15 * 60_000
_SHOWN = 3


def look_at_sending(connection: Connection) -> Iterator[Finding]:
    """Everything that waits for somebody else, or that somebody else waits for."""
    yield webhooks(connection)
    yield subscriptions(connection)
    yield captures(connection)


def webhooks(connection: Connection) -> Finding:
    """Receivers that have not taken anything for an hour, or were switched off."""
    rows = connection.execute(select(_WEBHOOK).where(_WEBHOOK.c.deleted_at.is_(None))).all()
    before = system_clock() - _FAILING_MS
    ill = [row for row in rows if row.off_at is not None or (row.failing_since or before) < before]
    mend = "tell the organisation: its receiver does not take messages; GET /v1/webhooks shows them what it answered"
    return _told("webhooks", rows, [f"{row.webhook_id} of {row.org_id}" for row in ill], mend)


def subscriptions(connection: Connection) -> Finding:
    """EPCIS subscriptions whose last attempts failed."""
    rows = connection.execute(select(_SUBSCRIPTION).where(_SUBSCRIPTION.c.ended_at.is_(None))).all()
    before = system_clock() - _FAILING_MS
    ill = [row for row in rows if row.failures and (row.taken_at or row.created_at) < before]
    mend = "tell the organisation: its receiver does not take answers; nothing is lost, they are sent once it does"
    return _told("EPCIS subscriptions", rows, [f"{row.id} of {row.org_id}" for row in ill], mend)


def captures(connection: Connection) -> Finding:
    """Jobs of capture that nobody works on."""
    query = select(_CAPTURE.c.id).where(_CAPTURE.c.finished_at.is_(None))
    waiting = list(connection.scalars(query.where(_CAPTURE.c.created_at < system_clock() - _JOB_MS)))
    if waiting:
        mend = "is the service running? It takes jobs up again at its start; its log says why one does not end"
        return wrong("EPCIS captures", f"unfinished after a quarter of an hour: {_some(waiting)}", mend)
    return good("EPCIS captures", "no job has waited long")


def _told(what: str, rows: Sequence[Row[Any]], ill: list[str], mend: str) -> Finding:
    if ill:
        return look(what, f"{len(ill)} of {len(rows)} get nothing: {_some(ill)}", mend)
    return good(what, f"{len(rows)}, all are reached")


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
