"""Answering standing queries (订阅推送): what is new of a query goes to whoever subscribed, in documents, in order.

    look     take the lead · which subscriptions are due: a stream that has news, a schedule whose moment has come
    answer   up to `_IN_ONE` events behind the last that was taken, with the rights of who subscribed
    send     signed as every message to others, and in GS1-Signature too
    move on  only when the other side said 2xx; until then the same events are sent again, ever more seldom

A subscription whose other side says 410, or fails `_GIVEN_UP` times in a row (some three days), has ended; so has one
whose account may not ask any more.

Crash points: killed before an answer is written down as taken, its events are sent again, under the same id when they
are the same.  The receiver tells by `webhook-id`.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from cylinder_api.delivery.addresses import Guard
from cylinder_api.delivery.backoff import wait_ms
from cylinder_api.delivery.secret_box import SecretBox
from cylinder_api.delivery.sending import Message, Outcome, Sender
from cylinder_api.epcis.answering import JSON, Titled, document_of, write_of
from cylinder_api.epcis.asking import query_of, visible_to
from cylinder_api.refusals import Refused
from cylinder_trace.epcis.query import ColumnCondition, Order, Query, QueryFault, Span
from cylinder_trace.epcis.schedule import next_time, parse_schedule
from cylinder_trace.store.epcis.named import Asker, active_subscriptions, may_still_ask, move_subscription, read_query
from cylinder_trace.store.epcis.selecting import newest_seq, select_page
from cylinder_trace.store.lead import Lead
from cylinder_trace.store.tables import EpcisSubscriptionRow
from cylinder_trace.store.vault import VaultError

log = logging.getLogger(__name__)
_IN_ONE = 200
"""Events in one document."""
_AT_A_TIME = 256
"""Subscriptions that are answered at once; a slow receiver holds one of them."""
_LOOK_AGAIN_S = 0.5
_GIVEN_UP = 17
"""Failures in a row: 72 hours with the waits of `backoff`."""
SIGNATURE = "GS1-Signature"
SCOPE = "epcis:query"
"""Who may not ask by this is not told either."""


class Answer(NamedTuple):
    """What goes to a subscription, and where it stands when that was taken."""

    row: EpcisSubscriptionRow
    body: bytes | None
    """None where there is nothing to be told of."""
    to: int
    more: bool
    """Whether there are further events."""


class Subscriptions:
    """Answers the subscriptions of one ledger; on PostgreSQL one process at a time does."""

    def __init__(
        self,
        engine: Engine,
        guard: Guard,
        box: SecretBox,
        prefixes: Sequence[str],
        clock: Callable[[], int],
        draw: Callable[[], float],
    ) -> None:
        """`prefixes`: the company prefixes that are known; `draw`: at random in [0, 1), for each wait."""
        self._engine, self._guard, self._box, self._prefixes = engine, guard, box, prefixes
        self._clock, self._draw = clock, draw
        self._lead = Lead(engine, "pinglian-epcis-subscriptions")
        self._rests: dict[str, int] = {}
        """Subscription → until when it rests after a failure; a new process begins at once."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="epcis-subscriptions", daemon=True)

    def start(self) -> None:
        """Answer in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what is under way is broken off, and sent again after the next start."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._answer_all(Sender(self._guard)))
        with suppress(SQLAlchemyError, OSError):
            self._lead.let_go()

    async def _answer_all(self, sender: Sender) -> None:
        under_way: dict[str, asyncio.Task[None]] = {}
        woken = asyncio.Event()

        def ended(id: str) -> None:
            under_way.pop(id, None)
            woken.set()

        while not self._stop.is_set():
            woken.clear()
            for answer in await asyncio.to_thread(self._try_look, frozenset(under_way)):
                task = asyncio.create_task(self._send(sender, answer))
                under_way[answer.row.id] = task
                task.add_done_callback(lambda _task, id=answer.row.id: ended(id))  # type: ignore[misc]
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), _LOOK_AGAIN_S)
        for task in (tasks := list(under_way.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _try_look(self, under_way: Set[str]) -> list[Answer]:
        try:
            return self._look(under_way)
        except (SQLAlchemyError, OSError) as error:
            log.warning("subscriptions are not answered, trying again: %s", type(error).__name__)
        except Exception:
            # whatever it is, the thread lives on and says so
            log.exception("subscriptions are not answered, trying again")
        return []

    def _look(self, under_way: Set[str]) -> list[Answer]:
        """The answers that are due now."""
        if not self._lead.holds():
            return []
        now = self._clock()
        with self._engine.connect() as reading:
            upto = newest_seq(reading)
            due = [row for row in active_subscriptions(reading) if self._is_due(row, now, upto)]
            rows = [row for row in due if row.id not in under_way][: _AT_A_TIME - len(under_way)]
            alive = may_still_ask(reading, [_asker(row) for row in rows], SCOPE, now) if rows else set()
            answers = [self._answer(reading, row, upto, now) for row in rows if _asker(row) in alive]
        for row in rows:
            if _asker(row) not in alive:
                move_subscription(self._engine, row, {"ended_at": now})
        return [answer for answer in answers if answer is not None]

    def _is_due(self, row: EpcisSubscriptionRow, now: int, upto: int) -> bool:
        if now < self._rests.get(row.id, 0):
            return False
        return upto > row.at_seq if row.due_at is None else now >= row.due_at

    def _answer(self, reading: Connection, row: EpcisSubscriptionRow, upto: int, now: int) -> Answer | None:
        kept, body = read_query(reading, row.org_id, row.query_name), orjson.loads(row.body)
        if kept is None:
            return None
        try:
            query = _since(query_of(orjson.loads(kept.query)), body.get("initial_ms"))
            visible = visible_to(row.role, row.org_id)
            page = select_page(reading, query, visible, upto, None, _IN_ONE, above=row.at_seq)
            to = page.next.seq if page.next else upto
            tells = bool(page.events) or (page.next is None and row.due_at is not None and body["reportIfEmpty"])
            titled = Titled(row.query_name, row.id)
            write = write_of(row.epc_format, self._prefixes)
            text = document_of(page.events, write, now, titled) if tells else None
        except (QueryFault, Refused) as error:
            self._failed(row, Outcome("failed", str(error)))
            return None
        return Answer(row, text, to, page.next is not None)

    async def _send(self, sender: Sender, answer: Answer) -> None:
        try:
            outcome = await self._outcome(sender, answer)
            if outcome is None or outcome.kind == "accepted":
                await asyncio.to_thread(self._move_on, answer, taken=outcome is not None)
            else:
                await asyncio.to_thread(self._failed, answer.row, outcome)
        except (SQLAlchemyError, OSError) as error:
            log.warning("it could not be noted what came of an answer: %s", type(error).__name__)

    async def _outcome(self, sender: Sender, answer: Answer) -> Outcome | None:
        """What came of sending it; None where there was nothing to be told of."""
        row = answer.row
        if answer.body is None:
            return None
        try:
            secrets = [] if row.secret_sealed is None else [self._box.open(row.id, row.secret_sealed)]
        except VaultError:
            return Outcome("failed", "the service's master key does not open the subscription's secret")
        message = Message(f"{row.id}.{row.at_seq}.{answer.to}", answer.body, JSON, SIGNATURE)
        return await sender.send(orjson.loads(row.body)["dest"], message, secrets, self._clock())

    def _move_on(self, answer: Answer, *, taken: bool) -> None:
        """Stand where the answer ended."""
        row, now = answer.row, self._clock()
        changes: dict[str, Any] = {"at_seq": answer.to, "tried_at": now, "failures": 0}
        if taken:
            changes["taken_at"] = now
        if row.due_at is not None and not answer.more:
            changes["due_at"] = next_time(parse_schedule(orjson.loads(row.body)["schedule"]), now)
        self._rests.pop(row.id, None)
        move_subscription(self._engine, row, changes)

    def _failed(self, row: EpcisSubscriptionRow, outcome: Outcome) -> None:
        now, failures = self._clock(), row.failures + 1
        ended = outcome.kind == "gone" or failures >= _GIVEN_UP
        log.warning("a subscription was not taken (%s times): %s", failures, outcome.said)
        self._rests[row.id] = now + wait_ms(failures, self._draw(), outcome.retry_after_ms)
        changes: dict[str, Any] = {"tried_at": now, "failures": failures}
        move_subscription(self._engine, row, changes | ({"ended_at": now} if ended else {}))


def _asker(row: EpcisSubscriptionRow) -> Asker:
    return Asker(row.account_id, row.role, row.org_id)


def _since(query: Query, initial_ms: int | None) -> Query:
    """The query in the order of recording, from its first moment on."""
    since = ColumnCondition("initialRecordTime", "record_time", spans=(Span(initial_ms, None),))
    return query._replace(columns=(*query.columns, *([since] if initial_ms else [])), order=Order())
