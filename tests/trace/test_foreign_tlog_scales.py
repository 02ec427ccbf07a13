"""A reader of tlog-tiles that others wrote (`tlog-scales`) takes our mirror: leaves, inclusion, proofs."""

import subprocess
import sys
from pathlib import Path

import pytest

from cylinder_codes.keys import format_vkey
from cylinder_trace import cli
from ledgers.homes import KEY, Home, registered, returned

SIZE = 700
PLACES = (0, 255, 256, 511, 512, 699)
"""First and last of each bundle."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror that was made of 300 entries and brought up to 700."""
    folder = tmp_path_factory.mktemp("data")
    home, made = Home(f"sqlite:///{folder}/ledger.db", folder), folder.parent / "copy"
    for first, end in ((0, 300), (300, SIZE)):
        with home.open() as ledger:
            ledger.append([registered(number) for number in range(first, end)])
            assert ledger.publisher.wait_published(end, timeout_s=60)
        assert cli.main(["mirror", str(folder), str(made)]) == 0
    with home.open() as ledger:
        ledger.append([returned(1, "not.mirrored")])
    return made


def scales(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    program = "from tlog_scales.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program, *map(str, arguments)], capture_output=True, check=False)


@pytest.mark.parametrize("index", PLACES)
def test_a_foreign_reader_finds_the_stored_bytes_under_the_checkpoint(copy: Path, index: int) -> None:
    found = scales("get-leaf", "-c", copy, index)
    assert found.returncode == 0, found.stderr.decode()
    assert f'"id":"reg.{index}"'.encode() in found.stdout


@pytest.mark.parametrize("index", PLACES)
def test_the_proof_a_foreign_reader_makes_is_one_that_we_accept(copy: Path, tmp_path: Path, index: int) -> None:
    proof, entry = tmp_path / "one.tlog-proof", tmp_path / "entry"
    made = scales("gen-proof", copy, index)
    assert made.returncode == 0, made.stderr.decode()
    proof.write_bytes(made.stdout)
    entry.write_bytes(scales("get-leaf", copy, index).stdout)
    vkey = format_vkey(KEY.verifying_key)
    assert cli.main(["verify", str(proof), "--entry", str(entry), "--vkey", vkey]) == 0
    entry.write_bytes(entry.read_bytes().replace(b"co_1", b"co_2"))
    assert cli.main(["verify", str(proof), "--entry", str(entry), "--vkey", vkey]) == 1


def test_a_foreign_reader_refuses_an_entry_in_which_a_byte_was_changed(copy: Path) -> None:
    bundle = copy / "tile" / "entries" / "001"
    stored = bundle.read_bytes()
    bundle.write_bytes(stored.replace(b"A0300", b"A0301"))
    found = scales("get-leaf", "-c", copy, 300)
    bundle.write_bytes(stored)
    assert found.returncode != 0
    assert b"InclusionProofInvalid" in found.stderr
