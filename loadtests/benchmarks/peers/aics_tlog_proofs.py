"""aics-tlog's proofs from tiles on disk, in an environment of its own; it needs a Python 3.12."""

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

from benchmarks.json_lines import answer_all
from benchmarks.median import median_ms


def root(tiles: str, size: int) -> str:
    """The root that its reader finds in these tiles, hex."""
    found: bytes = import_module("aics_tlog.tiles").tree_root_from_tiles(_reader(tiles), size)
    return found.hex()


def prove(tiles: str, indices: Sequence[int], size: int) -> float:
    """The median time of one inclusion proof by a reader that has seen none of the tiles yet, milliseconds."""
    proof = import_module("aics_tlog.tiles").inclusion_proof_from_tiles

    def prove_one(index: int) -> object:
        return proof(_reader(tiles), index, size)

    return median_ms(partial(prove_one, index) for index in indices)


def _reader(tiles: str) -> Any:
    return import_module("aics_tlog.tiles").FileSystemTileReader(tiles)


if __name__ == "__main__":
    answer_all({"root": root, "prove": prove})
