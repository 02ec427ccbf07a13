"""Webhooks (推送地址): an organisation's own, made, changed, watched; and their messages, sent again (重发)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel

from cylinder_api.access import Caller
from cylinder_api.acts import webhooks
from cylinder_api.bodies import JsonBody, takes
from cylinder_api.delivery.addresses import Guard
from cylinder_api.delivery.secret_box import SecretBox
from cylinder_api.etags import IfMatch, names
from cylinder_api.examples import WEBHOOK, WEBHOOK_CHANGE, WEBHOOK_REPLAY
from cylinder_api.idempotency import ActKey, act_key
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import ServiceHere
from cylinder_trace.store.tables import WebhookRow
from cylinder_trace.values import Id

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
_ETAG = {"headers": {"ETag": {"schema": {"type": "string"}, "description": "For If-Match."}}}


class WebhookList(BaseModel):
    """Webhooks, by their making."""

    items: list[webhooks.WebhookItem]


class WebhookDeleted(BaseModel):
    """Nothing is sent to it any more; its secrets and its messages are gone."""

    webhook_id: str


def webhooks_for(caller: Caller, service: ServiceHere) -> webhooks.Webhooks:
    """The webhooks that the caller may manage or see."""
    return webhooks.Webhooks(
        engine=service.ledger.engine,
        reader=service.ledger.reader,
        guard=Guard(service.settings.private_receivers),
        box=SecretBox(service.keys.master),
        master=service.keys.master,
        caller=caller,
        now=service.clock(),
    )


WebhooksHere = Annotated[webhooks.Webhooks, Depends(webhooks_for)]


def webhook_found(webhook_id: Annotated[Id, Path()], here: WebhooksHere) -> WebhookRow:
    """The webhook in the address; raises Refused."""
    return here.find(webhook_id)


WebhookFound = Annotated[WebhookRow, Depends(webhook_found)]
"""Of a write it comes behind the key: sent again, a write is answered as before, also where it deleted the webhook."""


def _etag(row: WebhookRow) -> str:
    """Of what people can change; how the receiver is doing is not in it."""
    return f'"{row.version}"'


def _require_unchanged(if_match: str | None, row: WebhookRow) -> None:
    if if_match is not None and not names(if_match, _etag(row)):
        raise Refused("changed_meanwhile", "the webhook was changed since you read it; read it again")


@router.post(
    "",
    status_code=201,
    summary="Be told of events at a URL (新建推送地址)",
    responses=documented("not_json", "webhooks_full"),
    openapi_extra=takes(webhooks.NewWebhook, WEBHOOK),
)
def create_webhook(
    request: Request,
    here: WebhooksHere,
    service: ServiceHere,
    asked: Annotated[webhooks.NewWebhook, Depends(JsonBody(webhooks.NewWebhook))],
) -> webhooks.WebhookMade:
    """Of what is recorded from now on: a company of its own cylinders and stations, an authority of its district. The
    secret checks the signatures of the messages; it is shown this once."""
    made = here.make(asked, act_key(request))
    service.deliverer.notify()
    return made


@router.get("", summary="Webhooks and how they are doing", responses=documented())
def list_webhooks(here: WebhooksHere) -> WebhookList:
    """The own organisation's; an admin and an auditor see all."""
    return WebhookList(items=here.all())


@router.get(
    "/{webhook_id}",
    summary="One webhook and how it is doing",
    responses={**documented("webhook_unknown"), 200: _ETAG},
)
def get_webhook(found: WebhookFound, here: WebhooksHere, response: Response) -> webhooks.WebhookItem:
    """What waits for it, since when it has failed, and why it was switched off."""
    response.headers["ETag"] = _etag(found)
    return here.item(found)


@router.patch(
    "/{webhook_id}",
    summary="Change a webhook, switch it off or on (修改推送地址)",
    responses=documented("not_json", "webhook_unknown", "changed_meanwhile"),
    openapi_extra=takes(webhooks.WebhookChange, WEBHOOK_CHANGE),
)
def change_webhook(
    here: WebhooksHere,
    service: ServiceHere,
    asked: Annotated[webhooks.WebhookChange, Depends(JsonBody(webhooks.WebhookChange))],
    found: WebhookFound,
    response: Response,
    if_match: IfMatch = None,
) -> webhooks.WebhookItem:
    """With If-Match only as it was read. While it is off nothing is sent and nothing lost; switched on it goes on where
    it stopped, and whatever waits is tried at once."""
    _require_unchanged(if_match, found)
    changed = here.change(found, asked)
    service.deliverer.notify()
    response.headers["ETag"] = _etag(changed)
    return here.item(changed)


@router.delete(
    "/{webhook_id}",
    summary="Send nothing to it any more (删除推送地址)",
    responses=documented("webhook_unknown", "changed_meanwhile"),
)
def delete_webhook(here: WebhooksHere, _key: ActKey, found: WebhookFound, if_match: IfMatch = None) -> WebhookDeleted:
    """By its organisation or an admin. Its secrets and the list of its messages go with it."""
    _require_unchanged(if_match, found)
    here.delete(found)
    return WebhookDeleted(webhook_id=found.webhook_id)


@router.post(
    "/{webhook_id}/secret",
    status_code=201,
    summary="Exchange its secret (更换签名密钥)",
    responses=documented("webhook_unknown", "changed_meanwhile"),
)
def exchange_webhook_secret(here: WebhooksHere, key: ActKey, found: WebhookFound) -> webhooks.SecretMade:
    """The new one is shown this once. For a day messages bear a signature of each, so that no message is refused while
    the receiver changes over."""
    return here.exchange_secret(found, key)


@router.get(
    "/{webhook_id}/deliveries",
    summary="Its messages and what came of them (投递记录)",
    responses=documented("webhook_unknown"),
)
def list_deliveries(
    found: WebhookFound,
    here: WebhooksHere,
    state: Literal["waiting", "delivered", "failed"] | None = None,
    after: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> webhooks.DeliveryPage:
    """The newest first. What was delivered is listed for a week, what failed for a month."""
    return here.deliveries(found, state, after, limit)


@router.post(
    "/{webhook_id}/deliveries/{message_id}/resend",
    status_code=202,
    summary="Send one message again (重发)",
    responses=documented("webhook_unknown", "message_unknown", "webhook_off"),
)
def resend_delivery(
    here: WebhooksHere, service: ServiceHere, _key: ActKey, found: WebhookFound, message_id: Annotated[Id, Path()]
) -> webhooks.MessageSent:
    """Whatever came of it before, under the same id."""
    sent = here.send_again(found, message_id)
    service.deliverer.notify()
    return sent


@router.post(
    "/{webhook_id}/replay",
    status_code=202,
    summary="Send everything again from an instant on (回放)",
    responses=documented("not_json", "webhook_unknown", "changed_meanwhile"),
    openapi_extra=takes(webhooks.ReplayRequest, WEBHOOK_REPLAY),
)
def replay_webhook(
    here: WebhooksHere,
    service: ServiceHere,
    asked: Annotated[webhooks.ReplayRequest, Depends(JsonBody(webhooks.ReplayRequest))],
    found: WebhookFound,
) -> webhooks.Replay:
    """Messages bear the ids that they had before, so a receiver that has one already can tell. An instant in the future
    leaves out what was not looked at yet."""
    answer = here.replay(found, asked.from_at)
    service.deliverer.notify()
    return answer


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    summary="Send a test message (测试推送)",
    responses=documented("webhook_unknown", "webhook_off"),
)
def test_webhook(here: WebhooksHere, service: ServiceHere, key: ActKey, found: WebhookFound) -> webhooks.MessageSent:
    """Of type `org.pinglian.webhook.tested.v1`; it is about nothing."""
    sent = here.test(found, key)
    service.deliverer.notify()
    return sent
