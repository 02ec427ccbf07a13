"""Idempotency-Key (幂等键): one act, one id, however often a write is sent.

Where the body carries the id of the act, the header is the same text and the ledger itself gives the same answer
again. Where it carries none, the header is the act's id: what was answered is kept under it for a week. A refused act
stored nothing, and its key may be used again.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cylinder_api.problems import problem
from cylinder_api.refusals import Refused
from cylinder_api.service import Service
from cylinder_api.tokens import derived_key
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.kept_answers import (
    KEPT_MS,
    forget_answers,
    keep_answer,
    packed,
    read_kept_answer,
    unpacked,
)
from cylinder_trace.store.tables import KeptAnswerRow
from cylinder_trace.store.unit import Hints, Unit

HEADER = "Idempotency-Key"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
SECRET = frozenset({"issue_enrolment_code", "enrol_device", "invite_user", "create_webhook", "exchange_webhook_secret"})
"""Operations whose answer shows a secret once: it is derived from the key again, and never kept."""
EXEMPT = frozenset({"sign_in", "accept_invitation", "tell_bad_rows"})
"""Operations under /v1 that ask for no key."""
KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$"
_BARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}")
_QUOTED = re.compile(r'"([^"\\]*)"')
_FORGET_EVERY_MS = 3_600_000
_SOON_S = 1


class Replay(Exception):
    """The request was answered before: the same bytes again."""

    def __init__(self, status: int, answer: bytes) -> None:
        super().__init__()
        self.status = status
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Act:
    """A write that is being worked on."""

    account_id: str
    key: str
    request_sha256: str | None
    """Absent where the ledger tells by itself what was sent under this id."""
    secret: bool = False


@dataclass(slots=True)
class Acts:
    """The writes of this process, and the answers that are kept."""

    service: Service
    running: set[tuple[str, str]] = field(default_factory=set)
    _forget_at: int = 0

    async def begin(self, act: Act) -> None:
        """Raises Refused while the same is worked on or the key stands for another request; Replay for an answer."""
        if (act.account_id, act.key) in self.running:
            raise Refused("still_running", "the same request is being worked on; ask again in a moment", _SOON_S)
        self.running.add((act.account_id, act.key))
        try:
            await self._look_up(act)
        except BaseException:
            self.end(act)
            raise

    async def _look_up(self, act: Act) -> None:
        if act.request_sha256 is None:
            return
        kept = await run_in_threadpool(read_kept_answer, self.service.ledger.engine, act.account_id, act.key)
        if kept is None:
            return
        if kept.request_sha256 != act.request_sha256:
            raise Refused("id_conflict", f"this {HEADER} was used for another request; take a new one for each act")
        if (answer := unpacked(kept)) is not None:
            raise Replay(kept.status, answer)

    def end(self, act: Act) -> None:
        """The act is over, however it ended."""
        self.running.discard((act.account_id, act.key))

    async def keep(self, act: Act, status: int, answer: bytes) -> bytes:
        """Keep what is to be answered; the bytes to answer with."""
        row = KeptAnswerRow(
            account_id=act.account_id,
            key=act.key,
            request_sha256=act.request_sha256 or "",
            kept_at=self.service.clock(),
            status=status,
            answer=None if act.secret else packed(answer),
        )
        hints = Hints(rows=[(KeptAnswerRow, (act.account_id, act.key))])
        kept = await self.service.commit(partial(self._keep, row=row), hints)
        return unpacked(kept) or answer

    def _keep(self, unit: Unit, row: KeptAnswerRow) -> KeptAnswerRow:
        if unit.now >= self._forget_at:
            self._forget_at = unit.now + _FORGET_EVERY_MS
            forget_answers(unit, unit.now - KEPT_MS)
        return keep_answer(unit, row)


async def begin_act(request: Request, own_id: str | None, payload: bytes) -> None:
    """Hold the request to its key. `own_id` is the act's id in the body, if the body carries one.

    Raises Refused; raises Replay where the same request was answered before.
    """
    key, state = act_key(request), request.state
    if own_id is not None and own_id != key:
        raise Refused("idempotency_key_differs", f"{HEADER} must be the id in the body: one act, one id")
    act = Act(
        account_id=getattr(state, "account_id", ""),
        key=key,
        request_sha256=_fingerprint(request, payload) if own_id is None else None,
        secret=request.scope["route"].name in SECRET,
    )
    await request.app.state.acts.begin(act)
    state.act = act


def _fingerprint(request: Request, payload: bytes) -> str:
    # With a key: a payload may hold a password, which nobody shall find by trying against what is kept.
    key = derived_key(request.app.state.service.keys.master, "idempotency")
    place = f"{request.method}\0{request.url.path}\0{request.url.query}\0"
    return hmac.digest(key, place.encode() + payload, "sha256").hex()


def act_key(request: Request) -> str:
    """The key that the request bears, as bare text or as a structured header's string; raises Refused."""
    sent = request.headers.getlist(HEADER)
    text = sent[0].strip() if len(sent) == 1 else ""
    quoted = _QUOTED.fullmatch(text)
    key = quoted[1] if quoted else text
    if not _BARE.fullmatch(key):
        raise Refused("idempotency_key_missing", f"send {HEADER} once: 1 to 80 characters of A-Z a-z 0-9 _ . : -")
    return key


async def key_of_act(request: Request) -> str:
    """A dependency for a write without a body: its key, which stands for this request from now on."""
    await begin_act(request, None, b"")
    return act_key(request)


ActKey = Annotated[str, Depends(key_of_act)]


class KeepAnswers:
    """ASGI middleware: ends each act, and keeps the answer of those that only their key tells apart."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in WRITES:
            await self._app(scope, receive, send)
            return
        state, acts = scope.setdefault("state", {}), scope["app"].state.acts
        held = _Held(state, send)
        try:
            await self._app(scope, receive, held.send)
            if held.start is not None:
                await _let_go(held, held.start, acts, state["act"], scope, receive)
        finally:
            if (act := state.get("act")) is not None:
                acts.end(act)


class _Held:
    """A good answer is held back until it is kept: what was sent can be asked for again."""

    def __init__(self, state: Mapping[str, Any], send: Send) -> None:
        self.start: Message | None = None
        self.body = b""
        self.send_on = send
        self._state = state

    async def send(self, message: Message) -> None:
        """One message of the answer."""
        act: Act | None = self._state.get("act")
        if message["type"] == "http.response.start" and act and act.request_sha256 and message["status"] < 300:
            self.start = message
        elif self.start is None:
            await self.send_on(message)
        else:
            self.body += message.get("body", b"")


async def _let_go(held: _Held, start: Message, acts: Acts, act: Act, scope: Scope, receive: Receive) -> None:
    try:
        answer = await acts.keep(act, start["status"], held.body)
    except (SQLAlchemyError, StoreError):
        # The act itself stands: sent again it is recognised, and answered then.
        gone = problem(Request(scope), "unavailable", "the answer could not be kept; send the same again")
        await gone(scope, receive, held.send_on)
        return
    length = (b"content-length", str(len(answer)).encode())
    others = [pair for pair in start["headers"] if pair[0].lower() != length[0]]
    await held.send_on({**start, "headers": [*others, length] if answer else others})
    await held.send_on({"type": "http.response.body", "body": answer})
