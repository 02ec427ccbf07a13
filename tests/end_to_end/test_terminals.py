"""The programs speak on every terminal (终端): one that has no Chinese gets numbers in its place, and no traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TERMINALS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}
PROGRAMS = ("cylinder-trace", "cylinder-api", "station-agent")


def run(program: str, terminal: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    command = [str(Path(sys.executable).parent / program), *arguments]
    return subprocess.run(command, env=surroundings | TERMINALS[terminal], capture_output=True, check=False)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("terminal", TERMINALS)
def test_help_with_chinese_in_it_is_shown_on_a_terminal_that_has_none(program: str, terminal: str) -> None:
    done = run(program, terminal, "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert program.encode() in done.stdout
    assert rb"\u74f6" in done.stdout or rb"\u7ad9" in done.stdout  # 瓶, 站
    assert rb"\u00b7" in done.stdout  # the dot between the exit codes


def test_a_rulebook_is_shown_and_its_json_is_json() -> None:
    shown, told = (run("cylinder-trace", "ascii", "rulebook", *more) for more in ([], ["--json"]))
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert rb"\u2714" in shown.stdout
    assert any("\u4e00" <= char <= "\u9fff" for char in json.loads(told.stdout)["title"])
