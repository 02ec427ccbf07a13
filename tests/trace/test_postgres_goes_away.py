"""PostgreSQL is stopped, killed or cut off under load: every caller gets a clear answer, and the ledger goes on.

No ledger object is opened again in these tests, and none of its threads may have ended.
"""

import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from cylinder_trace.store.database import StoreError
from cylinder_trace.store.ledger import Ledger
from laws.sound import assert_kept, assert_nothing_doubled, assert_published, assert_replays, assert_sound
from laws.writing import THREADS, line_of, records_of
from ledgers.homes import Home, bound, registered
from servers.postgres import fresh_database
from servers.stoppable import LosingLine, StoppablePostgres, cut_all_others, stoppable_postgres

NOT_RECORDED = "nothing of this was recorded"
UNKNOWN = "ask again with the same id"


@pytest.fixture(scope="module")
def server() -> Iterator[StoppablePostgres]:
    with stoppable_postgres() as started:
        yield started


@dataclass
class Load:
    """Callers that append and ask again with the same ids until they are answered, and one reader."""

    ledger: Ledger
    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    """Ids that were stored although each answer so far said that they were not."""
    read: int = 0
    not_read: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Load":
        acts = [lambda number=number: self._write(number) for number in range(THREADS)]
        self._threads = [threading.Thread(target=act) for act in (*acts, self._read)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a caller never got an answer"

    def _write(self, number: int) -> None:
        for turn in itertools.count():
            said = ""
            while not self._over.is_set():
                try:
                    receipts = self.ledger.append(records_of(number, turn))
                except StoreError as error:
                    said += str(error)
                    self.refused.append(str(error))
                    time.sleep(0.01)
                    continue
                if receipts[0].replayed and UNKNOWN not in said:
                    self.untrue.append(receipts[0].id)
                self.acknowledged += map(line_of, receipts)
                break
            if self._over.is_set():
                return

    def _read(self) -> None:
        while not self._over.is_set():
            try:
                self.ledger.reader.state("cylinder/cyl_0")
                self.read += 1
            except DBAPIError:
                self.not_read += 1
            time.sleep(0.005)


def soon(happened: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def assert_goes_on(home: Home, ledger: Ledger, load: Load) -> None:
    """Everybody is answered again, nothing is lost or doubled, publishing has caught up, every thread lives."""
    before, read = len(load.acknowledged), load.read
    soon(lambda: len(load.acknowledged) > before + 40 and load.read > read + 5)
    load.__exit__()
    assert load.untrue == []
    assert all(alive(name) for name in ("group-commit", "publisher"))
    assert_kept(ledger, load.acknowledged, "afterwards")
    assert ledger.publisher.wait_published(ledger.reader.size(), timeout_s=30)
    ledger.publisher.publish()
    assert_published(home, ledger, "afterwards")
    assert_nothing_doubled(ledger, "afterwards")
    assert_replays(ledger, "afterwards")
    assert_sound(home, "afterwards")


def alive(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], ids=["fast", "immediate", "killed"])
def test_a_server_that_is_stopped_under_load_and_started_again_costs_nothing_but_time(
    how: signal.Signals, server: StoppablePostgres, tmp_path: Path
) -> None:
    with fresh_database(server.url) as url:
        home = Home(url, tmp_path)
        with home.open() as ledger, Load(ledger) as load:
            soon(lambda: len(load.acknowledged) > 100)
            server.stop(how)
            soon(lambda: len(load.refused) > 20 and load.not_read > 3)
            server.start()
            assert_goes_on(home, ledger, load)


def test_connections_that_are_cut_again_and_again_under_load_cost_nothing_but_time(
    postgres_url: str, tmp_path: Path
) -> None:
    home = Home(postgres_url, tmp_path)
    with home.open() as ledger, Load(ledger) as load:
        for cut in range(15):
            soon(lambda: len(load.acknowledged) > 20 * (cut + 1))  # noqa: B023
            cut_all_others(postgres_url)
        assert load.refused
        assert_goes_on(home, ledger, load)


def test_a_commit_whose_answer_is_lost_is_not_said_to_be_lost_and_asking_again_finds_it(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cylinder_trace.store.publisher._GATHER_S", 60.0)  # its commits are not to be the lost ones
    address = make_url(postgres_url)
    line = LosingLine(address.port or 5432)
    url = address.set(port=line.port).render_as_string(hide_password=False)
    with Home(url, tmp_path).open() as ledger:
        ledger.append([registered(1)])
        line.lose_next.set()
        with pytest.raises(StoreError, match=UNKNOWN) as told:
            ledger.append([bound(1)])
        assert NOT_RECORDED not in str(told.value)
        assert ledger.append([bound(1)])[0].replayed
        assert ledger.reader.size() == 2
    line.close()
