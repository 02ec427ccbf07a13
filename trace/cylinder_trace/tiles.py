"""The tree as immutable tiles (C2SP tlog-tiles): which files exist for a size, and node hashes read from them.

A tile holds 256 neighbouring hashes of level 8·L; a partial tile ends in ``.p/<width>``.  An entry bundle holds
256 entries, each with a 16-bit big-endian length.

>>> tile_path(0, 1234067)
'tile/0/x001/x234/067'
>>> tile_path(0, 273, 112)
'tile/0/273.p/112'
"""

from collections.abc import Callable, Iterator, Sequence

from cylinder_trace.merkle import HASH_SIZE, NodeReader, node_hash
from cylinder_trace.suite import SHA256, Suite

TILE_WIDTH = 256
_TILE_HEIGHT = 8

TileReader = Callable[[int, int, int], bytes]
"""``read(level, number, width)`` → the bytes of that tile; the answer may be wider than asked for."""


def tile_path(level: int | str, number: int, width: int = TILE_WIDTH) -> str:
    """Path of a tile below the log's prefix; `level` is ``"entries"`` for an entry bundle."""
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return f"tile/{level}/{_number_path(number)}{partial}"


def _number_path(number: int) -> str:
    path = f"{number % 1000:03d}"
    while number := number // 1000:
        path = f"x{number % 1000:03d}/{path}"
    return path


def tiles_of(size: int, old_size: int = 0) -> Iterator[tuple[int, int, int]]:
    """``(level, number, width)`` of each tile a tree of `size` has and a tree of `old_size` had not."""
    level = 0
    while count := size >> (_TILE_HEIGHT * level):
        old_count = old_size >> (_TILE_HEIGHT * level)
        for number in range(old_count // TILE_WIDTH, -(-count // TILE_WIDTH)):
            width = min(TILE_WIDTH, count - number * TILE_WIDTH)
            if number * TILE_WIDTH + width > old_count:
                yield level, number, width
        level += 1


def tile_bytes(level: int, number: int, width: int, read: NodeReader) -> bytes:
    """The hashes of one tile, one after another."""
    first = number * TILE_WIDTH
    return b"".join(read(_TILE_HEIGHT * level, first + offset) for offset in range(width))


def bundle_bytes(entries: Sequence[bytes]) -> bytes:
    """The entry bundle of up to 256 entries."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def nodes_from_tiles(size: int, read_tile: TileReader, suite: Suite = SHA256) -> NodeReader:
    """A NodeReader for the tree of `size` that needs only its tiles."""
    last: dict[int, tuple[int, bytes]] = {}
    """Per level the tile read last, with its number: the neighbours that a proof asks for lie in the same one."""

    def tile_at(level: int, number: int) -> bytes:
        kept = last.get(level)
        if kept is None or kept[0] != number:
            width = min(TILE_WIDTH, (size >> (_TILE_HEIGHT * level)) - number * TILE_WIDTH)
            kept = last[level] = number, read_tile(level, number, width)
        return kept[1]

    def read(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, _TILE_HEIGHT)
        number, place = divmod(index << height, TILE_WIDTH)
        start = place * HASH_SIZE
        return fold_tile(tile_at(tile_level, number)[start : start + (HASH_SIZE << height)], suite)

    return read


def fold_tile(hashes: bytes, suite: Suite = SHA256) -> bytes:
    """The node above a complete run of neighbouring hashes (a full tile, or a power-of-two part of one)."""
    nodes = [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
    while len(nodes) > 1:
        nodes = [node_hash(nodes[at], nodes[at + 1], suite) for at in range(0, len(nodes), 2)]
    return nodes[0]
