"""The two hash suites: SM3 against the standard's examples and against a second implementation, and never mixed up."""

import hashlib
from collections.abc import Callable, Sequence

import pytest

from cylinder_trace import merkle
from cylinder_trace.merkle import HashesInMemory, ProofError
from cylinder_trace.suite import SHA256, SM3, SUITES, Suite, suite_of_origin
from cylinder_trace.suite import _sm3_of_cryptography as sm3_of_cryptography
from cylinder_trace.tiles import fold_tile, nodes_from_tiles, tile_bytes

# GB/T 32905-2016, annex A
STANDARD = {
    b"abc": "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
    b"abcd" * 16: "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
}
TEXTS = [b"", b"\0", b"\x10", b"  !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"]
LEAVES = [merkle.leaf_hash(text, SM3) for text in TEXTS]
TREE = HashesInMemory(LEAVES, SM3)


# --- a second implementation, straight from the standard's text and RFC 6962 --------------------------------

MASK = 0xFFFFFFFF


def turned(word: int, by: int) -> int:
    by %= 32
    return ((word << by) | (word >> (32 - by))) & MASK


def p0(word: int) -> int:
    return word ^ turned(word, 9) ^ turned(word, 17)


def p1(word: int) -> int:
    return word ^ turned(word, 15) ^ turned(word, 23)


def plain_sm3(message: bytes) -> bytes:
    padded = message + b"\x80" + bytes((55 - len(message)) % 64) + (8 * len(message)).to_bytes(8, "big")
    state = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    for start in range(0, len(padded), 64):
        state = [old ^ new for old, new in zip(state, compressed(state, padded[start : start + 64]), strict=True)]
    return b"".join(word.to_bytes(4, "big") for word in state)


def compressed(state: Sequence[int], block: bytes) -> list[int]:
    w = [int.from_bytes(block[at : at + 4], "big") for at in range(0, 64, 4)]
    for j in range(16, 68):
        w.append(p1(w[j - 16] ^ w[j - 9] ^ turned(w[j - 3], 15)) ^ turned(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        constant = 0x79CC4519 if j < 16 else 0x7A879D8A
        ss1 = turned((turned(a, 12) + e + turned(constant, j)) & MASK, 7)
        ff = a ^ b ^ c if j < 16 else (a & b) | (a & c) | (b & c)
        gg = e ^ f ^ g if j < 16 else (e & f) | (~e & MASK & g)
        tt1 = (ff + d + (ss1 ^ turned(a, 12)) + (w[j] ^ w[j + 4])) & MASK
        tt2 = (gg + h + ss1 + w[j]) & MASK
        a, b, c, d, e, f, g, h = tt1, a, turned(b, 9), c, p0(tt2), e, turned(f, 19), g
    return [a, b, c, d, e, f, g, h]


def plain_root(texts: Sequence[bytes], digest: Callable[[bytes], bytes]) -> bytes:
    if not texts:
        return digest(b"")
    if len(texts) == 1:
        return digest(b"\0" + texts[0])
    half = 1
    while half * 2 < len(texts):
        half *= 2
    return digest(b"\1" + plain_root(texts[:half], digest) + plain_root(texts[half:], digest))


# --- the hash -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", STANDARD, ids=["abc", "abcd sixteen times"])
def test_sm3_gives_the_standards_own_examples_in_three_implementations(text: bytes) -> None:
    assert SM3.digest(text).hex() == STANDARD[text]
    assert sm3_of_cryptography(text).hex() == STANDARD[text]
    assert plain_sm3(text).hex() == STANDARD[text]


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])
def test_sm3_agrees_with_the_second_implementation_at_every_length_of_padding(length: int) -> None:
    text = bytes(range(256)) * 4
    assert SM3.digest(text[:length]) == sm3_of_cryptography(text[:length]) == plain_sm3(text[:length])


def test_sha256_is_the_suite_of_whoever_says_nothing() -> None:
    assert merkle.leaf_hash(b"") == hashlib.sha256(b"\0").digest()
    assert SUITES == {"sha256": SHA256, "sm3": SM3}
    assert SHA256.is_c2sp
    assert not SM3.is_c2sp


@pytest.mark.parametrize(
    ("origin", "suite"),
    [("ledger.example/a", SHA256), ("ledger.example/a/sm3", SM3), ("sm3", SHA256), ("ledger.example/sm3/a", SHA256)],
)
def test_the_origin_says_the_suite(origin: str, suite: Suite) -> None:
    assert suite_of_origin(origin) is suite


# --- the tree -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(9))
def test_an_sm3_tree_has_the_root_of_the_second_implementation(size: int) -> None:
    assert merkle.root_hash(size, TREE, SM3) == plain_root(TEXTS[:size], plain_sm3)


def test_every_proof_of_an_sm3_tree_holds_in_sm3_and_in_no_other_suite() -> None:
    for size in range(2, 9):
        root = merkle.root_hash(size, TREE, SM3)
        for index in range(size):
            proof = merkle.prove_inclusion(index, size, TREE, SM3)
            merkle.check_inclusion(LEAVES[index], index, size, proof, root, SM3)
            with pytest.raises(ProofError):
                merkle.check_inclusion(LEAVES[index], index, size, proof, root)
        for old in range(size + 1):
            proof, old_root = merkle.prove_consistency(old, size, TREE, SM3), merkle.root_hash(old, TREE, SM3)
            merkle.check_consistency(old, size, proof, old_root, root, SM3)


def test_the_empty_tree_of_one_suite_is_not_that_of_the_other() -> None:
    root = merkle.root_hash(3, TREE, SM3)
    with pytest.raises(ProofError):
        merkle.check_consistency(0, 3, [], merkle.EMPTY_ROOT, root, SM3)
    merkle.check_consistency(0, 3, [], SM3.digest(b""), root, SM3)


def test_sm3_tiles_give_the_nodes_back() -> None:
    leaves = [SM3.digest(bytes([n % 256, n // 256])) for n in range(600)]
    tree = HashesInMemory(leaves, SM3)
    read = nodes_from_tiles(600, lambda level, number, width: tile_bytes(level, number, width, tree), SM3)
    assert merkle.root_hash(600, read, SM3) == merkle.root_hash(600, tree, SM3)
    assert fold_tile(b"".join(leaves[:256]), SM3) == tree(8, 0)
