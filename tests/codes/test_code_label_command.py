"""The command label: every format, several processes, a stop in the middle, and one sentence for a wrong argument."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ezdxf
import pytest
from drawn import read_by_zxing
from PIL import Image

from cylinder_codes.authenticity import TagKey
from cylinder_codes.commands.label import file_stem
from cylinder_codes.digital_link import format_printed_link
from cylinder_codes.identifiers import Code, make_code, stamp_code

KEY = TagKey("example", bytes(range(32)))
COMMAND = [sys.executable, "-m", "cylinder_codes.cli", "label"]


def codes(count: int) -> list[Code]:
    return [make_code(number.to_bytes(10), KEY) for number in range(count)]


def table(folder: Path, count: int) -> Path:
    path = folder / "codes.csv"
    path.write_text("code\n" + "".join(f"{code.text}\n" for code in codes(count)))
    return path


def label(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("processes", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 3, 200])
def test_every_code_has_its_label_however_many_processes_draw(tmp_path: Path, count: int, processes: int) -> None:
    out = tmp_path / "labels"
    run = label("--codes", table(tmp_path, count), "--out", out, "--processes", processes, "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["labels"] == count
    assert {path.name for path in out.iterdir()} == {f"{code.text}.png" for code in codes(count)}
    for code in codes(count)[::50]:
        with Image.open(out / f"{code.text}.png") as picture:
            assert read_by_zxing(picture) == format_printed_link(code)


def test_each_format_has_what_it_says(tmp_path: Path) -> None:
    out, name = tmp_path / "labels", codes(1)[0].text
    for kind in ("png", "svg", "dxf"):
        options = ("--level", "Q", "--module-mm", "0.6", "--format", kind)
        run = label("--codes", table(tmp_path, 2), "--out", out, *options)
        assert run.returncode == 0, run.stderr
    with Image.open(out / f"{name}.png") as picture:
        assert picture.info["dpi"][0] == pytest.approx(254 / 0.6, rel=1e-4)
    assert 'width="24.6mm"' in (out / f"{name}.svg").read_text()
    assert ezdxf.readfile(out / f"{name}.dxf").header["$EXTMAX"][0] == pytest.approx(41 * 0.6)  # type: ignore[attr-defined]


def test_level_version_and_mask_are_obeyed(tmp_path: Path) -> None:
    out = tmp_path / "labels"
    options = ("--level", "H", "--version", "7", "--mask", "5", "--module-px", "4")
    assert label("--codes", table(tmp_path, 1), "--out", out, *options).returncode == 0
    with Image.open(next(out.iterdir())) as picture:
        assert picture.width == (45 + 8) * 4
    said = json.loads(label("--describe", codes(1)[0].text, *options, "--json").stdout)
    assert (said["level"], said["version"], said["mask"], said["modules"]) == ("H", 7, 5, 45)


def test_describe_says_size_distance_and_contrast_in_both_languages() -> None:
    run = label("--describe", "04HM-ASW9-NF6Y-ZZPW-1011-YN69-55", "--module-mm", "0.6")
    assert run.returncode == 0
    for part in ("17.4 mm a side", "边长 17.4 mm", "about 174 mm", "约 174 mm", "ISO/IEC 15415", "55 %"):
        assert part in run.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--codes", "{codes}"], "--out"),
        (["--out", "{out}"], "--codes"),
        (["--codes", "{codes}", "--out", "{out}", "--mask", "8"], "'8' is not a number from 0 to 7"),
        (["--codes", "{codes}", "--out", "{out}", "--version", "41"], "'41' is not a number from 1 to 40"),
        (["--codes", "{codes}", "--out", "{out}", "--version", "1"], "needs version 3 at level M, not 1"),
        (["--codes", "{codes}", "--out", "{out}", "--module-mm", "nan"], "'nan' is not a length"),
        (["--codes", "{codes}", "--out", "{out}", "--module-mm", "0"], "'0' is not a length"),
        (["--codes", "{codes}", "--out", "{out}", "--format", "gif"], "invalid choice: 'gif'"),
        (["--codes", "{codes}", "--out", "{out}", "--processes", "0"], "'0' is not a number from 1 to 256"),
        (["--codes", "{codes}", "--out", "{out}", "--format", "zpl"], "invalid choice: 'zpl'"),
        (["--describe", "nonsense"], "--describe 'nonsense'"),
    ],
)
def test_a_wrong_argument_is_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    places = {"codes": table(tmp_path, 3), "out": tmp_path / "labels"}
    run = label(*(argument.format(**places) for argument in arguments))
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr


def begun(folder: Path, out: Path) -> "subprocess.Popen[str]":
    """A command that has drawn some of its labels, in a process group of its own, as a terminal starts it."""
    command = [*COMMAND, "--codes", str(table(folder, 20_000)), "--out", str(out), "--processes", "2"]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not out.exists() or len(list(out.glob("*.png"))) < 150:
        assert run.poll() is None
        time.sleep(0.02)
    return run


def assert_all_whole(out: Path) -> None:
    drawn = list(out.glob("*.png"))
    assert 150 <= len(drawn) < 20_000
    for path in drawn:
        data = path.read_bytes()
        assert data.endswith(b"IEND\xaeB`\x82")


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_ctrl_c_stops_all_processes_with_one_sentence_and_whole_labels(tmp_path: Path) -> None:
    out = tmp_path / "labels"
    run = begun(tmp_path, out)
    os.killpg(run.pid, signal.SIGINT)
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 2
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].endswith("is whole, and the same command draws all of them again")
    assert not list(out.glob(".*")), "nothing unfinished lies about"
    assert_all_whole(out)


@pytest.mark.skipif(sys.platform != "linux", reason="process groups are looked at")
def test_a_killed_command_leaves_whole_labels_and_no_process_that_draws_on(tmp_path: Path) -> None:
    out = tmp_path / "labels"
    run = begun(tmp_path, out)
    run.kill()
    run.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while not group_is_gone(run.pid):
        assert time.monotonic() < deadline, "a process draws on"
        time.sleep(0.05)
    assert_all_whole(out)


def test_file_names_of_different_codes_differ_and_are_allowed_everywhere() -> None:
    texts = ["grai:09520001123450ZJ33/10%2F", "grai:09520001123450ZJ33_10", "maker:A|B", "maker:A%7CB", "maker:A_B"]
    stems = [file_stem(code) for code in [Code(text) for text in texts] + [stamp_code("示" * 60, "2022-05", "A1")]]
    assert len(set(stems)) == len(stems)
    assert not [stem for stem in stems if len(stem) > 200 or set(stem) & set('<>:"/\\|?*')]
    assert file_stem(Code("grai:09520001123450ZJ33010000017")) == "grai_09520001123450ZJ33010000017"
