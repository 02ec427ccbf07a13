"""`cylinder-trace witness serve` as a real process: forks, restarts, kills, and what is kept."""

import json
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest
from witness_house import W1, RunningWitness, Said, running_witness

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_codes.note import open_note, parse_lines
from cylinder_trace import cli, merkle
from cylinder_trace.checkpoint import Checkpoint, sign_checkpoint, unverified_checkpoint
from cylinder_trace.cosignature import (
    ML_DSA_44,
    Cosigner,
    format_cosigner,
    format_cosigner_key,
    parse_cosigner,
    parse_cosigner_key,
    signed_at,
)
from cylinder_trace.merkle import HashesInMemory
from cylinder_trace.witnessing import SIZE_TYPE, AddCheckpoint, origin_path

LOG = SigningKey("ledger.example/cylinders", bytes(range(32)))
KNOWN = [LOG.verifying_key]
PQ = Cosigner("witness.example/pq", ML_DSA_44, bytes(range(64, 96)))
TREE = HashesInMemory([merkle.leaf_hash(b"%d" % n) for n in range(300)])
OTHER = HashesInMemory([merkle.leaf_hash(b"%d" % (n if n != 2 else 999)) for n in range(300)])
SHOWN = f"/{origin_path(LOG.name)}/checkpoint"


def request(old: int, size: int, tree: HashesInMemory = TREE) -> AddCheckpoint:
    checkpoint = Checkpoint(origin=LOG.name, size=size, root=merkle.root_hash(size, tree))
    return AddCheckpoint(old, tuple(merkle.prove_consistency(old, size, tree)), sign_checkpoint(checkpoint, LOG))


def cosigned(said: Said, asked: AddCheckpoint, *keys: Cosigner) -> None:
    assert said.status == 200, said.body
    known = [cosigner.verifying_key for cosigner in keys or (W1,)]
    assert open_note(asked.note + said.body, known).verified_by == tuple(known)


def test_a_growing_log_is_cosigned_and_shown_with_both_signatures(tmp_path: Path) -> None:
    with running_witness(tmp_path, KNOWN, [W1, PQ]) as witness:
        assert witness.get(SHOWN).status == 404
        for old, size in [(0, 0), (0, 5), (5, 5), (5, 256), (256, 300)]:
            cosigned(witness.ask(request(old, size)), request(old, size), W1, PQ)
            shown = open_note(witness.get(SHOWN).body, [LOG.verifying_key, W1.verifying_key, PQ.verifying_key])
            assert len(shown.verified_by) == 3
            assert unverified_checkpoint(witness.get(SHOWN).body).size == size


def test_each_wrong_request_gets_the_answer_of_the_protocol(tmp_path: Path) -> None:
    stranger = SigningKey("other.example/log", bytes(32))
    impostor = SigningKey(LOG.name, bytes(32))
    eight = Checkpoint(origin=LOG.name, size=8, root=merkle.root_hash(8, TREE))
    with running_witness(tmp_path, KNOWN) as witness:
        assert witness.ask(request(7, 8)) == Said(409, "0\n", SIZE_TYPE)
        cosigned(witness.ask(request(0, 7)), request(0, 7))
        assert witness.ask(request(0, 8)) == Said(409, "7\n", SIZE_TYPE)
        assert witness.ask(AddCheckpoint(9, (), request(0, 8).note)).status == 400
        assert witness.ask(AddCheckpoint(7, (), sign_checkpoint(eight, impostor))).status == 403
        unknown = eight.model_copy(update={"origin": stranger.name})
        assert witness.ask(AddCheckpoint(0, (), sign_checkpoint(unknown, stranger))).status == 404
        assert witness.ask(AddCheckpoint(7, (), request(7, 8).note)).status == 422
        assert witness.ask(request(7, 7, OTHER)).status == 422
        assert witness.post(b"hello").status == 400
        assert witness.post(b"hello", "/add").status == 404
        assert witness.post(bytes(600_000)).status == 413
        assert witness.get("/../state").status == 404
        cosigned(witness.ask(request(7, 8)), request(7, 8))


def test_of_two_logs_shown_under_one_name_only_the_first_is_cosigned_and_both_are_kept(tmp_path: Path) -> None:
    with running_witness(tmp_path, KNOWN) as witness:
        cosigned(witness.ask(request(0, 8)), request(0, 8))
        fork = request(8, 20, OTHER)
        for _ in range(3):
            assert witness.ask(fork).status == 422
        cosigned(witness.ask(request(8, 20)), request(8, 20))
    [kept] = (tmp_path / "state" / "evidence").iterdir()
    evidence = json.loads(kept.read_text())
    known = [LOG.verifying_key]
    assert evidence["shown"] == fork.note
    assert open_note(evidence["seen"], known).verified_by == open_note(evidence["shown"], known).verified_by
    assert (unverified_checkpoint(evidence["seen"]).size, evidence["old"]) == (8, 8)
    assert kept.name[:2] == "20"
    assert "FORK" in (tmp_path / "log").read_text()


def test_a_killed_witness_remembers_everything_it_ever_cosigned(tmp_path: Path) -> None:
    """SIGKILL while requests run: whatever was answered is what it stands by afterwards."""
    answered = 0
    for kill_after in (1, 3, 7, 12):
        with running_witness(tmp_path, KNOWN) as witness:
            shown = witness.get(SHOWN)
            size = unverified_checkpoint(shown.body).size if shown.status == 200 else 0
            assert answered <= size <= answered + 1
            if size > 2:
                assert witness.ask(request(size, size + 50, OTHER)).status == 422
            answered = grow_until_killed(witness, size, kill_after)
    with running_witness(tmp_path, KNOWN) as witness:
        size = unverified_checkpoint(witness.get(SHOWN).body).size
        assert answered <= size <= answered + 1
        cosigned(witness.ask(request(size, 299)), request(size, 299))


def grow_until_killed(witness: RunningWitness, size: int, kill_after: int) -> int:
    killer = threading.Timer(0.03 * kill_after, lambda: witness.process.send_signal(signal.SIGKILL))
    killer.start()
    try:
        while size < 290:
            cosigned(witness.ask(request(size, size + 1)), request(size, size + 1))
            size += 1
    except (OSError, HTTPException):
        pass
    killer.join()
    witness.process.wait()
    return size


def test_of_many_asking_at_once_none_gets_a_word_that_another_answer_takes_back(tmp_path: Path) -> None:
    """Two histories from one size, forty requests at once: one history is cosigned, the other never."""
    with running_witness(tmp_path, KNOWN) as witness:
        cosigned(witness.ask(request(0, 2)), request(0, 2))
        asked = [request(2, 3 + n, OTHER if n % 2 else TREE) for n in range(40)]
        with ThreadPoolExecutor(16) as pool:
            said = list(pool.map(witness.ask, asked))
        won = [number for number, answer in enumerate(said) if answer.status == 200]
        assert len(won) == 1
        assert {answer.status for answer in said} == {200, 409}
        assert unverified_checkpoint(witness.get(SHOWN).body) == unverified_checkpoint(asked[won[0]].note)


def test_a_silent_caller_does_not_keep_others_waiting(tmp_path: Path) -> None:
    with running_witness(tmp_path, KNOWN) as witness:
        host, port = witness.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as silent:
            silent.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 100\r\n\r\nold")
            cosigned(witness.ask(request(0, 8)), request(0, 8))


def test_a_damaged_memory_stops_the_witness_instead_of_being_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_witness(tmp_path, KNOWN) as witness:
        cosigned(witness.ask(request(0, 8)), request(0, 8))
        path = tmp_path / "state" / origin_path(LOG.name) / "checkpoint"
        path.write_text("")
        assert witness.ask(request(0, 8, OTHER)).status == 500
    key = tmp_path / "witness-0.key"
    words = ["witness", "serve", "--listen", "127.0.0.1:0", "--key", str(key), "--log", format_vkey(LOG.verifying_key)]
    assert cli.main([*words, "--state", str(tmp_path / "state")]) == 2
    assert "put it back" in capsys.readouterr().err


def test_two_witnesses_never_share_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running_witness(tmp_path, KNOWN):
        words = ["witness", "serve", "--listen", "127.0.0.1:0", "--key", str(tmp_path / "witness-0.key")]
        words += ["--log", format_vkey(LOG.verifying_key), "--state", str(tmp_path / "state")]
        assert cli.main(words) == 2
    assert "another witness" in capsys.readouterr().err


def test_a_log_may_be_named_by_a_long_key_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An ML-DSA-44 key as an argument is longer than any file's name may be."""
    second = Cosigner(LOG.name, ML_DSA_44, bytes(32)).verifying_key
    words = ["witness", "serve", "--listen", "nowhere", "--key", str(tmp_path / "none"), "--state", str(tmp_path / "s")]
    assert cli.main([*words, "--log", format_cosigner_key(second)]) == 2
    assert f"cannot read {tmp_path / 'none'}" in capsys.readouterr().err
    (tmp_path / "none").write_text(format_cosigner(W1))
    assert cli.main([*words, "--log", format_cosigner_key(second)]) == 2
    assert "--listen reads HOST:PORT" in capsys.readouterr().err


def test_a_witness_that_is_told_to_stop_stops(tmp_path: Path) -> None:
    with running_witness(tmp_path, KNOWN) as witness:
        witness.process.terminate()
        assert witness.process.wait(timeout=60) == 0


@pytest.mark.parametrize("more", [[], ["--ml-dsa"]], ids=["Ed25519", "ML-DSA-44"])
def test_a_witnesss_key_is_made_once_and_for_its_owners_eyes(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["keygen", "witness.example/w9", "--out", str(tmp_path / "w.key"), *more]
    assert cli.main(words) == 0
    shown = parse_cosigner_key(capsys.readouterr().out)
    made = parse_cosigner((tmp_path / "w.key").read_text())
    assert made.verifying_key == shown
    assert (tmp_path / "w.key").stat().st_mode & 0o777 == 0o600
    assert cli.main(words) == 2
    assert "never written over" in capsys.readouterr().err


def test_the_time_in_a_cosignature_is_the_time_of_the_answer(tmp_path: Path) -> None:
    with running_witness(tmp_path, KNOWN) as witness:
        first = signed_at(parse_lines(witness.ask(request(0, 8)).body)[0].signature)
        again = signed_at(parse_lines(witness.ask(request(8, 8)).body)[0].signature)
    assert 1_700_000_000 < first <= again < 2**33
