"""Two programs that others wrote judge our log: `aics-tlog` verifies it, `aics-witness` cosigns it.

They need Python 3.12, so they live in an environment of their own, made with whatever newer Python the machine has.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# the load tests are no installed package
sys.path.insert(0, str(Path(__file__).parents[2] / "loadtests"))

import pytest

from benchmarks.measure import PeerMissing
from benchmarks.peer_environment import peer_python
from cylinder_codes.keys import format_vkey
from cylinder_trace import cli
from cylinder_trace.checkpoint import open_checkpoint
from cylinder_trace.cosignature import parse_cosigner_key
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.publishing import Publishing
from cylinder_trace.store.witness_client import WitnessAddress
from ledgers.homes import KEY, Clock, Home, registered
from servers.keeper import free_port

pytestmark = pytest.mark.slow

PINNED = ("aics-tlog==0.2.1", "aics-witness==0.1.0")
SIZE = 700


@pytest.fixture(scope="session")
def judges() -> Path:
    """The interpreter of the environment with both programs."""
    try:
        return peer_python("aics", PINNED, (3, 12))
    except PeerMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of a log of 700 entries, beside the key it is signed with."""
    around = tmp_path_factory.mktemp("judged")
    folder, made = around / "data", around / "copy"
    folder.mkdir()
    with Home(f"sqlite:///{folder}/ledger.db", folder).open() as ledger:
        ledger.append([registered(number) for number in range(SIZE)])
        assert ledger.publisher.wait_published(SIZE, timeout_s=60)
    assert cli.main(["mirror", str(folder), str(made)]) == 0
    (around / "vkey").write_text(format_vkey(KEY.verifying_key) + "\n")
    return made


def verdict(judges: Path, command: str, copy: Path, *more: str) -> dict[str, object]:
    known = ("--tiles", str(copy), "--vkey-file", str(copy.parent / "vkey"))
    asked: list[str | Path] = [judges, "-m", "aics_tlog", command, *known, *more]
    run = subprocess.run(asked, capture_output=True, text=True, check=False)
    answer: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    return answer


def test_a_foreign_verifier_accepts_checkpoint_and_tiles(judges: Path, copy: Path) -> None:
    answer = verdict(judges, "verify-checkpoint", copy)
    assert (answer["ok"], answer["size"], answer["log_ok"], answer["tiles_ok"]) == (True, SIZE, True, True)


@pytest.mark.parametrize("index", [0, 255, 256, 511, 512, 699])
def test_a_foreign_verifier_finds_every_entry_included(judges: Path, copy: Path, index: int) -> None:
    assert verdict(judges, "verify-inclusion", copy, "--index", str(index))["ok"] is True


def test_a_foreign_verifier_refuses_a_tile_in_which_a_bit_was_changed(judges: Path, copy: Path, tmp_path: Path) -> None:
    changed = tmp_path / "copy"
    shutil.copytree(copy, changed)
    shutil.copy(copy.parent / "vkey", tmp_path / "vkey")
    tile = changed / "tile" / "0" / "001"
    stored = bytearray(tile.read_bytes())
    stored[100] ^= 1
    tile.write_bytes(stored)
    assert verdict(judges, "verify-inclusion", changed, "--index", "300")["ok"] is False


@pytest.fixture
def witness(judges: Path, tmp_path: Path) -> Iterator[WitnessAddress]:
    """A running aics-witness that trusts our log."""
    port = free_port()
    config, program = ("-c", str(tmp_path / "witness.json")), (judges, "-m", "aics_witness")
    listen = ("--name", "witness.example/aics", "--listen", f"127.0.0.1:{port}")
    made = subprocess.run([*program, "init", *config, *listen], capture_output=True, text=True, check=True)
    ours = ("--origin", KEY.name, "--vkey", format_vkey(KEY.verifying_key))
    subprocess.run([*program, "add-log", *config, *ours], capture_output=True, check=True)
    with subprocess.Popen([*program, "serve", *config], stderr=subprocess.DEVNULL) as running:
        yield WitnessAddress(f"http://127.0.0.1:{port}", parse_cosigner_key(made.stdout.split()[0]))
        running.terminate()


def test_a_foreign_witness_cosigns_each_checkpoint_as_the_log_grows(witness: WitnessAddress, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with Ledger(f"sqlite:///{folder}/ledger.db", folder, KEY, Clock(), Publishing(None, (witness,))) as ledger:
        for size in (1, 2, 5):
            ledger.append([registered(number) for number in range(ledger.reader.size(), size)])
            assert cosigned(folder / "log" / "checkpoint", size, witness)


def cosigned(path: Path, size: int, witness: WitnessAddress) -> bool:
    """Whether the published checkpoint gets to `size` with the witness's line below it."""
    for _ in range(600):
        note = path.read_text() if path.exists() else ""
        if f"\n{size}\n" in note and f"— {witness.key.name} " in note:
            return open_checkpoint(note, [KEY.verifying_key]).size == size
        time.sleep(0.05)
    return False
