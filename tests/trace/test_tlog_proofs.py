"""One entry's proof as one file, and the policy that says whose word counts."""

import json
from pathlib import Path
from typing import Any

import pytest

from cylinder_codes.keys import SigningKey, format_vkey, parse_vkey
from cylinder_codes.note import split_note
from cylinder_trace import merkle
from cylinder_trace.checkpoint import Checkpoint, CheckpointError, format_checkpoint, sign_checkpoint
from cylinder_trace.cosignature import (
    ED25519_COSIGNATURE,
    ML_DSA_44,
    Cosigner,
    format_cosigner_key,
    parse_cosigner_key,
)
from cylinder_trace.merkle import HashesInMemory
from cylinder_trace.policy import Policy, PolicyError, QuorumError, accept, parse_policy
from cylinder_trace.suite import SM3
from cylinder_trace.tlog_proof import (
    TlogProofError,
    format_tlog_proof,
    is_tlog_proof,
    make_tlog_proof,
    parse_tlog_proof,
    verify_tlog_proof,
)

FOLDER = Path(__file__).parents[1] / "vectors"
VECTOR: dict[str, Any] = json.loads((FOLDER / "notes/tlog_proofs.json").read_text("utf-8"))["proofs"][0]
LEAVES = [bytes.fromhex(leaf) for leaf in json.loads((FOLDER / "merkle/rfc6962.json").read_text("utf-8"))["leaves"]]
ENTRY = bytes.fromhex(VECTOR["entry"])
LOG = SigningKey("ledger.example/cylinders", bytes(range(32)))
LOG_ONLY = Policy(logs=(parse_vkey(VECTOR["log_vkey"]),))
NOTE = parse_tlog_proof(VECTOR["file"]).checkpoint
W = {
    f"w{n}": Cosigner(f"witness.example/{n}", kind, bytes([n] * 32))
    for n, kind in enumerate([ED25519_COSIGNATURE, ML_DSA_44, ED25519_COSIGNATURE, ED25519_COSIGNATURE])
}
TEXT = split_note(NOTE)[0]


def witnessed(*names: str) -> str:
    checkpoint = Checkpoint(origin=LOG.name, size=8, root=bytes(32))
    text = format_checkpoint(checkpoint)
    return sign_checkpoint(checkpoint, LOG, [W[name].cosign(text, 1790000008) for name in names])


def policy_text(*lines: str) -> str:
    witnesses = [f"witness {name} {format_cosigner_key(key.verifying_key)}" for name, key in W.items()]
    return "\n".join([f"log {format_vkey(LOG.verifying_key)} https://ledger.example/log", *witnesses, *lines, ""])


# --- the published file -------------------------------------------------------------------------------------


def test_the_published_proof_is_read_and_proves_its_entry() -> None:
    proof = parse_tlog_proof(VECTOR["file"])
    assert is_tlog_proof(VECTOR["file"])
    assert (proof.index, len(proof.proof), proof.extra) == (VECTOR["index"], 3, None)
    assert verify_tlog_proof(proof, ENTRY, LOG_ONLY).checkpoint.size == VECTOR["size"]


def test_our_own_proof_of_that_entry_is_the_published_file_byte_for_byte() -> None:
    tree = HashesInMemory([merkle.leaf_hash(leaf) for leaf in LEAVES])
    assert format_tlog_proof(make_tlog_proof(5, tree, NOTE)) == VECTOR["file"]


def test_the_published_proof_satisfies_a_policy_that_asks_for_its_witness() -> None:
    witness = parse_cosigner_key(VECTOR["witness_vkey"])
    policy = Policy(LOG_ONLY.logs, {"w1": witness}, quorum="w1")
    assert verify_tlog_proof(parse_tlog_proof(VECTOR["file"]), ENTRY, policy).witnesses == ("w1",)


def test_a_proof_with_any_byte_changed_is_refused() -> None:
    witness = parse_cosigner_key(VECTOR["witness_vkey"])
    policy = Policy(LOG_ONLY.logs, {"w1": witness}, quorum="w1")
    data = VECTOR["file"].encode()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        try:
            text = changed.decode()
        except UnicodeDecodeError:
            continue
        with pytest.raises(TlogProofError):
            verify_tlog_proof(parse_tlog_proof(text), ENTRY, policy)


@pytest.mark.parametrize("entry", [b"", ENTRY + b"\0", ENTRY[:-1], b"\x50"])
def test_a_proof_is_for_its_own_entry_only(entry: bytes) -> None:
    with pytest.raises(TlogProofError, match="not in the log at index 5"):
        verify_tlog_proof(parse_tlog_proof(VECTOR["file"]), entry, LOG_ONLY)


def test_extra_data_comes_back_and_proves_nothing_by_itself() -> None:
    tree = HashesInMemory([merkle.leaf_hash(leaf) for leaf in LEAVES])
    text = format_tlog_proof(make_tlog_proof(5, tree, NOTE, extra=ENTRY))
    assert text.split("\n")[1] == "extra QEFCQw=="
    proof = parse_tlog_proof(text)
    assert proof.extra == ENTRY
    with pytest.raises(TlogProofError):
        verify_tlog_proof(proof, b"another entry", LOG_ONLY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@v1", "@v2"),
        ("index 5\n", ""),
        ("index 5", "index 05"),
        ("index 5", "index -5"),
        ("index 5", "index ５"),
        ("index 5", f"index {10**20}"),
        ("index 5", "extra !\nindex 5"),
        ("vBoG", "vBo"),
        ("vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=", "AAAA"),
        ("index 5\n", "index 5\n" + "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=\n" * 64),
    ],
)
def test_what_is_not_a_proof_is_refused(old: str, new: str) -> None:
    assert old in VECTOR["file"]
    with pytest.raises(TlogProofError):
        parse_tlog_proof(VECTOR["file"].replace(old, new, 1))


def test_a_proof_of_an_sm3_log_is_checked_in_sm3() -> None:
    log = SigningKey("ledger.example/cylinders/sm3", bytes(range(32)))
    tree = HashesInMemory([merkle.leaf_hash(leaf, SM3) for leaf in LEAVES], SM3)
    note = sign_checkpoint(Checkpoint(origin=log.name, size=8, root=merkle.root_hash(8, tree, SM3)), log)
    proof = make_tlog_proof(5, tree, note)
    assert verify_tlog_proof(proof, ENTRY, Policy(logs=(log.verifying_key,))).checkpoint.origin == log.name


# --- the policy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "enough", "too_few"),
    [
        (["quorum none"], [()], []),
        (["quorum w1"], [("w1",), ("w0", "w1")], [(), ("w0",)]),
        (["group g any w0 w1", "quorum g"], [("w0",), ("w1",)], [(), ("w2",)]),
        (["group g all w0 w1", "quorum g"], [("w0", "w1")], [("w0",), ("w1",)]),
        (["group g 2 w0 w1 w2", "quorum g"], [("w0", "w2"), ("w0", "w1", "w2")], [("w2",), ("w2", "w3")]),
        (
            ["# two levels", "", "group g 1 w0 w1", "group h any\tw2 w3 ", "group both all g h", "  quorum both"],
            [("w0", "w3"), ("w1", "w2")],
            [("w0", "w1"), ("w2", "w3")],
        ),
    ],
)
def test_a_quorum_is_met_by_enough_witnesses_and_by_no_fewer(
    lines: list[str], enough: list[tuple[str, ...]], too_few: list[tuple[str, ...]]
) -> None:
    policy = parse_policy(policy_text(*lines))
    for names in enough:
        assert accept(witnessed(*names), policy).witnesses == names
    for names in too_few:
        with pytest.raises(QuorumError, match="cosigned by"):
            accept(witnessed(*names), policy)


def test_witnesses_without_the_log_are_no_quorum() -> None:
    stranger = Policy((SigningKey(LOG.name, bytes(32)).verifying_key,), {"w0": W["w0"].verifying_key}, quorum="w0")
    with pytest.raises(CheckpointError, match="known key"):
        accept(witnessed("w0"), stranger)


def test_a_spoilt_cosignature_counts_as_none_and_leaves_the_others_theirs() -> None:
    note = witnessed("w0", "w2")
    lines = note.split("\n")
    spoilt = "\n".join([*lines[:-2], lines[-2][:-8] + "AAAAAAA=", ""])
    policy = parse_policy(policy_text("group g any w0 w2", "quorum g"))
    assert accept(spoilt, policy).witnesses == ("w0",)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "exactly one quorum"),
        (["quorum none", "quorum w0"], "exactly one quorum"),
        (["quorum w9"], "no witness or group w9"),
        (["quorum g", "group g any w0"], "no witness or group g"),
        (["group g 3 w0 w1", "quorum g"], "from 1 to 2"),
        (["group g 0 w0 w1", "quorum g"], "from 1 to 2"),
        (["group g any", "quorum g"], "it reads: group"),
        (["group g any w0", "group h any w0", "quorum h"], "member already"),
        (["group g any w0 w0", "quorum g"], "member already"),
        (["group g any g", "quorum g"], "no witness or group g"),
        (["group none any w0", "quorum none"], "is taken"),
        (["group w1 any w0", "quorum w1"], "is taken"),
        ([f"witness w9 {format_cosigner_key(W['w0'].verifying_key)}", "quorum none"], "twice"),
        ([f"log {format_vkey(LOG.verifying_key)}", "quorum none"], "twice"),
        ([f"log {format_cosigner_key(Cosigner('x', ED25519_COSIGNATURE, bytes(32)).verifying_key)}"], "kind 01 or 06"),
        ([f"witness w9 {format_vkey(LOG.verifying_key)}", "quorum none"], "kind 04"),
        (["quorom none"], "none of log"),
        (["quorum none\r"], "control character"),
        (["log x y z"], "it reads: log"),
        (["witness x"], "it reads: witness"),
        (["quorum"], "it reads: quorum"),
    ],
)
def test_what_is_not_a_policy_is_refused_and_its_line_named(lines: list[str], says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        parse_policy(policy_text(*lines))
