"""The store on its two homes: the same sentences hold on SQLite and on PostgreSQL."""

import threading
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace.audit import Auditor, read_vkey
from cylinder_trace.checkpoint import open_checkpoint
from cylinder_trace.cylinder import StateError
from cylinder_trace.events import Record
from cylinder_trace.proof import verify_bundle
from cylinder_trace.store.database import LedgerInUse, StoreError
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.publisher import IntegrityAlarm
from cylinder_trace.store.tables import MetaRow
from cylinder_trace.store.unit import CodeTaken, IdConflict, Receipt, Unit
from cylinder_trace.subjects import format_state, parse_state
from ledgers.homes import KEY, Clock, Home, bound, condemned, registered, returned, withdrawn


def audit_faults(ledger: Ledger) -> list[str]:
    auditor = Auditor(ledger.reader.checkpoints(), read_vkey(format_vkey(KEY.verifying_key)))
    auditor.check(ledger.reader.all_entries())
    return [fault.kind for fault in auditor.finish(ledger.reader.read_model()).faults]


def _append(unit: Unit, record: Record) -> Receipt:
    return unit.append(record)


def test_an_appended_record_is_read_back_as_it_was_stored(ledger: Ledger) -> None:
    receipt = ledger.append([registered(1)])[0]
    stored = ledger.reader.entries()[0]
    assert (stored.index, stored.subject, stored.n) == (receipt.index, "cylinder/cyl_1", 0)
    assert stored.hash.hex() == receipt.hash


def test_entries_of_a_cylinder_form_one_chain_whatever_stands_between_them(ledger: Ledger) -> None:
    ledger.append([registered(1), registered(2), bound(1), bound(2), returned(1, "r1")])
    history = ledger.reader.history("cylinder/cyl_1")
    assert [row.n for row in history] == [0, 1, 2]
    assert [row.index for row in history] == [0, 2, 4]


def test_the_same_record_twice_gives_the_same_receipt_and_one_entry(ledger: Ledger) -> None:
    first = ledger.append([registered(1)])[0]
    again = ledger.append([registered(1)])[0]
    assert again.replayed
    assert not first.replayed
    assert (again.index, again.hash) == (first.index, first.hash)
    assert ledger.reader.size() == 1


def test_the_same_id_with_other_content_is_a_named_conflict(ledger: Ledger) -> None:
    ledger.append([registered(1)])
    with pytest.raises(IdConflict, match=r"reg\.1"):
        ledger.append([registered(1, owner="co_2")])


def test_a_record_that_cannot_follow_leaves_nothing_behind(ledger: Ledger) -> None:
    with pytest.raises(StateError):
        ledger.append([registered(1), returned(2, "r2")])
    assert ledger.reader.size() == 0


def test_one_caller_s_mistake_does_not_touch_the_neighbours_in_the_same_commit(ledger: Ledger) -> None:
    futures = [ledger.submit(partial(_append, record=registered(number))) for number in range(20)]
    bad = ledger.submit(partial(_append, record=returned(99, "r99")))
    assert [future.result().subject for future in futures] == [f"cylinder/cyl_{n}" for n in range(20)]
    with pytest.raises(StateError):
        bad.result()


def test_a_code_leads_to_one_cylinder_for_ever(ledger: Ledger) -> None:
    ledger.append([registered(1), bound(1, "SAME"), registered(2)])
    with pytest.raises(CodeTaken, match="cyl_1"):
        ledger.append([bound(2, "SAME")])
    assert ledger.reader.cylinder_id("SAME") == "cyl_1"


def test_a_code_that_died_with_its_cylinder_is_told_apart_from_one_that_is_in_use(ledger: Ledger) -> None:
    ledger.append([registered(1), bound(1, "SAME"), condemned(1), registered(2)])
    with pytest.raises(CodeTaken, match="dead for ever"):
        ledger.append([bound(2, "SAME")])
    assert ledger.reader.cylinder_id("SAME") == "cyl_1"


def test_a_withdrawn_registration_gives_its_codes_back_also_within_one_commit(ledger: Ledger) -> None:
    ledger.append([registered(1), bound(1, "SAME"), bound(1, "stamp:某厂|2019-03|00123")])
    ledger.append([withdrawn(1)])
    assert ledger.reader.cylinder_id("SAME") is None
    ledger.append([registered(2), bound(2, "SAME"), withdrawn(2), registered(3), bound(3, "SAME")])
    assert ledger.reader.cylinder_id("SAME") == "cyl_3"
    assert ledger.reader.cylinder_id("stamp:某厂|2019-03|00123") is None
    with pytest.raises(CodeTaken, match="cyl_3"):
        ledger.append([registered(4), bound(4, "SAME")])
    assert audit_faults(ledger) == []


def test_a_code_of_any_scheme_and_any_letters_is_found_as_it_was_bound(ledger: Ledger) -> None:
    codes = ["grai:09520001123450ZJ33010000017", "giai:9520001VLV/0098231", "tid:" + "F" * 80, "province:粤A12345"]
    ledger.append([registered(1), *(bound(1, code) for code in codes)])
    assert [ledger.reader.cylinder_id(code) for code in codes] == ["cyl_1"] * 4


def test_work_sees_what_it_appended_and_what_was_appended_before_it(ledger: Ledger) -> None:
    def work(unit: Unit) -> int:
        unit.append(bound(1, "NEW"))
        cylinder = unit.cylinder_by_code("NEW")
        return cylinder.n if cylinder else -1

    ledger.append([registered(1)])
    assert ledger.transact(work) == 2


def test_many_callers_at_once_lose_nothing_and_double_nothing(ledger: Ledger) -> None:
    def station(number: int) -> None:
        for turn in range(15):
            ledger.append([returned(turn % 5, f"s{number}.t{turn}")])

    ledger.append([registered(number) for number in range(5)])
    threads = [threading.Thread(target=station, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.reader.size() == 5 + 8 * 15
    assert audit_faults(ledger) == []


def test_a_checkpoint_is_published_within_a_second_or_so_and_covers_the_entry(ledger: Ledger) -> None:
    receipt = ledger.append([registered(1)])[0]
    assert ledger.publisher.wait_published(receipt.index + 1, timeout_s=60)
    newest = ledger.reader.checkpoint()
    assert newest is not None
    assert open_checkpoint(newest[1], [KEY.verifying_key]).size == 1


def test_whoever_waits_for_more_than_was_recorded_is_told_that_it_did_not_come(ledger: Ledger) -> None:
    receipt = ledger.append([registered(1)])[0]
    assert ledger.publisher.wait_published(receipt.index + 1, timeout_s=60)
    assert not ledger.publisher.wait_published(receipt.index + 2, timeout_s=0.05)


def test_a_history_bundle_verifies_with_the_log_s_key_alone(ledger: Ledger) -> None:
    ledger.append([registered(number) for number in range(300)])
    ledger.append([bound(7), returned(7, "r7")])
    assert ledger.publisher.wait_published(302, timeout_s=60)
    verdict = verify_bundle(ledger.reader.bundle("cylinder/cyl_7"), [KEY.verifying_key])
    assert (verdict.entries, verdict.size) == (3, 302)


def test_the_ledger_goes_on_where_it_stopped(home: Home) -> None:
    with home.open() as ledger:
        ledger.append([registered(1), bound(1)])
    with home.open() as ledger:
        ledger.append([returned(1, "r1")])
        assert [row.n for row in ledger.reader.history("cylinder/cyl_1")] == [0, 1, 2]
        assert audit_faults(ledger) == []


def test_the_ledger_s_clock_never_runs_backwards(home: Home) -> None:
    with home.open() as ledger:
        ledger.append([registered(1)])
        home.clock.at -= 3_600_000
        ledger.append([returned(1, "r1")])
        assert audit_faults(ledger) == []


def test_the_stored_states_equal_what_the_entries_add_up_to(ledger: Ledger) -> None:
    ledger.append([registered(1), bound(1), registered(2), returned(1, "r1")])
    assert audit_faults(ledger) == []
    for subject, state in ledger.reader.read_model().items():
        assert format_state(parse_state(subject, state)) == state


@pytest.mark.parametrize("statement", ["UPDATE entry SET n = 7", "DELETE FROM entry", "DELETE FROM checkpoint"])
def test_the_database_itself_refuses_to_rewrite_the_past(ledger: Ledger, statement: str) -> None:
    receipt = ledger.append([registered(1)])[0]
    assert ledger.publisher.wait_published(receipt.index + 1, timeout_s=60)
    with pytest.raises(DBAPIError, match="append-only"), ledger.engine.begin() as connection:
        connection.execute(text(statement))


def test_a_database_of_another_log_is_refused(home: Home) -> None:
    with home.open():
        pass
    other = SigningKey("other.example/log", bytes(range(32)))
    with pytest.raises(StoreError, match=r"other\.example"):
        Ledger(home.url, home.folder, other, Clock())


def test_a_ledger_with_fewer_entries_than_it_signed_does_not_start(home: Home) -> None:
    with home.open() as ledger:
        ledger.append([registered(1), registered(2)])
    with home.open() as ledger, ledger.engine.begin() as connection:
        drop = "DROP TRIGGER entry_no_delete" if "sqlite" in home.url else "ALTER TABLE entry DISABLE TRIGGER ALL"
        connection.execute(text(drop))
        connection.execute(text("DELETE FROM entry WHERE log_index = 1"))
    with pytest.raises(IntegrityAlarm, match="old backup"), home.open():
        pass


def test_the_database_file_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    with Home(f"sqlite:///{tmp_path}/ledger.db", tmp_path).open() as ledger:
        ledger.append([registered(1)])
        rights = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.glob("ledger.db*")}
    assert set(rights) >= {"ledger.db", "ledger.db-wal"}
    assert not any(mode for name, mode in rights.items() if name != "ledger.db.lock")


def test_a_tile_damaged_on_the_disk_does_not_come_under_a_signature(home: Home) -> None:
    with home.open() as ledger:
        ledger.append([registered(number) for number in range(300)])
        ledger.publisher.publish()
        tile = home.folder / "log" / "tile" / "0" / "001.p" / "44"
        tile.write_bytes(bytes(len(tile.read_bytes())))
        ledger.append([registered(300)])
        with pytest.raises(IntegrityAlarm, match="signed root of 300"):
            ledger.publisher.publish()


def test_a_database_set_back_to_an_older_day_does_not_start(tmp_path: Path) -> None:
    home = Home(f"sqlite:///{tmp_path}/ledger.db", tmp_path)
    with home.open() as ledger:
        ledger.append([registered(1)])
    older = (tmp_path / "ledger.db").read_bytes()
    with home.open() as ledger:
        ledger.append([returned(1, "r1")])
    (tmp_path / "ledger.db").write_bytes(older)
    with pytest.raises(IntegrityAlarm, match="old backup"), home.open():
        pass


def test_two_writing_processes_share_one_postgresql_ledger(postgres_url: str, tmp_path: Path) -> None:
    clock = Clock()
    with Home(postgres_url, tmp_path, clock).open() as one, Home(postgres_url, tmp_path, clock).open() as other:
        one.append([registered(1)])
        other.append([bound(1)])
        one.append([returned(1, "r1")])
        assert [row.n for row in one.reader.history("cylinder/cyl_1")] == [0, 1, 2]
        assert one.publisher.wait_published(3, timeout_s=60)
        assert audit_faults(other) == []


def test_a_second_process_on_the_same_sqlite_file_is_turned_away(tmp_path: Path) -> None:
    home = Home(f"sqlite:///{tmp_path}/ledger.db", tmp_path)
    with home.open() as ledger:
        with pytest.raises(LedgerInUse, match="already writes"), home.open():
            pass
        ledger.append([registered(1)])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://localhost/x", "mysql is not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite:////nowhere/at/all/ledger.db", "there is no folder"),
        ("not a url", "not a database URL"),
    ],
)
def test_a_home_that_cannot_be_used_is_named_in_one_sentence(url: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=said):
        Ledger(url, tmp_path, KEY, Clock())


def test_a_batch_that_cannot_be_written_is_refused_and_the_ledger_goes_on(ledger: Ledger) -> None:
    unwritable = ledger.submit(lambda unit: unit.put(MetaRow(key="k", value="\ud800")))
    with pytest.raises(StoreError):
        unwritable.result(timeout=30)
    receipts = ledger.submit(partial(_append, record=registered(1))).result(timeout=30)
    assert receipts.index == ledger.reader.size() - 1 == 0


def test_a_failed_commit_is_logged_without_what_was_to_be_written(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    def work(unit: Unit) -> None:
        unit.connection.execute(text("INSERT INTO nowhere VALUES (:name)"), {"name": "张三 13800000000"})

    with pytest.raises(StoreError):
        ledger.transact(work)
    assert "group commit failed" in caplog.text
    assert "13800000000" not in caplog.text
