"""The fuzzer of the reader runs: a few seconds in every test run, as long as one likes with `make fuzz`."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

TARGET = Path(__file__).with_name("fuzz_reading.py")
CANNOT_BE_INSTALLED = sys.platform != "linux" or platform.machine() != "x86_64" or sys.version_info >= (3, 14)


@pytest.mark.skipif(CANNOT_BE_INSTALLED, reason="atheris exists for CPython 3.11 to 3.13 on Linux x86_64 only")
def test_a_few_seconds_of_fuzzing_find_nothing_wrong_with_the_reader(tmp_path: Path) -> None:
    command = [sys.executable, str(TARGET), "--seconds", "4", "--folder", str(tmp_path / "texts")]
    run = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    done = re.search(r"Done (\d+) runs", run.stderr)
    assert done
    assert int(done[1]) > 500
    assert not list((tmp_path / "texts").glob("found-*"))
