"""Backups by the clock: each in a folder of its own, old ones go when a sound one is there, and the newest is tried."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from api_house import House
from api_process import answer, run

from cylinder_api import backups
from cylinder_api.backups import HOUR_MS, finished_in, name_at
from cylinder_api.commands import drill, keep
from cylinder_api.diagnosis.backups import newest_backup
from cylinder_trace.audit import Fault
from cylinder_trace.store.backup_form import UNFINISHED_MARK

DAY_MS = 24 * HOUR_MS


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("drill") / "data") as house:
        house.new_bottle()
        ledger = house.running.ledger
        assert ledger.publisher.wait_published(ledger.reader.size(), timeout_s=20)
        yield house


@pytest.fixture
def under(tmp_path: Path) -> Path:
    """A folder of backups."""
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups"


def days_pass(monkeypatch: pytest.MonkeyPatch, start: int) -> Iterator[int]:
    """Each time another day, for backups and drills."""
    for day in range(100):
        now = start + day * DAY_MS
        for module in (keep, drill):
            monkeypatch.setattr(module, "system_clock", lambda now=now: now)
        yield now


def test_a_backup_a_day_keeps_the_newest_and_removes_what_is_older(
    house: House, under: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (under / "by-hand").mkdir()
    command = ("backup", "--data", house.folder, "--under", under, "--keep", "2")
    days, said = days_pass(monkeypatch, house.running.clock()), list[dict[str, Any]]()
    for _ in range(4):
        now = next(days)
        said.append(answer(*command))
        assert said[-1]["to"] == str(under / name_at(now))
    made = [Path(one["to"]) for one in said]
    assert [backup.folder for backup in finished_in(under)] == made[:1:-1]
    assert said[3]["removed"] == [str(made[1])]
    assert sorted(path.name for path in under.iterdir()) == sorted(["by-hand", *(path.name for path in made[2:])])


def test_a_backup_with_faults_removes_nothing_and_is_not_removed(
    house: House, under: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = days_pass(monkeypatch, house.running.clock())
    command = ("backup", "--data", house.folder, "--under", under, "--keep", "1")
    next(days)
    newest = Path(answer(*command)["to"])
    manifest = newest / "manifest.json"
    told = json.loads(manifest.read_text())
    manifest.write_text(
        json.dumps({**told, "faults": [asdict(Fault("edited", "device/dev_1", -1, "text", "generated"))]})
    )
    next(days)
    answer(*command)
    assert newest in [backup.folder for backup in finished_in(under)]
    assert newest_backup(under).level == "good"


def test_a_drill_restores_the_newest_audits_it_says_how_old_it_is_and_leaves_nothing(
    house: House, under: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = days_pass(monkeypatch, house.running.clock())
    next(days)
    answer("backup", "--data", house.folder, "--under", under)
    (place := tmp_path / "place").mkdir()
    command = ("drill", "--data", house.folder, "--backups", under, "--place", place)
    said = answer(*command)
    assert (said["ok"], said["age_hours"], said["problems"]) == (True, 0.0, [])
    assert said["entries"] == house.running.ledger.reader.size()
    assert said["states"] > 5
    assert "✔ it can be put back" in run(*command).out
    next(days)
    next(days)
    old = run(*command)
    assert (old.code, "48.0 hours old, and may be 26" in old.out) == (1, True)
    assert run(*command, "--max-age", "72").code == 0
    assert list(place.iterdir()) == []


def test_a_drill_tells_of_a_damaged_backup_and_of_one_of_another_log(house: House, under: Path, tmp_path: Path) -> None:
    made = Path(answer("backup", "--data", house.folder, "--under", under)["to"])
    other = tmp_path / "other"
    assert run("migrate", "--data", other).code == 0
    said = run("drill", "--data", other, "--backups", under)
    assert (said.code, "is another" in said.out) == (1, True)
    (made / "tables" / "entry.jsonl").write_text("nonsense")
    said = run("drill", "--data", house.folder, "--backups", under)
    assert (said.code, "NOT sound" in said.out) == (1, True)
    (made / UNFINISHED_MARK).touch()
    assert "no finished backup" in run("drill", "--data", house.folder, "--backups", under).sentence


def test_the_doctor_says_how_old_the_newest_backup_is(
    house: House, under: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert newest_backup(under).level == newest_backup(tmp_path / "none").level == "wrong"
    next(days_pass(monkeypatch, house.running.clock() - 2 * DAY_MS))
    answer("backup", "--data", house.folder, "--under", under)
    assert "48 h old" in newest_backup(under).found
    assert newest_backup(under).level == "wrong"
    monkeypatch.undo()
    answer("backup", "--data", house.folder, "--under", under)
    assert newest_backup(under).level == "good"
    assert "newest backup" in run("doctor", "--data", house.folder, "--backups", under).out


def test_a_removal_that_was_cut_off_is_finished_by_the_next(
    house: House, under: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = days_pass(monkeypatch, house.running.clock())
    for _ in range(2):
        next(days)
        answer("backup", "--data", house.folder, "--under", under)
    with monkeypatch.context() as cut:
        cut.setattr("shutil.rmtree", lambda *_args, **_named: (_ for _ in ()).throw(OSError("cut off")))
        with pytest.raises(OSError, match="cut off"):
            backups.keep_newest(under, 1)
    assert len(finished_in(under)) == 1
    assert backups.keep_newest(under, 1) == []
    assert len(list(under.iterdir())) == 1
