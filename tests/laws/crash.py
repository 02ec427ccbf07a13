"""Law: pull the plug at any moment; nothing acknowledged is lost, nothing is doubled, the audit passes."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from cylinder_codes.keys import format_vkey
from cylinder_trace.audit import Auditor, read_vkey
from ledgers.homes import KEY, Home

_WRITER = Path(__file__).with_name("crashing_writer.py")
_LONGEST_S = 1.2


def check(seed: int, folder: Path) -> None:
    """One run: a process writes from several threads, is killed at a random moment, and the ledger opens again."""
    dice = random.Random(seed)
    acknowledged = folder / "acknowledged"
    writer = subprocess.Popen([sys.executable, str(_WRITER), str(folder), str(acknowledged)])
    _wait_for_first(acknowledged, writer)
    time.sleep(dice.uniform(0, _LONGEST_S))
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    promised = acknowledged.read_text().splitlines()[:-1]  # the last line may be half written
    with Home(f"sqlite:///{folder}/ledger.db", folder).open() as ledger:
        stored = {f"{row.id} {row.hash.hex()}" for row in ledger.reader.all_entries()}
        lost = [line for line in promised if line not in stored]
        assert not lost, f"seed {seed}: {len(lost)} acknowledged entries are gone, first {lost[0]}"
        ledger.publisher.publish()
        auditor = Auditor(ledger.reader.checkpoints(), read_vkey(format_vkey(KEY.verifying_key)))
        auditor.check(ledger.reader.all_entries())
        faults = auditor.finish(ledger.reader.read_model()).faults
    assert not faults, f"seed {seed}: {faults[0]}"


def _wait_for_first(acknowledged: Path, writer: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while not (acknowledged.exists() and acknowledged.stat().st_size):
        assert writer.poll() is None, "the writer ended by itself"
        assert time.monotonic() < deadline, "the writer acknowledged nothing within 30 s"
        time.sleep(0.01)
