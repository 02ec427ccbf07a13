"""`cylinder-trace audit` as it is used: several processes, going on where it stopped, indexes, further signatures."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from test_key_rotation import opened, rotated
from test_tamper_kinds import ATTACKS, PAGE, truncate

from cylinder_codes.keys import SigningKey, format_signer, format_vkey
from cylinder_codes.note import format_lines, split_note
from cylinder_trace import cli
from cylinder_trace.audit import Auditor, read_vkey
from cylinder_trace.commands.auditing import STRETCH, Reading, State
from cylinder_trace.cosignature import ED25519_COSIGNATURE, ML_DSA_44, Cosigner, format_cosigner_key
from cylinder_trace.store.audit_reading import DatabaseRows
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.progress import silent
from cylinder_trace.store.publishing import Publishing
from ledgers.attacks import Json, by_hand, make_ledger, recompute
from ledgers.homes import KEY, Clock, Home, bound, registered, returned

W1 = Cosigner("witness.example/w1", ED25519_COSIGNATURE, bytes(range(32, 64)))
SECOND = Cosigner(KEY.name, ML_DSA_44, bytes(range(64, 96)))
VKEY = format_vkey(KEY.verifying_key)


def audit(capsys: pytest.CaptureFixture[str], place: object, *more: object, vkey: str = VKEY) -> Json:
    capsys.readouterr()
    cli.main(["audit", str(place), "--vkey", vkey, "--json", *map(str, more)])
    report: Json = json.loads(capsys.readouterr().out)
    return report


def in_order(report: Json) -> Json:
    """The report, its faults in one order: several processes find them in another."""
    places = ("index", "kind", "subject", "field", "message")
    return {**report, "faults": sorted(report["faults"], key=lambda fault: [fault[name] for name in places])}


def named(report: Json) -> set[tuple[str, str, int]]:
    return {(fault["kind"], fault["field"], fault["index"]) for fault in report["faults"]}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ledger(tmp_path_factory.mktemp("small") / "data")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three stretches: 9,000 entries of 500 cylinders."""
    folder = tmp_path_factory.mktemp("large") / "data"
    folder.mkdir()
    with Home(f"sqlite:///{folder}/ledger.db", folder).open() as ledger:
        ledger.append([registered(number) for number in range(500)])
        ledger.append([bound(number) for number in range(500)])
        for turn in range(8):
            ledger.append([returned(number % 500, f"r{turn}.{number}") for number in range(1_000)])
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[Path], Path]:
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "copy"))


# --- several processes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind, attacker in ATTACKS if attacker == "A"])
def test_two_processes_find_what_one_finds(
    kind: str, small: Path, copy: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attacked, older = copy(small), Path(shutil.copytree(small, tmp_path / "older"))
    recompute(older, truncate, sign=True)
    ATTACKS[kind, "A"](attacked, older)
    alone = audit(capsys, attacked, "--jobs", "1")
    assert not alone["ok"]
    assert in_order(audit(capsys, attacked, "--jobs", "2")) == in_order(alone)


def test_two_processes_find_what_one_finds_in_every_stretch_of_a_large_ledger(
    large: Path, copy: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    attacked = copy(large)
    with by_hand(attacked) as database:
        database.execute("UPDATE entry SET text = replace(text, 'st_1', 'st_2') WHERE log_index IN (700, 5000, 8999)")
        database.execute("UPDATE entry SET recorded_at = recorded_at - 1 WHERE log_index = 4096")
        database.execute("UPDATE entry SET type = 'sold' WHERE log_index = 8192")
        database.execute("UPDATE subject_now SET state = '{}' WHERE subject = 'cylinder/cyl_77'")
        database.execute("DELETE FROM entry_ref WHERE log_index = 6001")
        database.execute("UPDATE code SET cylinder_id = 'cyl_2' WHERE code = 'CODE1'")
    alone = audit(capsys, attacked, "--jobs", "1")
    assert {fault["index"] for fault in alone["faults"]} >= {5000, 8999, 4096, 8192, 6001}
    assert in_order(audit(capsys, attacked, "--jobs", "2")) == in_order(alone)
    assert audit(capsys, large, "--jobs", "2") == audit(capsys, large, "--jobs", "1")
    whole = audit(capsys, large, "--jobs", "3", "--integrity")
    assert (whole["ok"], whole["entries"], whole["size"]) == (True, 9_000, 9_000)


# --- going on -------------------------------------------------------------------------------------------------


def test_an_audit_goes_on_from_its_state_and_reads_only_what_is_new(
    small: Path, copy: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, state = copy(small), tmp_path / "state.json"
    first = audit(capsys, folder, "--since", state)
    assert first["ok"]
    with by_hand(folder) as database:
        database.execute("UPDATE entry SET type = 'sold' WHERE log_index = 3")
    with Home(f"sqlite:///{folder}/ledger.db", folder, Clock(at=Clock().at + 10_000)).open() as ledger:
        ledger.append([bound(3, "CODE-NEW"), returned(3, "back.new")])
    again = audit(capsys, folder, "--since", state)
    assert (again["ok"], again["entries"]) == (True, first["entries"] + 2)
    said = [item["message"] for item in again["not_excluded"] if item["kind"] == "edited"]
    assert any(f"entries before {first['entries']} were checked by an earlier audit" in message for message in said)
    assert named(audit(capsys, folder)) == {("edited", "type", 3)}, "from nothing it is found"
    with by_hand(folder) as database:
        database.execute("UPDATE entry SET type = 'sold' WHERE log_index = (SELECT max(log_index) FROM entry)")
    assert audit(capsys, folder, "--since", state)["ok"], "checked already"


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_wrong_before_a_stop_stays_in_the_report_and_new_faults_join_it(
    jobs: int, large: Path, copy: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Crash point: killed behind the first stretch, after its state was written."""
    folder, path = copy(large), tmp_path / "state.json"
    with by_hand(folder) as database:
        database.execute("UPDATE entry SET type = 'sold' WHERE log_index IN (5, 7000)")
        database.execute("DELETE FROM code WHERE code = 'CODE9'")
    source = DatabaseRows(f"sqlite:///{folder}/ledger.db", folder)
    auditor = Auditor(source.checkpoints(), read_vkey(VKEY), published=source.published())
    state = State(str(path), auditor)
    Reading(auditor, source, state, silent).alone(STRETCH)
    state.save()
    source.close()
    found = audit(capsys, folder, "--since", path, "--jobs", jobs)
    assert named(found) >= {("edited", "type", 5), ("edited", "type", 7000)}
    assert any(fault["field"] == "code" and "CODE9" in fault["message"] for fault in found["faults"])
    assert [fault for fault in found["faults"] if fault["field"] not in ("type", "code")] == []
    assert found["entries"] == 9_000


def test_a_state_of_another_log_or_kind_of_audit_is_refused_with_a_sentence(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state.json"
    audit(capsys, small, "--since", state, "--integrity")
    for text in (state.read_text(), "{}", "[]", "no json", '{"format": "pinglian-audit-state/2"}'):
        state.write_text(text)
        assert cli.main(["audit", str(small), "--vkey", VKEY, "--since", str(state)]) == 2
        assert "cannot be gone on from" in capsys.readouterr().err


AN_AUDIT_OF_A_SECOND = """
import time
from cylinder_trace.commands.pace import Pace
with Pace() as tell:
    tell("entries checked", 10, 1000)
    tell("entries checked", 20, 1000)
    time.sleep(1.05)
    tell("entries checked", 250, 1000)
    tell("entries checked", 300, 1000)
"""


def test_progress_on_a_terminal_is_said_once_a_second_with_speed_and_time_left_and_wiped_at_the_end() -> None:
    ours, theirs = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", AN_AUDIT_OF_A_SECOND], stderr=theirs, check=True)
        shown = ""
        while not shown.endswith("\r\r\x1b[K"):  # a terminal hands over what it has, not always all of it
            assert select.select([ours], [], [], 5)[0], f"the line is not wiped: {shown!r}"
            shown += os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert re.fullmatch(r"\r\x1b\[Kentries checked: 250/1000, [0-9]+/s, [0-9]+ s left\r\r\x1b\[K", shown)


# --- what was copied out of the entries ---------------------------------------------------------------------


class Changed(NamedTuple):
    """A change beside the entries, in words and as a statement; what is found, and a part of what is said."""

    what: str
    statement: str
    found: tuple[str, str]
    message: str = ""


REFERENCE, CODE = ("state_mismatch", "entry_ref"), ("state_mismatch", "code")
LINE, ROTATION = ("forged_author", "cosignature"), ("forged_author", "rotation")
INDEXES = (
    Changed(
        "a reference to an entry is taken out of the index",
        "DELETE FROM entry_ref WHERE log_index = 3", REFERENCE, "company/co_1 is missing",
    ),
    Changed(
        "a reference is turned to another subject",
        "UPDATE entry_ref SET ref = 'company/co_2' WHERE log_index = 3", REFERENCE, "company/co_2 is not the entry's",
    ),
    Changed(
        "a reference is put in that the entry does not make",
        "INSERT INTO entry_ref VALUES ('worker/w_1', 3)", REFERENCE, "worker/w_1 is not the entry's",
    ),
    Changed(
        "a reference is put in behind the last entry",
        "INSERT INTO entry_ref VALUES ('worker/w_1', 9999)", REFERENCE, "worker/w_1 is not the entry's",
    ),
    Changed(
        "a reference is put in before the first entry",
        "INSERT INTO entry_ref VALUES ('worker/w_1', -5)", REFERENCE, "worker/w_1 is not the entry's",
    ),
    Changed(
        "a code is taken out of the index", "DELETE FROM code WHERE code = 'CODE3'", CODE, "CODE3 leads to cyl_3"
    ),
    Changed(
        "a code is turned to another cylinder",
        "UPDATE code SET cylinder_id = 'cyl_4' WHERE code = 'CODE3'", CODE, "CODE3 leads to cyl_4",
    ),
    Changed(
        "a code is put in that nobody bound",
        "INSERT INTO code VALUES ('CODE99', 'cyl_1')", CODE, "CODE99 leads to cyl_1",
    ),
)  # fmt: skip
FLIPPED = "UPDATE cosignature SET line = replace(line, substr(line, 40, 1), 'A')"
LINES = (
    Changed(
        "a byte of a witness's line", "UPDATE cosignature SET line = replace(line, substr(line, 40, 1), 'A')", LINE
    ),
    Changed("a witness's line becomes something else", "UPDATE cosignature SET line = 'nothing'", LINE),
    Changed("a witness's line is put below another checkpoint", "UPDATE cosignature SET size = 1", LINE),
)
BY_HAND = (
    Changed("the log's ML-DSA-44 line is another key's", "", LINE),
    Changed("a statement of a rotation names another key", "", ROTATION),
)


def test_the_page_about_the_audit_lists_what_these_tests_change_beside_the_entries() -> None:
    rows = [f"| {one.what} | `{one.found[0]}` | `{one.found[1]}` |" for one in (*INDEXES, *LINES, *BY_HAND)]
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    at = lines.index("| changed | found as | in the field |") + 2
    assert lines[at : at + len(rows)] == rows
    assert not lines[at + len(rows)]


def kinds_and_fields(report: Json) -> set[tuple[str, str]]:
    return {(fault["kind"], fault["field"]) for fault in report["faults"]}


@pytest.mark.parametrize("change", INDEXES, ids=lambda change: change.what)
def test_a_changed_index_of_references_or_codes_is_named_with_its_row(
    change: Changed, small: Path, copy: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy(small)
    with by_hand(folder) as database:
        database.execute(change.statement)
    report = audit(capsys, folder)
    assert kinds_and_fields(report) == {change.found}
    assert any(change.message in fault["message"] for fault in report["faults"])
    assert audit(capsys, folder, "--integrity")["ok"], "an audit without states leaves them out"


# --- further signatures ---------------------------------------------------------------------------------------


@pytest.fixture
def cosigned(tmp_path: Path) -> Path:
    """A log that signs with ML-DSA-44 too; its newest checkpoint has a witness's line."""
    folder = tmp_path / "data"
    folder.mkdir()
    with Ledger(f"sqlite:///{folder}/ledger.db", folder, KEY, Clock(), Publishing(SECOND)) as ledger:
        ledger.append([registered(1), registered(2)])
    text, _lines = split_note((folder / "log" / "checkpoint").read_text())
    line = W1.cosign(text, 1_790_000_000)
    with by_hand(folder) as database:
        row = (2, f"{line.name}+{line.key_id.hex()}", format_lines([line]))
        database.execute("INSERT INTO cosignature (size, key, line) VALUES (?,?,?)", row)
    return folder


def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy"
    path.write_text(f"log {VKEY}\nwitness w1 {format_cosigner_key(W1.verifying_key)}\nquorum none\n")
    return path


def test_lines_of_witnesses_are_checked_with_their_keys_and_counted_without(
    cosigned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = audit(capsys, cosigned)
    assert alone["ok"]
    assert "1 cosignatures of keys that are not known were not checked" in alone["not_excluded"][-1]["message"]
    known = audit(capsys, cosigned, "--policy", policy(tmp_path))
    assert known["ok"]
    assert not any("cosignatures" in item["message"] for item in known["not_excluded"])
    cli.main(["audit", str(cosigned), "--policy", str(policy(tmp_path)), "--json"])
    trusted = json.loads(capsys.readouterr().out)
    assert trusted == known, "the policy names the log's key too"


@pytest.mark.parametrize("change", LINES, ids=lambda change: change.what)
def test_a_changed_line_of_a_witness_is_found(
    change: Changed, cosigned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with by_hand(cosigned) as database:
        database.execute(change.statement)
    assert kinds_and_fields(audit(capsys, cosigned, "--policy", policy(tmp_path))) == {change.found}


def test_the_logs_ml_dsa_line_is_checked_with_the_key_that_stands_in_its_list(
    cosigned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Cosigner(KEY.name, ML_DSA_44, bytes(range(1, 33)))
    text, lines = split_note((cosigned / "log" / "checkpoint").read_text())
    wrong = other.cosign(text, 1_790_000_000)
    forged = [lines[0], type(wrong)(wrong.name, SECOND.verifying_key.key_id, wrong.signature)]
    (cosigned / "log" / "checkpoint").write_text(f"{text}\n{format_lines(forged)}")
    report = audit(capsys, cosigned, "--policy", policy(tmp_path))
    assert kinds_and_fields(report) == {LINE}
    assert KEY.name in report["faults"][0]["message"]


def test_who_pinned_a_key_follows_its_rotation_and_a_forged_statement_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.key").write_text(format_signer(KEY))
    with opened(tmp_path) as ledger:
        ledger.append([registered(1)])
    new = rotated(tmp_path)
    with opened(tmp_path) as ledger:
        ledger.append([registered(2)])
    for vkey in (VKEY, format_vkey(new.verifying_key)):
        report = audit(capsys, tmp_path, vkey=vkey)
        assert (report["faults"], report["size"]) == ([], 2)
    stranger = format_vkey(SigningKey(KEY.name, b"s" * 32).verifying_key)
    path = tmp_path / "log" / "rotations"
    path.write_text(path.read_text().replace(VKEY, stranger))
    assert ROTATION in kinds_and_fields(audit(capsys, tmp_path, vkey=format_vkey(new.verifying_key)))


# --- other ledgers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("home", ["sqlite", "postgresql"])
def test_an_sm3_ledger_is_audited_and_its_flipped_byte_found(
    home: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    key = SigningKey("ledger.example/cylinders/sm3", bytes(range(32)))
    url = f"sqlite:///{tmp_path}/ledger.db" if home == "sqlite" else str(request.getfixturevalue("postgres_url"))
    with Ledger(url, tmp_path, key, Clock()) as ledger:
        ledger.append([registered(number) for number in range(300)])
        ledger.append([bound(number) for number in range(300)])
    vkey = format_vkey(key.verifying_key)
    for jobs in (1, 2):
        report = audit(capsys, url, "--jobs", jobs, vkey=vkey)
        assert (report["ok"], report["size"]) == (True, 600)
    if home == "sqlite":
        with by_hand(tmp_path) as database:
            database.execute("UPDATE entry SET text = replace(text, 'CODE7', 'CODE8') WHERE id LIKE 'code.7.%'")
        changed: Any = audit(capsys, tmp_path, vkey=vkey)["faults"][0]
        assert (changed["kind"], changed["subject"], changed["field"]) == ("edited", "cylinder/cyl_7", "text")
