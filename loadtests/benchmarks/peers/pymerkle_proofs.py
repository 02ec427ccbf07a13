"""pymerkle's SQLite tree, in an environment of its own: the leaves go in at once, then proofs are timed.

A tree keeps the inner nodes that it has worked out in memory, so that only its first proof says what is on disk."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from benchmarks.json_lines import answer_all
from benchmarks.median import median_ms


def build(path: str, size: int, text: str) -> str:
    """Append leaves of `text` with a number before it; answers with the root, hex."""
    with _opened(path) as tree:
        tree.append_entries(f"{number} {text}".encode() for number in range(size))
        root: str = tree.get_state(size).hex()
        return root


def prove(path: str, indices: Sequence[int], size: int) -> float:
    """The median time of one inclusion proof by a tree that was opened for it, milliseconds; opening does not count."""
    return median_ms(_proofs(path, indices, size))


def _proofs(path: str, indices: Sequence[int], size: int) -> Iterator[Callable[[], object]]:
    for index in indices:
        with _opened(path) as tree:
            yield partial(tree.prove_inclusion, index + 1, size)


def _opened(path: str) -> Any:
    return import_module("pymerkle").SqliteTree(path)


if __name__ == "__main__":
    answer_all({"build": build, "prove": prove})
