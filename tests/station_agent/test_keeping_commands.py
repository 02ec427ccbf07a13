"""What keeps a station running: its key protected, its machine's service, a log that stays small and says no names."""

import json
from pathlib import Path

import pytest

from cylinder_codes.keys import format_signer
from station_agent import device
from station_agent.care import status_lines
from station_agent.cli import main
from station_agent.device import KEY_FILE, write_secret
from station_agent.running_log import LOG_FILE, logged
from station_agent.settings import LaneSettings, ScaleSettings, settings_text
from stations.bench import DEVICE_KEY, LOG_KEY, public_vkey


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A device of before, whose key is plain."""
    data = tmp_path / "station"
    data.mkdir()
    write_secret(data / KEY_FILE, format_signer(DEVICE_KEY))
    answer = {"device_id": "dev_1", "station_id": "st_1", "log_vkey": public_vkey(LOG_KEY), "origin": LOG_KEY.name}
    device.keep_device(data, {**answer, "token": "secret"})
    lanes = [LaneSettings(digit=1, scale_id="sc_1", unit=1)]
    file = data / "station.toml"
    file.write_text(settings_text("http://127.0.0.1:9", lanes, ScaleSettings(), None), "utf-8")
    return file


def _key_check(config: Path, capsys: pytest.CaptureFixture[str]) -> tuple[bool, str]:
    main(["self-test", "--config", str(config), "--json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    (check,) = (check for check in checks if check["name"] == "key")
    return check["ok"], check["said"] + check["mend"]


def test_a_plain_key_is_told_by_the_self_test_and_protected_by_one_command(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ok, said = _key_check(config, capsys)
    assert (ok, "protect-key" in said) == (False, True)
    assert main(["protect-key", "--config", str(config)]) == 0
    assert "station.key" in capsys.readouterr().out
    ok, said = _key_check(config, capsys)
    assert (ok, "station.key" in said) == (True, True)
    assert device.load_device(config.parent).key == DEVICE_KEY


def test_the_unit_names_this_installation_its_settings_and_the_credential(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service-unit", "--config", str(config), "--user", "gas"]) == 0
    unit = capsys.readouterr().out
    for line in (
        "User=gas",
        f"LoadCredential=station-key:{config.parent}.key",
        f"ReadWritePaths={config.parent}",
        "Restart=always",
    ):
        assert line in unit
    assert f"run --config {config} --headless" in unit
    assert main(["service-unit", "--config", str(config), "--user", "gas", "--tty", "/dev/tty1"]) == 0
    unit = capsys.readouterr().out
    assert ("TTYPath=/dev/tty1" in unit, "--headless\n" in unit) == (True, False)


def test_windows_gets_a_task(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service-unit", "--config", str(config), "--windows"]) == 0
    task = capsys.readouterr().out
    assert "schtasks /create" in task
    assert str(config) in task


def test_the_running_log_says_how_the_station_is_doing_and_no_names(tmp_path: Path) -> None:
    told: list[str] = []
    with logged(lambda event, lane, fields: told.append(event), tmp_path, lambda: 1_795_312_800_000) as tell:
        tell("signed_on", None, {"worker_id": "w-77"})
        tell("scanned", None, {"raw_scan": "HTTPS://ID.PINGLIAN.EXAMPLE/C/1"})
        tell("filled", None, {"check_id": "chk_1", "worker_id": "w-77", "net_g": 14_500})
        tell("link", None, {"online": False, "link": "silent", "detail": "nobody answers"})
    text = (tmp_path / LOG_FILE).read_text("utf-8")
    assert told == ["signed_on", "scanned", "filled", "link"]
    assert text.splitlines() == [
        '2026-11-22T02:00:00.000+00:00 filled - {"check_id": "chk_1"}',
        '2026-11-22T02:00:00.000+00:00 link - {"link": "silent", "online": false, "detail": "nobody answers"}',
    ]


def test_the_running_log_is_cut_off_by_itself(tmp_path: Path) -> None:
    with logged(lambda *_: None, tmp_path, lambda: 0) as tell:
        for _ in range(70):
            tell("fault", None, {"detail": "x" * 100_000})
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["agent.log", *(f"agent.log.{n}" for n in range(1, 5))]
    assert sum(file.stat().st_size for file in files) < 6_000_000


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / LOG_FILE).mkdir()
    with logged(lambda event, lane, fields: told.append(event), tmp_path, lambda: 0) as tell:
        tell("ready", None, {})
    assert told == ["ready"]


def test_the_status_says_how_old_the_data_is_and_since_when_the_link_stands_so() -> None:
    link = {"link": "online", "detail": "", "since": 1_795_312_800_000}
    counts = dict.fromkeys(("records", "unsent", "disputed", "open_fills"), 0)
    status = {
        **counts, "station_id": "st_1", "device_id": "dev_1", "key_protected_by": "file", "last_record_id": None,
        "data_age_ms": 15 * 60_000, "cylinders": 3, "link": link, "locks": (), "shifts": {}, "alarms": (),
        "disputes": (), "closed_because": None, "data_fault": None,
    }  # fmt: skip
    assert "cannot be read now, the agent fetches it anew: noise" in "\n".join(
        status_lines({**status, "data_age_ms": None, "data_fault": "noise"})
    )
    said = "\n".join(status_lines(status))
    assert "15 分钟前 15 min old, 3 只 cylinders" in said
    assert "在线 Online (自 since 2026-11-22 10:00)" in said
