"""Virtual time: an asyncio loop whose clock jumps to the next timer, and which starts no thread.

Thirty days of five stations pass in seconds, and the same seed gives the same order of everything.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

PROCESS: ContextVar["Process | None"] = ContextVar("PROCESS", default=None)


class Process:
    """All tasks of one simulated process, whoever among them starts them."""

    def __init__(self) -> None:
        self.tasks: WeakSet[asyncio.Task[Any]] = WeakSet()

    async def end(self) -> None:
        """None of its tasks goes on."""
        while tasks := [task for task in self.tasks if not task.done()]:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class NothingWillHappen(Exception):
    """Every task waits for something that nobody will do."""


class _Jump(selectors.SelectSelector):
    """Instead of waiting it lets the time pass; nothing comes from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise NothingWillHappen("no timer is set and no task can go on")
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `hold_up` says how long work for a thread takes; it is done at once, or when that is over."""

    def __init__(self, hold_up: Callable[[], float] = lambda: 0.0) -> None:
        self._jump = _Jump()
        self._hold_up = hold_up
        super().__init__(self._jump)
        self.set_task_factory(_owned)  # type: ignore[arg-type]

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jump.now_s

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do the work in this thread: half of what takes time is done before it, half behind it."""
        future = self.create_future()
        held_s = self._hold_up()
        if held_s <= 0:
            _do(future, func, args)
        elif int(held_s * 1e6) % 2:
            self.call_later(held_s, _do, future, func, args)
        else:
            done = self.create_future()
            _do(done, func, args)
            self.call_later(held_s, _hand_on, done, future)
        return future


def _owned(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **named: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **named)
    process = PROCESS.get()
    if process is not None:
        process.tasks.add(task)
    return task


def _do(future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if future.done():  # nobody waits any more: the work was not begun
        return
    try:
        future.set_result(func(*args))
    except Exception as error:  # noqa: BLE001 - handed to whoever awaits it
        future.set_exception(error)


def _hand_on(done: asyncio.Future[Any], future: asyncio.Future[Any]) -> None:
    error = done.exception()
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())
