"""Rows that ask whether the ledger stays quick and small as it grows: proofs, histories, the service's memory."""

import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from benchmarks.grown import GrownLedger, large_ledger, small_ledger
from benchmarks.http_client import answers_per_second, get
from benchmarks.machine import resident_mb
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.rows import samples
from benchmarks.rows.api import fill_check_request
from benchmarks.rows.store_peers import median_proof_ms
from cylinder_trace.merkle import ProofError, check_inclusion, prove_inclusion, root_hash
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.tiles import nodes_from_tiles
from load_stations import Station
from processes import ServerError
from town_service import AccessError, Town, bearer, running_town, station_in

_SEED = 20_261_122
_PROOFS = 500
_CHECKED_PROOFS = 50
_BUNDLES = 200
_PROMISE_MS = 1.0
_PROMISE_MB = 200.0


@contextmanager
def _prepare_proof(scale: Scale) -> Iterator[Pair]:
    grown, drawn = large_ledger(scale), random.Random(_SEED)
    grown.grow_to(scale.count(100_000))
    with grown.opened() as ledger:
        size = ledger.reader.size()  # with the town's before them: tiles are kept of the sizes that were published
        _require_sound_proofs(ledger, size, [drawn.randrange(size) for _ in range(_CHECKED_PROOFS)])
        yield Pair(
            ours=lambda: median_proof_ms(ledger.reader.tile, size, [drawn.randrange(size) for _ in range(_PROOFS)]),
            other=lambda: _PROMISE_MS,
        )


def _require_sound_proofs(ledger: Ledger, size: int, indices: Sequence[int]) -> None:
    root = root_hash(size, nodes_from_tiles(size, ledger.reader.tile))
    for index in indices:
        (entry,) = ledger.reader.entries(index, 1)
        proof = prove_inclusion(index, size, nodes_from_tiles(size, ledger.reader.tile))
        try:
            check_inclusion(entry.hash, index, size, proof, root)
        except ProofError as error:
            raise BenchError(f"entry {index} is not proved to be in the log of {size}: {error}") from error


@contextmanager
def _prepare_history(scale: Scale) -> Iterator[Pair]:
    large, small, drawn = large_ledger(scale), small_ledger(scale), random.Random(_SEED)
    large.grow_to(scale.count(200_000))
    small.grow_to(scale.count(10_000))
    with large.opened() as many, small.opened() as few:
        yield Pair(
            ours=lambda: _median_bundle_us(many, _drawn_subjects(drawn, large)),
            other=lambda: _median_bundle_us(few, _drawn_subjects(drawn, small)),
        )


def _drawn_subjects(drawn: random.Random, grown: GrownLedger) -> list[str]:
    return [samples.registration(drawn.randrange(grown.cylinders)).subject for _ in range(_BUNDLES)]


def _median_bundle_us(ledger: Ledger, subjects: Sequence[str]) -> float:
    times = []
    for subject in subjects:
        started = time.perf_counter()
        ledger.reader.bundle(subject)
        times.append(time.perf_counter() - started)
    return 1e6 * statistics.median(times)


@contextmanager
def _prepare_memory(scale: Scale) -> Iterator[Pair]:
    large, small = large_ledger(scale), small_ledger(scale)
    large.grow_to(scale.count(200_000))
    small.grow_to(scale.count(10_000))
    try:
        with ExitStack() as stack:
            served = [
                _Served(stack.enter_context(running_town(grown.folder, grown.town)), grown) for grown in (large, small)
            ]
            yield Pair(ours=lambda: max(each.most_memory_mb(scale) for each in served), other=lambda: _PROMISE_MB)
    except (ServerError, AccessError) as error:
        raise BenchError(str(error)) from error


class _Served:
    """A service on a grown ledger, and what it is asked."""

    def __init__(self, town: Town, grown: GrownLedger) -> None:
        self._town, self._grown = town, grown
        self._station: Station = station_in(town)
        self._drawn = random.Random(_SEED)
        self._asked = 0

    def most_memory_mb(self, scale: Scale) -> float:
        """The most memory it ever had resident, after fill checks, histories and bundles."""
        amount = scale.count(50)
        checks = range(self._asked, self._asked + amount)
        self._asked += amount
        port = self._town.port
        answers_per_second(port, [fill_check_request(self._station, port, number) for number in checks])
        answers_per_second(port, [self._look_up(what) for _ in range(amount) for what in ("history", "bundle")])
        return resident_mb(self._town.pid)

    def _look_up(self, what: str) -> bytes:
        subject = samples.registration(self._drawn.randrange(self._grown.cylinders)).subject
        cylinder_id = subject.partition("/")[2]
        return get(f"/v1/cylinders/{cylinder_id}/{what}", self._town.port, bearer(self._town, "regulator"))


PROOF_1M = Row(
    name="store.proof_1m",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: half of all inclusion proofs at 1,000,000 entries take at most 1 ms",
    prepare=_prepare_proof,
    sizes="large",
)
"""An inclusion proof of any entry, from tiles on disk, nothing kept in memory between two proofs."""

HISTORY_GROWTH = Row(
    name="store.history_growth",
    unit="µs",
    better="lower",
    goal=1.3,
    kind="bound",
    against="the same at a twentieth of the size: 100,000 entries instead of 2,000,000",
    prepare=_prepare_history,
    sizes="large",
)
"""The history of one cylinder, 50 entries, with its proof, read out of the whole ledger."""

MEMORY = Row(
    name="store.memory",
    unit="MB",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 200 MB resident, at 100,000 entries and at 2,000,000",
    prepare=_prepare_memory,
    sizes="large",
)
"""The most that `cylinder-api serve` ever had resident, at that of both sizes at which it was more."""
