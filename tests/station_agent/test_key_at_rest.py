"""The device's key at rest: a copy of the data folder signs nothing without what lies elsewhere."""

import json
from pathlib import Path

import pytest

from cylinder_codes.keys import format_signer
from station_agent import device
from station_agent.device import KEY_FILE, DeviceError, key_protection, new_key, protect_key
from station_agent.key_at_rest import (
    CREDENTIAL,
    KEY_FILE_VARIABLE,
    PASSPHRASE_FILE_VARIABLE,
    KeyLocked,
    machine_key_file,
    new_machine_key,
)
from stations.bench import DEVICE_KEY

PASSPHRASE = "green gas at noon"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (KEY_FILE_VARIABLE, PASSPHRASE_FILE_VARIABLE, "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "station"
    folder.mkdir()
    return folder


def _made(data: Path) -> None:
    assert new_key(data, DEVICE_KEY.name, DEVICE_KEY.seed) == DEVICE_KEY


def _opened(data: Path) -> object:
    return device.load_key(data / KEY_FILE)


def _passphrase_in(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "passphrase").write_text(f"{text}\n")
    monkeypatch.setenv(PASSPHRASE_FILE_VARIABLE, str(folder / "passphrase"))


def test_a_new_device_gets_a_key_that_opens_with_a_file_beside_its_folder(data: Path) -> None:
    _made(data)
    beside = data.with_name("station.key")
    assert machine_key_file(data) == beside
    assert beside.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (data / KEY_FILE).read_text()
    assert (_opened(data), key_protection(data)) == (DEVICE_KEY, "file")


def test_the_data_folder_alone_opens_nothing_and_the_sentence_names_what_is_missing(data: Path) -> None:
    _made(data)
    beside = data.with_name("station.key")
    kept = beside.read_text()
    beside.unlink()
    with pytest.raises(KeyLocked, match=r"station\.key is missing"):
        _opened(data)
    beside.write_text(new_machine_key())
    with pytest.raises(KeyLocked, match="not the key"):
        _opened(data)
    beside.write_text(kept)
    assert _opened(data) == DEVICE_KEY


@pytest.mark.parametrize("how", ["variable", "credential"])
def test_the_key_that_opens_it_may_come_from_the_environment(
    how: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / CREDENTIAL).write_text(new_machine_key())
    if how == "variable":
        monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / CREDENTIAL))
    else:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    _made(data)
    assert _opened(data) == DEVICE_KEY
    assert not data.with_name("station.key").exists()


def test_a_key_in_the_data_folder_protects_nothing_and_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(data / "here.key"))
    with pytest.raises(DeviceError, match="lies in the data folder"):
        _made(data)


def test_a_plain_key_of_before_is_read_and_moved_over(data: Path) -> None:
    device.write_secret(data / KEY_FILE, format_signer(DEVICE_KEY))
    assert (_opened(data), key_protection(data)) == (DEVICE_KEY, "nothing")
    assert protect_key(data) == data.with_name("station.key")
    assert (_opened(data), key_protection(data)) == (DEVICE_KEY, "file")


def test_a_passphrase_protects_it_and_another_does_not_open_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _made(data)
    _passphrase_in(tmp_path, PASSPHRASE, monkeypatch)
    assert protect_key(data, passphrase=True) is None
    assert (_opened(data), key_protection(data)) == (DEVICE_KEY, "passphrase")
    _passphrase_in(tmp_path, PASSPHRASE + "!", monkeypatch)
    with pytest.raises(KeyLocked, match="wrong"):
        _opened(data)


def test_a_passphrase_that_is_short_or_cannot_be_asked_for_leaves_the_key_as_it_was(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _made(data)
    with pytest.raises(DeviceError, match=PASSPHRASE_FILE_VARIABLE):
        protect_key(data, passphrase=True)
    _passphrase_in(tmp_path, "short", monkeypatch)
    with pytest.raises(DeviceError, match="12 characters"):
        protect_key(data, passphrase=True)
    assert (_opened(data), key_protection(data)) == (DEVICE_KEY, "file")


@pytest.mark.parametrize("name", ["protected_by", "nonce", "sealed", "kind"])
def test_a_changed_key_file_is_told_in_one_sentence(data: Path, name: str) -> None:
    _made(data)
    fields = json.loads((data / KEY_FILE).read_text())
    (data / KEY_FILE).write_text(json.dumps({**fields, name: "AAAA"}))
    with pytest.raises(KeyLocked) as told:
        _opened(data)
    assert str(told.value).endswith(".")
