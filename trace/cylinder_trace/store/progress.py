"""Telling how far a long work has come. Whoever is told decides what to show."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

Tell = Callable[[str, int, int], None]
"""Called with what is counted, how many are done, and how many there will be (0 where nobody knows)."""
_EVERY = 500


def silent(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""


def counted(items: Iterable[Item], what: str, total: int, tell: Tell) -> Iterator[Item]:
    """The items, told of as they go by."""
    for done, item in enumerate(items, start=1):
        yield item
        if done % _EVERY == 0:
            tell(what, done, total)
