"""Webhooks (推送地址): where an organisation wants to be told of what happens, managed by itself."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Engine

from cylinder_api.access import Account
from cylinder_api.delivery.addresses import MOST_URL, BadAddress, Guard
from cylinder_api.delivery.event_types import TEST, TYPES, WORDS
from cylinder_api.delivery.said import BY_OWNER, in_chinese
from cylinder_api.delivery.secret_box import SecretBox
from cylinder_api.delivery.signing import format_secret
from cylinder_api.refusals import Refused
from cylinder_api.tokens import derived_secret
from cylinder_trace.store.outbox import messages, webhooks
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import WebhookRow
from cylinder_trace.values import Frozen, Instant

MOST_WEBHOOKS = 100
"""Of one organisation."""
OLD_SECRET_MS = 24 * 3_600_000
"""So long the secret before signs as well."""
_SEE_ALL = frozenset({"admin", "auditor"})
_ID_CHARS = 20
EventType = Annotated[str, Field(max_length=80, pattern=r"^[a-z0-9_.]+$")]
EventTypes = Annotated[tuple[EventType, ...], Field(max_length=100)]
Url = Annotated[str, Field(min_length=1, max_length=MOST_URL)]


class NewWebhook(Frozen):
    """Where messages are to go, and of what."""

    url: Url
    types: EventTypes = ()
    """Types of events, as docs/webhooks.md names them; absent = all."""


class WebhookChange(Frozen):
    """What is to be different; what is absent stays."""

    url: Url | None = None
    types: EventTypes | None = None
    """An empty list = all."""
    state: Literal["on", "off"] | None = None
    """`off`: nothing is sent and nothing is lost; `on`: it goes on where it stopped."""


class ReplayRequest(Frozen):
    """From when on messages are to be sent again."""

    from_at: Instant
    """Of what was recorded at this instant or later; one in the future leaves out what waits in the log."""


class WebhookItem(BaseModel):
    """A webhook, and how it is doing."""

    webhook_id: str
    org_id: str
    role: str
    district: str | None
    url: str
    types: list[str]
    state: Literal["on", "off"]
    off_at: int | None
    off_because: str | None
    off_because_zh: str | None
    failing_since: int | None
    """Since when no attempt was accepted; absent when the last one was."""
    failures: int
    rests_until: int | None
    """When its receiver is tried again."""
    waiting: int
    """Messages that are made and not accepted yet."""
    behind: int
    """Entries of the log that were not looked at for it yet."""
    created_at: int
    old_secret_until: int | None
    """Until then the secret before signs as well."""


class WebhookMade(BaseModel):
    """A new webhook, with the secret that its messages are signed with. The secret is shown once."""

    webhook_id: str
    url: str
    types: list[str]
    created_at: int
    secret: str


class SecretMade(BaseModel):
    """A new secret, shown once. Until `old_secret_until` messages bear a signature of the old one as well."""

    webhook_id: str
    secret: str
    old_secret_until: int


class DeliveryItem(BaseModel):
    """A message, and what came of it."""

    message_id: str
    """The `webhook-id` that the receiver sees."""
    type: str
    subject: str
    log_index: int | None
    state: Literal["waiting", "delivered", "failed"]
    attempts: int
    made_at: int
    tried_at: int | None
    due_at: int | None
    """When it is tried next; absent when it has ended."""
    status: int | None
    """Of the last answer; absent where none came."""
    said: str | None
    """What came of the last attempt."""
    said_zh: str | None


class DeliveryPage(BaseModel):
    """Messages, the newest first; `next` goes into `after` for the following page, and is null on the last."""

    items: list[DeliveryItem]
    next: str | None


class MessageSent(BaseModel):
    """The message is sent as soon as may be; the list of deliveries says what came of it."""

    message_id: str


class Replay(BaseModel):
    """From which entry of the log messages are made again, and how many entries there are behind it."""

    webhook_id: str
    from_index: int
    entries: int


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The webhooks of one ledger, for one caller."""

    engine: Engine
    reader: Reader
    guard: Guard
    box: SecretBox
    master: bytes
    caller: Account
    now: int

    def make(self, asked: NewWebhook, key: str) -> WebhookMade:
        """A new webhook, from now on; the same again under the same key. Raises Refused."""
        caller = self.caller
        secret = derived_secret(self.master, "webhook", caller.account_id, key)
        webhook_id = f"wh_{_short_hash(caller.account_id, key)}"
        if (known := webhooks.read_webhook(self.engine, webhook_id)) is not None:
            return self._made_before(known, secret)
        self._require_room()
        row = WebhookRow(
            webhook_id=webhook_id,
            org_id=caller.org_id,
            role=caller.role,
            district=caller.district,
            account_id=caller.account_id,
            url=self._url(asked.url),
            words=_words(asked.types),
            secret_sealed=self.box.seal(webhook_id, secret),
            created_at=self.now,
            next_index=self.reader.size(),
        )
        webhooks.add_webhook(self.engine, row)
        return _made(row, secret)

    def change(self, row: WebhookRow, asked: WebhookChange) -> WebhookRow:
        """Change a webhook; raises Refused."""
        values: dict[str, str | int | None] = {}
        if asked.url is not None:
            values["url"] = self._url(asked.url)
        if asked.types is not None:
            values["words"] = _words(asked.types)
        if asked.state == "off" and row.off_at is None:
            values |= {"off_at": self.now, "off_because": BY_OWNER}
        if asked.state == "on":
            values |= {"off_at": None, "off_because": None}
        anew = asked.url is not None or asked.state == "on"
        _require_done(webhooks.change_webhook(self.engine, row, values, self.now, anew=anew))
        return self.find(row.webhook_id)

    def delete(self, row: WebhookRow) -> None:
        """Let a webhook go; raises Refused."""
        _require_done(webhooks.delete_webhook(self.engine, row, self.now))

    def exchange_secret(self, row: WebhookRow, key: str) -> SecretMade:
        """Another secret; the one before signs as well for a day. The same again under the same key."""
        secret = derived_secret(self.master, "webhook", self.caller.account_id, row.webhook_id, key)
        made = SecretMade(webhook_id=row.webhook_id, secret=format_secret(secret), old_secret_until=0)
        if self._opens(row, secret):
            return made.model_copy(update={"old_secret_until": row.old_secret_until or 0})
        until = self.now + OLD_SECRET_MS
        values = {
            "secret_sealed": self.box.seal(row.webhook_id, secret),
            "old_secret_sealed": row.secret_sealed,
            "old_secret_until": until,
        }
        _require_done(webhooks.change_webhook(self.engine, row, values, self.now))
        return made.model_copy(update={"old_secret_until": until})

    def replay(self, row: WebhookRow, from_at: int) -> Replay:
        """Have what was recorded from an instant on told again, under the ids of before; raises Refused."""
        index = webhooks.first_since(self.engine, from_at)
        _require_done(webhooks.change_webhook(self.engine, row, {"next_index": index}, self.now))
        return Replay(webhook_id=row.webhook_id, from_index=index, entries=self.reader.size() - index)

    def send_again(self, row: WebhookRow, message_id: str) -> MessageSent:
        """Have one message sent now; raises Refused."""
        _require_on(row)
        if not messages.send_again(self.engine, row.webhook_id, message_id, self.now):
            raise Refused("message_unknown", "no message of this webhook has this id, or it was cleaned away")
        return MessageSent(message_id=message_id)

    def test(self, row: WebhookRow, key: str) -> MessageSent:
        """Have a message sent that is about nothing; the same key sends it once. Raises Refused."""
        _require_on(row)
        name = f"test{_short_hash(self.caller.account_id, key)}"
        return MessageSent(message_id=messages.add_test(self.engine, row.webhook_id, name, self.now))

    def find(self, webhook_id: str) -> WebhookRow:
        """A webhook that the caller may see: of the own organisation, or any; raises Refused."""
        row = webhooks.read_webhook(self.engine, webhook_id)
        if row is None or row.deleted_at is not None or not self._may_see(row):
            raise Refused("webhook_unknown", "no webhook is on file under this id")
        return row

    def all(self) -> list[WebhookItem]:
        """Those that the caller may see, by their making."""
        whose = () if self.caller.role in _SEE_ALL else (self.caller.role, self.caller.org_id)
        waiting, size = webhooks.waiting_of(self.engine), self.reader.size()
        rows = webhooks.read_webhooks(self.engine, *whose)
        return [_item(row, waiting.get(row.webhook_id, 0), size) for row in rows]

    def item(self, row: WebhookRow) -> WebhookItem:
        """A webhook as it is shown."""
        return _item(row, webhooks.waiting_of(self.engine).get(row.webhook_id, 0), self.reader.size())

    def deliveries(self, row: WebhookRow, state: str | None, after: str | None, limit: int) -> DeliveryPage:
        """A page of the webhook's messages, the newest first; raises Refused for a place that is none."""
        told = messages.list_messages(self.engine, row.webhook_id, state, _place(after), limit)
        items = [delivery_item(one) for one in told]
        last = items[-1] if len(items) == limit else None
        return DeliveryPage(items=items, next=f"{last.made_at}.{last.message_id}" if last else None)

    def _made_before(self, row: WebhookRow, secret: bytes) -> WebhookMade:
        if row.deleted_at is not None or not self._opens(row, secret):
            raise Refused("id_conflict", "this key made a webhook that was deleted or has another secret by now")
        return _made(row, secret)

    def _opens(self, row: WebhookRow, secret: bytes) -> bool:
        sealed = row.secret_sealed
        return sealed is not None and self.box.open(row.webhook_id, sealed) == secret

    def _may_see(self, row: WebhookRow) -> bool:
        own = (row.role, row.org_id) == (self.caller.role, self.caller.org_id)
        return own or self.caller.role in _SEE_ALL

    def _require_room(self) -> None:
        if len(webhooks.read_webhooks(self.engine, self.caller.role, self.caller.org_id)) >= MOST_WEBHOOKS:
            raise Refused("webhooks_full", f"an organisation has at most {MOST_WEBHOOKS} webhooks; delete one first")

    def _url(self, url: str) -> str:
        try:
            self.guard.check_url(url)
        except BadAddress as error:
            zh = f"/body/url：{in_chinese(str(error))}"
            raise Refused("invalid", f"/body/url: {error}", detail_zh=zh) from error
        return url


def _item(row: WebhookRow, waiting: int, size: int) -> WebhookItem:
    return WebhookItem(
        **row.model_dump(include=set(WebhookItem.model_fields)),
        types=_types(row),
        state="on" if row.off_at is None else "off",
        off_because_zh=in_chinese(row.off_because) if row.off_because else None,
        waiting=waiting,
        behind=max(0, size - row.next_index),
    )


def _made(row: WebhookRow, secret: bytes) -> WebhookMade:
    # What stays as it is, whatever happens to the webhook meanwhile: sent again, the answer is the same.
    facts = {name: getattr(row, name) for name in ("webhook_id", "url", "created_at")}
    return WebhookMade(**facts, types=_types(row), secret=format_secret(secret))


def _types(row: WebhookRow) -> list[str]:
    return [TYPES[word] for word in row.words.split()]


def delivery_item(told: messages.Told) -> DeliveryItem:
    """A message as it is shown."""
    message = told.message
    return DeliveryItem(
        **message.model_dump(include=set(DeliveryItem.model_fields)),
        type=TYPES[told.type] if told.type is not None else TEST,
        subject=told.subject or message.webhook_id,
        said_zh=in_chinese(message.said) if message.said else None,
    )


def _short_hash(*names: str) -> str:
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:_ID_CHARS]


def _words(types: tuple[str, ...]) -> str:
    if strange := sorted(set(types) - set(WORDS)):
        raise Refused("invalid", f"/body/types: there is no type {strange[0]}; docs/webhooks.md lists them")
    return " ".join(WORDS[type] for type in dict.fromkeys(types))


def _place(after: str | None) -> tuple[int, str] | None:
    if after is None:
        return None
    made_at, _, message_id = after.partition(".")
    if not (made_at.isascii() and made_at.isdecimal() and len(made_at) <= 15 and message_id):
        raise Refused("invalid", "/query/after: not a place that an answer named; begin without it")
    return int(made_at), message_id


def _require_on(row: WebhookRow) -> None:
    if row.off_at is not None:
        raise Refused("webhook_off", "the webhook is switched off; switch it on first")


def _require_done(done: bool) -> None:
    if not done:
        raise Refused("changed_meanwhile", "somebody changed the webhook at this moment; read it again")
