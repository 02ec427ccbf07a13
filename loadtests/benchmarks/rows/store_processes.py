"""The row about several processes that write one ledger on PostgreSQL."""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.folders import fresh_folder
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.rows.store import BATCH
from benchmarks.rows.store_postgres import fresh_server
from benchmarks.worker import Worker, running_worker
from cylinder_codes.keys import SEED_BYTES, SigningKey, format_signer, format_vkey
from servers.postgres import DRIVER, fresh_database

_WRITERS = 4
_CYLINDERS = 10_000
"""More than a process remembers from one commit to the next: a cylinder comes back after weeks, not at once."""
_AUDIT = Path(sys.executable).with_name("cylinder-trace")


@contextmanager
def _prepare_processes(scale: Scale) -> Iterator[Pair]:
    # 16 turns of 64 batches at the large size: a million entries
    batches = _WRITERS * scale.count(1.6)
    key = SigningKey("bench.example/ledger", secrets.token_bytes(SEED_BYTES))
    with fresh_folder() as folder, fresh_server() as server, fresh_database(server) as url:
        with ExitStack() as stack:
            writers = [
                stack.enter_context(running_worker("ledger_writer", folder, number=number))
                for number in range(_WRITERS)
            ]
            shared = _SharedLedger(writers, {"url": url, "folder": str(folder), "signer": format_signer(key)})
            yield Pair(ours=lambda: shared.append(writers, batches), other=lambda: shared.append(writers[:1], batches))
        require_whole(url, format_vkey(key.verifying_key), shared.entries)


class _SharedLedger:
    """One ledger and the processes that have it open."""

    def __init__(self, writers: Sequence[Worker], place: dict[str, str]) -> None:
        self._first, self._next = writers[0], 0
        for writer in writers:
            writer.ask(**place, cylinders=_CYLINDERS)
        self.entries: int = self._first.ask(do="register")
        """What the log must hold: all that was answered."""

    def append(self, writers: Sequence[Worker], batches: int) -> float:
        """Entries a second, when these writers share `batches`; what is left to publish does not count."""
        share = batches // len(writers)
        for writer in writers:
            writer.begin(do="prepare", first=self._next, batches=share)
            self._next += share * BATCH
        for writer in writers:
            writer.end()
        started = time.perf_counter()
        for writer in writers:
            writer.begin(do="append")
        appended = sum(writer.end() for writer in writers)
        took_s = time.perf_counter() - started
        self.entries += appended
        self._first.ask(do="publish")
        print(f"  written: {self.entries:,} entries", file=sys.stderr)
        return float(appended / took_s)


def require_whole(url: str, vkey: str, entries: int) -> None:
    """Audit the ledger at `url`, states and all; raises BenchError unless it holds exactly `entries` and no fault."""
    print(f"  auditing {entries:,} entries", file=sys.stderr)
    command = [str(_AUDIT), "audit", url.replace(DRIVER, "postgresql", 1), "--vkey", vkey, "--json"]
    audited = subprocess.run(command, capture_output=True, text=True, check=False)
    if not audited.stdout:
        raise BenchError(f"what the processes wrote could not be audited: {audited.stderr.strip()[-300:]}")
    report = json.loads(audited.stdout.splitlines()[-1])
    if report["faults"] or not report["ok"]:
        raise BenchError(f"what the processes wrote has faults: {report['faults'][:3]}")
    if report["entries"] != entries or report["size"] != entries:
        raise BenchError(f"{entries} entries were answered, the log holds {report['entries']}")


POSTGRES_PROCESSES = Row(
    name="store.postgres_processes",
    unit="/s",
    better="higher",
    goal=1.0,
    kind="bound",
    against="one process of the same four that writes the same batches alone, the other three idle",
    prepare=_prepare_processes,
    sizes="large",
)
"""Four processes write one ledger on PostgreSQL, 1,000 fills a transaction; then every entry of it is audited."""
