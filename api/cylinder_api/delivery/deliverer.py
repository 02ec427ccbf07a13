"""Bringing messages to webhooks (投递): one process of several does, many messages at a time.

    look      write down what came of the last attempts · take the lead · make messages of new entries · find the due
    send      each due message beside the others, as a task
    rest      until an attempt ends, something was committed, or a second has gone by

A receiver that fails rests, ever longer, and is then tried with one message; what waits for it costs nothing, and no
other receiver waits.  It runs in a thread with an event loop of its own, beside the requests.

Crash points: killed before an attempt is written down, the message is sent again, under the same id.  That is what "at
least once" means; the receiver tells by the `webhook-id` what it has already.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from cylinder_api.delivery.addresses import Guard
from cylinder_api.delivery.backoff import is_given_up, wait_ms
from cylinder_api.delivery.cloud_events import CONTENT_TYPE, Bodies
from cylinder_api.delivery.event_types import TYPES
from cylinder_api.delivery.secret_box import SecretBox
from cylinder_api.delivery.sending import Message, Outcome, Sender
from cylinder_trace.store.lead import Lead
from cylinder_trace.store.outbox.following import Outbox
from cylinder_trace.store.outbox.messages import Due, Tried, due_messages, forget_messages, record_attempts
from cylinder_trace.store.outbox.webhooks import secrets_of
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.vault import VaultError

log = logging.getLogger(__name__)

AT_A_TIME = 8
"""Messages under way to one webhook, at most."""
_IN_ALL = 512
"""As many connections at a time; a slow receiver holds at most `AT_A_TIME` of them, one that failed a single one."""
_LOOK_AGAIN_S = 1.0
_GATHER_S = 0.6
_SOON_S = 0.02
"""Attempts that end within so much time are written down together."""
_REST = 9
"""Times as long as it worked the outbox rests while the log grows, and never shorter than it gathers."""
_FORGET_EVERY_MS = 3_600_000
GONE = "the receiver answered 410 Gone: it wants no more messages"
LONG_FAILED = "every attempt of three days failed; see the deliveries for what the receiver said"


class Deliverer:
    """Sends the messages of one ledger."""

    def __init__(
        self,
        engine: Engine,
        reader: Reader,
        guard: Guard,
        box: SecretBox,
        bodies: Bodies,
        clock: Callable[[], int],
        draw: Callable[[], float],
    ) -> None:
        """`draw`: a number at random in [0, 1), for each wait."""
        self._engine, self._guard, self._box, self._bodies = engine, guard, box, bodies
        self._clock, self._draw = clock, draw
        self.gather_s = _GATHER_S
        self._outbox = Outbox(engine, reader, TYPES)
        self._lead = Lead(engine, "pinglian-deliverer")
        self._under_way: dict[str, dict[str, asyncio.Task[None]]] = {}
        """Webhook → id of a message → its sending, until it is written down what came of it."""
        self._tried: deque[Tried] = deque()
        self._forget_at = 0
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="deliverer", daemon=True)

    def start(self) -> None:
        """Deliver in the background."""
        self._thread.start()

    def notify(self) -> None:
        """Something was committed, or somebody changed a webhook. Quick, from any thread."""
        # Whoever is about to clear it looks afterwards, at this commit too.
        if self._loop is not None and not self._woken.is_set():
            with suppress(RuntimeError):  # the loop was closed meanwhile
                self._loop.call_soon_threadsafe(self._woken.set)

    def stop(self) -> None:
        """Stop; what is under way is broken off, and sent again after the next start."""
        self._stopping = True
        self.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        try:
            self._loop = loop
            loop.run_until_complete(self._deliver(Sender(self._guard)))
        finally:
            loop.close()

    async def _deliver(self, sender: Sender) -> None:
        try:
            while not self._stopping:
                began = time.monotonic()
                due, grew = await self._try_look()
                for one in due:
                    self._begin(sender, one)
                await self._rest(max(self.gather_s, _REST * (time.monotonic() - began)) if grew else None)
        finally:
            await self._break_off()

    async def _try_look(self) -> tuple[Sequence[Due], bool]:
        tried = list(self._tried)
        under_way = {webhook_id: list(messages) for webhook_id, messages in self._under_way.items()}
        try:
            answer = await asyncio.to_thread(self._look, tried, under_way)
        except (SQLAlchemyError, OSError) as error:
            log.warning("messages are not delivered, trying again: %s", type(error).__name__)
            return (), False
        except Exception:
            # whatever it is, the thread lives on and says so
            log.exception("messages are not delivered, trying again")
            return (), False
        for one in tried:
            self._tried.popleft()
            del self._under_way[one.webhook_id][one.message_id]
        return answer

    def _look(self, tried: Sequence[Tried], under_way: dict[str, list[str]]) -> tuple[Sequence[Due], bool]:
        if tried:
            record_attempts(self._engine, tried)
        for one in tried:
            under_way[one.webhook_id].remove(one.message_id)
        if not self._lead.holds():
            return (), False
        now = self._clock()
        grew = self._outbox.step(now)
        if now >= self._forget_at:
            self._forget_at = now + (0 if forget_messages(self._engine, now) else _FORGET_EVERY_MS)
        due = in_turn(due_messages(self._engine, now, under_way, AT_A_TIME), under_way)
        return due[: max(0, _IN_ALL - sum(map(len, under_way.values())))], grew

    def _begin(self, sender: Sender, due: Due) -> None:
        message = due.message
        task = asyncio.create_task(self._send(sender, due))
        self._under_way.setdefault(message.webhook_id, {})[message.message_id] = task

    async def _send(self, sender: Sender, due: Due) -> None:
        webhook, now = due.webhook, self._clock()
        try:
            secrets = [self._box.open(webhook.webhook_id, sealed) for sealed in secrets_of(webhook, now)]
            message = Message(due.message.message_id, self._bodies.of(due), CONTENT_TYPE)
            outcome = await sender.send(webhook.url, message, secrets, now)
        except VaultError:
            outcome = Outcome("failed", "the service's master key does not open the webhook's secret")
        except Exception:
            log.exception("a message could not be sent")
            outcome = Outcome("failed", "the service failed; its log says how")
        self._tried.append(what_follows(due, outcome, self._clock(), self._draw()))
        self._woken.set()

    async def _rest(self, rest_s: float | None) -> None:
        """Until there is something to do; while the log grows for `rest_s`."""
        if rest_s is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _LOOK_AGAIN_S)
            rest_s = _SOON_S if any(self._under_way.values()) else self.gather_s
        self._woken.clear()
        if not self._stopping:
            await asyncio.sleep(rest_s)

    async def _break_off(self) -> None:
        tasks = [task for messages in self._under_way.values() for task in messages.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(SQLAlchemyError, OSError):
            await asyncio.to_thread(self._hand_over, list(self._tried))

    def _hand_over(self, tried: Sequence[Tried]) -> None:
        if tried:
            record_attempts(self._engine, tried)
        self._lead.let_go()


def in_turn(due: Sequence[Due], under_way: Mapping[str, Collection[str]]) -> list[Due]:
    """The messages so that each webhook gets its first connection before any gets one more."""
    taken = {webhook_id: len(messages) for webhook_id, messages in under_way.items()}
    turns: list[tuple[int, Due]] = []
    for one in due:
        turn = taken.get(one.webhook.webhook_id, 0)
        taken[one.webhook.webhook_id] = turn + 1
        turns.append((turn, one))
    return [one for _, one in sorted(turns, key=itemgetter(0))]


def what_follows(due: Due, outcome: Outcome, now: int, draw: float) -> Tried:
    """What is written down of an attempt that ended at `now`: when the message and its receiver are tried next."""
    message, webhook = due.message, due.webhook
    failures = webhook.failures + 1
    facts: dict[str, Any] = {
        "message_id": message.message_id, "webhook_id": webhook.webhook_id, "at": now, "status": outcome.status,
        "said": outcome.said, "failures": failures,
    }  # fmt: skip
    if outcome.kind == "accepted":
        return Tried(**facts, accepted=True, due_at=None, rests_until=None, off_because=None)
    # One draw for both: a message of a receiver that is down is due when the receiver is.
    again = now + wait_ms(message.attempts + 1, draw, outcome.retry_after_ms)
    return Tried(
        **facts,
        accepted=False,
        due_at=None if is_given_up(message.since, now) else again,
        rests_until=now + wait_ms(failures, draw, outcome.retry_after_ms),
        off_because=_why_off(webhook.failing_since, outcome, now),
    )


def _why_off(failing_since: int | None, outcome: Outcome, now: int) -> str | None:
    if outcome.kind == "gone":
        return GONE
    return LONG_FAILED if failing_since is not None and is_given_up(failing_since, now) else None
