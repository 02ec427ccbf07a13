"""Growth (增长曲线): what an append, a check, a history, a proof, an audit and an entry cost as the ledger gets larger.

There is a ledger of each size, with histories of the same length, and everything is measured on it; beside each figure
stands how many Ed25519 verifies of the same moment it is, so that tables of two machines can be compared.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from random import Random

from benchmarks.folders import fresh_folder
from benchmarks.grown import GrownLedger
from benchmarks.http_client import answers_per_second
from benchmarks.measure import BenchError
from benchmarks.median import median_ms
from benchmarks.rows import samples
from benchmarks.rows.api import fill_check_request
from benchmarks.rows.store_peers import median_proof_ms
from benchmarks.yardstick import verify_us
from cylinder_trace.events import Record
from processes import ServerError
from town_service import AccessError, running_town, station_in

SIZES = (10_000, 100_000, 1_000_000)
_TRACE = Path(sys.executable).with_name("cylinder-trace")
_TOWN = 500
_SEED = 20_261_122
_SINGLE, _BATCHES, _BATCH = 50, 10, 1000
_CHECKS, _HISTORIES, _PROOFS = 200, 200, 500
_CHECKED_BEFORE = 50


@dataclass(frozen=True, slots=True)
class Curve:
    """One thing that is measured at every size."""

    name: str
    zh: str
    en: str
    unit: str


CURVES = (
    Curve("append_one", "单条写入", "one append, durable", "ms"),
    Curve("append", "批量写入", "an entry of a batch of 1,000", "µs"),
    Curve("check", "准充请求", "a fill check over HTTP, one at a time", "ms"),
    Curve("history", "历史证明包", "a history of 50 entries with its proof", "ms"),
    Curve("proof", "包含证明", "an inclusion proof", "ms"),
    Curve("audit", "全账审计", "a full audit, each entry", "µs"),
    Curve("disk", "磁盘占用", "the disk that an entry takes", "bytes"),
)


@dataclass(frozen=True, slots=True)
class Point:
    """All figures at one size, in the units of their curves; `verify_us` is one Ed25519 verify in that moment."""

    entries: int
    verify_us: float
    figures: dict[str, float]


def grow(sizes: Sequence[int], say: Callable[[str], None]) -> Iterator[Point]:
    """The figures at each of `sizes`, rising. Raises BenchError."""
    for size in sizes:
        with fresh_folder() as folder:
            grown = GrownLedger(folder, size, _TOWN)
            grown.grow_to(size)
            say(f"measuring at {size:,} entries …")
            yield Point(size, verify_us(), _figures(grown))


def as_json(points: Sequence[Point]) -> list[dict[str, object]]:
    """The points as they are kept in a file."""
    return [asdict(point) for point in points]


def _figures(grown: GrownLedger) -> dict[str, float]:
    with grown.opened() as ledger:
        drawn, total = Random(_SEED), ledger.reader.size()
        bytes_per_entry = _bytes_below(grown.folder / "data") / total
        history = median_ms(repeat(lambda: ledger.reader.bundle(_subject(drawn, grown)), _HISTORIES))
        indices = [drawn.randrange(total) for _ in range(_PROOFS)]
        proof = median_proof_ms(ledger.reader.tile, total, indices)
        numbers = iter(range(10**9, 2 * 10**9))
        one = median_ms(repeat(lambda: ledger.append([_fill(next(numbers), grown)]), _SINGLE))
        batches = [[_fill(next(numbers), grown) for _ in range(_BATCH)] for _ in range(_BATCHES)]
        waiting = iter(batches)
        batch = median_ms(repeat(lambda: ledger.append(next(waiting)), _BATCHES))
        ledger.publisher.publish()
        total = ledger.reader.size()
    return {
        "append_one": one,
        "append": 1000 * batch / _BATCH,
        "check": _check_ms(grown),
        "history": history,
        "proof": proof,
        "audit": _audit_us(grown, total),
        "disk": bytes_per_entry,
    }


def _subject(drawn: Random, grown: GrownLedger) -> str:
    return samples.registration(drawn.randrange(grown.cylinders)).subject


def _fill(number: int, grown: GrownLedger) -> Record:
    return samples.fill(number, number % grown.cylinders)


def _check_ms(grown: GrownLedger) -> float:
    try:
        with running_town(grown.folder, grown.town) as town:
            station, port = station_in(town), town.port
            first = time.time_ns()
            asked = [fill_check_request(station, port, first + number) for number in range(_CHECKED_BEFORE + _CHECKS)]
            answers_per_second(port, asked[:_CHECKED_BEFORE], connections=1)
            return 1000 / answers_per_second(port, asked[_CHECKED_BEFORE:], connections=1)
    except (ServerError, AccessError) as error:
        raise BenchError(str(error)) from error


def _audit_us(grown: GrownLedger, size: int) -> float:
    started = time.perf_counter()
    command = [str(_TRACE), "audit", str(grown.folder / "data"), "--jobs", "1", "--json"]
    audited = subprocess.run(command, capture_output=True, text=True, check=False)
    if audited.returncode:
        raise BenchError(f"the audit at {size:,} entries ended with {audited.returncode}: {audited.stderr.strip()}")
    return 1e6 * (time.perf_counter() - started) / size


def _bytes_below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
