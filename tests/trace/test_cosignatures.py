"""Cosignatures of witnesses and the log's own ML-DSA-44 line: the published bytes, and what never passes."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cylinder_codes.keys import KeyFormatError, SigningKey, VerifyingKey, encode_base64, format_vkey
from cylinder_codes.note import NoteError, NoteSignature, format_lines, format_note, open_note, sign_text, split_note
from cylinder_trace.checkpoint import Checkpoint, CheckpointError, format_checkpoint, open_checkpoint, sign_checkpoint
from cylinder_trace.cosignature import (
    ED25519_COSIGNATURE,
    KINDS,
    ML_DSA_44,
    Cosigner,
    CosignerKey,
    LogKey,
    format_cosigner,
    format_cosigner_key,
    parse_cosigner,
    parse_cosigner_key,
    parse_log_key,
    parse_log_keys,
    signed_at,
    signed_message,
)

FOLDER = Path(__file__).parents[1] / "vectors/notes"
VECTORS: dict[str, Any] = json.loads((FOLDER / "cosignatures.json").read_text("utf-8"))
PUBLISHED: dict[str, Any] = json.loads((FOLDER / "checkpoints.json").read_text("utf-8"))
LOG = SigningKey("ledger.example/cylinders", bytes(range(32)))
TEXT, LOG_LINES = split_note(VECTORS["checkpoint"])
W1 = Cosigner(VECTORS["ed25519"]["name"], ED25519_COSIGNATURE, bytes.fromhex(VECTORS["ed25519"]["seed"]))
PQ = Cosigner(VECTORS["ml_dsa_44"]["name"], ML_DSA_44, bytes.fromhex(VECTORS["ml_dsa_44"]["seed"]))
LOG_PQ = Cosigner(LOG.name, ML_DSA_44, bytes(range(64, 96)))
TIME = 1790000008
both = pytest.mark.parametrize("cosigner", [W1, PQ], ids=["Ed25519", "ML-DSA-44"])


# --- published bytes ----------------------------------------------------------------------------------------


def test_the_published_ed25519_cosigner_has_the_known_key_in_every_form() -> None:
    vector, key = VECTORS["ed25519"], W1.verifying_key
    assert key.public_bytes.hex() == vector["public_key"]
    assert key.key_id.hex() == vector["key_id"]
    assert format_cosigner_key(key) == vector["vkey"]
    assert parse_cosigner_key(vector["vkey"]) == key


def test_an_ed25519_cosignature_is_the_published_one_byte_for_byte() -> None:
    line = W1.cosign(TEXT, VECTORS["ed25519"]["time"])
    assert (line.key_id + line.signature).hex() == VECTORS["ed25519"]["blob"]
    assert format_lines([line]) == VECTORS["ed25519"]["line"]
    assert signed_at(line.signature) == VECTORS["ed25519"]["time"]


def test_the_published_ml_dsa_44_key_and_message_are_ours_too() -> None:
    vector, key = VECTORS["ml_dsa_44"], PQ.verifying_key
    assert sha256(key.public_bytes).hexdigest() == vector["public_key_sha256"]
    assert key.key_id.hex() == vector["key_id"]
    assert signed_message(key.name, key.kind, vector["time"], TEXT).hex() == vector["message"]


def test_an_ml_dsa_44_cosignature_makes_the_note_grow_by_the_published_number_of_bytes() -> None:
    line = Cosigner(LOG.name, ML_DSA_44, PQ.seed).cosign(TEXT, TIME)
    assert len(line.signature) == 8 + 2420
    assert len(format_lines([line]).encode()) == VECTORS["ml_dsa_44"]["note_bytes"]


def test_the_live_key_of_gos_checksum_database_is_read_though_its_origin_has_another_name() -> None:
    vector = PUBLISHED["keys"][0]
    key = parse_log_key(vector["vkey"])
    assert (key.name, key.key_id.hex()) == (vector["name"], vector["key_id"])
    assert key.name != vector["origin"]


# --- what passes --------------------------------------------------------------------------------------------


@both
def test_a_cosignature_verifies_for_its_own_checkpoint_time_and_key_alone(cosigner: Cosigner) -> None:
    key, line = cosigner.verifying_key, cosigner.cosign(TEXT, TIME)
    assert key.verify(line.signature, TEXT.encode())
    assert not key.verify(line.signature, TEXT.replace("\n8\n", "\n9\n").encode())
    assert not key.verify((TIME + 1).to_bytes(8, "big") + line.signature[8:], TEXT.encode())
    stranger = Cosigner(cosigner.name, cosigner.kind, bytes(32)).verifying_key
    assert not stranger.verify(line.signature, TEXT.encode())


@both
def test_a_cosignature_with_any_byte_changed_or_missing_does_not_verify(cosigner: Cosigner) -> None:
    key, signature = cosigner.verifying_key, cosigner.cosign(TEXT, TIME).signature
    for at in range(0, len(signature), 1 if cosigner is W1 else 37):
        changed = bytearray(signature)
        changed[at] ^= 1
        assert not key.verify(bytes(changed), TEXT.encode())
        assert not key.verify(signature[:at], TEXT.encode())


@both
def test_what_is_no_checkpoint_is_neither_cosigned_nor_verified(cosigner: Cosigner) -> None:
    signature = cosigner.cosign(TEXT, TIME).signature
    with pytest.raises(CheckpointError):
        cosigner.cosign("a note\n", TIME)
    assert not cosigner.verifying_key.verify(signature, b"a note\n")
    assert not cosigner.verifying_key.verify(signature, b"\xff\n")


def test_ed25519_covers_extension_lines_and_ml_dsa_44_does_not() -> None:
    extended = TEXT + "an extension\n"
    assert not W1.verifying_key.verify(W1.cosign(TEXT, TIME).signature, extended.encode())
    assert PQ.verifying_key.verify(PQ.cosign(TEXT, TIME).signature, extended.encode())


def test_ml_dsa_44_binds_the_cosigners_name_and_ed25519_only_the_key_id_does() -> None:
    renamed = CosignerKey("witness.example/other", ML_DSA_44, PQ.verifying_key.public_bytes)
    assert not renamed.verify(PQ.cosign(TEXT, TIME).signature, TEXT.encode())
    assert renamed.key_id != PQ.verifying_key.key_id


@pytest.mark.parametrize("time_s", [-1, 2**63])
def test_a_time_outside_its_eight_bytes_is_refused(time_s: int) -> None:
    with pytest.raises(CheckpointError, match="time"):
        W1.cosign(TEXT, time_s)


# --- in a note ----------------------------------------------------------------------------------------------


def with_lines(*lines: NoteSignature) -> str:
    return format_note(TEXT, [*LOG_LINES, *lines])


def test_a_checkpoint_signed_in_both_ways_opens_with_either_key_and_with_both() -> None:
    note = sign_checkpoint(Checkpoint(origin=LOG.name, size=8, root=bytes(32)), LOG, [])
    text = split_note(note)[0]
    note = sign_checkpoint(Checkpoint(origin=LOG.name, size=8, root=bytes(32)), LOG, [LOG_PQ.cosign(text, TIME)])
    assert note.startswith(text)
    every: list[tuple[LogKey, ...]] = [
        (LOG.verifying_key,), (LOG_PQ.verifying_key,), (LOG.verifying_key, LOG_PQ.verifying_key)
    ]  # fmt: skip
    for known in every:
        assert open_checkpoint(note, known).size == 8


def test_a_known_ml_dsa_44_line_that_fails_spoils_a_note_whose_ed25519_line_is_good() -> None:
    spoilt = NoteSignature(LOG_PQ.name, LOG_PQ.verifying_key.key_id, bytes(2428))
    assert open_checkpoint(with_lines(spoilt), [LOG.verifying_key]).size == 8
    with pytest.raises(CheckpointError, match="does not fit"):
        open_checkpoint(with_lines(spoilt), [LOG.verifying_key, LOG_PQ.verifying_key])


def test_a_witness_alone_does_not_make_a_note_a_checkpoint_of_the_log() -> None:
    note = format_note(TEXT, [W1.cosign(TEXT, TIME)])
    with pytest.raises(CheckpointError, match="not by the key of"):
        open_checkpoint(note, [W1.verifying_key])


def test_sixteen_signature_lines_and_more_are_accepted_and_unknown_ones_passed_over() -> None:
    grease = [NoteSignature(f"grease.example/{n}", bytes([n] * 4), bytes([n] * (n + 1))) for n in range(60)]
    lines = [Cosigner(f"w.example/{n}", ED25519_COSIGNATURE, bytes([n] * 32)).cosign(TEXT, TIME) for n in range(16)]
    note = with_lines(*grease[:30], *lines, *grease[30:])
    known = [Cosigner(f"w.example/{n}", ED25519_COSIGNATURE, bytes([n] * 32)).verifying_key for n in range(16)]
    assert len(open_note(note, [LOG.verifying_key, *known]).verified_by) == 17


def test_an_ed25519_key_of_a_log_does_not_pass_for_a_cosigners_of_the_same_bytes() -> None:
    """The kind is in the key id: a signature made for one use is never taken for another."""
    as_cosigner = CosignerKey(LOG.name, ED25519_COSIGNATURE, LOG.verifying_key.public_bytes)
    assert as_cosigner.key_id != LOG.key_id
    plain = NoteSignature(LOG.name, as_cosigner.key_id, sign_text(TEXT, LOG).signature)
    with pytest.raises(NoteError, match="does not fit"):
        open_note(format_note(TEXT, [plain]), [as_cosigner])


# --- keys as text -------------------------------------------------------------------------------------------


@both
def test_a_cosigners_keys_come_back_from_their_text(cosigner: Cosigner) -> None:
    assert parse_cosigner(format_cosigner(cosigner) + "\n") == cosigner
    assert parse_cosigner_key(format_cosigner_key(cosigner.verifying_key)) == cosigner.verifying_key
    assert cosigner.seed.hex() not in repr(cosigner)


def test_a_list_of_keys_is_read_past_kinds_that_nobody_here_knows() -> None:
    unknown = f"log.example+00000000+{encode_base64(bytes([9]) + bytes(40))}"
    lines = [format_vkey(LOG.verifying_key), "", unknown, *(format_cosigner_key(c.verifying_key) for c in (W1, PQ))]
    assert parse_log_keys(lines) == [LOG.verifying_key, W1.verifying_key, PQ.verifying_key]
    with pytest.raises(KeyFormatError):
        parse_log_key(unknown)


def test_a_key_of_a_log_is_no_key_of_a_cosigner_and_the_other_way_round() -> None:
    with pytest.raises(KeyFormatError, match="kind 04"):
        parse_cosigner_key(format_vkey(LOG.verifying_key))
    assert isinstance(parse_log_key(VECTORS["ed25519"]["vkey"]), CosignerKey)
    assert isinstance(parse_log_key(format_vkey(LOG.verifying_key)), VerifyingKey)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_of_the_wrong_length_or_with_the_wrong_id_is_refused(kind: bytes) -> None:
    key = Cosigner("w.example", kind, bytes(32)).verifying_key
    with pytest.raises(KeyFormatError, match="bytes"):
        CosignerKey(key.name, kind, key.public_bytes[:-1])
    with pytest.raises(KeyFormatError, match="bytes"):
        Cosigner(key.name, kind, bytes(31))
    with pytest.raises(KeyFormatError, match="damaged"):
        parse_cosigner_key(format_cosigner_key(key).replace("w.example+", "v.example+"))


def test_a_name_or_origin_too_long_for_its_length_byte_is_refused() -> None:
    with pytest.raises(KeyFormatError, match="255"):
        Cosigner("w" * 256, ML_DSA_44, bytes(32))
    long = format_checkpoint(Checkpoint(origin="o" * 256, size=8, root=bytes(32)))
    with pytest.raises(CheckpointError, match="255"):
        PQ.cosign(long, TIME)
    assert W1.verifying_key.verify(W1.cosign(long, TIME).signature, long.encode())
