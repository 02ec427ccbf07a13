"""Several processes write one log at the same time: no gap, no fork, no double, one line of checkpoints.

On PostgreSQL that is how a service is kept running; on SQLite it must not happen, and does no harm when it does.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from cylinder_trace.checkpoint import open_checkpoint
from cylinder_trace.store import line
from cylinder_trace.store.database import LedgerInUse
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.publisher import Publisher
from cylinder_trace.store.unit import Batch
from laws import writing
from laws.crash import promised_in, wait_until_let_go
from laws.sound import assert_kept, assert_nothing_doubled, assert_published, assert_replays, assert_sound
from laws.writing import THREADS, Life
from ledgers.homes import KEY, Home, registered

_STANDS_STILL_S = 1
"""How long a process that stands still may hold a lock in these tests."""


def soon(happened: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def shown_size(folder: Path) -> int:
    """The size in the public file, whose signature must always be good."""
    path = folder / "log" / "checkpoint"
    return open_checkpoint(path.read_text(encoding="utf-8"), [KEY.verifying_key]).size if path.exists() else 0


@contextmanager
def watched(folder: Path) -> Iterator[list[int]]:
    """The sizes that somebody sees who reads the public file again and again."""
    seen = [shown_size(folder)]
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen.append(shown_size(folder))
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


@contextmanager
def at_work(*writers: BaseProcess) -> Iterator[None]:
    """Writers that are killed at the end of the block."""
    try:
        yield
    finally:
        for writer in writers:
            writer.kill()
            writer.join()


def lives(home: Home, count: int) -> list[Life]:
    """Writers of one home, each with threads and a file of receipts of its own."""
    return [Life(home, home.folder / f"acknowledged-{at}", first=at * THREADS, gather_s=0.005) for at in range(count)]


def assert_one_log(home: Home, told: list[Life], said: str) -> None:
    wait_until_let_go(home)
    with home.open() as ledger:
        ledger.publisher.publish()
        for life in told:
            assert_kept(ledger, promised_in(life.acknowledged), said)
        assert_published(home, ledger, said)
        assert_nothing_doubled(ledger, said)
        assert_replays(ledger, said)
    assert_sound(home, said)


def answers(life: Life) -> int:
    return len(promised_in(life.acknowledged))


def test_three_processes_on_postgresql_write_one_log_and_show_one_line_of_checkpoints(
    postgres_url: str, tmp_path: Path
) -> None:
    told = lives(Home(postgres_url, tmp_path), 3)
    with watched(tmp_path) as seen, at_work(*(writing.begin(life) for life in told)):
        soon(lambda: all(answers(life) > 30 for life in told) and seen[-1] > 100)
    assert seen == sorted(seen), "an older checkpoint was put over a newer one"
    assert_one_log(told[0].home, told, "three at once")


def test_a_process_that_is_slow_with_the_file_never_puts_an_older_checkpoint_over_a_newer_one(
    postgres_url: str, tmp_path: Path
) -> None:
    slow, quick = lives(Home(postgres_url, tmp_path), 2)
    with watched(tmp_path) as seen, at_work(writing.fork(slow_with_the_file, slow), writing.begin(quick)):
        soon(lambda: seen[-1] > 60 and answers(slow) > 10)
        time.sleep(0.5)
    assert seen == sorted(seen), "an older checkpoint was put over a newer one"
    assert_one_log(slow.home, [slow, quick], "one slow, one quick")


def slow_with_the_file(life: Life) -> None:
    real = LogFiles.publish

    def publish(files: LogFiles, note: str) -> None:
        time.sleep(0.1)
        real(files, note)

    setattr(LogFiles, "publish", publish)  # noqa: B010
    writing.live(life)


def test_a_leader_that_is_killed_is_followed_by_another_at_once(postgres_url: str, tmp_path: Path) -> None:
    leader, other = lives(Home(postgres_url, tmp_path), 2)
    with other.home.open() as ledger:
        ledger.append([registered(1_000_001)])
    dying = writing.begin(leader._replace(point="after_tiles_before_checkpoint_row"))
    dying.join(60)
    assert dying.exitcode == -signal.SIGKILL
    with other.home.open() as ledger:
        assert ledger.publisher.wait_published(ledger.reader.size(), timeout_s=30)
    assert_one_log(leader.home, [leader], "the leader was killed")


def test_a_second_process_on_one_sqlite_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    first = lives(Home(f"sqlite:///{tmp_path}/ledger.db", tmp_path), 1)[0]
    with at_work(writing.begin(first)):
        soon(lambda: answers(first) > 10)
        with pytest.raises(LedgerInUse, match=r"^another process already writes .*ledger\.db; stop it first"):
            first.home.open().__enter__()
    assert_one_log(first.home, [first], "the second was refused")


def test_two_processes_on_sqlite_whose_lock_file_was_removed_by_hand_still_write_one_log(tmp_path: Path) -> None:
    first, second = lives(Home(f"sqlite:///{tmp_path}/ledger.db", tmp_path), 2)
    with at_work(writing.begin(first)):
        soon(lambda: answers(first) > 10)
        (tmp_path / "ledger.db.lock").unlink()
        with at_work(writing.begin(second)):
            soon(lambda: answers(second) > 30 and answers(first) > 60 and shown_size(tmp_path) > 60)
    assert_one_log(first.home, [first, second], "the lock file was removed")


@pytest.mark.parametrize("holding", ["publishing", "writing"])
def test_a_process_that_stands_still_with_a_lock_in_its_hand_loses_it(
    holding: str, postgres_url: str, tmp_path: Path
) -> None:
    stopped, other = lives(Home(postgres_url, tmp_path), 2)
    still = writing.fork(stand_still, stopped, holding)
    pid = still.pid or 0
    with at_work(still):
        soon(lambda: state_of(pid) == "T")
        with at_work(writing.begin(other)):
            soon(lambda: answers(other) > 20 and shown_size(tmp_path) > 20)
            os.kill(pid, signal.SIGCONT)
            before = answers(stopped)
            soon(lambda: answers(stopped) > before + 10)
    assert_one_log(other.home, [stopped, other], f"one stood still while {holding}")


def stand_still(life: Life, holding: str) -> None:
    """A writer that stops for a while in the middle, once, as a process does whose machine sleeps."""
    line.LET_GO_AFTER_S = _STANDS_STILL_S
    owner, name = (Publisher, "_signed") if holding == "publishing" else (Batch, "flush")
    real = getattr(owner, name)

    def stop_once(*values: object) -> object:
        setattr(owner, name, real)
        os.kill(os.getpid(), signal.SIGSTOP)
        return real(*values)

    setattr(owner, name, stop_once)
    writing.live(life)


def state_of(pid: int) -> str:
    """R, S, T …; T is a process that was stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
