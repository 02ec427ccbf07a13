"""The README's lines about the formats of the world, typed as they stand: captured, queried, and a QR link followed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_process import Served
from test_try_the_service import CHINESE as CHINESE_README
from test_try_the_service import COMMENT, ENGLISH, URL, block_of

BLOCK = re.compile(r"^```sh\n(epc=.*?)^```$", re.MULTILINE | re.DOTALL)


def formats_of(readme: Path) -> str:
    (found,) = BLOCK.findall(readme.read_text("utf-8"))
    return str(found)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[str]:
    """A fresh `serve --demo` on a free port, its data in `.data` of the folder; where it listens."""
    service = Served("--demo", "--data", tmp_path / ".data", "--cylinders", "200")
    yield service.url
    service.stop()


def test_the_readme_s_lines_capture_a_document_query_it_and_follow_a_qr_link(tmp_path: Path, town: str) -> None:
    script = (block_of(ENGLISH) + "echo; echo FORMATS\n" + formats_of(ENGLISH)).replace(URL, town)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": programs},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    said = done.stdout.partition("FORMATS")[2]
    assert '"bizStep": "shipping"' in said, "what was captured came back"
    assert '"bizStep":"retail_selling"' in said, "the sale is an event too"
    assert "示例用户" not in said, "personal data came out of the vault"
    assert "307 Temporary Redirect" in said
    assert '"linkset"' in said
    assert json.loads(said.strip().splitlines()[-1])["lines"], "the public history has no month"
    page = (tmp_path / "page.html").read_text("utf-8")
    assert '<html lang="en">' in page
    assert "problems/" not in said, "a line was refused"


def test_both_readmes_type_the_same_lines_about_the_formats() -> None:
    english, chinese = (COMMENT.sub("", formats_of(readme)) for readme in (ENGLISH, CHINESE_README))
    assert [line.rstrip() for line in english.splitlines()] == [line.rstrip() for line in chinese.splitlines()]
    assert re.findall(r"  # (\d+) ", formats_of(CHINESE_README)) == [str(number) for number in range(1, 9)]
