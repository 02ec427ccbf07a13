"""What is stored is changed while the ledger runs: nothing of it comes under a checkpoint, and the alarm names it.

The clock may jump as well: what is recorded never runs backwards for it.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.publisher import IntegrityAlarm, Publisher
from laws.sound import assert_published, assert_sound, audit_faults
from ledgers.homes import KEY, Home, registered, returned

_HOUR = 3_600_000
_YEAR = 365 * 24 * _HOUR


def soon(happened: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def by_hand(ledger: Ledger, *statements: str) -> None:
    """Statements of somebody who owns the database, past what guards it."""
    with ledger.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            for table in ("entry", "entry_ref", "checkpoint"):
                for verb in ("update", "delete"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{verb}"))
        for statement in statements:
            connection.execute(text(statement))


def another_text(ledger: Ledger, index: int) -> str:
    where = f"WHERE log_index = {index}"
    if ledger.engine.dialect.name == "postgresql":
        return f"UPDATE entry SET text = convert_to(replace(convert_from(text, 'UTF8'), 'M1', 'M9'), 'UTF8') {where}"
    return f"UPDATE entry SET text = CAST(replace(CAST(text AS TEXT), 'M1', 'M9') AS BLOB) {where}"


@pytest.fixture
def held_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose publisher leaves time to change something before it publishes."""
    monkeypatch.setattr("cylinder_trace.store.publisher._GATHER_S", 10.0)
    return home


def published_size(ledger: Ledger) -> int:
    newest = ledger.reader.checkpoint()
    return newest[0] if newest else 0


def test_an_entry_changed_before_it_is_published_stops_publishing_and_is_named(
    held_back: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with held_back.open() as ledger:
        ledger.append([registered(1)])
        ledger.publisher.publish()
        ledger.append([registered(2), registered(3), registered(4)])
        by_hand(ledger, another_text(ledger, 2))
        ledger.publisher.wait_published(4, timeout_s=1)
        soon(lambda: "entry 2 (cylinder/cyl_3) is not what was recorded" in caplog.text)
        assert any(record.levelno == logging.CRITICAL for record in caplog.records)
        soon(lambda: ledger.publisher.halted == "entry 2 (cylinder/cyl_3) is not what was recorded")
        assert not ledger.append([registered(5)])[0].replayed, "recording goes on; nothing of it is vouched for"
        with pytest.raises(IntegrityAlarm, match="entry 2"):
            ledger.publisher.publish()
        assert published_size(ledger) == 1


def test_the_alarm_is_raised_again_after_a_restart_and_the_audit_names_the_same_entry(
    held_back: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with held_back.open() as ledger:
        ledger.append([registered(number) for number in range(3)])
        by_hand(ledger, another_text(ledger, 1))
    caplog.clear()
    with held_back.open() as ledger:
        ledger.publisher.wait_published(3, timeout_s=1)
        soon(lambda: "entry 1 (cylinder/cyl_1) is not what was recorded" in caplog.text)
        assert published_size(ledger) == 0
    found = {(fault.kind, fault.subject, fault.index) for fault in audit_faults(held_back)}
    assert ("edited", "cylinder/cyl_1", 1) in found


@pytest.mark.parametrize(
    "missing", ["DELETE FROM entry WHERE log_index = 1", "UPDATE entry SET log_index = 9 WHERE log_index = 1"]
)
def test_an_entry_that_is_gone_before_it_is_published_stops_publishing(held_back: Home, missing: str) -> None:
    with held_back.open() as ledger:
        ledger.append([registered(number) for number in range(3)])
        by_hand(ledger, missing)
        with pytest.raises(IntegrityAlarm, match="is not what was recorded"):
            ledger.publisher.publish()
        assert published_size(ledger) == 0


SET_BACK = (
    "DELETE FROM checkpoint WHERE size = 3",
    "DELETE FROM entry_ref WHERE log_index = 2",
    "DELETE FROM entry WHERE log_index = 2",
    "DELETE FROM subject_now WHERE log_index = 2",
)
"""From three entries to two, with the checkpoint of the third."""


def test_a_database_set_back_under_a_running_ledger_gets_no_second_history(
    held_back: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with held_back.open() as ledger:
        for number in range(3):
            ledger.append([registered(number)])
            ledger.publisher.publish()
        by_hand(ledger, *SET_BACK)
        ledger.append([registered(7)])
        with pytest.raises(IntegrityAlarm, match="old backup"):
            ledger.publisher.publish()
        ledger.publisher.wait_published(4, timeout_s=1)
        soon(lambda: "publishing has stopped" in caplog.text)
        assert published_size(ledger) == 2


def test_a_database_set_back_in_the_middle_of_a_publication_is_not_shown_in_place_of_what_was_published(
    held_back: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_back.open() as ledger:
        for number in range(3):
            ledger.append([registered(number)])
            ledger.publisher.publish()
        shown = held_back.folder / "log" / "checkpoint"
        published = shown.read_bytes()

        def nothing_new_and_then_set_back(_publisher: Publisher) -> bool:
            by_hand(ledger, *SET_BACK)
            return False

        monkeypatch.setattr(Publisher, "_publish_chunk", nothing_new_and_then_set_back)
        with pytest.raises(IntegrityAlarm, match="old backup"):
            ledger.publisher.publish()
        assert shown.read_bytes() == published


@pytest.mark.parametrize("damage", ["shorter", "gone"])
def test_a_tile_that_is_too_short_or_gone_is_an_alarm_and_not_the_end_of_a_thread(home: Home, damage: str) -> None:
    with home.open() as ledger:
        ledger.append([registered(number) for number in range(300)])
        ledger.publisher.publish()
        tile = home.folder / "log" / "tile" / "0" / "001.p" / "44"
        tile.write_bytes(b"") if damage == "shorter" else shutil.rmtree(tile.parent)
        ledger.append([registered(300)])
        with pytest.raises(IntegrityAlarm, match="tiles"):
            ledger.publisher.publish()
    with pytest.raises(IntegrityAlarm, match="tiles"), home.open():
        pass


def test_a_public_file_that_is_gone_is_put_back(home: Home) -> None:
    with home.open() as ledger:
        ledger.append([registered(1)])
        ledger.publisher.publish()
        (home.folder / "log" / "checkpoint").unlink()
        ledger.publisher.publish()
        assert_published(home, ledger, "put back")


def test_publishing_outlives_whatever_goes_wrong_once(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    broken = threading.Event()

    def clock() -> int:
        if broken.is_set() and threading.current_thread().name == "publisher":
            raise OverflowError("the clock chip answers rubbish")
        return home.clock()

    with Ledger(home.url, home.folder, KEY, clock) as ledger:
        broken.set()
        ledger.append([registered(1)])
        soon(lambda: "rubbish" in caplog.text)
        broken.clear()
        assert ledger.publisher.wait_published(1, timeout_s=30)
        assert ledger.publisher.halted is None


def test_a_clock_that_jumps_an_hour_back_and_a_year_ahead_and_back_never_makes_time_run_backwards(home: Home) -> None:
    start = home.clock.at
    with home.open() as ledger:
        ledger.append([registered(1)])
        for turn, jump in enumerate((-_HOUR, _YEAR, 0, -_YEAR, _HOUR)):
            home.clock.at = start + jump
            ledger.append([returned(1, f"r{turn}")])
            ledger.publisher.publish()
            assert_published(home, ledger, f"clock {jump} ms off")
        times = [entry.recorded_at for entry in ledger.reader.all_entries()]
    assert times == sorted(times)
    assert times[-1] >= start + _YEAR, "what was recorded a year ahead is not taken back"
    home.clock.at = start - _HOUR
    with home.open() as ledger:
        ledger.append([returned(1, "restarted")])
        assert ledger.reader.entries(6, 1)[0].recorded_at >= times[-1]
    assert_sound(home, "the clock jumped")
