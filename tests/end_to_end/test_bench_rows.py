"""What rows of the table rest on: a ledger grown to a size, an audit afterwards, a look at what is published."""

import os
import sys
import time
from pathlib import Path

# the load tests are no installed package
sys.path.insert(0, str(Path(__file__).parents[2] / "loadtests"))

import pytest

from benchmarks.callers import Answered
from benchmarks.catalogue import ROWS
from benchmarks.grown import GrownLedger
from benchmarks.machine import resident_mb, run_measured
from benchmarks.measure import BenchError, Row, Scale, measure
from benchmarks.rows.store_processes import require_whole
from benchmarks.rows.store_published import PUBLISHED_WHEN_WAITING_P99, Watch
from benchmarks.worker import running_worker
from cylinder_codes.keys import format_vkey
from ledgers.homes import KEY, Home, registered

TINY = Scale("tiny", repeats=1, factor=0.01)


def test_a_ledger_grows_from_row_to_row_to_exactly_the_size_asked_for_and_all_of_it_is_published(
    tmp_path: Path,
) -> None:
    grown = GrownLedger(tmp_path, largest=100, town=200)
    with grown.opened() as ledger:
        town = ledger.reader.size()
    for asked, grown_to in ((60, 60), (20, 60), (100, 100)):
        grown.grow_to(asked)
        with grown.opened() as ledger:
            newest = ledger.reader.checkpoint()
            assert newest is not None
            assert newest[0] == ledger.reader.size() == town + grown_to


def test_what_several_processes_wrote_must_hold_as_many_entries_as_were_answered(
    postgres_url: str, tmp_path: Path
) -> None:
    with Home(postgres_url, tmp_path).open() as ledger:
        ledger.append([registered(number) for number in range(5)])
    vkey = format_vkey(KEY.verifying_key)
    require_whole(postgres_url, vkey, 5)
    with pytest.raises(BenchError, match="6 entries were answered, the log holds 5"):
        require_whole(postgres_url, vkey, 6)


def test_the_wait_for_a_checkpoint_counts_from_the_answer_to_the_first_that_covers_the_entry(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    checkpoint.write_text("log.example\n2\nroot\n")
    with Watch(checkpoint) as watch:
        watch.wait_for(1)
        answered = Answered(2, time.perf_counter(), time.perf_counter())
        newer = tmp_path / "newer"
        newer.write_text("log.example\n3\nroot\n")
        newer.replace(checkpoint)
        watch.wait_for(2)
        (early, late) = watch.waits([answered._replace(log_index=0), answered])
    assert early == 0.0
    assert late > 0.0


def test_a_worker_that_ends_early_is_told_with_its_last_words(tmp_path: Path) -> None:
    with running_worker("ledger_writer", tmp_path) as worker, pytest.raises(BenchError, match="ledger_writer ended"):
        worker.ask(url="nothing", folder=str(tmp_path), signer="no key", cylinders=1)


def test_the_memory_of_a_process_is_known_and_of_none_is_an_error() -> None:
    assert resident_mb(os.getpid()) > 1
    with pytest.raises(BenchError, match="/proc"):
        resident_mb(-1)


def test_what_a_command_had_resident_is_its_own_and_not_that_of_whoever_measures_it() -> None:
    ballast = b"x" * 300_000_000
    code, printed, most_mb = run_measured([sys.executable, "-c", "print('said'); raise SystemExit(3)"])
    assert (code, printed) == (3, "said")
    assert 1 < most_mb < 100 < len(ballast) / 1e6


@pytest.mark.parametrize("row", [row for row in ROWS if row.sizes == "large"], ids=lambda row: str(row.name))
def test_a_row_that_takes_minutes_at_the_large_size_runs_at_a_tiny_one(row: Row) -> None:
    assert measure(row, TINY).ours > 0


def test_waiting_for_the_checkpoint_is_really_measured() -> None:
    result = measure(PUBLISHED_WHEN_WAITING_P99, TINY)
    assert result.ours > 0
