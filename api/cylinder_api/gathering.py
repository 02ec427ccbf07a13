"""Between the event loop and the threads that ask the database: what comes at once shares the changes of thread.

A change of thread costs as much as a small query. Nothing is remembered here: every question is asked after it came.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Delivery:
    """Brings the results of other threads to the event loop: many that are there at once, with one wake-up."""

    def __init__(self) -> None:
        self._arrived: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._woken = False

    async def of(self, result: "Future[Value]") -> Value:
        """The result of work in another thread, or its exception."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Value] = loop.create_future()
        result.add_done_callback(lambda done: self._arrive(loop, answer, done))
        try:
            return await answer
        except asyncio.CancelledError:
            result.cancel()
            raise

    def _arrive(self, loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[Any]", done: "Future[Any]") -> None:
        # First put there, then look: whoever delivers says that he is awake no longer before he looks what is there.
        self._arrived.append((answer, done))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = False
        while self._arrived:
            answer, done = self._arrived.popleft()
            if not done.cancelled():
                failure = done.exception()
                _settle(answer, None if failure else done.result(), failure)


class Gathered(Generic[Key, Value]):
    """Asks `ask` for all keys that came while the questions before were under way. For one event loop."""

    def __init__(
        self, ask: Callable[[Sequence[Key]], Mapping[Key, Value]], end: Callable[[], None] = lambda: None
    ) -> None:
        """`ask` runs in a thread of its own, and `end`, when nothing is asked any more, in the same one."""
        self._ask, self._end = ask, end
        self._waiting: dict[Key, list[asyncio.Future[Value | None]]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "gathered")
        self._delivery = Delivery()

    async def get(self, key: Key) -> Value | None:
        """What `ask` answers for `key`, asked after this call; None where it answers nothing."""
        answer: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(answer)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_for_all())
        return await answer

    def close(self) -> None:
        """Let the thread go, behind what is asked already; a second time does nothing."""
        with suppress(RuntimeError):  # it takes nothing more, so it has gone
            self._thread.submit(self._end)
        self._thread.shutdown(wait=False)

    async def _ask_for_all(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            found, failure = await _outcome(self._delivery.of(self._thread.submit(self._ask, list(waiting))))
            for key, answers in waiting.items():
                for answer in answers:
                    _settle(answer, found.get(key) if found else None, failure)
        self._asking = None


async def _outcome(asked: Awaitable[Value]) -> tuple[Value | None, BaseException | None]:
    try:
        return await asked, None
    except Exception as error:  # noqa: BLE001 - it belongs to those who asked
        return None, error


def _settle(answer: "asyncio.Future[Any]", value: Any, failure: BaseException | None) -> None:
    if answer.done():  # whoever asked has gone
        return
    answer.set_exception(failure) if failure else answer.set_result(value)
