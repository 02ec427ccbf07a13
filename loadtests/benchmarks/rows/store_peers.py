"""Rows that compare with libraries which are no dependency of ours; where they cannot be had, the row says so."""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader

from benchmarks.folders import fresh_folder
from benchmarks.measure import BenchError, Pair, Row, Scale
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


@contextmanager
def _prepare_pymerkle(_scale: Scale) -> Iterator[Pair]:
    python = peer_python("pymerkle", _PYMERKLE)
    size, text = _TREE, _text()
    with fresh_folder() as folder, running_worker("pymerkle_proofs", folder, python) as peer:
        files, tree = LogFiles(folder / "log"), str(folder / "tree.db")
        leaves = [leaf_hash(f"{number} {text}".encode()) for number in range(size)]
        files.grow(0, leaves)
        root = peer.ask(do="build", path=tree, size=size, text=text)
        if root != root_hash(size, HashesInMemory(leaves)).hex():
            raise BenchError("pymerkle's tree of the same leaves has another root than ours")
        drawn = random.Random(_SEED)

        def other() -> float:
            return float(peer.ask(do="prove", path=tree, indices=_drawn(drawn, size, _THEIR_PROOFS), size=size))

        yield Pair(lambda: median_proof_ms(files.read_tile, size, _drawn(drawn, size, _PROOFS)), other)


@contextmanager
def _prepare_tlog_scales(_scale: Scale) -> Iterator[Pair]:
    size, text = _TREE, _text()
    with fresh_folder() as folder:
        files = LogFiles(folder / "log")
        leaves = [leaf_hash(f"{number} {text}".encode()) for number in range(size)]
        files.grow(0, leaves)
        if _their_reader(folder / "log", size).calculate_root_hash() != root_hash(size, HashesInMemory(leaves)):
            raise BenchError("tlog-scales finds another root in our tiles than we do")
        drawn = random.Random(_SEED)

        def theirs(index: int) -> object:
            return _their_reader(folder / "log", size).get_inclusion_proof(index, size)

        def other() -> float:
            return _median_ms(theirs, _drawn(drawn, size, _PROOFS))

        yield Pair(lambda: median_proof_ms(files.read_tile, size, _drawn(drawn, size, _PROOFS)), other)


def _their_reader(folder: Path, size: int) -> TilesReader:
    """A reader that has seen none of the tiles yet."""
    reader = TilesReader(LocalBackend(folder))
    reader.set_size(size)
    return reader


def _drawn(drawn: random.Random, size: int, amount: int) -> list[int]:
    return [drawn.randrange(size) for _ in range(amount)]


def median_proof_ms(read_tile: TileReader, size: int, indices: list[int]) -> float:
    """The median time of one inclusion proof from tiles, each read anew, milliseconds."""
    return _median_ms(lambda index: prove_inclusion(index, size, nodes_from_tiles(size, read_tile)), indices)


def _median_ms(prove: Callable[[int], object], indices: list[int]) -> float:
    times = []
    for index in indices:
        started = time.perf_counter()
        prove(index)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


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
