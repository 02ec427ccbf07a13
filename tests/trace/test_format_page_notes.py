"""The worked examples of the format page that are notes: each is what the library makes and checks."""

import re
from pathlib import Path

from cylinder_codes.keys import SigningKey, parse_vkey
from cylinder_trace import merkle
from cylinder_trace.cosignature import ED25519_COSIGNATURE, ML_DSA_44, Cosigner, parse_cosigner_key, signed_message
from cylinder_trace.merkle import HashesInMemory
from cylinder_trace.policy import Policy
from cylinder_trace.rotation import parse_rotation, rotate
from cylinder_trace.suite import SM3
from cylinder_trace.tlog_proof import parse_tlog_proof, verify_tlog_proof
from cylinder_trace.witnessing import Status, judge, parse_request

PAGE = (Path(__file__).parents[2] / "docs" / "ledger-format.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ENTRIES = [text.encode() for text in re.findall(r"^printf '%s' '(\{.*\})' > entry-\d$", PAGE, re.MULTILINE)]
LOG = SigningKey("ledger.example/cylinders", bytes(range(32)))
W1 = Cosigner("witness.example/w1", ED25519_COSIGNATURE, bytes(range(32, 64)))
TREE = HashesInMemory([merkle.leaf_hash(entry) for entry in ENTRIES])


def block(beginning: str) -> str:
    [found] = [text for text in BLOCKS if text.startswith(beginning)]
    return found


def test_the_proof_of_one_entry_on_the_page_verifies_with_its_witness() -> None:
    proof = parse_tlog_proof(block("c2sp.org/tlog-proof@v1"))
    vkey = re.search(r"^witness='(.*)'$", PAGE, re.MULTILINE)
    assert vkey
    policy = Policy((LOG.verifying_key,), {"w1": parse_cosigner_key(vkey[1])}, quorum="w1")
    assert verify_tlog_proof(proof, ENTRIES[1], policy).witnesses == ("w1",)


def test_the_request_to_a_witness_on_the_page_is_cosigned() -> None:
    request = parse_request(block("old 1").encode())
    seen = parse_tlog_proof(block("c2sp.org/tlog-proof@v1"))
    first = judge(request, {LOG.name: [LOG.verifying_key]}, None)
    assert (first.status, first.seen_size, seen.index) == (Status.OTHER_SIZE, 0, 1)
    assert first.checkpoint is not None
    one = first.checkpoint.model_copy(update={"size": 1, "root": TREE(0, 0)})
    assert judge(request, {LOG.name: [LOG.verifying_key]}, one).status == Status.COSIGNED


def test_the_message_that_ml_dsa_44_signs_is_the_one_on_the_page() -> None:
    text = block("old 1").partition("\n\n")[2].partition("\n\n")[0] + "\n"
    assert signed_message(LOG.name, ML_DSA_44, 1795312802, text).hex() == block("737562").replace("\n", "")


def test_the_rotation_on_the_page_is_signed_by_both_keys() -> None:
    rotation = parse_rotation(block("pinglian-key-rotation/1"))
    new = SigningKey(LOG.name, bytes(range(96, 128)))
    assert (rotation.old, rotation.new) == (LOG.verifying_key, new.verifying_key)
    assert rotate(LOG, new, rotation.at) == block("pinglian-key-rotation/1")
    assert parse_vkey(PAGE.split("vkey='")[1].split("'")[0]) == LOG.verifying_key


def test_the_sm3_hash_on_the_page_is_that_of_its_first_entry() -> None:
    assert f"`{merkle.leaf_hash(ENTRIES[0], SM3).hex()}`" in PAGE
    assert W1.verifying_key.key_id.hex() in PAGE
