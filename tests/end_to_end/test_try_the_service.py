"""The README's commands against a running service, typed as they are: ten for a cylinder's life, eight for formats."""

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
LIFE = re.compile(r"^```sh\n(PATH=\$PWD.*?\nurl=.*?)^```$", re.MULTILINE | re.DOTALL)
FORMATS = re.compile(r"^```sh\n(epc=.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"\s+# .*$", re.MULTILINE)


def block_of(readme: Path, block: re.Pattern[str]) -> str:
    (found,) = block.findall(readme.read_text("utf-8"))
    return str(found)


def typed(lines: str, folder: Path, url: str) -> str:
    """What the shell prints when these lines are typed in `folder`, the service listening at `url`."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines.replace(URL, url)], cwd=folder, capture_output=True, text=True,
        check=False, env={**os.environ, "PATH": programs},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "problems/" not in done.stdout, "a line was refused"
    assert "示例用户" not in done.stdout, "personal data came out of the vault"
    return done.stdout


@pytest.fixture
def town(tmp_path: Path) -> Iterator[str]:
    """A fresh `serve --demo` on a free port, its data in `.data` of the folder; where it listens."""
    service = Served("--demo", "--data", tmp_path / ".data", "--cylinders", "200")
    yield service.url
    service.stop()


def test_the_readme_s_ten_lines_lead_from_enrolling_a_device_to_a_printed_history(tmp_path: Path, town: str) -> None:
    said = typed(block_of(ENGLISH, LIFE), tmp_path, town)
    assert '"outcome":"ALLOW"' in said
    assert '"dispute":null' in said
    acts = re.findall(r'"type": "(\w+)"', said)
    assert acts[-6:] == ["fill_decided", "filled", "left_station", "sold", "safety_checked", "returned"]
    assert json.loads((tmp_path / "bundle.json").read_text("utf-8"))


def test_the_readme_s_lines_capture_a_document_query_it_and_follow_a_qr_link(tmp_path: Path, town: str) -> None:
    lines = block_of(ENGLISH, LIFE) + "echo; echo FORMATS\n" + block_of(ENGLISH, FORMATS)
    said = typed(lines, tmp_path, town).partition("FORMATS")[2]
    assert '"bizStep": "shipping"' in said, "what was captured came back"
    assert '"bizStep":"retail_selling"' in said, "the sale is an event too"
    assert "307 Temporary Redirect" in said
    assert '"linkset"' in said
    assert json.loads(said.strip().splitlines()[-1])["lines"], "the public history has no month"
    assert '<html lang="en">' in (tmp_path / "page.html").read_text("utf-8")


@pytest.mark.parametrize(("block", "count"), [(LIFE, 10), (FORMATS, 8)], ids=["life", "formats"])
def test_both_readmes_type_the_same_lines(block: re.Pattern[str], count: int) -> None:
    english, chinese = (COMMENT.sub("", block_of(readme, block)) for readme in (ENGLISH, CHINESE))
    assert [line.rstrip() for line in english.splitlines()] == [line.rstrip() for line in chinese.splitlines()]
    assert re.findall(r" # (\d+) ", block_of(CHINESE, block)) == [str(number) for number in range(1, count + 1)]
