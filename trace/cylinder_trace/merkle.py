"""The Merkle tree of RFC 6962 §2.1 over SHA-256 (or SM3): roots and proofs, from any source of node hashes.

    leaf(d) = SHA-256(0x00 || d)      node(l, r) = SHA-256(0x01 || l || r)      MTH({}) = SHA-256("")

>>> leaf_hash(b"").hex()[:16]
'6e340b9cffb37a98'

A proof is computed through `NodeReader`, which answers for *complete* subtrees only: ``read(level, index)`` is
the hash over leaves ``index << level`` up to ``(index + 1) << level``.  Lists in memory, tiles on disk and tiles
behind HTTP all answer that one question.

Whatever hashes takes the ledger's `suite` last; the suite of a log is known from its signed origin.
"""

from collections.abc import Callable, Sequence

from cylinder_trace.suite import SHA256, Suite

HASH_SIZE = 32
EMPTY_ROOT = SHA256.digest(b"")
"""Root of the empty tree under SHA-256."""
NodeReader = Callable[[int, int], bytes]


class ProofError(ValueError):
    """A proof does not connect what it claims to connect."""


def leaf_hash(entry: bytes, suite: Suite = SHA256) -> bytes:
    """Hash of an entry as a leaf; it is also the entry's own hash in its subject's chain."""
    return suite.digest(b"\x00" + entry)


def node_hash(left: bytes, right: bytes, suite: Suite = SHA256) -> bytes:
    """Hash of an inner node."""
    return suite.digest(b"\x01" + left + right)


def root_hash(size: int, read: NodeReader, suite: Suite = SHA256) -> bytes:
    """Root of the tree of the first `size` leaves."""
    return _range_hash(0, size, read, suite) if size else suite.digest(b"")


def prove_inclusion(index: int, size: int, read: NodeReader, suite: Suite = SHA256) -> list[bytes]:
    """Sibling hashes from leaf `index` up to the root of size `size`; raises ValueError if out of range."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    return _path(index, 0, size, read, suite)


def prove_consistency(old_size: int, size: int, read: NodeReader, suite: Suite = SHA256) -> list[bytes]:
    """Proof that the tree of `size` extends the tree of `old_size`; empty when there is nothing to show."""
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} cannot extend one of {old_size}")
    if old_size in (0, size):
        return []
    return _subproof(old_size, 0, size, True, read, suite)


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes, suite: Suite = SHA256
) -> None:
    """Raise ProofError unless `proof` shows `leaf` at `index` under `root` of a tree of `size`."""
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    node, last, computed, used = index, size - 1, leaf, 0
    for sibling in proof:
        if last == 0:
            raise ProofError("proof is longer than the tree is high")
        if node & 1 or node == last:
            computed = node_hash(sibling, computed, suite)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling, suite)
        node, last, used = node >> 1, last >> 1, used + 1
    if last != 0 or computed != root:
        raise ProofError("leaf is not under this root")


def check_consistency(
    old_size: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes, suite: Suite = SHA256
) -> None:
    """Raise ProofError unless `proof` shows that `root` of `size` extends `old_root` of `old_size`."""
    if not 0 <= old_size <= size:
        raise ProofError(f"a tree of {size} cannot extend one of {old_size}")
    if old_size == 0 or old_size == size:
        _check_trivial(old_size, size, proof, old_root, root, suite)
        return
    if not proof:
        raise ProofError("proof is empty")
    _check_extension(old_size, size, list(proof), old_root, root, suite)


def _check_trivial(
    old_size: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes, suite: Suite
) -> None:
    nothing = suite.digest(b"")
    expected = root if old_size == size else nothing
    if proof or old_root != expected or (size == 0 and root != nothing):
        raise ProofError("trees differ")


def _check_extension(old_size: int, size: int, proof: list[bytes], old_root: bytes, root: bytes, suite: Suite) -> None:
    # RFC 9162 §2.1.4.2: walk up from the last leaf of the old tree, rebuilding both roots at once.
    if old_size & (old_size - 1) == 0:
        proof.insert(0, old_root)
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_computed = computed = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            raise ProofError("proof is longer than the tree is high")
        if node & 1 or node == last:
            old_computed, computed = node_hash(sibling, old_computed, suite), node_hash(sibling, computed, suite)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling, suite)
        node, last = node >> 1, last >> 1
    if last != 0 or old_computed != old_root or computed != root:
        raise ProofError("the larger tree does not extend the smaller one")


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def _range_hash(start: int, end: int, read: NodeReader, suite: Suite) -> bytes:
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return read(level, start >> level)
    middle = start + _split(size)
    return node_hash(_range_hash(start, middle, read, suite), _range_hash(middle, end, read, suite), suite)


def _path(index: int, start: int, end: int, read: NodeReader, suite: Suite) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*_path(index, start, middle, read, suite), _range_hash(middle, end, read, suite)]
    return [*_path(index, middle, end, read, suite), _range_hash(start, middle, read, suite)]


def _subproof(old_end: int, start: int, end: int, old_is_whole: bool, read: NodeReader, suite: Suite) -> list[bytes]:
    if old_end == end:
        return [] if old_is_whole else [_range_hash(start, end, read, suite)]
    middle = start + _split(end - start)
    if old_end <= middle:
        right = _range_hash(middle, end, read, suite)
        return [*_subproof(old_end, start, middle, old_is_whole, read, suite), right]
    left = _range_hash(start, middle, read, suite)
    return [*_subproof(old_end, middle, end, False, read, suite), left]


class HashesInMemory:
    """A NodeReader over leaf hashes in memory; complete nodes are kept, so that a growing tree costs little."""

    def __init__(self, leaves: Sequence[bytes] = (), suite: Suite = SHA256) -> None:
        self._suite = suite
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._levels[0])

    def __call__(self, level: int, index: int) -> bytes:
        return self._levels[level][index]

    def append(self, leaf: bytes) -> None:
        """Add a leaf and every node that it completes."""
        level, node = 0, leaf
        self._levels[0].append(leaf)
        while len(self._levels[level]) % 2 == 0:
            node = node_hash(self._levels[level][-2], node, self._suite)
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(node)
