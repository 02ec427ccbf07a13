"""Large ledgers that several rows share: built once in a run, grown from row to row, gone when the run ends.

Each lies in the data folder of a service with a small generated town, so that a service can be started on it.
"""

import atexit
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from benchmarks.folders import fresh_folder
from benchmarks.measure import BenchError, Scale
from benchmarks.rows import samples
from cylinder_codes.keys import parse_signer
from cylinder_trace.events import Record
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.ledger import Ledger
from town_service import API

_HISTORY = 50
"""Entries of each cylinder, at any size."""
_BATCH = 1000
_SMALLEST_TOWN = 200
_SAY_EVERY_S = 5.0

_until_the_end = ExitStack()
atexit.register(_until_the_end.close)


class GrownLedger:
    """A data folder whose ledger gets as large as it is asked to be."""

    def __init__(self, folder: Path, largest: int, town: int) -> None:
        """A folder for up to `largest` entries behind those of a town of `town` cylinders; raises BenchError."""
        self.folder, self.town = folder, town
        self.cylinders = max(1, largest // _HISTORY)
        self._done = 0
        made = [str(API), "seed", "--data", str(folder / "data"), "--cylinders", str(town)]
        seeded = subprocess.run(made, capture_output=True, text=True, check=False)
        if seeded.returncode:
            raise BenchError(f"no town was generated: {seeded.stderr.strip()}")

    def grow_to(self, entries: int) -> None:
        """Append and publish until `entries` follow on the town's; raises BenchError."""
        if entries <= self._done:
            return
        try:
            with self.opened() as ledger:
                self._append(ledger, entries)
                ledger.publisher.publish()
        except StoreError as error:
            raise BenchError(f"the ledger of {entries:,} entries could not be built: {error}") from error

    @contextmanager
    def opened(self) -> Iterator[Ledger]:
        """The ledger, open in this process."""
        data = self.folder / "data"
        key = parse_signer((data / "keys" / "log.key").read_text(encoding="ascii"))
        url = f"sqlite:///{data / 'ledger.db'}"
        with Ledger(url, data, key, lambda: time.time_ns() // 1_000_000) as ledger:
            yield ledger

    def _append(self, ledger: Ledger, entries: int) -> None:
        started, before, said = time.monotonic(), self._done, time.monotonic()
        while self._done < entries:
            count = min(_BATCH, entries - self._done)
            ledger.append([self._record(number) for number in range(self._done, self._done + count)])
            self._done += count
            if time.monotonic() - said >= _SAY_EVERY_S or self._done == entries:
                said = time.monotonic()
                rate = (self._done - before) / (said - started)
                print(f"  building: {self._done:,} of {entries:,} entries, {rate:,.0f}/s", file=sys.stderr)

    def _record(self, number: int) -> Record:
        if number < self.cylinders:
            return samples.registration(number)
        return samples.fill(number, number % self.cylinders)


@cache
def large_ledger(scale: Scale) -> GrownLedger:
    """For up to 2,000,000 entries at the large size."""
    return _new(scale, 200_000)


@cache
def small_ledger(scale: Scale) -> GrownLedger:
    """The large one's small sister, a twentieth of it, with histories as long."""
    return _new(scale, 10_000)


def _new(scale: Scale, usual: int) -> GrownLedger:
    town = max(_SMALLEST_TOWN, scale.count(500))
    return GrownLedger(_until_the_end.enter_context(fresh_folder()), scale.count(usual), town)
