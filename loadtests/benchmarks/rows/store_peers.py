"""Rows that compare with libraries which are no dependency of ours; where they cannot be had, the row says so."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader

from benchmarks.folders import fresh_folder
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.median import median_ms
from benchmarks.peer_environment import peer_python
from benchmarks.rows import samples
from benchmarks.rows.store_postgres import beside
from benchmarks.worker import running_worker
from cylinder_trace.chain import NO_PREVIOUS, Head, seal
from cylinder_trace.merkle import HashesInMemory, leaf_hash, prove_inclusion, root_hash
from cylinder_trace.store.files import LogFiles
from cylinder_trace.tiles import TileReader, nodes_from_tiles
from servers.postgres import DRIVER

_EVENTSOURCING = ("eventsourcing==9.5.6", "psycopg[binary]==3.3.9", "psycopg-pool==3.3.3")
_PYMERKLE = ("pymerkle==7.0.0",)
_AICS_TLOG = ("aics-tlog==0.2.1",)
_AICS_TLOG_NEEDS = (3, 12)
_TREE = 100_000
"""Leaves, at any size: what the peer takes grows with them."""
_PROOFS = 200
_THEIR_PROOFS = 10
_SEED = 20_261_122
_AGGREGATES = 1000


@contextmanager
def _prepare_eventsourcing(scale: Scale) -> Iterator[Pair]:
    python = peer_python("eventsourcing", _EVENTSOURCING)
    with beside(scale) as (ours, url, folder), running_worker("eventsourcing_postgres", folder, python) as peer:
        peer.ask(do="open", url=url.replace(DRIVER, "postgresql", 1), text=_text(), aggregates=_AGGREGATES)
        events = scale.count(100)
        yield Pair(ours, lambda: float(peer.ask(do="append", each=events)))


class _Tree:
    """Tiles of 100,000 leaves in a folder, and which proofs are asked for: each side draws from the same numbers."""

    def __init__(self, folder: Path) -> None:
        self.path, self.text = folder / "log", _text()
        leaves = [leaf_hash(f"{number} {self.text}".encode()) for number in range(_TREE)]
        self._files, self._drawn = LogFiles(self.path), random.Random(_SEED)
        self._files.grow(0, leaves)
        self.root = root_hash(_TREE, HashesInMemory(leaves))

    def draw(self, amount: int = _PROOFS) -> list[int]:
        return [self._drawn.randrange(_TREE) for _ in range(amount)]

    def agrees(self, name: str, root: bytes) -> None:
        """Raises BenchError where a peer has another root for the same leaves."""
        if root != self.root:
            raise BenchError(f"{name} finds another root for the same leaves than we do")

    def ours(self) -> float:
        """The median time of our proofs from these tiles, milliseconds."""
        return median_proof_ms(self._files.read_tile, _TREE, self.draw())


@contextmanager
def _prepare_pymerkle(_scale: Scale) -> Iterator[Pair]:
    python = peer_python("pymerkle", _PYMERKLE)
    with fresh_folder() as folder, running_worker("pymerkle_proofs", folder, python) as peer:
        tree, theirs = _Tree(folder), str(folder / "tree.db")
        tree.agrees("pymerkle", bytes.fromhex(peer.ask(do="build", path=theirs, size=_TREE, text=tree.text)))

        def other() -> float:
            return float(peer.ask(do="prove", path=theirs, indices=tree.draw(_THEIR_PROOFS), size=_TREE))

        yield Pair(tree.ours, other)


@contextmanager
def _prepare_tlog_scales(_scale: Scale) -> Iterator[Pair]:
    with fresh_folder() as folder:
        tree = _Tree(folder)
        tree.agrees("tlog-scales", _their_reader(tree.path, _TREE).calculate_root_hash())

        def theirs(index: int) -> object:
            return _their_reader(tree.path, _TREE).get_inclusion_proof(index, _TREE)

        yield Pair(tree.ours, lambda: median_ms(partial(theirs, index) for index in tree.draw()))


@contextmanager
def _prepare_aics_tlog(_scale: Scale) -> Iterator[Pair]:
    python = peer_python("aics-tlog", _AICS_TLOG, _AICS_TLOG_NEEDS)
    with fresh_folder() as folder, running_worker("aics_tlog_proofs", folder, python) as peer:
        tree = _Tree(folder)
        tree.agrees("aics-tlog", bytes.fromhex(peer.ask(do="root", tiles=str(tree.path), size=_TREE)))

        def other() -> float:
            return float(peer.ask(do="prove", tiles=str(tree.path), indices=tree.draw(_THEIR_PROOFS), size=_TREE))

        yield Pair(tree.ours, other)


def _their_reader(folder: Path, size: int) -> TilesReader:
    """A reader that has seen none of the tiles yet."""
    reader = TilesReader(LocalBackend(folder))
    reader.set_size(size)
    return reader


def median_proof_ms(read_tile: TileReader, size: int, indices: list[int]) -> float:
    """The median time of one inclusion proof from tiles, each read anew, milliseconds."""

    def ours(index: int) -> object:
        return prove_inclusion(index, size, nodes_from_tiles(size, read_tile))

    return median_ms(partial(ours, index) for index in indices)


def _text() -> str:
    return seal(samples.fill(10_000, 0), Head(1, NO_PREVIOUS), samples.NOW).text.decode()


APPEND_EVENTSOURCING = Row(
    name="store.postgres_eventsourcing",
    unit="/s",
    better="higher",
    goal=20.0,
    kind="peer",
    against="eventsourcing's PostgreSQL recorder, eight threads, an event of the same bytes each",
    prepare=_prepare_eventsourcing,
)
"""Batches of 1,000 fills against the event store that a Python project would take."""

PROOF_PYMERKLE = Row(
    name="store.proof_pymerkle",
    unit="ms",
    better="lower",
    goal=0.01,
    kind="peer",
    against="pymerkle's SQLite tree of the same leaves, opened anew for each proof",
    prepare=_prepare_pymerkle,
)
"""An inclusion proof of any of 100,000 entries from what is on disk, nothing kept in memory between two proofs."""

PROOF_TLOG_SCALES = Row(
    name="store.proof_tlog_scales",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="peer",
    against="tlog-scales' reader of the same tiles, opened anew for each proof",
    prepare=_prepare_tlog_scales,
)
"""The same proof, by a reader that others wrote for the same files."""

PROOF_AICS_TLOG = Row(
    name="store.proof_aics_tlog",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="peer",
    against="aics-tlog's reader of the same tiles, opened anew for each proof, in a Python of its own",
    prepare=_prepare_aics_tlog,
)
"""The same proof by another reader, which needs Python 3.12: where there is none, the row says so."""
