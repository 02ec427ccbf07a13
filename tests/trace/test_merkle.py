"""The Merkle tree of RFC 6962 against published vectors, and proofs that somebody bent."""

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cylinder_trace import merkle
from cylinder_trace.merkle import (
    HashesInMemory,
    ProofError,
    check_consistency,
    check_inclusion,
    prove_consistency,
    prove_inclusion,
    root_hash,
)

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/merkle/rfc6962.json").read_text("utf-8"))
REFERENCE = HashesInMemory([merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in VECTORS["leaves"]])
LARGEST = 70
TREE = HashesInMemory([merkle.leaf_hash(b"entry-%d" % index) for index in range(LARGEST)])
ROOTS = [root_hash(size, TREE) for size in range(LARGEST + 1)]
GARBAGE = sha256(b"garbage").digest()


def nodes(texts: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


# --- published vectors --------------------------------------------------------------------------------------


def test_the_root_of_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert root_hash(0, REFERENCE).hex() == VECTORS["empty_root"]


@pytest.mark.parametrize("vector", VECTORS["leaf_hashes"])
def test_a_leaf_hash_is_the_published_one(vector: dict[str, str]) -> None:
    assert merkle.leaf_hash(bytes.fromhex(vector["leaf"])).hex() == vector["hash"]


@pytest.mark.parametrize("vector", VECTORS["node_hashes"])
def test_a_node_hash_is_the_published_one(vector: dict[str, str]) -> None:
    assert merkle.node_hash(bytes.fromhex(vector["left"]), bytes.fromhex(vector["right"])).hex() == vector["hash"]


@pytest.mark.parametrize("vector", VECTORS["roots"], ids=lambda vector: f"size {vector['size']}")
def test_a_root_is_the_published_one(vector: dict[str, Any]) -> None:
    assert root_hash(vector["size"], REFERENCE).hex() == vector["root"]


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda vector: f"{vector['index']} of {vector['size']}")
def test_an_inclusion_proof_is_the_published_one(vector: dict[str, Any]) -> None:
    index, size, proof = vector["index"], vector["size"], nodes(vector["proof"])
    assert prove_inclusion(index, size, REFERENCE) == proof
    check_inclusion(REFERENCE(0, index), index, size, proof, root_hash(size, REFERENCE))


@pytest.mark.parametrize("vector", VECTORS["consistency"], ids=lambda v: f"{v['old_size']} to {v['size']}")
def test_a_consistency_proof_is_the_published_one(vector: dict[str, Any]) -> None:
    old_size, size, proof = vector["old_size"], vector["size"], nodes(vector["proof"])
    assert prove_consistency(old_size, size, REFERENCE) == proof
    check_consistency(old_size, size, proof, root_hash(old_size, REFERENCE), root_hash(size, REFERENCE))


# --- every proof of every small tree ------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_every_leaf_of_a_tree_can_be_proved_to_be_in_it(size: int) -> None:
    for index in range(size):
        check_inclusion(TREE(0, index), index, size, prove_inclusion(index, size, TREE), ROOTS[size])


@pytest.mark.parametrize("size", range(LARGEST + 1))
def test_every_tree_can_be_proved_to_extend_every_smaller_one(size: int) -> None:
    for old_size in range(size + 1):
        proof = prove_consistency(old_size, size, TREE)
        check_consistency(old_size, size, proof, ROOTS[old_size], ROOTS[size])


@pytest.mark.parametrize("size", range(1, 40))
def test_a_leaf_proved_at_one_place_is_at_no_other(size: int) -> None:
    for index in range(size):
        proof = prove_inclusion(index, size, TREE)
        for other in (place for place in range(-1, size + 2) if place != index):
            with pytest.raises(ProofError):
                check_inclusion(TREE(0, index), other, size, proof, ROOTS[size])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 5), (5, 5), (6, 5)])
def test_there_is_no_proof_for_a_leaf_that_the_tree_has_not(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"no leaf {index}"):
        prove_inclusion(index, size, TREE)
    with pytest.raises(ProofError, match=f"no leaf {index}"):
        check_inclusion(GARBAGE, index, size, [], GARBAGE)


@pytest.mark.parametrize(("old_size", "size"), [(-1, 5), (6, 5)])
def test_no_tree_extends_a_larger_one(old_size: int, size: int) -> None:
    with pytest.raises(ValueError, match="cannot extend"):
        prove_consistency(old_size, size, TREE)
    with pytest.raises(ProofError, match="cannot extend"):
        check_consistency(old_size, size, [], GARBAGE, GARBAGE)


# --- bent proofs are refused --------------------------------------------------------------------------------


def bent(proof: list[bytes], root: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """The mutations that transparency-dev/merkle makes of each of its good proofs."""
    for at, node in enumerate(proof):
        for bit in range(256):
            flipped = (int.from_bytes(node) ^ (1 << bit)).to_bytes(32)
            yield f"modified-proof@{at} bit {bit}", [*proof[:at], flipped, *proof[at + 1 :]]
    for at in range(len(proof)):
        yield f"removed-component {at}", proof[:at] + proof[at + 1 :]
        yield f"doubled-component {at}", proof[: at + 1] + proof[at:]
        yield f"truncated-proof {at}", proof[:at]
    for at in range(len(proof) + 1):
        yield f"inserted-component {at}", [*proof[:at], GARBAGE, *proof[at:]]
    yield "preceding-garbage", [GARBAGE, *proof]
    yield "trailing-garbage", [*proof, GARBAGE]
    yield "preceding-root", [root, *proof]
    yield "trailing-root", [*proof, root]
    yield "reversed-proof", proof[::-1] if proof != proof[::-1] else [GARBAGE]


INCLUSIONS = [(5, 8), (6, 7), (0, 1), (0, 8), (2, 3), (0, 70), (69, 70), (63, 64), (36, 69)]


@pytest.mark.parametrize(("index", "size"), INCLUSIONS)
def test_a_bent_inclusion_proof_is_refused(index: int, size: int) -> None:
    proof, leaf, root = prove_inclusion(index, size, TREE), TREE(0, index), ROOTS[size]
    for name, mutated in bent(proof, root):
        try:
            check_inclusion(leaf, index, size, mutated, root)
        except ProofError:
            continue
        pytest.fail(f"{name} was accepted")


@pytest.mark.parametrize(("index", "size"), INCLUSIONS)
def test_an_inclusion_proof_holds_for_its_own_leaf_place_size_and_root_only(index: int, size: int) -> None:
    proof, leaf, root = prove_inclusion(index, size, TREE), TREE(0, index), ROOTS[size]
    wrong = {
        "wrong-leaf": (GARBAGE, index, size, root),
        "leaf swapped with root": (root, index, size, leaf),
        "random-root": (leaf, index, size, GARBAGE),
        "leafIdx-1": (leaf, index - 1, size, root),
        "leafIdx+1": (leaf, index + 1, size, root),
        "leafIdx*2": (leaf, index * 2 or 2, size, root),
        "leafIdx^2": (leaf, index ^ 2, size, root),
        "treeSize*2": (leaf, index, size * 2, root),
        "treeSize/2": (leaf, index, size // 2, root),
        "empty root": (leaf, index, size, b""),
    }
    if size == 1:
        del wrong["leaf swapped with root"]
    for name, (other_leaf, other_index, other_size, other_root) in wrong.items():
        try:
            check_inclusion(other_leaf, other_index, other_size, proof, other_root)
        except ProofError:
            continue
        pytest.fail(f"{name} was accepted")


def test_a_proof_longer_than_the_tree_is_high_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(ProofError, match="longer than the tree is high"):
        check_inclusion(TREE(0, 0), 0, 8, [*prove_inclusion(0, 8, TREE), GARBAGE], ROOTS[8])
    with pytest.raises(ProofError, match="longer than the tree is high"):
        check_consistency(3, 7, [*prove_consistency(3, 7, TREE), GARBAGE], ROOTS[3], ROOTS[7])


CONSISTENCIES = [(3, 7), (4, 8), (6, 8), (7, 8), (1, 2), (1, 70), (64, 70), (69, 70), (35, 67)]


@pytest.mark.parametrize(("old_size", "size"), CONSISTENCIES)
def test_a_bent_consistency_proof_is_refused(old_size: int, size: int) -> None:
    proof, old_root, root = prove_consistency(old_size, size, TREE), ROOTS[old_size], ROOTS[size]
    for name, mutated in [*bent(proof, root), *bent(proof, old_root), ("empty-proof", [])]:
        try:
            check_consistency(old_size, size, mutated, old_root, root)
        except ProofError:
            continue
        pytest.fail(f"{name} was accepted")


@pytest.mark.parametrize(("old_size", "size"), CONSISTENCIES)
def test_a_consistency_proof_holds_for_its_own_sizes_and_roots_only(old_size: int, size: int) -> None:
    proof, old_root, root = prove_consistency(old_size, size, TREE), ROOTS[old_size], ROOTS[size]
    wrong = {
        "swapped-roots": (old_size, size, root, old_root),
        "random old root": (old_size, size, GARBAGE, root),
        "random new root": (old_size, size, old_root, GARBAGE),
        "one root twice": (old_size, size, root, root),
        "size1-1": (old_size - 1, size, old_root, root),
        "size1+1": (old_size + 1, size, old_root, root),
        "size1=0": (0, size, old_root, root),
        "size1=size2": (size, size, old_root, root),
        "size2*2": (old_size, size * 2, old_root, root),
    }
    for name, (other_old, other_size, other_old_root, other_root) in wrong.items():
        try:
            check_consistency(other_old, other_size, proof, other_old_root, other_root)
        except ProofError:
            continue
        pytest.fail(f"{name} was accepted")


def test_equal_sizes_need_equal_roots_and_no_proof() -> None:
    check_consistency(8, 8, [], ROOTS[8], ROOTS[8])
    with pytest.raises(ProofError):
        check_consistency(8, 8, [], ROOTS[7], ROOTS[8])
    with pytest.raises(ProofError):
        check_consistency(8, 8, [GARBAGE], ROOTS[8], ROOTS[8])


def test_two_empty_trees_have_the_empty_root() -> None:
    check_consistency(0, 0, [], ROOTS[0], ROOTS[0])
    with pytest.raises(ProofError):
        check_consistency(0, 0, [], ROOTS[0], GARBAGE)
    with pytest.raises(ProofError):
        check_consistency(0, 0, [], GARBAGE, GARBAGE)


def test_a_tree_that_extends_nothing_starts_from_the_empty_root() -> None:
    check_consistency(0, 8, [], ROOTS[0], ROOTS[8])
    with pytest.raises(ProofError):
        check_consistency(0, 8, [], GARBAGE, ROOTS[8])


@settings(max_examples=100)
@given(st.integers(2, LARGEST), st.data())
def test_a_tree_with_one_entry_changed_extends_no_tree_that_had_the_old_one(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, old_size - 1))
    leaves = [TREE(0, index) for index in range(size)]
    forged = HashesInMemory([*leaves[:changed], GARBAGE, *leaves[changed + 1 :]])
    with pytest.raises(ProofError):
        check_consistency(
            old_size, size, prove_consistency(old_size, size, forged), ROOTS[old_size], root_hash(size, forged)
        )
