"""Webhooks seen from the server: ``webhook list``, ``deliveries``, ``resend``. They work while the service runs."""

import argparse
from datetime import UTC, datetime

from sqlalchemy import Engine

from cylinder_api.acts.webhooks import delivery_item
from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.output import show
from cylinder_api.commands.people import database
from cylinder_api.service import system_clock
from cylinder_trace.store.outbox.messages import list_messages, send_again
from cylinder_trace.store.outbox.webhooks import read_webhook, read_webhooks, waiting_of
from cylinder_trace.store.tables import WebhookRow

_LISTED = 200


def list_webhooks(options: argparse.Namespace) -> int:
    """Print every webhook and how it is doing."""
    with database(options) as engine:
        rows, waiting = read_webhooks(engine), waiting_of(engine)
    facts = [{**_facts(row), "waiting": waiting.get(row.webhook_id, 0)} for row in rows]
    lines = [
        f"{row.webhook_id}\t{row.role}\t{row.org_id}\t{_doing(row)}\t"
        f"{waiting.get(row.webhook_id, 0)} waiting 待投\t{row.url}"
        for row in rows
    ]
    show(options, {"webhooks": facts}, "\n".join(lines) or "no webhook is on file 没有推送地址")
    return 0


def list_deliveries(options: argparse.Namespace) -> int:
    """Print the newest messages of a webhook, and what came of them."""
    with database(options) as engine:
        _require(engine, options.id)
        told = list_messages(engine, options.id, options.state, None, _LISTED)
    items = [delivery_item(one) for one in told]
    lines = [
        f"{item.message_id}\t{item.type}\t{item.state}\t{item.attempts} tried\t{_moment(item.tried_at)}\t"
        f"{item.said_zh or ''} {item.said or ''}".rstrip()
        for item in items
    ]
    show(options, {"items": [item.model_dump() for item in items]}, "\n".join(lines) or "no message 没有消息")
    return 0


def resend(options: argparse.Namespace) -> int:
    """Have a message of a webhook sent now, whatever came of it before."""
    with database(options) as engine:
        if _require(engine, options.id).off_at is not None:
            raise CannotDo(f"webhook {options.id} is switched off; its organisation switches it on over HTTP first")
        if not send_again(engine, options.id, options.message, system_clock()):
            raise CannotDo(f"no message {options.message} of {options.id}; see cylinder-api webhook deliveries")
    facts = {"webhook_id": options.id, "message_id": options.message}
    show(options, facts, f"{options.message} is sent as soon as the service is there 即将重发")
    return 0


def _require(engine: Engine, webhook_id: str) -> WebhookRow:
    row = read_webhook(engine, webhook_id)
    if row is None or row.deleted_at is not None:
        raise CannotDo(f"there is no webhook {webhook_id}; see cylinder-api webhook list")
    return row


def _facts(row: WebhookRow) -> dict[str, object]:
    hidden = {"secret_sealed", "old_secret_sealed", "words", "version", "deleted_at"}
    return row.model_dump(exclude=hidden)


def _doing(row: WebhookRow) -> str:
    if row.off_at is not None:
        return f"off 已关闭 ({row.off_because})"
    return f"failing since {_moment(row.failing_since)} 投递失败" if row.failing_since else "on 正常"


def _moment(at: int | None) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds") if at is not None else "-"
