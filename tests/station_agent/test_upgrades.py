"""An upgrade keeps what a station has: the files of earlier versions are opened, moved up, and go on."""

import sqlite3
from pathlib import Path

import pytest

from station_agent.journal import SCHEMA_VERSION, Journal, JournalBroken
from station_agent.replica import Replica
from stations.bench import DEVICE, DEVICE_KEY

BEFORE = Path(__file__).parents[1] / "vectors" / "station"


def _of_before(name: str, folder: Path) -> Path:
    """The database as an earlier version left it."""
    file = folder / f"{name}.db"
    with sqlite3.connect(file) as database:
        database.executescript((BEFORE / f"{name}-of-before.sql").read_text("utf-8"))
    database.close()
    return file


def _texts(file: Path) -> list[tuple[int, bytes, str]]:
    with sqlite3.connect(file) as database:
        rows = database.execute("select seq, cast(text as blob), hash from records order by seq").fetchall()
    database.close()
    return rows


def test_a_journal_of_before_is_the_same_chain_and_goes_on(tmp_path: Path) -> None:
    file = _of_before("journal", tmp_path)
    before = _texts(file)
    journal = Journal(file, DEVICE, DEVICE_KEY)
    assert journal.verify() == len(before) == 3
    assert (journal.unsent_count(), journal.disputed_count(), journal.first_unsent()) == (1, 1, 2)
    assert [start.check_id for start in journal.open_starts()] == ["chk_open"]
    assert journal.closed_because is None
    record = journal.unseen(0)[-1][0].model_copy(update={"id": "after-the-upgrade", "device": None})
    journal.append(record)
    assert journal.verify() == 4
    journal.close()
    assert _texts(file)[:3] == before
    with sqlite3.connect(file) as database:
        assert database.execute("pragma user_version").fetchone() == (SCHEMA_VERSION,)
    database.close()


def test_an_upgrade_that_is_cut_off_is_made_again(tmp_path: Path) -> None:
    file = _of_before("journal", tmp_path)
    with sqlite3.connect(file) as database:
        database.execute("create index unsent on records (seq) where status is null")
    database.close()
    journal = Journal(file, DEVICE, DEVICE_KEY)
    assert journal.verify() == 3
    journal.close()


def test_a_journal_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = _of_before("journal", tmp_path)
    with sqlite3.connect(file) as database:
        database.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")
    database.close()
    before = _texts(file)
    with pytest.raises(JournalBroken, match="newer station-agent"):
        Journal(file, DEVICE, DEVICE_KEY)
    assert _texts(file) == before


def test_a_replica_of_before_is_known_without_the_service(tmp_path: Path) -> None:
    replica = Replica(_of_before("replica", tmp_path), "station-1", DEVICE_KEY.seed)
    assert not replica.was_damaged
    assert replica.known is not None
    assert (replica.known.version, replica.cylinder_count()) == (10, 1)
    assert replica.reference() is not None
    replica.close()


def test_a_list_of_codes_of_before_is_fetched_anew(tmp_path: Path) -> None:
    file = tmp_path / "replica.db"
    replica = Replica(file, "station-1", DEVICE_KEY.seed)
    replica._put_fact("dead", {"version": 7, "as_of": 9, "bits": "AAAA"})  # as it was kept before
    replica.close()
    again = Replica(file, "station-1", DEVICE_KEY.seed)
    assert again.dead is None
    assert not again.was_damaged
    again.close()
