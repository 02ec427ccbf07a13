"""What a witness answers: each line of the protocol's table, and a published sequence of a real log."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cylinder_codes.keys import SigningKey, VerifyingKey, decode_base64
from cylinder_codes.note import sign_note
from cylinder_trace import merkle
from cylinder_trace.checkpoint import Checkpoint, format_checkpoint, open_checkpoint, sign_checkpoint
from cylinder_trace.cosignature import ML_DSA_44, Cosigner, LogKey
from cylinder_trace.merkle import HashesInMemory
from cylinder_trace.suite import SHA256, SM3, Suite
from cylinder_trace.witnessing import (
    AddCheckpoint,
    RequestError,
    Status,
    format_request,
    judge,
    origin_path,
    parse_request,
)

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS: dict[str, Any] = json.loads((FOLDER / "notes/add_checkpoint.json").read_text("utf-8"))
LEAVES = [bytes.fromhex(leaf) for leaf in json.loads((FOLDER / "merkle/rfc6962.json").read_text("utf-8"))["leaves"]]
LOG = SigningKey("ledger.example/cylinders", bytes(range(32)))
KNOWN = {LOG.name: [LOG.verifying_key]}
TREE = HashesInMemory([merkle.leaf_hash(b"%d" % n) for n in range(40)])
OTHER = HashesInMemory([merkle.leaf_hash(b"%d" % (n if n < 3 else n + 1)) for n in range(40)])


def at(size: int, tree: HashesInMemory = TREE, origin: str = LOG.name) -> Checkpoint:
    return Checkpoint(origin=origin, size=size, root=merkle.root_hash(size, tree))


def request(old: int, size: int, tree: HashesInMemory = TREE, key: SigningKey = LOG) -> AddCheckpoint:
    proof = tuple(merkle.prove_consistency(old, size, tree)) if old <= size else ()
    return AddCheckpoint(old, proof, sign_checkpoint(at(size, tree, key.name), key))


# --- published bytes ----------------------------------------------------------------------------------------


def test_the_published_request_takes_a_witness_from_seven_to_eight() -> None:
    tree = HashesInMemory([merkle.leaf_hash(leaf) for leaf in LEAVES])
    asked = parse_request(VECTORS["body_7_to_8"].encode())
    assert format_request(asked) == VECTORS["body_7_to_8"]
    assert judge(asked, KNOWN, at(7, tree)).status == Status.COSIGNED
    assert (
        format_request(AddCheckpoint(7, tuple(merkle.prove_consistency(7, 8, tree)), asked.note))
        == (VECTORS["body_7_to_8"])
    )


def test_a_published_sequence_of_a_real_log_is_cosigned_step_by_step_and_in_no_other_order() -> None:
    sequence = VECTORS["sequence"]
    known = {sequence["origin"]: [VerifyingKey(sequence["origin"], bytes.fromhex(sequence["public_key"]))]}
    seen: Checkpoint | None = None
    for number, step in enumerate(sequence["steps"]):
        proof = tuple(node for line in step["proof"] if (node := decode_base64(line)) is not None)
        asked = parse_request(format_request(AddCheckpoint(step["old"], proof, step["note"])).encode())
        judgement = judge(asked, known, seen)
        assert judgement.status == Status.COSIGNED
        if number:
            assert judge(asked, known, None).status == Status.OTHER_SIZE
        seen = judgement.checkpoint
    assert seen is not None
    assert seen.size == 5


def test_the_address_of_a_log_at_a_witness_is_the_published_one() -> None:
    expected = "8a7996ae9f66adecce3a6038c6a0885aedd19533a68d4a7b1d2e673201e08de4"
    assert origin_path("ledger.example/cylinders") == expected


# --- the table of the protocol ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 8, 40])
def test_on_first_contact_any_size_is_cosigned_from_old_nought(size: int) -> None:
    assert judge(request(0, size), KNOWN, None).status == Status.COSIGNED


def test_on_first_contact_nobody_is_believed_a_size_of_their_own() -> None:
    judgement = judge(request(7, 8), KNOWN, None)
    assert (judgement.status, judgement.seen_size) == (Status.OTHER_SIZE, 0)


def test_an_empty_log_has_the_root_of_nothing_and_no_other() -> None:
    forged = AddCheckpoint(0, (), sign_checkpoint(Checkpoint(origin=LOG.name, size=0, root=bytes(32)), LOG))
    assert judge(forged, KNOWN, None).status == Status.OTHER_HISTORY


def test_a_log_that_nobody_told_the_witness_of_is_unknown() -> None:
    stranger = SigningKey("other.example/log", bytes(32))
    assert judge(request(0, 8, key=stranger), KNOWN, None).status == Status.UNKNOWN_LOG


def test_a_checkpoint_that_the_logs_key_did_not_sign_is_forbidden() -> None:
    impostor = SigningKey(LOG.name, bytes(32))
    assert judge(request(0, 8, key=impostor), KNOWN, None).status == Status.NOT_SIGNED
    changed = request(0, 8).note.replace("\n8\n", "\n9\n")
    assert judge(AddCheckpoint(0, (), changed), KNOWN, None).status == Status.NOT_SIGNED


def test_an_old_size_beyond_the_new_one_is_no_request() -> None:
    assert judge(request(9, 8), KNOWN, at(9)).status == Status.BAD_REQUEST


def test_another_old_size_than_the_one_cosigned_last_is_told_the_right_one() -> None:
    for old in (0, 6, 8):
        judgement = judge(request(old, 8), KNOWN, at(7))
        assert (judgement.status, judgement.seen_size) == (Status.OTHER_SIZE, 7)


def test_the_same_checkpoint_again_is_cosigned_again() -> None:
    assert judge(request(8, 8), KNOWN, at(8)).status == Status.COSIGNED


def test_the_same_size_with_another_root_is_a_fork() -> None:
    judgement = judge(request(8, 8, OTHER), KNOWN, at(8))
    assert judgement.status == Status.OTHER_HISTORY
    assert judgement.checkpoint == at(8, OTHER)


def test_a_rewritten_history_is_a_fork_whatever_proof_comes_with_it() -> None:
    for proof in (request(8, 20, OTHER).proof, request(8, 20).proof, ()):
        asked = AddCheckpoint(8, tuple(proof), request(8, 20, OTHER).note)
        assert judge(asked, KNOWN, at(8)).status == Status.OTHER_HISTORY


def test_extension_lines_are_allowed() -> None:
    note = sign_note(format_checkpoint(at(8)) + "an extension\n", LOG)
    assert judge(AddCheckpoint(0, (), note), KNOWN, None).status == Status.COSIGNED


def test_signatures_of_keys_the_witness_does_not_know_are_passed_over() -> None:
    second = Cosigner(LOG.name, ML_DSA_44, bytes(32))
    note = sign_checkpoint(at(8), LOG, [second.cosign(format_checkpoint(at(8)), 0)])
    assert judge(AddCheckpoint(0, (), note), KNOWN, None).status == Status.COSIGNED
    both: dict[str, list[LogKey]] = {LOG.name: [LOG.verifying_key, second.verifying_key]}
    assert judge(AddCheckpoint(0, (), note), both, None).status == Status.COSIGNED


@pytest.mark.parametrize("suite", [SHA256, SM3], ids=["SHA-256", "SM3"])
def test_a_log_is_followed_in_the_suite_that_its_origin_names(suite: Suite) -> None:
    key = SigningKey("l.example/sm3" if suite is SM3 else "l.example", bytes(32))
    tree = HashesInMemory([merkle.leaf_hash(b"%d" % n, suite) for n in range(9)], suite)
    seen = Checkpoint(origin=key.name, size=5, root=merkle.root_hash(5, tree, suite))
    new = Checkpoint(origin=key.name, size=9, root=merkle.root_hash(9, tree, suite))
    asked = AddCheckpoint(5, tuple(merkle.prove_consistency(5, 9, tree, suite)), sign_checkpoint(new, key))
    assert judge(asked, {key.name: [key.verifying_key]}, seen).status == Status.COSIGNED


@settings(max_examples=200)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_two_histories_are_never_both_cosigned(seen: int, old: int, size: int, other: bool) -> None:
    """Whatever is asked, what is cosigned extends what was seen: entry by entry the same."""
    tree = OTHER if other else TREE
    judgement = judge(request(old, size, tree), KNOWN, at(seen))
    if judgement.status == Status.COSIGNED:
        assert old == seen <= size
        assert merkle.root_hash(seen, tree) == merkle.root_hash(seen, TREE)


# --- requests -----------------------------------------------------------------------------------------------

GOOD = format_request(request(3, 8))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        GOOD.replace("old 3", "old 03").encode(),
        GOOD.replace("old 3", "old -3").encode(),
        GOOD.replace("old 3", "old").encode(),
        GOOD.replace("old 3", f"old {10**30}").encode(),
        GOOD.replace("old 3", "older 3").encode(),
        GOOD.replace("old 3\n", "old 3\n!\n").encode(),
        GOOD.replace("old 3\n", "old 3\nAAAA\n").encode(),
        GOOD.replace("old 3\n", "old 3\n" + "A" * 43 + "=\n" * 1 + ("A" * 43 + "=\n") * 63).encode(),
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    assert parse_request(GOOD.encode()).old == 3
    with pytest.raises(RequestError):
        parse_request(body)


@pytest.mark.parametrize("note", ["", "a note\n", "a note\n\n— x AAAAAAA=\n"])
def test_a_request_without_a_checkpoint_is_no_request(note: str) -> None:
    assert judge(AddCheckpoint(0, (), note), KNOWN, None).status == Status.BAD_REQUEST


def test_what_is_judged_good_was_signed_by_the_log() -> None:
    judgement = judge(request(3, 8), KNOWN, at(3))
    assert judgement.checkpoint == open_checkpoint(request(3, 8).note, KNOWN[LOG.name])
