"""The tree as tiles (C2SP tlog-tiles): paths, bytes, and proofs read from tiles alone."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cylinder_trace.merkle import HashesInMemory, leaf_hash, prove_consistency, prove_inclusion, root_hash
from cylinder_trace.tiles import bundle_bytes, nodes_from_tiles, tile_bytes, tile_path, tiles_of

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/merkle/tiles.json").read_text("utf-8"))
REFERENCE = json.loads((Path(__file__).parents[1] / "vectors/merkle/rfc6962.json").read_text("utf-8"))
LARGE: dict[str, Any] = VECTORS["large_log"]


def entries(first: int, last: int) -> list[bytes]:
    return [b"entry-%d" % index for index in range(first, last)]


@pytest.fixture(scope="module")
def large_log() -> HashesInMemory:
    return HashesInMemory([leaf_hash(entry) for entry in entries(0, LARGE["size"])])


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (0, 0, 256, "tile/0/000"),
        (1, 1, 17, "tile/1/001.p/17"),
        ("entries", 273, 112, "tile/entries/273.p/112"),
        ("entries", 1000, 256, "tile/entries/x001/000"),
        (63, 999, 1, "tile/63/999.p/1"),
    ],
)
def test_the_path_of_a_tile_is_cut_into_three_digits(level: int | str, number: int, width: int, path: str) -> None:
    assert tile_path(level, number, width) == path


def test_the_reference_leaves_give_the_published_bundle_and_tile() -> None:
    leaves = [bytes.fromhex(leaf) for leaf in REFERENCE["leaves"]]
    tree = HashesInMemory([leaf_hash(leaf) for leaf in leaves])
    assert bundle_bytes(leaves).hex() == VECTORS["reference_log"]["bundle"]
    tile = tile_bytes(0, 0, 8, tree)
    assert sha256(tile).hexdigest() == VECTORS["reference_log"]["tile_0_sha256"]


@pytest.mark.parametrize("vector", LARGE["roots"], ids=lambda vector: f"size {vector['size']}")
def test_the_roots_of_a_log_of_seventy_thousand_are_the_known_ones(
    large_log: HashesInMemory, vector: dict[str, Any]
) -> None:
    assert root_hash(vector["size"], large_log).hex() == vector["root"]


@pytest.mark.parametrize("vector", LARGE["files"], ids=lambda vector: str(vector["path"]))
def test_the_files_of_a_log_of_seventy_thousand_are_the_known_ones(
    large_log: HashesInMemory, vector: dict[str, Any]
) -> None:
    files = {tile_path(*tile): tile for tile in tiles_of(LARGE["size"])}
    if vector["path"] in files:
        content = tile_bytes(*files[vector["path"]], large_log)
    else:
        first = int(vector["path"].removeprefix("tile/entries/")[:3]) * 256
        content = bundle_bytes(entries(first, min(first + 256, LARGE["size"])))
    assert (len(content), sha256(content).hexdigest()) == (vector["bytes"], vector["sha256"])


def test_a_log_of_seventy_thousand_has_the_tiles_that_the_specification_counts(large_log: HashesInMemory) -> None:
    tiles = list(tiles_of(LARGE["size"]))
    widths = {level: [width for at, _number, width in tiles if at == level] for level in range(3)}
    assert widths == {0: [256] * 273 + [112], 1: [256, 17], 2: [1]}
    assert len(tiles) == 273 + 1 + 2 + 1
    assert tile_bytes(2, 0, 1, large_log).hex() == LARGE["level_2_content"]


@pytest.mark.parametrize("vector", LARGE["inclusion_proof_lengths"])
def test_a_proof_is_as_long_as_the_tree_is_high(large_log: HashesInMemory, vector: dict[str, int]) -> None:
    assert len(prove_inclusion(vector["index"], LARGE["size"], large_log)) == vector["length"]


@settings(max_examples=60)
@given(st.integers(1, 70_000), st.data())
def test_proofs_read_from_tiles_are_those_of_the_tree_in_memory(
    large_log: HashesInMemory, size: int, data: st.DataObject
) -> None:
    existing = {(level, number): width for level, number, width in tiles_of(size)}

    def read_tile(level: int, number: int, width: int) -> bytes:
        assert existing[level, number] == width, "only tiles that a log of this size has are asked for"
        return tile_bytes(level, number, width, large_log)

    read = nodes_from_tiles(size, read_tile)
    index = data.draw(st.integers(0, size - 1), label="index")
    old_size = data.draw(st.integers(0, size), label="old_size")
    assert root_hash(size, read) == root_hash(size, large_log)
    assert prove_inclusion(index, size, read) == prove_inclusion(index, size, large_log)
    assert prove_consistency(old_size, size, read) == prove_consistency(old_size, size, large_log)


@settings(max_examples=30)
@given(st.integers(1, 70_000), st.data())
def test_a_proof_reads_each_tile_on_its_path_once(large_log: HashesInMemory, size: int, data: st.DataObject) -> None:
    asked: list[tuple[int, int]] = []

    def read_tile(level: int, number: int, width: int) -> bytes:
        asked.append((level, number))
        return tile_bytes(level, number, width, large_log)

    prove_inclusion(data.draw(st.integers(0, size - 1)), size, nodes_from_tiles(size, read_tile))
    assert len(asked) == len(set(asked))


def test_a_full_tile_serves_where_a_partial_one_is_gone(large_log: HashesInMemory) -> None:
    read = nodes_from_tiles(300, lambda level, number, width: tile_bytes(level, number, 256, large_log))
    assert root_hash(300, read) == root_hash(300, large_log)


@settings(max_examples=100)
@given(st.integers(0, 70_000), st.integers(0, 70_000))
def test_growing_writes_each_tile_that_is_new_or_wider_and_no_other(first: int, second: int) -> None:
    old, new = sorted((first, second))
    before, after = set(tiles_of(old)), set(tiles_of(new))
    assert set(tiles_of(new, old)) == after - before


def test_growing_by_nothing_writes_nothing() -> None:
    for size in (0, 1, 255, 256, 257, 65_536, 65_537, 70_000):
        assert not list(tiles_of(size, size))


def test_an_entry_in_a_bundle_has_its_length_before_it() -> None:
    assert bundle_bytes([b"", b"a" * 258]) == b"\x00\x00" + b"\x01\x02" + b"a" * 258
    assert len(bundle_bytes([b"x" * 65_535])) == 65_537
