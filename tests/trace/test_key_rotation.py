"""The log's key is rotated: a statement by both keys, one checkpoint with both lines, and readers who follow."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from cylinder_codes.keys import SigningKey, format_signer, format_vkey, parse_signer
from cylinder_codes.note import format_note, open_note, sign_text, split_note
from cylinder_trace import cli
from cylinder_trace.checkpoint import CheckpointError, open_checkpoint
from cylinder_trace.rotation import (
    RotationError,
    parse_rotation,
    parse_rotations,
    predecessors,
    rotate,
    successors,
)
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.ledger import Ledger
from ledgers.homes import KEY, Clock, registered

KEYS = [KEY, *(SigningKey(KEY.name, bytes([n] * 32)) for n in range(1, 4))]
PUBLIC = [key.verifying_key for key in KEYS]
CHAIN = "".join(rotate(old, new, 1790000000000 + n) for n, (old, new) in enumerate(pairwise(KEYS)))


# --- the statement ------------------------------------------------------------------------------------------


def test_who_pinned_a_key_follows_the_statements_to_the_newest_and_back() -> None:
    rotations = parse_rotations(CHAIN)
    assert [rotation.at for rotation in rotations] == [1790000000000, 1790000000001, 1790000000002]
    assert successors(PUBLIC[0], rotations) == PUBLIC[1:]
    assert successors(PUBLIC[2], rotations) == PUBLIC[3:]
    assert predecessors(PUBLIC[3], rotations) == PUBLIC[2::-1]
    stranger = SigningKey(KEY.name, b"s" * 32).verifying_key
    assert successors(stranger, rotations) == predecessors(stranger, rotations) == []


def test_a_statement_that_only_one_key_signed_is_none() -> None:
    note = rotate(KEYS[0], KEYS[1], 1)
    text, lines = split_note(note)
    for line in lines:
        with pytest.raises(RotationError):
            parse_rotation(format_note(text, [line]))
    stranger = sign_text(text, SigningKey(KEY.name, b"s" * 32))
    with pytest.raises(RotationError, match="signed by the old key and the new one"):
        parse_rotation(format_note(text, [lines[0], stranger]))


def test_a_statement_with_any_byte_changed_is_none() -> None:
    note = rotate(KEYS[0], KEYS[1], 1790000000000).encode()
    for at in range(len(note)):
        changed = bytearray(note)
        changed[at] ^= 1
        try:
            text = changed.decode()
        except UnicodeDecodeError:
            continue
        with pytest.raises(RotationError):
            parse_rotation(text)


def test_a_log_is_not_handed_to_a_key_of_another_name_or_to_itself() -> None:
    for other in (SigningKey("other.example", bytes(32)), KEY):
        with pytest.raises(RotationError, match="same name"):
            rotate(KEY, other, 1)


# --- the ledger ---------------------------------------------------------------------------------------------


@contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    key = parse_signer((folder / "log.key").read_text())
    with Ledger(f"sqlite:///{folder}/ledger.db", folder, key, Clock()) as ledger:
        yield ledger


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "log.key").write_text(format_signer(KEY))
    with opened(tmp_path) as ledger:
        ledger.append([registered(1)])
    return tmp_path


def rotated(folder: Path) -> SigningKey:
    assert cli.main(["rotate-key", "--key", str(folder / "log.key"), "--log", str(folder / "log")]) == 0
    return parse_signer((folder / "log.key").read_text())


def shown(folder: Path) -> str:
    return (folder / "log" / "checkpoint").read_text()


def test_one_checkpoint_is_signed_by_both_keys_and_the_next_by_the_new_one(folder: Path) -> None:
    new = rotated(folder)
    with opened(folder) as ledger:
        both = shown(folder)
        assert len(open_note(both, [KEY.verifying_key, new.verifying_key]).verified_by) == 2
        ledger.append([registered(2)])
    assert open_checkpoint(shown(folder), [new.verifying_key]).size == 2
    with pytest.raises(CheckpointError):
        open_checkpoint(shown(folder), [KEY.verifying_key])


def test_all_keys_are_listed_with_the_newest_first(folder: Path) -> None:
    second = rotated(folder)
    third = rotated(folder)
    with opened(folder):
        pass
    listed = (folder / "log" / "keys").read_text().split()
    assert listed == [format_vkey(key.verifying_key) for key in (third, second, KEY)]
    assert parse_signer((folder / f"log.key.{KEY.key_id.hex()}").read_text()) == KEY
    assert (folder / "log.key").stat().st_mode & 0o777 == 0o600


def test_a_rotation_that_was_cut_short_goes_on_with_the_key_it_began_with(folder: Path) -> None:
    begun = SigningKey(KEY.name, b"n" * 32)
    (folder / "log.key.next").write_text(format_signer(begun))
    (folder / "log" / "rotations").write_text(rotate(KEY, begun, 5))
    with opened(folder) as ledger:
        ledger.append([registered(2)])  # the old key signs on
    assert rotated(folder) == begun
    assert len(parse_rotations((folder / "log" / "rotations").read_text())) == 1
    with opened(folder) as ledger:
        ledger.append([registered(3)])


def test_a_reader_who_pinned_the_old_key_follows_the_statement_and_nobody_elses(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rotated(folder)
    with opened(folder) as ledger:
        ledger.append([registered(2)])
    with opened(folder) as ledger:
        bundle = folder / "bundle.json"
        bundle.write_text(ledger.reader.bundle("cylinder/cyl_2").model_dump_json())
    words = ["verify", str(bundle), "--vkey", format_vkey(KEY.verifying_key)]
    assert cli.main(words) == 1
    assert cli.main([*words, "--rotations", str(folder / "log" / "rotations")]) == 0
    forged = folder / "forged"
    forged.write_text(rotate(KEYS[1], KEYS[2], 5))
    assert cli.main([*words, "--rotations", str(forged)]) == 1
    forged.write_text((folder / "log" / "rotations").read_text().replace("/1\n", "/1\nx\n", 1))
    assert cli.main([*words, "--rotations", str(forged)]) == 2


def test_without_the_statements_a_new_key_does_not_open_the_old_ledger(folder: Path) -> None:
    rotated(folder)
    (folder / "log" / "rotations").unlink()
    with pytest.raises(StoreError, match="not signed by this ledger's key"), opened(folder):
        pass
