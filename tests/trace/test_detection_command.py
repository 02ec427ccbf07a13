"""`cylinder-trace detect`: what a supervisor reads, what a machine reads, one clear sentence otherwise."""

import json
from pathlib import Path

import pytest
from detection_log import BLACK, DAY, NOON, cylinder, filled, registered

from cylinder_trace import cli
from cylinder_trace.events import state_event
from ledgers.attacks import by_hand
from ledgers.homes import Clock, Home

Printed = pytest.CaptureFixture[str]
PLACE = '"occurred_at":1,"recorded_at":1,"subject":"cylinder/cyl_1"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two cylinders with one stamp, and one that was filled often before it was marked black."""
    told = [(1, registered(), NOON - 3 * DAY), (2, registered(), NOON - 3 * DAY)]
    told += [(1, filled(NOON - DAY + number), NOON - DAY + number) for number in range(30)]
    told += [(1, BLACK, NOON)]
    with Home(f"sqlite:///{tmp_path}/ledger.db", tmp_path, Clock(NOON)).open() as ledger:
        for number, (which, event, at) in enumerate(told):
            ledger.append([state_event(event, id=f"e{number}", subject=cylinder(which), occurred_at=at, by="tests")])
    return tmp_path


def test_a_supervisor_reads_both_languages_kind_by_kind_and_is_told_of_what_is_not_shown(
    folder: Path, capsys: Printed
) -> None:
    assert cli.main(["detect", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "请核查,均非指控" in out
    assert "each asks somebody to look, none accuses" in out
    assert "\n\n钢印编号重复 · same stamp, two cylinders (duplicate_serial): 1\n" in out
    assert "… 另有 9 条 more: --all, --kind filled_twice" in out
    assert cli.main(["detect", str(folder), "--all"]) == 1
    assert "more: --all" not in capsys.readouterr().out


def test_a_machine_reads_every_signal_with_its_evidence_and_what_was_looked_at(folder: Path, capsys: Printed) -> None:
    assert cli.main(["detect", str(folder), "--json", "--kind", "duplicate_serial", "--kind", "known_late"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["entries"], told["rulebook"]) == (False, 33, "cn-default@2026.1")
    assert [(signal["kind"], len(signal["evidence"])) for signal in told["signals"]] == [
        ("duplicate_serial", 2),
        ("known_late", 31),
    ]


@pytest.mark.parametrize(
    ("only", "status"),
    [(("--kind", "night_fills"), 0), (("--until", "2026-11-19"), 1), (("--until", "2026-11-18"), 0)],
)
def test_only_a_kind_or_only_some_days(only: tuple[str, str], status: int, folder: Path, capsys: Printed) -> None:
    assert cli.main(["detect", str(folder), *only]) == status
    assert ("没有线索 · nothing to look at in 33 entries" in capsys.readouterr().out) == (status == 0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--since", "2026-12-01", "--until", "2026-11-30"), "--since 2026-12-01 lies behind --until 2026-11-30"),
        (("--since", "yesterday"), "--since and --until are days, YYYY-MM-DD"),
        (("--rulebook", "nowhere.toml"), "cannot read nowhere.toml"),
    ],
)
def test_what_cannot_be_looked_for_is_one_clear_sentence(
    wrong: tuple[str, ...], said: str, folder: Path, capsys: Printed
) -> None:
    assert cli.main(["detect", str(folder), *wrong]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert said in told.err


def test_a_kind_that_nobody_knows_is_answered_with_those_there_are(folder: Path, capsys: Printed) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["detect", str(folder), "--kind", "clones"])
    assert "invalid choice: 'clones' (choose from 'two_places'" in capsys.readouterr().err


def test_a_folder_without_a_ledger_is_named(tmp_path: Path, capsys: Printed) -> None:
    assert cli.main(["detect", str(tmp_path / "nowhere")]) == 2
    assert "there is no database" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{}", "[1]", "no text", f'{{"data":{{}},{PLACE},"type":"filled"}}'])
def test_an_entry_that_cannot_be_read_sends_to_the_audit(text: str, folder: Path, capsys: Printed) -> None:
    with by_hand(folder) as database:
        database.execute("UPDATE entry SET text = CAST(? AS BLOB) WHERE log_index = 5", (text,))
    assert cli.main(["detect", str(folder)]) == 2
    told = capsys.readouterr().err
    assert f"cylinder-trace audit {folder}" in told
    assert told.count("\n") == 1
