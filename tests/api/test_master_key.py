"""The master key comes from outside or from the folder, and its exchange loses no row, however it is cut off."""

import base64
import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest
from api_house import House
from api_process import COMMAND, answer, run
from sqlalchemy import select

from cylinder_api.folder import FolderError, open_folder
from cylinder_api.service import open_service
from cylinder_api.settings import settings_for
from cylinder_trace.identity import Identity
from cylinder_trace.store.database import open_engine, parse_url
from cylinder_trace.store.tables import PersonRow
from cylinder_trace.store.unit import Unit
from cylinder_trace.store.vault import Vault, VaultError

PEOPLE = 1100


class Home:
    """A data folder with people in its vault, and nobody serving it."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.folder, self.url = folder, url or f"sqlite:///{folder / 'ledger.db'}"
        with House(folder, self.url) as house:
            house.running.ledger.transact(partial(_move_in, vault=house.running.vault))
        self.options = ("--data", str(folder), "--database-url", self.url)

    def rows(self, limit: int = PEOPLE) -> list[PersonRow]:
        engine, table = open_engine(parse_url(self.url), writer=False), PersonRow.__table__  # type: ignore[attr-defined]
        with engine.connect() as connection:
            found = connection.execute(select(table).order_by(table.c.customer_id).limit(limit)).all()
        engine.dispose()
        return [PersonRow(**row._mapping) for row in found]

    def opened_by(self, key: bytes) -> int:
        vault, opened = Vault(key), 0
        for row in self.rows():
            try:
                opened += vault.open(row).name.startswith("用户")
            except VaultError:
                continue
        return opened


def _move_in(unit: Unit, vault: Vault) -> None:
    for number in range(PEOPLE):
        identity = Identity(name=f"用户{number}", id_number="x", phone="y", address="z")
        unit.put(vault.seal(f"cus_{number:05}", identity, company_id="co_1"))


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    return Home(tmp_path, None if request.param == "sqlite" else request.getfixturevalue("postgres_url"))


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_KEY", "MASTER_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_after_an_exchange_the_new_key_opens_everybody_and_the_old_one_nobody(home: Home) -> None:
    before = open_folder(home.folder).master
    said = answer("rotate-master-key", *home.options)
    after = open_folder(home.folder).master
    assert (said["customers"], said["second_factors"], said["to"]) == (PEOPLE, 0, None)
    assert (home.opened_by(after), home.opened_by(before)) == (PEOPLE, 0)
    assert sorted(path.name for path in (home.folder / "keys").iterdir()) == ["log.key", "master.key", "tag.key"]
    assert (home.folder / "keys" / "master.key").stat().st_mode & 0o077 == 0


def test_an_exchange_that_is_killed_leaves_a_home_that_no_service_opens_until_it_has_gone_on(home: Home) -> None:
    before = open_folder(home.folder).master
    killed = subprocess.Popen([*COMMAND, "rotate-master-key", *home.options], stderr=subprocess.DEVNULL)
    first, deadline = home.rows(1)[0], time.monotonic() + 60
    while home.rows(1)[0].wrapped_key == first.wrapped_key and killed.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    if (home.folder / "keys" / "rotating").exists():
        with pytest.raises(FolderError, match="rotate-master-key"):
            open_folder(home.folder)
    assert run("rotate-master-key", *home.options).code == 0
    assert (home.opened_by(open_folder(home.folder).master), home.opened_by(before)) == (PEOPLE, 0)


@pytest.mark.parametrize("step", ["the new key is made", "marked", "exchanged but for the mark"])
def test_an_exchange_goes_on_from_each_of_its_steps(tmp_path: Path, step: str) -> None:
    home, keys = Home(tmp_path, None), tmp_path / "keys"
    before = open_folder(home.folder).master
    following = base64.b64encode(bytes(range(32))).decode()
    if step == "exchanged but for the mark":
        assert run("rotate-master-key", *home.options).code == 0
        (keys / "rotating").touch()
    else:
        (keys / "master.next").write_text(following)
        if step == "marked":
            (keys / "rotating").touch()
    assert run("rotate-master-key", *home.options).code == 0
    after = open_folder(home.folder).master
    assert (home.opened_by(after), home.opened_by(before)) == (PEOPLE, 0)
    assert (after == bytes(range(32))) == (step != "exchanged but for the mark")


def test_the_key_may_lie_outside_the_folder_and_then_the_folder_holds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, outside = Home(tmp_path / "data", None), tmp_path / "secret"
    outside.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    monkeypatch.setenv("MASTER_KEY_FILE", str(outside))
    with pytest.raises(FolderError, match="rotate-master-key --to FILE"):
        open_folder(home.folder)
    monkeypatch.delenv("MASTER_KEY_FILE")
    assert answer("rotate-master-key", *home.options, "--to", outside)["to"] == str(outside)
    assert not (home.folder / "keys" / "master.key").exists()
    with pytest.raises(FolderError, match=r"master\.key is missing"):
        open_folder(home.folder)
    monkeypatch.setenv("MASTER_KEY", outside.read_text())
    assert home.opened_by(open_folder(home.folder).master) == PEOPLE
    said = run("rotate-master-key", *home.options)
    assert "--to FILE" in said.sentence
    monkeypatch.setenv("MASTER_KEY_FILE", str(outside))
    with pytest.raises(FolderError, match="both set"):
        open_folder(home.folder)


def test_a_service_does_not_open_with_a_key_that_does_not_open_the_vault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path, None)
    (tmp_path / "keys" / "master.key").unlink()
    monkeypatch.setenv("MASTER_KEY", base64.b64encode(bytes(32)).decode())
    with pytest.raises(FolderError, match="does not open this ledger's vault"):
        open_service(settings_for(home.folder))
    monkeypatch.setenv("MASTER_KEY", "short")
    with pytest.raises(FolderError, match="32 bytes in base64"):
        open_service(settings_for(home.folder))


def test_the_key_is_not_exchanged_under_a_running_service(tmp_path: Path) -> None:
    with House(tmp_path):
        said = run("rotate-master-key", "--data", tmp_path)
        assert "another process already writes" in said.sentence
    assert not (tmp_path / "keys" / "master.next").exists()
