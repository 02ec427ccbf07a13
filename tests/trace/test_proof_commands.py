"""`cylinder-trace proof` and `verify`: an inspector gets one entry's proof and checks it with nothing but a key."""

import json
from pathlib import Path

import pytest

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_codes.note import format_lines, split_note
from cylinder_trace import cli
from cylinder_trace.cosignature import ED25519_COSIGNATURE, Cosigner, format_cosigner_key
from ledgers.homes import KEY, Home, registered

W1 = Cosigner("witness.example/w1", ED25519_COSIGNATURE, bytes(range(32, 64)))
VKEY = format_vkey(KEY.verifying_key)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "data"
    folder.mkdir()
    home = Home(f"sqlite:///{folder}/ledger.db", folder)
    with home.open() as ledger:
        ledger.append([registered(number) for number in range(1, 300)])
    return home


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("name", ["256", "reg.257"], ids=["by index", "by id"])
def test_an_entrys_proof_is_written_and_checked_offline(
    home: Home, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "one.tlog-proof"
    assert run(capsys, "proof", home.folder, name, "--out", file)[0] == 0
    status, out, _ = run(capsys, "verify", file, "--vkey", VKEY, "--json")
    told = json.loads(out)
    assert (status, told["ok"], told["index"], told["size"]) == (0, True, 256, 299)
    other = format_vkey(SigningKey(KEY.name, bytes(32)).verifying_key)
    assert run(capsys, "verify", file, "--vkey", other)[0] == 1


def test_a_proof_without_its_entry_is_checked_against_bytes_from_elsewhere(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, entry = tmp_path / "one.tlog-proof", tmp_path / "entry"
    with home.open() as ledger:
        stored = ledger.reader.entry("reg.7")
    assert stored is not None
    entry.write_bytes(stored.text)
    assert run(capsys, "proof", home.url.removeprefix("sqlite:///"), "6", "--out", file, "--without-entry")[0] == 0
    assert "extra" not in file.read_text()
    status, _, err = run(capsys, "verify", file, "--vkey", VKEY)
    assert (status, "--entry" in err) == (2, True)
    assert run(capsys, "verify", file, "--vkey", VKEY, "--entry", entry)[0] == 0
    entry.write_bytes(stored.text + b"\n")
    assert run(capsys, "verify", file, "--vkey", VKEY, "--entry", entry)[0] == 1


def test_a_policy_asks_for_witnesses_and_names_those_that_cosigned(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, policy = tmp_path / "one.tlog-proof", tmp_path / "policy.txt"
    run(capsys, "proof", home.folder, "6", "--out", file)
    policy.write_text(f"log {VKEY}\nwitness regulator {format_cosigner_key(W1.verifying_key)}\nquorum regulator\n")
    status, out, _ = run(capsys, "verify", file, "--policy", policy)
    assert (status, "regulator" in out) == (1, True)
    text = file.read_text()
    checkpoint, _ = split_note(text.partition("\n\n")[2])
    file.write_text(text + format_lines([W1.cosign(checkpoint, 1790000008)]))
    status, out, _ = run(capsys, "verify", file, "--policy", policy)
    assert (status, "cosigned by 见证人: regulator" in out) == (0, True)


def test_what_cannot_be_proved_or_checked_is_said_in_one_sentence(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, bad = tmp_path / "one.tlog-proof", tmp_path / "policy.txt"
    run(capsys, "proof", home.folder, "6", "--out", file)
    bad.write_text("quorum w1\n")
    for arguments, said in [
        (["proof", home.folder, "299", "--out", file], "no entry 299"),
        (["proof", home.folder, "nobody", "--out", file], "no entry nobody"),
        (["verify", file], "--vkey"),
        (["verify", file, "--policy", bad], "line 1 of the policy"),
        (["verify", file, "--vkey", "rubbish+rubbish+rubbish"], "not a verifying key"),
    ]:
        status, _, err = run(capsys, *arguments)
        assert (status, err.count("\n")) == (2, 1)
        assert said in err
