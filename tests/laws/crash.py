"""Law: pull the plug at any moment; nothing acknowledged is lost, nothing is doubled, the audit passes.

Afterwards publishing goes on, states are what the entries add up to, and whoever asks again with the same ids gets the
same receipts.
"""

import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from sqlalchemy import create_engine, text

from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.publishing import publishing_of
from cylinder_trace.store.unit import Unit
from laws import own_server, writing
from laws.sound import assert_kept, assert_nothing_doubled, assert_published, assert_replays, assert_sound
from laws.writing import THREADS, Life, line_of, records_of
from ledgers.homes import KEY, Home
from servers.postgres import fresh_database

_LONGEST_S = 0.3


def on_sqlite(seed: int, folder: Path) -> None:
    """One run on SQLite."""
    check(seed, Home(f"sqlite:///{folder}/ledger.db", folder))


def on_postgresql(seed: int, folder: Path) -> None:
    """One run on PostgreSQL, in a database of its own on a server that all runs of this process share."""
    with fresh_database(*own_server.url_and_template()) as url:
        check(seed, Home(url, folder))


def check(seed: int, home: Home) -> None:
    """One run: a process writes from several threads, is killed at a random moment, and the ledger opens again."""
    dice = random.Random(seed)
    acknowledged = home.folder / "acknowledged"
    writer = writing.begin(Life(home, acknowledged, dice.choice((0, 0, 250, 600)), gather_s=dice.choice((0, 0.05))))
    _wait_for_first(acknowledged, writer)
    time.sleep(dice.uniform(0, _LONGEST_S))
    writer.kill()
    writer.join()
    survives(home, acknowledged, f"seed {seed}")


def survives(home: Home, acknowledged: Path, said: str) -> list[bool]:
    """Assert the law over what a dead writer left; for each thread, whether its request under way was stored."""
    promised = promised_in(acknowledged)
    wait_until_let_go(home)
    assert_sound(home, f"{said}, before it is opened")
    with Ledger(home.url, home.folder, KEY, home.clock, publishing_of(home.folder)) as ledger:
        assert_kept(ledger, promised, said)
        stored = _ask_again(ledger, promised, said)
        ledger.publisher.publish()
        assert_published(home, ledger, said)
        assert_nothing_doubled(ledger, said)
        assert_replays(ledger, said)
    assert_sound(home, said)
    return stored


def promised_in(acknowledged: Path) -> list[str]:
    """The noted receipts; the last line may be half written."""
    return acknowledged.read_text().split("\n")[:-1] if acknowledged.exists() else []


def _ask_again(ledger: Ledger, promised: list[str], said: str) -> list[bool]:
    """Every request again that was answered, and the one of each thread that was under way: was that one stored?"""
    noted = set(promised)
    return [ledger.transact(lambda unit: _told_again(unit, number, noted, said)) for number in range(THREADS)]  # noqa: B023


def _told_again(unit: Unit, number: int, noted: set[str], said: str) -> bool:
    turn, receipts = 0, unit.append_all(records_of(number, 0))
    while not noted.isdisjoint(told := [line_of(receipt) for receipt in receipts]):
        assert all(receipt.replayed for receipt in receipts), f"{said}: {told} was recorded twice"
        assert noted.issuperset(told), f"{said}: asked again, the receipts are others: {told}"
        turn, receipts = turn + 1, unit.append_all(records_of(number, turn + 1))
    assert len({receipt.replayed for receipt in receipts}) == 1, f"{said}: half of a request was stored: {told}"
    return receipts[0].replayed


def _wait_for_first(acknowledged: Path, writer: BaseProcess) -> None:
    deadline = time.monotonic() + 120
    while not (acknowledged.exists() and acknowledged.stat().st_size):
        assert writer.is_alive(), "the writer ended by itself"
        assert time.monotonic() < deadline, "the writer acknowledged nothing within 120 s"
        time.sleep(0.005)


def wait_until_let_go(home: Home) -> None:
    """PostgreSQL notices a little later that its client has died; until then its last word may still be coming."""
    if home.url.startswith("sqlite"):
        return
    engine = create_engine(home.url)
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        while connection.scalar(others):
            connection.rollback()  # the view stands still within a transaction
            time.sleep(0.005)
    engine.dispose()
