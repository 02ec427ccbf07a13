"""What is on its way at once shares the changes of thread, and nobody gets an answer from before he asked."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

import pytest

from cylinder_api.gathering import Delivery, Gathered


class Register:
    """A database that counts how often it is asked, and can be held up."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.rows = {"a": 1, "b": 2}
        self.open = threading.Event()
        self.open.set()
        self.called = threading.Event()

    def look_up(self, keys: Sequence[str]) -> Mapping[str, int]:
        self.asked.append(list(keys))
        self.called.set()
        assert self.open.wait(20)
        return {key: self.rows[key] for key in keys if key in self.rows}


def test_questions_that_come_while_one_is_under_way_are_asked_together_after_it() -> None:
    register = Register()
    gathered = Gathered(register.look_up)

    async def ask() -> list[int | None]:
        register.open.clear()
        first = asyncio.create_task(gathered.get("a"))
        await asyncio.to_thread(register.called.wait, 20)
        later = [asyncio.create_task(gathered.get(key)) for key in ("a", "b", "b", "nobody")]
        await asyncio.sleep(0)
        register.rows["a"] = 7  # what was asked before may answer either way; who asks now must see it
        register.open.set()
        await first
        return [await task for task in later]

    assert asyncio.run(ask()) == [7, 2, 2, None]
    assert register.asked == [["a"], ["a", "b", "nobody"]]
    gathered.close()


def test_a_database_that_fails_fails_those_who_asked_and_nobody_after_them() -> None:
    register = Register()

    def look_up(keys: Sequence[str]) -> Mapping[str, int]:
        if "bad" in keys:
            raise OSError("gone")
        return register.look_up(keys)

    gathered = Gathered(look_up)

    async def ask() -> int | None:
        with pytest.raises(OSError, match="gone"):
            await gathered.get("bad")
        return await gathered.get("b")

    assert asyncio.run(ask()) == 2
    gathered.close()


def test_who_goes_away_while_he_waits_holds_up_nobody() -> None:
    register = Register()
    gathered = Gathered(register.look_up)

    async def ask() -> int | None:
        register.open.clear()
        gone = asyncio.create_task(gathered.get("a"))
        stays = asyncio.create_task(gathered.get("a"))
        await asyncio.to_thread(register.called.wait, 20)
        gone.cancel()
        register.open.set()
        return await stays

    assert asyncio.run(ask()) == 1
    gathered.close()


def test_results_of_another_thread_reach_those_who_wait_for_them_in_any_order() -> None:
    delivery = Delivery()
    results: list[Future[int]] = [Future() for _ in range(100)]

    def work() -> None:
        for number, result in reversed(list(enumerate(results))):
            result.set_result(number) if number % 10 else result.set_exception(OSError(str(number)))

    async def wait() -> list[int | BaseException]:
        thread = threading.Thread(target=work)
        waiting = [asyncio.create_task(delivery.of(result)) for result in results]
        await asyncio.sleep(0)
        thread.start()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        thread.join()
        return answers

    answers = asyncio.run(wait())
    assert [answer for answer in answers if isinstance(answer, int)] == [n for n in range(100) if n % 10]
    assert [str(answer) for answer in answers if isinstance(answer, OSError)] == [str(n) for n in range(0, 100, 10)]


def test_work_nobody_waits_for_any_more_is_called_off_if_it_has_not_begun() -> None:
    delivery = Delivery()
    result: Future[int] = Future()

    async def wait() -> None:
        waiting = asyncio.create_task(delivery.of(result))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(wait())
    assert result.cancelled()


def test_what_is_to_be_let_go_is_let_go_once_however_often_it_is_closed() -> None:
    ended = threading.Semaphore(0)
    gathered = Gathered(Register().look_up, ended.release)
    gathered.close()
    gathered.close()
    assert ended.acquire(timeout=20)
    assert not ended.acquire(timeout=0.1)
