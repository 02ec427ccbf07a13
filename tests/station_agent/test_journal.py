"""The journal: one chain, on the disk before anything follows, and closed to everything when the disk fails."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from cylinder_api.acts.journal import SignedHead, read_lines
from cylinder_trace.events import Record, Returned, state_event
from station_agent.journal import Journal, JournalBroken, Start
from stations.bench import DEVICE, DEVICE_KEY

START = Start("chk_1", None, "cyl_1", "scale-1", 1, "w-1", 16_500, 16_600, 31_000, 1_000, 16_600)


def _record(number: int) -> Record:
    event = Returned(station_id="station-1")
    return state_event(event, id=f"r{number}", subject="cylinder/c1", occurred_at=1_000 + number, by="station-1")


def _append_many(journal: Journal, numbers: Iterable[int]) -> None:
    for number in numbers:
        journal.append(_record(number))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(file: Path) -> Iterator[Journal]:
    journal = Journal(file, DEVICE, DEVICE_KEY)
    yield journal
    journal.close()


def test_records_form_one_chain_that_the_service_accepts(journal: Journal) -> None:
    for number in range(5):
        journal.append(_record(number))
    assert journal.verify() == journal.length == 5
    lines = journal.lines(2)
    head = SignedHead.model_validate(journal.sign_head(lines[-1]))
    read, trouble = read_lines([line.text.decode() for line in lines], DEVICE, head)
    assert [line.seq for line in read] == [2, 3, 4]
    assert trouble is None


def test_many_lanes_write_one_chain(journal: Journal) -> None:
    threads = [
        threading.Thread(target=lambda lane=lane: [journal.append(_record(10 * lane + n)) for n in range(5)])
        for lane in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.verify() == 40


def test_the_same_record_again_changes_nothing_and_another_under_its_id_is_refused(journal: Journal) -> None:
    first = journal.append(_record(1))
    assert journal.append(_record(1)) == first
    assert journal.length == 1
    with pytest.raises(JournalBroken):
        journal.append(_record(1).model_copy(update={"occurred_at": 5}))


def test_the_chain_goes_on_after_a_restart(journal: Journal, file: Path) -> None:
    journal.append(_record(1))
    again = Journal(file, DEVICE, DEVICE_KEY)
    again.append(_record(2))
    assert again.verify() == 2
    assert again.last_at == 1_002
    again.close()


def test_a_start_is_open_until_its_record_is_on_the_disk(journal: Journal) -> None:
    journal.begin(START)
    journal.weighed(START, 20_000)
    assert [start.seen_gross_g for start in journal.open_starts("scale-1")] == [20_000]
    assert journal.open_starts("scale-2") == []
    journal.append(_record(1), closes="chk_1")
    assert journal.open_starts() == []


def test_what_the_service_answered_is_not_sent_again(journal: Journal) -> None:
    for number in range(4):
        journal.append(_record(number))
    journal.settle([(0, "stored", 70), (1, "disputed", 71)])
    assert (journal.unsent_count(), journal.first_unsent(), journal.disputed_count()) == (2, 2, 1)
    assert [(record.id, index) for record, index in journal.unseen(71)] == [("r1", 71), ("r2", None), ("r3", None)]


def test_a_full_disk_takes_nothing_and_says_so(journal: Journal) -> None:
    journal.append(_record(0))
    pages = journal._one("pragma page_count")
    journal._rows(f"pragma max_page_count = {pages}")
    with pytest.raises(JournalBroken, match="Valves stay shut"):
        _append_many(journal, range(1, 500))
    journal._rows("pragma max_page_count = 1000000")
    before = journal.length
    journal.append(_record(900))
    assert journal.verify() == before + 1, "once there is room again, the chain goes on"


@pytest.mark.parametrize(
    "change",
    [
        "update records set text = replace(text, '1002', '1009') where seq = 2",
        "update records set hash = (select hash from records where seq = 1) where seq = 2",
        "delete from records where seq = 2",
    ],
)
def test_a_changed_journal_is_found(journal: Journal, file: Path, change: str) -> None:
    for number in range(4):
        journal.append(_record(number))
    with sqlite3.connect(file) as other:
        other.execute(change)
    other.close()
    with pytest.raises(JournalBroken, match=r"record [23] .*keep its folder.*enrol this machine anew"):
        journal.verify()


def test_a_file_that_is_no_journal_or_another_devices_is_refused(tmp_path: Path, journal: Journal) -> None:
    (tmp_path / "noise.db").write_bytes(b"noise" * 1_000)
    with pytest.raises(JournalBroken, match="enrol this machine anew"):
        Journal(tmp_path / "noise.db", DEVICE, DEVICE_KEY)
    with pytest.raises(JournalBroken, match=r"belongs to device .* put back the folder"):
        Journal(tmp_path / "journal.db", "dev_other", DEVICE_KEY)
