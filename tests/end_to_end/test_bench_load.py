"""The load test: whom it may load, and how it finds out that a record it was told of is not there exactly once."""

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# the load tests are no installed package
sys.path.insert(0, str(Path(__file__).parents[2] / "loadtests"))

import pytest

from cylinder_codes.keys import SigningKey
from cylinder_trace.events import Returned, state_event
from cylinder_trace.store.ledger import Ledger
from load.command import CannotLoad, require_own
from load.reckoning import Reckoning, ReckoningError, reckon
from load_stations import Cylinder, Station, fill_request, read_station, write_station

ROOT = Path(__file__).parents[2]
NOW = 1_795_000_000_000
STATION = Station(
    "http://127.0.0.1:1", "a token", "station-1", ("scale-1",), ("worker-1",), (Cylinder("7K2M9QRT4XWZB8ND", 16_500),)
)


@pytest.fixture
def ledger_of_two(tmp_path: Path) -> Path:
    """A database with the station's records `run-1` and `run-2`, and one of somebody else."""
    database = tmp_path / "ledger.db"
    with Ledger(f"sqlite:///{database}", tmp_path, SigningKey("test.example", bytes(32)), lambda: NOW) as ledger:
        for id in ("run-1", "other-1", "run-2"):
            event = Returned(station_id="station-1")
            ledger.append([state_event(event, id=id, subject="station/station-1", occurred_at=NOW, by="station-1")])
    return database


def told_of(database: Path, ids: Sequence[str], **changed: Any) -> Path:
    """The file of what was told: these ids, as they stand in the ledger, but for what is `changed`."""
    with Ledger(f"sqlite:///{database}", database.parent, SigningKey("test.example", bytes(32)), lambda: NOW) as ledger:
        rows = [ledger.reader.entry(id) for id in ids]
    lines = [
        {"id": id, "type": "returned", "index": row.index if row else 9, "hash": row.hash.hex() if row else "00"}
        for id, row in zip(ids, rows, strict=True)
    ]
    told = database.parent / "told.jsonl"
    told.write_text("".join(json.dumps({**line, **changed}) + "\n" for line in lines))
    return told


def test_what_was_told_and_is_there_once_fits(ledger_of_two: Path) -> None:
    reckoning = reckon(told_of(ledger_of_two, ["run-1", "run-2"]), ledger_of_two, "run-")
    assert reckoning == Reckoning(told=2, recorded=2)
    assert reckoning.fits(unanswered=0)


def test_a_record_told_twice_under_one_id_is_one_record(ledger_of_two: Path) -> None:
    reckoning = reckon(told_of(ledger_of_two, ["run-1", "run-1", "run-2"]), ledger_of_two, "run-")
    assert (reckoning.told, reckoning.told_again, reckoning.recorded) == (2, 1, 2)
    assert reckoning.fits(unanswered=0)


def test_a_record_told_but_not_there_is_missing(ledger_of_two: Path) -> None:
    reckoning = reckon(told_of(ledger_of_two, ["run-1", "run-2", "run-3"]), ledger_of_two, "run-")
    assert reckoning.missing == ["run-3"]
    assert not reckoning.fits(unanswered=0)


def test_a_record_that_was_never_told_is_explained_only_by_a_lost_answer(ledger_of_two: Path) -> None:
    reckoning = reckon(told_of(ledger_of_two, ["run-1"]), ledger_of_two, "run-")
    assert reckoning.untold == ["run-2"]
    assert not reckoning.fits(unanswered=0)
    assert reckoning.fits(unanswered=1)


@pytest.mark.parametrize("changed", [{"hash": "00"}, {"index": 7}, {"type": "filled"}])
def test_a_receipt_that_does_not_describe_the_entry_is_found(ledger_of_two: Path, changed: dict[str, Any]) -> None:
    reckoning = reckon(told_of(ledger_of_two, ["run-1", "run-2"], **changed), ledger_of_two, "run-")
    assert reckoning.different == ["run-1", "run-2"]
    assert not reckoning.fits(unanswered=0)


def test_a_run_in_which_nothing_was_told_never_fits(ledger_of_two: Path, tmp_path: Path) -> None:
    assert not reckon(tmp_path / "never written", ledger_of_two, "nobody-").fits(unanswered=0)


def test_a_ledger_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReckoningError, match=r"cannot read .*nothing\.db"):
        reckon(tmp_path / "told.jsonl", tmp_path / "nothing.db", "run-")


@pytest.mark.parametrize("host", ["http://127.0.0.1:8000", "http://localhost:8000", "https://[::1]:8000"])
def test_load_may_always_be_put_on_this_machine(host: str) -> None:
    require_own(host, mine=False)


def test_load_is_put_on_another_machine_only_when_its_owner_says_so() -> None:
    with pytest.raises(CannotLoad, match="--host-is-mine"):
        require_own("http://192.0.2.1:8000", mine=False)
    require_own("http://192.0.2.1:8000", mine=True)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://"])
def test_what_is_no_url_is_told_so(host: str) -> None:
    with pytest.raises(CannotLoad, match="is not the URL of a service"):
        require_own(host, mine=True)


def test_a_station_survives_the_way_through_a_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "station.json"
    write_station(STATION, path)
    assert read_station(path) == STATION
    assert path.stat().st_mode & 0o077 == 0


def test_a_lane_beyond_the_last_scale_begins_again_with_the_first() -> None:
    body = fill_request(STATION, "check-1", 5, "7K2M9QRT4XWZB8ND", 16_600)
    assert (body["scale_id"], body["worker_id"], body["lane"]) == ("scale-1", "worker-1", 5)


def run_load(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "loadtests/load", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "http://127.0.0.1:9", "--data", "."), "nothing answers on http://127.0.0.1:9"),
        (("--host", "http://192.0.2.1:9", "--data", "."), "--host-is-mine"),
        (("--host", "http://127.0.0.1:9"), "--host needs --data"),
        (("--users", "none"), "argument --users"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    answer = run_load(*arguments)
    assert answer.returncode == 2
    assert said in answer.stderr.splitlines()[-1]
    assert "Traceback" not in answer.stderr


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = run_load("--port", str(taken.getsockname()[1]))
    assert answer.returncode == 2
    assert "choose another with --port" in answer.stderr.splitlines()[-1]
    assert "Traceback" not in answer.stderr


@pytest.mark.slow
def test_a_short_day_at_a_small_station_is_recorded_exactly_once() -> None:
    answer = run_load("--seconds", "2", "--cylinders", "200", "--json")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    outcome = json.loads(answer.stdout)
    assert outcome["ok"] is True
    assert outcome["audit_ok"] is True
    assert outcome["run"]["failures"] == []
    kinds = {kind["name"]: kind["requests"] for kind in outcome["run"]["kinds"]}
    assert kinds["fill 充装"] > 0
    assert kinds["all"] == outcome["reckoning"]["told"] + outcome["reckoning"]["told_again"]
    assert outcome["reckoning"]["recorded"] == outcome["reckoning"]["told"]
