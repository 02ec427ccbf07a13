"""A new user works through "Print labels and check them" as it stands in the README, in either language."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageFilter

ROOT = Path(__file__).parents[2]
PHOTO = "photo.jpg"


def commands_of(readme: str) -> list[str]:
    """The lines of the label printer's block, continued lines joined."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    block = next(block for block in blocks if "cylinder-codes sheet" in block)
    return block.replace("\\\n", " ").splitlines()


def type_in(folder: Path, lines: list[str]) -> str:
    """What the lines print, typed into one shell; they must all succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def photograph_first_label(sheet: Path, photo: Path) -> None:
    """Print the sheet's second page, cut out the first label and photograph it: tilted, soft, grey."""
    page = pypdfium2.PdfDocument(sheet)[1].render(scale=4).to_pil().convert("L")
    width, height = page.size
    label = page.crop((int(width * 0.06), int(height * 0.05), int(width * 0.34), int(height * 0.17)))
    grey = Image.eval(label, lambda value: 40 + value * 170 // 255)
    grey.rotate(7, expand=True, fillcolor=210).filter(ImageFilter.GaussianBlur(1)).save(photo, quality=70)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_five_commands_lead_from_nothing_to_a_photo_read_and_a_statement_verified(readme: str, tmp_path: Path) -> None:
    lines = commands_of(readme)
    assert sum(line.startswith("cylinder-codes") for line in lines) == 5
    photo_line = next(number for number, line in enumerate(lines) if PHOTO in line)
    type_in(tmp_path, lines[:photo_line])
    photograph_first_label(tmp_path / "sheet.pdf", tmp_path / PHOTO)
    printed = type_in(tmp_path, [lines[0], *lines[photo_line:]])
    first_code = (tmp_path / "codes.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[1]
    assert f"{first_code} genuine" in printed
    assert "真码" in printed
    assert "GENUINE" in printed
    assert "真实有效" in printed
    assert len((tmp_path / "codes.csv").read_text(encoding="utf-8").splitlines()) == 101
