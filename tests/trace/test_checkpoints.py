"""Checkpoints as signed notes: the published ones open, and a changed byte never does."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cylinder_codes.keys import SigningKey, format_signer, format_vkey, parse_vkey
from cylinder_codes.note import open_note, sign_note
from cylinder_trace.checkpoint import (
    Checkpoint,
    CheckpointError,
    format_checkpoint,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/notes/checkpoints.json").read_text("utf-8"))
OURS: dict[str, str] = VECTORS["our_key"]
KEY = SigningKey(OURS["name"], bytes.fromhex(OURS["seed"]))
ROOT = sha256(b"root").digest()


def test_our_key_has_the_known_bytes_in_every_form() -> None:
    public = KEY.verifying_key
    preimage = KEY.name.encode() + b"\n\x01" + public.public_bytes
    assert public.public_bytes.hex() == OURS["public_key"]
    assert sha256(preimage).hexdigest() == OURS["key_id_sha256"]
    assert KEY.key_id.hex() == OURS["key_id"]
    assert format_vkey(public) == OURS["vkey"]
    assert format_signer(KEY) == OURS["signer"]
    assert sha256(KEY.name.encode()).hexdigest() == OURS["origin_sha256"]


@pytest.mark.parametrize("vector", VECTORS["checkpoints"], ids=lambda v: f"{v['source']}, {v['size']}")
def test_a_published_checkpoint_opens_with_its_key(vector: dict[str, Any]) -> None:
    checkpoint = open_checkpoint(vector["note"], [parse_vkey(vector["vkey"])])
    expected = Checkpoint(origin=vector["origin"], size=vector["size"], root=bytes.fromhex(vector["root"]))
    assert checkpoint == expected


@pytest.mark.parametrize("vector", VECTORS["notes"], ids=lambda vector: str(vector["source"]))
def test_a_published_note_that_is_no_checkpoint_opens_as_a_note_alone(vector: dict[str, Any]) -> None:
    known = [parse_vkey(vector["vkey"])]
    assert open_note(vector["note"], known).text == vector["text"]
    with pytest.raises(CheckpointError, match=r"three lines|decimal"):
        open_checkpoint(vector["note"], known)


@pytest.mark.parametrize("vector", [v for v in VECTORS["checkpoints"] if v["vkey"] == OURS["vkey"]])
def test_our_signature_is_the_known_one_byte_for_byte(vector: dict[str, Any]) -> None:
    checkpoint = Checkpoint(origin=KEY.name, size=vector["size"], root=bytes.fromhex(vector["root"]))
    assert sign_checkpoint(checkpoint, KEY) == vector["note"]


@pytest.mark.parametrize("size", [0, 1, 255, 70_000, 2**53 - 1])
def test_a_checkpoint_comes_back_from_its_note(size: int) -> None:
    checkpoint = Checkpoint(origin=KEY.name, size=size, root=ROOT)
    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint
    assert open_checkpoint(sign_checkpoint(checkpoint, KEY), [KEY.verifying_key]) == checkpoint


def test_a_checkpoint_with_any_byte_changed_is_refused() -> None:
    note = sign_checkpoint(Checkpoint(origin=KEY.name, size=70_000, root=ROOT), KEY).encode()
    for at in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[at] ^= 1 << bit
            try:
                text = changed.decode()
            except UnicodeDecodeError:
                continue
            with pytest.raises(CheckpointError):
                open_checkpoint(text, [KEY.verifying_key])


def test_a_checkpoint_with_any_byte_missing_is_refused() -> None:
    note = sign_checkpoint(Checkpoint(origin=KEY.name, size=70_000, root=ROOT), KEY)
    for at in range(len(note)):
        with pytest.raises(CheckpointError):
            open_checkpoint(note[:at] + note[at + 1 :], [KEY.verifying_key])


def test_a_good_signature_by_the_key_of_another_log_is_not_enough() -> None:
    other = SigningKey("other.example/log", bytes(32))
    note = sign_checkpoint(Checkpoint(origin=KEY.name, size=8, root=ROOT), other)
    with pytest.raises(CheckpointError, match=r"not by the key of ledger\.example/cylinders"):
        open_checkpoint(note, [KEY.verifying_key, other.verifying_key])


def test_a_checkpoint_that_nobody_known_signed_is_refused() -> None:
    note = sign_checkpoint(Checkpoint(origin=KEY.name, size=8, root=ROOT), KEY)
    impostor = SigningKey(KEY.name, bytes(32))
    with pytest.raises(CheckpointError, match="known key"):
        open_checkpoint(note, [])
    with pytest.raises(CheckpointError, match="known key"):
        open_checkpoint(note, [impostor.verifying_key])


def test_extension_lines_are_covered_by_the_signature_and_otherwise_ignored() -> None:
    checkpoint = Checkpoint(origin=KEY.name, size=8, root=ROOT)
    text = format_checkpoint(checkpoint) + "an extension\nand another\n"
    note = sign_note(text, KEY)
    assert open_checkpoint(note, [KEY.verifying_key]) == checkpoint
    with pytest.raises(CheckpointError):
        open_checkpoint(note.replace("another", "one more"), [KEY.verifying_key])


GOOD = "log.example\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "log.example\n8\n",
        GOOD[:-1],
        GOOD.replace("log.example", ""),
        GOOD.replace("\n8\n", "\n08\n"),
        GOOD.replace("\n8\n", "\n-8\n"),
        GOOD.replace("\n8\n", "\n+8\n"),
        GOOD.replace("\n8\n", "\n8.0\n"),
        GOOD.replace("\n8\n", "\n 8\n"),
        GOOD.replace("\n8\n", "\n八\n"),
        GOOD.replace("\n8\n", "\n８\n"),
        GOOD.replace("\n8\n", "\n\n"),
        GOOD.replace("\n8\n", f"\n{10**400}\n"),
        GOOD.replace("Xcna", "Xc"),
        GOOD.replace("Qyg=", "Qyg"),
        GOOD.replace("Qyg=", "Qyh="),
        GOOD.replace("Xcna", "-_na"),
        "log.example\n8\nAAAA\n",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text: str) -> None:
    assert parse_checkpoint(GOOD).size == 8
    with pytest.raises(CheckpointError, match="checkpoint"):
        parse_checkpoint(text)
