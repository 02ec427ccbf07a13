"""An exported journal: whoever has the file, and the device's key from the ledger, sees whether it is whole."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cylinder_codes.keys import SigningKey, encode_base64, format_vkey
from cylinder_trace.events import Returned, state_event
from station_agent import device
from station_agent.cli import main
from station_agent.journal import Journal
from station_agent.journal_file import NotAJournalFile, journal_lines, verify_lines
from stations.bench import DEVICE_KEY, LOG_KEY, bench_for, home_in, public_vkey
from vectors.admission.cases import base_case


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An enrolled device's folder whose journal holds six records."""
    folder = tmp_path / "station"
    folder.mkdir()
    device.new_key(folder, DEVICE_KEY.name, DEVICE_KEY.seed)
    answer = {"device_id": "dev_1", "station_id": "st_1", "log_vkey": public_vkey(LOG_KEY), "origin": LOG_KEY.name}
    device.keep_device(folder, {**answer, "token": "secret"})
    journal = Journal(folder / device.JOURNAL_FILE, "dev_1", DEVICE_KEY)
    for number in range(6):
        event = Returned(station_id="st_1")
        journal.append(state_event(event, id=f"r{number}", subject="cylinder/c1", occurred_at=number, by="st_1"))
    journal.close()
    return folder


@pytest.fixture
def journal(data: Path) -> Iterator[Journal]:
    journal = Journal(data / device.JOURNAL_FILE, "dev_1", DEVICE_KEY)
    yield journal
    journal.close()


def _file(data: Path, journal: Journal, first_seq: int = 0) -> list[str]:
    return list(journal_lines(journal, device.load_device(data), first_seq))


@pytest.mark.parametrize("first_seq", [0, 4, 6])
def test_a_file_is_whole_from_whichever_record_it_begins(data: Path, journal: Journal, first_seq: int) -> None:
    found = verify_lines(_file(data, journal, first_seq), DEVICE_KEY.verifying_key)
    assert (found.first_seq, found.records, found.device_id) == (first_seq, 6 - first_seq, "dev_1")
    assert found.vkey == format_vkey(DEVICE_KEY.verifying_key)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [*lines[:3], *lines[4:]], "record 2 does not follow"),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "record 2 does not follow"),
        (lambda lines: lines[:-1], "holds 5 records and says"),
        (lambda lines: [*lines[:3], lines[3].replace('"r2"', '"rx"'), *lines[4:]], "record 3 does not follow"),
        (lambda lines: [*lines[:6], lines[6].replace('"r5"', '"rx"')], "last record is not number 5"),
        (lambda lines: [lines[0].replace('"records": 6', '"records": 5'), *lines[1:-1]], "not number 5"),
        (lambda lines: [lines[0].replace("dev_1", "dev_2"), *lines[1:]], "record 0 carries"),
        (lambda lines: lines[1:], "no exported journal"),
        (lambda lines: [], "no exported journal"),
    ],
)
def test_a_changed_file_is_found_and_the_place_named(
    data: Path, journal: Journal, change: Callable[[list[str]], list[str]], said: str
) -> None:
    with pytest.raises(NotAJournalFile, match=said):
        verify_lines(change(_file(data, journal)))


def test_a_file_made_anew_by_somebody_else_has_another_key_than_the_ledger_tells(data: Path, journal: Journal) -> None:
    forger = SigningKey("device-forged", bytes(range(2, 34)))
    lines = _file(data, journal)
    about = json.loads(lines[0])
    said = f"pinglian-device-head/1\ndev_1\n5\n{about['head']['hash']}\n"
    assert verify_lines(lines).records == 6
    about["vkey"] = format_vkey(forger.verifying_key)
    with pytest.raises(NotAJournalFile, match="not signed by the key"):
        verify_lines([json.dumps(about), *lines[1:]])
    about["head"]["signature"] = encode_base64(forger.sign(said.encode()))
    assert verify_lines([json.dumps(about), *lines[1:]]).vkey == about["vkey"]
    with pytest.raises(NotAJournalFile, match="not the key that was handed in"):
        verify_lines([json.dumps(about), *lines[1:]], DEVICE_KEY.verifying_key)


def test_the_signature_below_each_own_decision_is_checked_too(tmp_path: Path) -> None:
    case = base_case()
    home = home_in(tmp_path, case.request.station_id)
    bench_for(case, home).scan_now("6901234567892")
    about = device.Device("dev_bench", case.request.station_id, LOG_KEY.verifying_key, DEVICE_KEY, "")
    assert verify_lines(journal_lines(home.journal, about)).decisions_signed == 1
    home.close()


def test_the_command_writes_a_file_and_checks_it_without_the_station(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "journal.jsonl"
    assert main(["export", "--data", str(data), "--out", str(out)]) == 0
    assert "6 records of device dev_1" in capsys.readouterr().out
    vkey = format_vkey(DEVICE_KEY.verifying_key)
    assert main(["export", "--verify", str(out), "--vkey", vkey, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"] == 6
    out.write_text(out.read_text().replace('"r3"', '"rx"'))
    assert main(["export", "--verify", str(out)]) == 1
    assert capsys.readouterr().err.startswith("The journal is damaged: record 4")
    assert main(["export", "--data", str(data), "--out", str(out)]) == 2, "a file that is there is not overwritten"
