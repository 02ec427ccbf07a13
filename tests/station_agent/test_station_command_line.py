"""The command line: settings with every mistake named, and one clear sentence when something cannot be done."""

import io
import json
from pathlib import Path
from typing import get_args

import pytest

from cylinder_codes.identifiers import Code
from cylinder_codes.reading import read_scan
from cylinder_trace.decision import Finding
from station_agent import device
from station_agent.cli import main
from station_agent.journal import Journal
from station_agent.settings import LaneSettings, ScaleSettings, SettingsError, load_settings, settings_text
from stations.bench import DEVICE_KEY, LOG_KEY, public_vkey


def _write(folder: Path, text: str) -> Path:
    file = folder / "station.toml"
    file.write_text(text, "utf-8")
    return file


def _good_text() -> str:
    lanes = [LaneSettings(digit=1, scale_id="sc_1", unit=1), LaneSettings(digit=2, scale_id="sc_2", unit=2)]
    return settings_text("http://127.0.0.1:8000", lanes, ScaleSettings(port=1502), None)


def _enrolled(folder: Path) -> Path:
    device.new_key(folder, DEVICE_KEY.name, DEVICE_KEY.seed)
    answer = {"device_id": "dev_1", "station_id": "st_1", "log_vkey": public_vkey(LOG_KEY), "origin": LOG_KEY.name}
    device.keep_device(folder, {**answer, "token": "secret"})
    return _write(folder, _good_text())


def test_the_first_settings_file_reads_back_and_explains_itself(tmp_path: Path) -> None:
    settings, data = load_settings(_write(tmp_path, _good_text()))
    assert [lane.scale_id for lane in settings.lanes] == ["sc_1", "sc_2"]
    assert data == tmp_path
    assert _good_text().count("#") >= 8


def test_the_settings_name_the_hosts_and_the_forms_of_numbers_from_before(tmp_path: Path) -> None:
    text = _good_text().replace("# hosts =", "hosts =").replace("# legacy_forms =", "legacy_forms =")
    forms = load_settings(_write(tmp_path, text))[0].scanner.forms
    assert read_scan("ZJ330100000017", forms.hosts, forms.legacy_forms) == Code("province:ZJ330100000017")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("port = 1502", "port = 0"), "scales.port"),
        (('service_url = "http', 'service_url = "ftp'), "service_url"),
        (("digit = 2", "digit = 1"), "same digit"),
        (('prefix = "~"', 'prefix = "~~"'), "scanner.prefix"),
        (("[scanner]", "[scaner]"), "scaner"),
        (('data = "."', "data = "), "not a TOML"),
        (
            ('# legacy_forms = ["province=ZJ{digits:12}"]', 'legacy_forms = ["sscc=ZJ{digits:12}"]'),
            "scanner.legacy_forms",
        ),
    ],
)
def test_a_mistake_in_the_settings_is_named(tmp_path: Path, change: tuple[str, str], named: str) -> None:
    assert change[0] in _good_text()
    with pytest.raises(SettingsError, match=named):
        load_settings(_write(tmp_path, _good_text().replace(*change)))


def test_a_setting_that_does_not_exist_is_the_only_mistake_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as mistake:
        load_settings(_write(tmp_path, f"{_good_text()}valve = 1\n"))
    assert "lanes.1.valve: there is no such setting" in str(mistake.value)
    assert ";" not in str(mistake.value).split("there is no such setting;")[1], "the lanes are there"


def test_a_place_that_cannot_be_written_is_named_with_what_to_look_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("2468\n2468\n"))
    assert main(["pin", "--data", str(tmp_path / "nowhere"), "--worker", "w1"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path / 'nowhere'}")
    assert "whether the path is right" in said


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--config", "nothing.toml"],
        ["status", "--data", "nowhere"],
        ["export", "--data", "nowhere"],
        ["enrol", "--url", "http://127.0.0.1:1", "--code", "x", "--data", "new"],
        ["enrol", "--url", "nonsense", "--code", "x", "--data", "new"],
        ["enrol", "--url", "http://127.0.0.1:99999", "--code", "x", "--data", "new"],
        ["enrol", "--url", "http://127.0.0.1:1", "--code", "x", "--data", "file"],
        ["enrol", "--url", "https://127.0.0.1:1", "--code", "x", "--data", "new", "--ca-file", "no-such.pem"],
        ["enrol", "--url", "https://127.0.0.1:1", "--code", "x", "--data", "new", "--ca-file", "file"],
        ["self-test", "--config", "nothing.toml"],
        ["scanner-test", "--config", "nothing.toml"],
        ["check-driver", "nothing.toml"],
        ["check-driver", "nothing"],
        ["simulate-scale", "--log", "log", "--port", "0", "--host", "nowhere.invalid"],
        ["simulate-scale", "--log", "log", "--port", "0", "--ready-file", "nowhere/ready"],
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("not a certificate")
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert "Traceback" not in said.err
    for option in ("--ca-file", "--host"):
        if option in words:  # the sentence names what was wrong
            assert words[words.index(option) + 1] in said.err


@pytest.mark.parametrize(
    "name",
    "run enrol simulate-scale check-driver scanner-test self-test cards status export pin protect-key".split(),
)
def test_the_help_of_every_command_says_what_it_does_and_has_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    about, _, example = capsys.readouterr().out.partition("example:")
    assert f"station-agent {name}" in example
    assert about.partition("options:")[0].count(".") >= 1


@pytest.mark.parametrize(
    "words",
    [
        ["walk"],
        [],
        ["run"],
        ["status"],
        ["export", "--data", "x", "--from-seq", "-1"],
        ["export", "--data", "x", "--from-seq", "9" * 30],
        ["simulate-scale"],
        ["simulate-scale", "--log", "x", "--port", "99999"],
    ],
)
def test_a_wrong_argument_is_said_in_one_sentence(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_cards_for_the_wall_hold_what_a_lane_understands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cards", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)["cards"]
    assert {card["holds"].split(":")[1] for card in cards} == {"F", "P"}
    assert {card["holds"].rsplit(":")[-1] for card in cards} >= set(get_args(Finding)) | {"checked", "evacuated"}
    assert all(card["zh"] and card["en"] for card in cards)
    assert main(["cards"]) == 0
    assert "PL:F:scrap_mark,有报废标记,scrap mark\n" in capsys.readouterr().out


def test_a_station_that_never_ran_has_no_journal_to_look_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _enrolled(tmp_path)
    assert main(["status", "--data", str(tmp_path)]) == 2
    assert "has never run" in capsys.readouterr().err


def test_the_self_test_says_what_is_wrong_and_how_to_mend_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = _enrolled(tmp_path)
    (tmp_path / device.KEY_FILE).chmod(0o644)
    assert main(["self-test", "--config", str(config), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    wrong = {check["name"]: check["mend"] for check in answer["checks"] if not check["ok"]}
    assert set(wrong) == {"key", "service", "data", "clock", "scale of lane 1", "scale of lane 2"}
    assert all(wrong.values())
    assert main(["status", "--data", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] is None


def test_a_driver_or_certificate_that_is_not_there_is_no_fault_of_the_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = _enrolled(tmp_path)
    for wrong, name in (
        (_good_text().replace("demo-scale", "mine.toml"), "driver"),
        (_good_text().replace("http://", "https://").replace("# ca_file", "ca_file"), "certificate"),
    ):
        config.write_text(wrong, "utf-8")
        assert main(["self-test", "--config", str(config), "--json"]) == 1
        failed = [check for check in json.loads(capsys.readouterr().out)["checks"] if not check["ok"]]
        assert [check["name"] for check in failed] == [name]
        assert ("mine.toml" in failed[0]["said"]) or ("service-ca.pem" in failed[0]["said"])


def test_an_export_with_json_is_one_object_that_keeps_every_record_as_it_was_signed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _enrolled(tmp_path)
    Journal(tmp_path / device.JOURNAL_FILE, "dev_1", DEVICE_KEY).close()
    assert main(["export", "--data", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"device_id": "dev_1", "records": []}
    assert main(["export", "--data", str(tmp_path), "--json", "--notes"]) == 0
    assert json.loads(capsys.readouterr().out) == {"device_id": "dev_1", "notes": []}


def test_the_devices_secrets_are_readable_by_this_user_alone(tmp_path: Path) -> None:
    _enrolled(tmp_path)
    for name in (device.KEY_FILE, device.TOKEN_FILE):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    loaded = device.load_device(tmp_path)
    assert (loaded.key, loaded.token, loaded.log_key) == (DEVICE_KEY, "secret", LOG_KEY.verifying_key)


def test_a_key_that_is_there_is_used_again(tmp_path: Path) -> None:
    first = device.new_key(tmp_path, "one", bytes(32))
    assert device.new_key(tmp_path, "two", bytes(range(32))) == first


@pytest.mark.parametrize("damage", ["", "{}", "nonsense"])
def test_damaged_files_of_the_device_are_named(tmp_path: Path, damage: str) -> None:
    _enrolled(tmp_path)
    (tmp_path / device.DEVICE_FILE).write_text(damage)
    with pytest.raises(device.DeviceError):
        device.load_device(tmp_path)
