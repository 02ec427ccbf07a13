"""Leaf and node hashes of RFC 6962 once more, for many entries at a time.

A hash that has already swallowed its prefix byte is copied instead of made anew: making one costs more than the
hashing of a whole node.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from cylinder_trace.suite import SM3_SUFFIX

HASH = 32
BLOCK = 256
"""Leaves below one node of level 8: a tile."""
_BLOCK_LEVEL = 8
Frontier = list[tuple[int, bytes]]
"""The complete subtrees that a tree of some size is made of, as (level, hash), the largest first."""


class Hashing:
    """The tree's hash: SHA-256, or SM3 where the log's origin says so."""

    def __init__(self, origin: str) -> None:
        self._new = _maker("sm3" if origin.endswith(SM3_SUFFIX) else "sha256")
        self.leaf = self._new(b"\x00")
        """Copy it, feed the entry's bytes, take the digest: the entry's hash."""
        self._node = self._new(b"\x01")

    def leaves(self, texts: Iterable[bytes]) -> list[bytes]:
        """The hash of each entry."""
        copy, found = self.leaf.copy, []
        for text in texts:
            hasher = copy()
            hasher.update(text)
            found.append(hasher.digest())
        return found

    def parents(self, nodes: Sequence[bytes]) -> list[bytes]:
        """The hash above each pair of neighbours; an odd one at the end is left out."""
        copy, found = self._node.copy, []
        for left, right in zip(nodes[::2], nodes[1::2], strict=False):
            hasher = copy()
            hasher.update(left + right)
            found.append(hasher.digest())
        return found

    def node(self, left: bytes, right: bytes) -> bytes:
        """The hash above two nodes."""
        return self.parents((left, right))[0]

    def block(self, leaves: Sequence[bytes]) -> bytes:
        """The node above a complete run of leaves or nodes (a power of two of them)."""
        while len(leaves) > 1:
            leaves = self.parents(leaves)
        return leaves[0]

    def remainder(self, leaves: Sequence[bytes]) -> list[bytes]:
        """The complete subtrees of fewer than 256 leaves, the largest first."""
        found, row = [], list(leaves)
        while row:
            if len(row) % 2:
                found.append(row[-1])
            row = self.parents(row)
        return found[::-1]

    def grow(self, frontier: Frontier, block: bytes) -> None:
        """Put one more block of 256 leaves behind a frontier of blocks."""
        level, node = _BLOCK_LEVEL, block
        while frontier and frontier[-1][0] == level:
            node = self.node(frontier.pop()[1], node)
            level += 1
        frontier.append((level, node))

    def root(self, frontier: Frontier, remainder: Iterable[bytes]) -> bytes:
        """The root over a frontier of blocks and what stands behind it."""
        nodes = [node for _level, node in frontier] + list(remainder)
        if not nodes:
            return bytes(self._new(b"").digest())
        root = nodes.pop()
        while nodes:
            root = self.node(nodes.pop(), root)
        return root


def _maker(name: str) -> Any:
    if name in hashlib.algorithms_available:
        return lambda data: hashlib.new(name, data)
    return _Sm3  # some builds of OpenSSL leave SM3 out


class _Sm3:
    """SM3 of `cryptography`, in the words of hashlib."""

    def __init__(self, data: bytes = b"", hasher: Any = None) -> None:
        from cryptography.hazmat.primitives import hashes

        self._hasher = hasher or hashes.Hash(hashes.SM3())
        self.update(data)

    def update(self, data: bytes) -> None:
        self._hasher.update(data)

    def copy(self) -> "_Sm3":
        return _Sm3(hasher=self._hasher.copy())

    def digest(self) -> bytes:
        return bytes(self._hasher.copy().finalize())


def leaves_of(data: bytes) -> list[bytes]:
    """The hashes that stand one behind the other in a tile."""
    return [data[at : at + HASH] for at in range(0, len(data) - HASH + 1, HASH)]
