"""An auditor audits a running service from outside: entries by token, tiles and checkpoints as everybody gets them."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from api_house import House

from cylinder_trace import cli


def audit(capsys: pytest.CaptureFixture[str], place: object, *more: object) -> tuple[int, Any, str]:
    capsys.readouterr()
    status = cli.main(["audit", str(place), "--json", *map(str, more)])
    captured = capsys.readouterr()
    return status, json.loads(captured.out) if captured.out else None, captured.err


def filled(house: House) -> None:
    """More entries than fit into a tile, under a published checkpoint."""
    for _ in range(140):
        house.new_bottle()
    assert house.running.ledger.reader.size() > 256
    assert house.running.ledger.publisher.wait_published(house.running.ledger.reader.size(), timeout_s=20)


@pytest.fixture
def house(tmp_path: Path) -> Any:
    with House(tmp_path / "data") as house:
        filled(house)
        yield house


def test_a_running_service_is_audited_with_an_auditors_token_by_one_process_or_two(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = ("--vkey", tmp_path / "data" / "log" / "keys")
    assert audit(capsys, house.url, *key)[0] == 2, "entries are not shown to everybody"
    status, report, _ = audit(capsys, house.url, *key, "--token", "token-of-auditor", "--jobs", "1")
    assert (status, report["faults"]) == (0, [])
    assert report["entries"] == report["size"] == house.running.ledger.reader.size()
    assert "state_mismatch" in {item["kind"] for item in report["not_excluded"]}, "no read model is shown"
    assert audit(capsys, house.url, *key, "--token", "token-of-auditor", "--jobs", "2")[:2] == (0, report)


@pytest.mark.parametrize("place", ["tile/0/000", "tile/1/000.p/1"])
def test_a_changed_tile_that_the_service_shows_everybody_is_named(
    place: str, house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tile = tmp_path / "data" / "log" / place
    data = bytearray(tile.read_bytes())
    data[5] ^= 1
    tile.write_bytes(data)
    _, report, _ = audit(capsys, house.url, "--token", "token-of-auditor")
    assert [(fault["kind"], fault["index"]) for fault in report["faults"]] == [("edited", 0)]
    assert report["faults"][0]["field"].startswith(place[:6])


def test_a_changed_entry_that_the_service_hands_out_is_named_by_its_tile(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = sqlite3.connect(tmp_path / "data" / "ledger.db")
    with database:
        database.execute("DROP TRIGGER entry_no_update")
        changed = """CAST(replace(CAST(text AS TEXT), '"by":"', '"by":"x') AS BLOB)"""
        database.execute(f"UPDATE entry SET text = {changed} WHERE log_index = 100")
    database.close()
    status, report, _ = audit(capsys, house.url, "--token", "token-of-auditor")
    assert status == 1
    places = {(fault["kind"], fault["index"], fault["field"]) for fault in report["faults"]}
    assert ("edited", 100, "tile/0/000") in places
