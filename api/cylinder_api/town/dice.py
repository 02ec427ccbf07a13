"""Chance that falls the same way on every machine and in every later Python.

Of `random.Random` only `random()` is used: Python promises that its sequence for a given seed stays, and does
not promise it for `choice`, `shuffle` or `randrange`.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

Item = TypeVar("Item")


class Dice:
    """A stream of chance of its own, named by a seed and a purpose, so that parts do not disturb each other."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._random = Random(f"pinglian-town/{seed}/{purpose}")  # noqa: S311 - demo data, must repeat

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        return int(self._random.random() * limit)

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[Item]) -> Item:
        """One of `items`, each as likely."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[tuple[Item, int]]) -> Item:
        """One of the items, as likely as its weight says."""
        left = self.below(sum(weight for _, weight in items))
        for item, weight in items:
            left -= weight
            if left < 0:
                return item
        raise ValueError("no weights")

    def per_mille(self, chance: int) -> bool:
        """True `chance` times in a thousand."""
        return self.below(1000) < chance

    def bytes(self, count: int) -> bytes:
        """`count` bytes."""
        words = [self.below(2**32).to_bytes(4, "big") for _ in range((count + 3) // 4)]
        return b"".join(words)[:count]
