"""The ten curl lines of the README, typed as they stand: from enrolling a device to a printed history."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_process import Served

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
URL = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^```sh\n(PATH=\$PWD.*?\nurl=.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"\s+# .*$", re.MULTILINE)


def block_of(readme: Path) -> str:
    (found,) = BLOCK.findall(readme.read_text("utf-8"))
    return str(found)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[str]:
    """A fresh `serve --demo` on a free port, its data in `.data` of the folder; where it listens."""
    service = Served("--demo", "--data", tmp_path / ".data", "--cylinders", "200")
    yield service.url
    service.stop()


def test_the_readme_s_ten_lines_lead_from_enrolling_a_device_to_a_printed_history(tmp_path: Path, town: str) -> None:
    script = block_of(ENGLISH).replace(URL, town)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": programs},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert '"outcome":"ALLOW"' in done.stdout
    assert '"dispute":null' in done.stdout
    assert "problems/" not in done.stdout, "a line was refused"
    acts = re.findall(r'"type": "(\w+)"', done.stdout)
    assert acts[-6:] == ["fill_decided", "filled", "left_station", "sold", "safety_checked", "returned"]
    assert "示例用户" not in done.stdout, "personal data came out of the vault"
    assert json.loads((tmp_path / "bundle.json").read_text("utf-8"))


def test_both_readmes_type_the_same_ten_lines() -> None:
    english, chinese = (COMMENT.sub("", block_of(readme)) for readme in (ENGLISH, CHINESE))
    assert [line.rstrip() for line in english.splitlines()] == [line.rstrip() for line in chinese.splitlines()]
    assert re.findall(r" # (\d+) ", block_of(CHINESE)) == [str(number) for number in range(1, 11)]
