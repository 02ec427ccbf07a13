"""Stored tiles compared with what the entries add up to; a difference is told apart by the hashes on both sides."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from cylinder_trace.auditing.hashing import BLOCK, Hashing, leaves_of
from cylinder_trace.auditing.stored import Fault, FaultKind, StoredEntry


class _Given(Protocol):
    @property
    def size(self) -> int: ...
    @property
    def tiles(self) -> Mapping[int, bytes]: ...


def compare_tiles(
    leaves: Sequence[bytes], start: int, given: _Given, rows: Sequence[StoredEntry], edited: Collection[int]
) -> list[Fault]:
    """Faults of the tiles over `leaves`, of which those before ``given.size`` were compared before."""
    if _all_fit(leaves, start, given.tiles):
        return []
    stored = _stored(given.tiles, start, len(leaves))
    differ = [
        at for at, leaf in enumerate(leaves[: len(stored)])
        if stored[at] != leaf and stored[at] and start + at >= given.size and _row(rows, at, leaves).index not in edited
    ]  # fmt: skip
    if not differ:
        return []
    kind, message = _told_apart([stored[at] for at in differ], [leaves[at] for at in differ])
    places = differ if kind == "edited" else differ[:1]
    found = [_row(rows, at, leaves) for at in places]
    tiles = [tile_name(0, (start + at) // BLOCK) for at in places]
    return [Fault(kind, row.subject, row.index, tile, message) for row, tile in zip(found, tiles, strict=True)]


def tile_name(level: int, number: int) -> str:
    """The tile's name below the log's folder, shortened: ``tile/0/273``."""
    return f"tile/{level}/{number:03d}"


def _all_fit(leaves: Sequence[bytes], start: int, tiles: Mapping[int, bytes]) -> bool:
    """Whether every tile there is begins with these leaves, of which the first begins a tile."""
    for at in range(0, len(leaves), BLOCK):
        own, stored = b"".join(leaves[at : at + BLOCK]), tiles.get((start + at) // BLOCK, b"")
        if not (own.startswith(stored) or stored.startswith(own)):
            return False
    return True


def _row(rows: Sequence[StoredEntry], at: int, leaves: Sequence[bytes]) -> StoredEntry:
    return rows[at - (len(leaves) - len(rows))]


def _stored(tiles: Mapping[int, bytes], start: int, count: int) -> list[bytes]:
    """The hashes stored for leaves from `start` on; empty where no tile is."""
    found: list[bytes] = []
    for number in range(start // BLOCK, -(-(start + count) // BLOCK)):
        hashes = leaves_of(tiles.get(number, b""))
        found += hashes + [b""] * (BLOCK - len(hashes))
    return found


def _told_apart(stored: Sequence[bytes], computed: Sequence[bytes]) -> tuple[FaultKind, str]:
    """What happened to the entries, if the tile is right: same hashes in another order, some missing, some more."""
    before, now = Counter(stored), Counter(computed)
    kept = (before & now).total()
    if before == now:
        return "reordered", "the tile has the same entries in another order"
    if 2 * kept > len(stored) and stored[0] not in now:
        return "deleted", "the tile has an entry here that is missing, and those behind it moved up"
    if 2 * kept > len(stored) and computed[0] not in before:
        return "inserted", "the tile does not have this entry, and those behind it moved down"
    return "edited", "the tile has another hash for this entry"


class UpperTiles:
    """Tiles above level 0, compared with the blocks of a whole audit (or of its new part)."""

    def __init__(self, hashing: Hashing, first_block: int, blocks: Sequence[bytes]) -> None:
        self._hashing, self._first, self._nodes = hashing, first_block, list(blocks)

    def compare(self, tiles: Mapping[tuple[int, int], bytes]) -> list[Fault]:
        """Faults of the tiles ``(level, number)``."""
        faults: list[Fault] = []
        level = 1
        while self._nodes:
            faults += self._compare_level(level, tiles)
            self._climb()
            level += 1
        return faults

    def _compare_level(self, level: int, tiles: Mapping[tuple[int, int], bytes]) -> list[Fault]:
        faults = []
        for (tile_level, number), data in sorted(tiles.items()):
            if tile_level != level:
                continue
            for at, stored in enumerate(leaves_of(data), start=number * BLOCK - self._first):
                if 0 <= at < len(self._nodes) and stored != self._nodes[at]:
                    first = (self._first + at) * BLOCK**level
                    message = f"its node over entries {first}–{first + BLOCK**level - 1} is not theirs"
                    faults.append(Fault("edited", "", first, tile_name(level, number), message))
        return faults

    def _climb(self) -> None:
        skipped = -self._first % BLOCK
        rows = self._nodes[skipped:]
        whole = range(0, len(rows) - len(rows) % BLOCK, BLOCK)
        self._nodes = [self._hashing.block(rows[at : at + BLOCK]) for at in whole]
        self._first = (self._first + skipped) // BLOCK
