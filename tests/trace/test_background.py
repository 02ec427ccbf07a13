"""Whatever follows the log steps on while more waits, and otherwise rests until it is woken."""

import threading
from collections.abc import Iterator

import pytest

from cylinder_trace.store import background
from cylinder_trace.store.background import Following


class Follower(Following):
    """Has so many full steps to do; what is left for the last one is less than a step takes."""

    def __init__(self, full_steps: int) -> None:
        self.full_steps = full_steps
        self.stepped = threading.Semaphore(0)
        super().__init__("test", lambda: 0)

    def _try_step(self) -> bool:
        self.full_steps -= 1
        self.stepped.release()
        return self.full_steps >= 0

    def has_stepped(self, within_s: float = 20) -> bool:
        return self.stepped.acquire(timeout=within_s)


@pytest.fixture
def follower(monkeypatch: pytest.MonkeyPatch) -> Iterator[Follower]:
    """One with five full steps to do, that looks again by itself only in an hour."""
    monkeypatch.setattr(background, "_LOOK_AGAIN_S", 3600)
    follower = Follower(5)
    follower.start()
    yield follower
    follower.stop()


def test_full_steps_go_on_by_themselves_and_the_last_one_rests(follower: Follower) -> None:
    assert all(follower.has_stepped() for _ in range(6))
    assert not follower.has_stepped(within_s=0.1)


def test_who_rests_is_woken_and_what_came_meanwhile_is_one_step(follower: Follower) -> None:
    assert all(follower.has_stepped() for _ in range(6))
    for _ in range(100):
        follower.notify()
    assert follower.has_stepped()
    assert not follower.has_stepped(within_s=0.5)


def test_one_that_never_began_and_one_that_rests_can_be_stopped(follower: Follower) -> None:
    Follower(0).stop()
    assert all(follower.has_stepped() for _ in range(6))
    follower.stop()
    follower.notify()
    assert not follower.has_stepped(within_s=0.1)
