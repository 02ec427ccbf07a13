"""The load test: whom it may load, and how it finds out that a record it was told of is not there exactly once."""

import json
import resource
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# the load tests are no installed package
sys.path.insert(0, str(Path(__file__).parents[2] / "loadtests"))

import pytest

from brief import Brief, Cylinder, QueueBrief, StationBrief, Users, read_brief
from cylinder_api.acts.journal import SignedHead, is_signed, read_lines
from cylinder_codes.keys import SigningKey
from cylinder_trace.events import Returned, state_event
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.subjects import DeviceState
from device_chain import DeviceChain, vkey_of
from load.command import CannotLoad, require_files, require_own
from load.levels import LEVELS, Level
from load.reckoning import Reckoning, ReckoningError, reckon
from load_stations import Cylinder as Scanned
from load_stations import Station, fill_request

ROOT = Path(__file__).parents[2]
NOW = 1_795_000_000_000
STATION = Station(
    "http://127.0.0.1:1", "a token", "station-1", ("scale-1",), ("worker-1",), (Scanned("7K2M9QRT4XWZB8ND", 16_500),)
)
BRIEF = Brief(
    run_id="load-1",
    base_urls=("http://127.0.0.1:1", "http://127.0.0.1:2"),
    users={"StationDay": Users(2, 0.5)},
    stations=(
        StationBrief(
            "station-1", "company-1", "device-1", "a token", "00" * 32, ("scale-1",), ("worker-1",),
            (Cylinder("cyl_1", "7K2M9QRT4XWZB8ND", 16_500, "empty"),),
        ),
    ),
    delivery={"company-1": "another token"},
    inspector="a third token",
    to_inspect=("7K2M9QRT4XWZB8ND",),
    regulator="a fourth token",
    queues=(QueueBrief("station-1", "device-2", "a fifth token", "queue.jsonl", 0.5),),
)  # fmt: skip


@pytest.fixture
def ledger_of_two(tmp_path: Path) -> Path:
    """A database with the station's records `run-1` and `run-2`, and one of somebody else."""
    database = tmp_path / "ledger.db"
    with Ledger(f"sqlite:///{database}", tmp_path, SigningKey("test.example", bytes(32)), lambda: NOW) as ledger:
        for id in ("run-1", "other-1", "run-2"):
            event = Returned(station_id="station-1")
            ledger.append([state_event(event, id=id, subject="station/station-1", occurred_at=NOW, by="station-1")])
    return database


def url(database: Path) -> str:
    return f"sqlite:///{database}"


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
    reckoning = reckon(told_of(ledger_of_two, ["run-1", "run-2"]), url(ledger_of_two), "run-")
    assert reckoning == Reckoning(told=2, recorded=2)
    assert reckoning.fits(unanswered=0)


def test_a_record_told_twice_under_one_id_is_one_record(ledger_of_two: Path) -> None:
    reckoning = reckon(told_of(ledger_of_two, ["run-1", "run-1", "run-2"]), url(ledger_of_two), "run-")
    assert (reckoning.told, reckoning.told_again, reckoning.recorded) == (2, 1, 2)
    assert reckoning.fits(unanswered=0)


def test_a_record_told_but_not_there_is_missing(ledger_of_two: Path) -> None:
    reckoning = reckon(told_of(ledger_of_two, ["run-1", "run-2", "run-3"]), url(ledger_of_two), "run-")
    assert reckoning.missing == ["run-3"]
    assert not reckoning.fits(unanswered=0)


def test_a_record_that_was_never_told_is_explained_only_by_a_lost_answer(ledger_of_two: Path) -> None:
    reckoning = reckon(told_of(ledger_of_two, ["run-1"]), url(ledger_of_two), "run-")
    assert reckoning.untold == ["run-2"]
    assert not reckoning.fits(unanswered=0)
    assert reckoning.fits(unanswered=1)


@pytest.mark.parametrize("changed", [{"hash": "00"}, {"index": 7}, {"type": "filled"}])
def test_a_receipt_that_does_not_describe_the_entry_is_found(ledger_of_two: Path, changed: dict[str, Any]) -> None:
    reckoning = reckon(told_of(ledger_of_two, ["run-1", "run-2"], **changed), url(ledger_of_two), "run-")
    assert reckoning.different == ["run-1", "run-2"]
    assert not reckoning.fits(unanswered=0)


def test_a_run_in_which_nothing_was_told_never_fits(ledger_of_two: Path, tmp_path: Path) -> None:
    assert not reckon(tmp_path / "never written", url(ledger_of_two), "nobody-").fits(unanswered=0)


def test_a_ledger_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReckoningError, match=r"cannot read .*nothing\.db"):
        reckon(tmp_path / "told.jsonl", url(tmp_path / "nothing.db"), "run-")


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


def test_the_brief_survives_the_way_through_a_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "brief.json"
    BRIEF.write(path)
    assert read_brief(path) == BRIEF
    assert path.stat().st_mode & 0o077 == 0


def test_the_devices_of_the_load_chain_and_sign_as_the_service_reads_it() -> None:
    device = DeviceChain("device-1", "station-1", bytes(range(32)))
    for number in range(3):
        device.tell(f"run-{number}", "cylinder/cyl_1", "returned", NOW + number, {"station_id": "station-1"})
    body = device.upload()
    head = SignedHead.model_validate(body["head"])
    lines, trouble = read_lines(body["records"], "device-1", head)
    assert trouble is None
    assert [line.seq for line in lines] == [0, 1, 2]
    state = DeviceState(
        device_id="device-1", station_id="station-1", vkey=vkey_of("load-device", bytes(range(32))), n=1
    )
    assert is_signed(state, head)


def test_records_wait_until_they_are_answered_for() -> None:
    device = DeviceChain("device-1", "station-1", bytes(32))
    for number in range(3):
        device.tell(f"run-{number}", "cylinder/cyl_1", "returned", NOW, {"station_id": "station-1"})
    first = device.upload()
    device.answered(2)
    assert device.upload() == {**first, "records": first["records"][2:]}


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
def test_a_levels_users_make_the_events_that_it_names(level: Level) -> None:
    # a fill is a check and four records of the device; a delivery is a sale, a check at the home, an empty back
    made = 5 * level.fills + 3 * level.deliveries + level.queued + 30 * level.racks
    assert made == pytest.approx(level.events, rel=0.03)
    users = level.users()
    assert sum(users[kind].count * users[kind].rate for kind in ("StationDay",)) == pytest.approx(level.fills)


def test_half_of_a_levels_load_is_half_as_many_cylinders() -> None:
    half = LEVELS["peak"].times(0.5)
    assert (half.fills, half.events) == (LEVELS["peak"].fills / 2, LEVELS["peak"].events / 2)
    assert half.users()["StationDay"].count * 2 == pytest.approx(LEVELS["peak"].users()["StationDay"].count, abs=2)


def test_too_few_file_handles_are_told_before_the_service_is_started() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with pytest.raises(CannotLoad, match="ulimit -n"):
        require_files(hard + 1)


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
        (("--level", "none"), "argument --level"),
        (("--seconds", "none"), "argument --seconds"),
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
        answer = run_load("--home-db", "sqlite", "--port", str(taken.getsockname()[1]))
    assert answer.returncode == 2
    assert "choose another with --port" in answer.stderr.splitlines()[-1]
    assert "Traceback" not in answer.stderr


SHORT = ("--seconds", "4", "--cylinders", "1000", "--times", "0.5", "--json")


@pytest.mark.slow
@pytest.mark.parametrize("home_db", ["sqlite", "postgres"])
def test_a_short_day_of_everybody_is_recorded_exactly_once(home_db: str) -> None:
    answer = run_load(*SHORT, "--home-db", home_db)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    outcome = json.loads(answer.stdout)
    assert outcome["ok"] is True
    assert outcome["audit_ok"] is True
    assert outcome["run"]["failures"] == []
    kinds = {kind["name"].split(" ")[0]: kind["requests"] for kind in outcome["run"]["kinds"]}
    assert {"fill", "upload", "public", "rack", "all"} <= kinds.keys()
    assert outcome["reckoning"]["recorded"] == outcome["reckoning"]["told"] > 30
    assert outcome["reckoning"]["disputes"] == 0
    report = Path(outcome["folder"])
    assert {"report.html", "locust_stats.csv"} <= {file.name for file in report.iterdir()}
    assert not any("token" in file.read_text(errors="replace") for file in report.glob("*.csv"))
