"""`cylinder-trace` as the inspector types it: what it says and with which exit status."""

import functools
import http.server
import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from cylinder_codes.keys import SigningKey, format_signer, format_vkey, parse_signer
from cylinder_trace import cli, events
from cylinder_trace.admission import decide_fill
from cylinder_trace.decision import FillRequest
from cylinder_trace.events import state_event
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.station import facts_for
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.unit import Unit
from ledgers.homes import KEY, START, Home, bound, registered, returned

RULEBOOK = (files("cylinder_trace") / "rulebooks" / "cn-default.toml").read_text(encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "data"
    folder.mkdir()
    home = Home(f"sqlite:///{folder}/ledger.db", folder)
    with home.open() as ledger:
        ledger.append([registered(number) for number in range(1, 300)])
        ledger.append([bound(5), returned(5, "r5")])
        _record_a_decision(ledger)
    return home


def _record_a_decision(ledger: Ledger) -> None:
    published = events.RulebookPublished(rulebook_id="cn-default", version="2026.1", text=RULEBOOK)
    ledger.append([state_event(published, id="book", subject="rulebook/cn-default", occurred_at=START, by="a")])
    ledger.transact(_decide)


def _decide(unit: Unit) -> None:
    request = FillRequest(
        check_id="check.1", raw_scan="CODE5", code="CODE5", station_id="st_1", scale_id="sc_1", lane=1,
        boot_id="boot", empty_gross_g=16500, requested_at=START,
    )  # fmt: skip
    facts = facts_for(unit.station("st_1"), request, START, 0)
    decision = decide_fill(request, unit.cylinder_by_code("CODE5"), facts, parse_rulebook(RULEBOOK), START)
    event = events.FillDecided(request=request, station=facts, decision=decision, decided_by="service")
    unit.append(state_event(event, id="check.1", subject="cylinder/cyl_5", occurred_at=START, by="st_1"))


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def a_copy_with_one_byte_changed(home: Home, old: bytes, new: bytes) -> Path:
    copy = home.folder.parent / "copy.db"
    with sqlite3.connect(home.folder / "ledger.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = (home.folder / "ledger.db").read_bytes()
    assert data.count(old) == 1
    copy.write_bytes(data.replace(old, new))
    return copy


def test_a_clean_ledger_passes_and_says_what_cannot_be_seen(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "audit", home.folder)
    assert status == 0
    assert "303 entries" in out
    assert "全部一致" in out
    assert "kept elsewhere" in out


def test_one_changed_byte_is_found_and_its_entry_named(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    copy = a_copy_with_one_byte_changed(home, b'"id":"reg.123"', b'"id":"reg.133"')
    status, out, _ = run(capsys, "audit", copy, "--vkey", format_vkey(KEY.verifying_key), "--json")
    report = json.loads(out)
    assert (status, report["ok"]) == (1, False)
    fault = report["faults"][0]
    assert (fault["kind"], fault["subject"], fault["index"]) == ("edited", "cylinder/cyl_123", 122)


def test_a_ledger_signed_by_another_key_does_not_pass(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = SigningKey(KEY.name, bytes(32))
    status, out, _ = run(capsys, "audit", home.folder, "--vkey", format_vkey(stranger.verifying_key))
    assert status == 1
    assert "not the log's own" in out


def test_a_shorter_log_than_the_remembered_checkpoint_is_reported(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(home.folder, home.folder.parent / "yesterday")
    with home.open() as ledger:
        ledger.append([returned(5, "r6")])
    remembered = home.folder / "log" / "checkpoint"
    status, out, _ = run(capsys, "audit", home.folder.parent / "yesterday", "--remembered", remembered)
    assert status == 1
    assert "a signed checkpoint has 304 entries" in out


def test_a_history_bundle_verifies_offline_and_says_what_it_proves(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = home.folder / "bundle.json"
    with home.open() as ledger:
        bundle.write_text(ledger.reader.bundle("cylinder/cyl_5").model_dump_json())
    status, out, _ = run(capsys, "verify", bundle, "--vkey", home.folder / "log" / "keys")
    assert status == 0
    assert "proves 证明" in out
    assert "does not prove 不能证明" in out
    bundle.write_text(bundle.read_text().replace("st_1", "st_2", 1))
    status, out, _ = run(capsys, "verify", bundle)
    assert status == 1
    assert "step" in out


def test_decisions_taken_again_are_the_same_bit_for_bit(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "replay", home.folder, "--json")
    assert (status, json.loads(out)) == (0, {"ok": True, "decisions": 1, "signed": 0, "differences": []})


def test_a_decision_with_a_changed_outcome_does_not_replay(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    copy = a_copy_with_one_byte_changed(home, b'"code":"R62","detail":{}', b'"code":"R63","detail":{}')
    status, out, _ = run(capsys, "replay", copy, "--check", "check.1")
    assert status == 1
    assert "check.1" in out


def test_the_shipped_rulebook_is_good_and_a_mistake_in_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "rulebook")[0] == 0
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(RULEBOOK.replace("interval_months = 48", 'interval_months = "four years"'))
    status, out, _ = run(capsys, "rulebook", wrong)
    assert status == 1
    assert "inspection.interval_months" in out


@pytest.fixture
def static_log(home: Home) -> Iterator[str]:
    """The log's files behind a plain file server: no code of ours answers."""
    handler = functools.partial(_Quiet, directory=home.folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_witness_who_pinned_a_key_follows_its_rotation_by_the_statement_beside_the_log(
    home: Home, static_log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, key_file = tmp_path / "witness.state", tmp_path / "log.key"
    words = ["witness", static_log, "--state", state, "--vkey", format_vkey(KEY.verifying_key)]
    assert run(capsys, *words)[0] == 0
    key_file.write_text(format_signer(KEY))
    assert run(capsys, "rotate-key", "--key", key_file, "--log", home.folder / "log")[0] == 0
    new = parse_signer(key_file.read_text())
    with Ledger(home.url, home.folder, new, home.clock) as ledger:
        ledger.append([returned(5, "after")])
    assert run(capsys, *words)[0] == 0
    (home.folder / "log" / "rotations").unlink()
    assert run(capsys, *words)[0] == 1


def test_a_witness_follows_a_growing_log_and_refuses_a_rewritten_one(
    home: Home, static_log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "witness.state"
    assert run(capsys, "witness", static_log, "--state", state)[0] == 0
    with home.open() as ledger:
        ledger.append([returned(5, f"r{number}") for number in range(10, 300)])
    status, out, _ = run(capsys, "witness", static_log, "--state", state)
    assert status == 0
    assert "303 → 593" in out
    shutil.rmtree(home.folder / "log")
    (home.folder / "ledger.db").unlink()
    with home.open() as ledger:
        ledger.append([registered(number) for number in range(600)])
    status, out, _ = run(capsys, "witness", static_log, "--state", state)
    assert status == 1
    assert "ALARM" in out
    assert Path(f"{state}.fork").exists()
    assert "\n593\n" in state.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["audit", "/nowhere/ledger.db"], "there is no database"),
        (["audit", "http://127.0.0.1:1"], "did not answer"),
        (["verify", "/nowhere/bundle.json"], "cannot read"),
        (["witness", "http://127.0.0.1:1", "--state", "x"], "did not answer"),
        (["audit", "oracle://x"], "not supported"),
        (["audit", "postgresql://li:hidden@h:abc/x"], "not a database URL"),
        (["audit", "postgresql://li:hidden@127.0.0.1:1/x"], "refused"),
        (["audit", "http://[nowhere"], "did not answer"),
        (["audit", "http://a b"], "did not answer"),
        (["witness", "nowhere", "--state", "x"], "http://"),
        (["witness", "file:///nowhere", "--state", "x"], "http://"),
        (["audit"], "required"),
        (["fly"], "invalid choice"),
    ],
)
def test_what_cannot_be_checked_is_said_in_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status, _, err = run(capsys, *arguments)
    except SystemExit as stop:  # how argparse leaves
        status, err = int(stop.code or 0), capsys.readouterr().err
    assert status == 2
    assert said in err
    assert "hidden" not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["audit", "verify", "witness", "replay", "rulebook"])
def test_the_help_of_every_command_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(capsys, name, "--help")
    assert f"cylinder-trace {name}" in capsys.readouterr().out.partition("example:")[2]


def test_who_asks_for_a_decision_that_is_not_there_is_not_told_that_it_replays(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, "replay", home.folder, "--check", "check.2")
    assert (status, out) == (2, "")
    assert "check.2" in err


def test_a_ledger_too_damaged_to_replay_is_sent_to_the_audit(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    copy = a_copy_with_one_byte_changed(home, b'"id":"reg.5"', b'"id":"reg.""')
    status, out, err = run(capsys, "replay", copy)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "cylinder-trace audit" in err


def test_a_file_that_is_no_checkpoint_is_not_taken_for_a_fault_of_the_log(
    home: Home, static_log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Sir or Madam")
    for arguments in (["audit", home.folder, "--remembered", letter], ["witness", static_log, "--state", letter]):
        status, out, err = run(capsys, *arguments)
        assert (status, out) == (2, "")
        assert f"{letter} is not a checkpoint" in err
    status, _, err = run(capsys, "witness", static_log, "--state", tmp_path)
    assert (status, err.count("\n")) == (2, 1)


def test_a_file_that_is_looked_at_stays_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()
    assert run(capsys, "audit", empty, "--vkey", format_vkey(KEY.verifying_key))[0] == 2
    assert empty.read_bytes() == b""
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE shopping (list TEXT)")
    connection.close()
    before = other.read_bytes()
    assert run(capsys, "audit", other, "--vkey", format_vkey(KEY.verifying_key))[0] == 2
    assert other.read_bytes() == before


def test_a_service_that_answers_nonsense_is_told_in_one_sentence(
    tmp_path: Path, home: Home, static_log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, nonsense in (("keys", b""), ("keys", b"\xff\xfe"), ("checkpoint", b""), ("checkpoint", b"\xff")):
        kept = (home.folder / "log" / name).read_bytes()
        (home.folder / "log" / name).write_bytes(nonsense)
        for arguments in (["audit", static_log], ["witness", static_log, "--state", tmp_path / "state"]):
            status, _, err = run(capsys, *arguments)
            assert status in (1, 2), (name, nonsense)
            assert err.count("\n") == (status == 2)
        (home.folder / "log" / name).write_bytes(kept)


def test_a_file_that_is_no_database_is_said_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is a shopping list" * 100)
    status, _, err = run(capsys, "audit", tmp_path, "--vkey", format_vkey(KEY.verifying_key))
    assert status == 2
    assert "cannot be read" in err
