"""One of several processes that write one ledger: batches of 1,000 fills, made before the clock starts."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.callers import made_ahead
from benchmarks.json_lines import answer_all
from benchmarks.rows import samples
from cylinder_codes.keys import parse_signer
from cylinder_trace.events import Record
from cylinder_trace.store.ledger import Ledger

_BATCH = 1000
_PATIENCE_S = 120.0


def instructions(ledger: Ledger, cylinders: int) -> dict[str, Callable[..., object]]:
    """What the writer can be told to do."""
    prepared: list[list[Record]] = []

    def register() -> int:
        starts = range(0, cylinders, _BATCH)
        batches = ([samples.registration(n) for n in range(start, start + _BATCH)] for start in starts)
        return sum(len(ledger.append(batch)) for batch in batches)

    def prepare(first: int, batches: int) -> int:
        """Make the fills from number `first` on."""
        starts = range(first, first + batches * _BATCH, _BATCH)
        prepared[:] = [[samples.fill(n, n % cylinders) for n in range(start, start + _BATCH)] for start in starts]
        return batches

    def append() -> int:
        with made_ahead():
            return sum(len(ledger.append(batch)) for batch in prepared)

    def publish() -> int:
        """Have everything published, by whichever process leads; answers with the log's size."""
        size = ledger.reader.size()
        if not ledger.publisher.wait_published(size, _PATIENCE_S):
            raise TimeoutError(f"{size} entries were not published in {_PATIENCE_S:.0f} s")
        return size

    return {"register": register, "prepare": prepare, "append": append, "publish": publish}


def main() -> None:
    """The first line says which ledger; do what the others say until nothing more is said."""
    opening = json.loads(sys.stdin.readline())
    url, folder, signer = opening["url"], Path(opening["folder"]), parse_signer(opening["signer"])
    with Ledger(url, folder, signer, lambda: time.time_ns() // 1_000_000) as ledger:
        print(json.dumps(ledger.reader.size()), flush=True)
        answer_all(instructions(ledger, opening["cylinders"]))


if __name__ == "__main__":
    main()
