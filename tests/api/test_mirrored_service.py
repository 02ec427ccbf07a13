"""A regulator mirrors a running service; after a fire, a new service goes on from his mirror."""

import json
import shutil
from pathlib import Path

import pytest
from api_house import House, now

from cylinder_trace import cli, events
from cylinder_trace.checkpoint import unverified_checkpoint


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def published(house: House) -> None:
    assert house.running.ledger.publisher.wait_published(house.running.ledger.reader.size(), timeout_s=20)


def test_a_mirror_of_a_running_service_needs_the_token_of_somebody_who_may_see_entries(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with House(tmp_path / "data") as house:
        published(house)
        status, _, err = run(capsys, "mirror", house.url, tmp_path / "copy")
        assert status == 2
        assert "--token" in err
        assert not (tmp_path / "copy" / "checkpoint").exists()
        assert run(capsys, "mirror", house.url, tmp_path / "copy", "--token", "token-of-auditor")[0] == 0
    assert run(capsys, "audit", tmp_path / "copy", "--vkey", tmp_path / "data" / "log" / "keys")[0] == 0


def test_a_new_service_goes_on_from_a_mirror_of_the_old_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, copy = tmp_path / "old", tmp_path / "new", tmp_path / "copy"
    with House(old) as house:
        run(capsys, "mirror", house.url, copy, "--token", "token-of-regulator")
        bottle = house.new_bottle()
        published(house)
        status, out, _ = run(capsys, "mirror", house.url, copy, "--token", "token-of-regulator", "--json")
        assert status == 0
        assert json.loads(out)["new"] >= 1
    url = f"sqlite:///{new}/ledger.db"
    status, out, _ = run(capsys, "rebuild", copy, "--to", url, "--data", new, "--key", old / "keys" / "log.key")
    assert status == 0, out
    shutil.copytree(old / "keys", new / "keys")
    size = unverified_checkpoint((copy / "checkpoint").read_text()).size
    with House(new) as house:
        cylinder = house.running.ledger.reader.cylinder_id(bottle.code)
        assert cylinder == bottle.cylinder_id
        house.append(bottle.subject, events.Returned(station_id="st_1"), at=now())
        assert house.running.ledger.reader.size() == size + 1
        published(house)
    assert run(capsys, "audit", new, "--vkey", new / "log" / "keys")[0] == 0
