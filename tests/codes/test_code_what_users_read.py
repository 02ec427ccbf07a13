"""What a clerk reads after a command: short, calm, in Chinese too, on any terminal, and with the next step."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from cylinder_codes import cli
from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import format_code_human, make_code
from cylinder_codes.labels import label_png
from cylinder_codes.photos import PhotoFailure, read_photo

KEY = TagKey("labels", bytes(range(32)))
CODES = [make_code(bytes([number]) * 10, KEY) for number in range(1, 7)]
COMMAND = [sys.executable, "-m", "cylinder_codes.cli"]


def picture_of(count: int) -> bytes:
    """A picture of so many labels, side by side."""
    labels = [Image.open(io.BytesIO(label_png(code))).convert("L") for code in CODES[:count]]
    width, height = labels[0].size
    sheet = Image.new("L", (width * count, height), 255)
    for number, label in enumerate(labels):
        sheet.paste(label, (width * number, 0))
    written = io.BytesIO()
    sheet.save(written, "PNG")
    return written.getvalue()


def table(folder: Path, count: int) -> Path:
    path = folder / "codes.csv"
    path.write_text("code\n" + "".join(f"{code.text}\n" for code in CODES[:count]), encoding="utf-8")
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    cli.main(arguments)
    printed = capsys.readouterr()
    return printed.out + printed.err


def on_terminal(encoding: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, check=False)


def test_a_photo_of_many_labels_names_two_codes_and_their_number() -> None:
    answer = read_photo(picture_of(6))
    assert isinstance(answer, PhotoFailure)
    for sentence in (answer.text_en, answer.text_zh):
        assert sum(format_code_human(code) in sentence for code in CODES) == 2
        assert "6" in sentence


def test_a_photo_of_two_labels_names_both() -> None:
    answer = read_photo(picture_of(2))
    assert isinstance(answer, PhotoFailure)
    assert all(format_code_human(code) in answer.text_en for code in CODES[:2])
    assert "among them" not in answer.text_en


@pytest.mark.parametrize(
    ("count", "per_box", "words"),
    [(1, 1, "1 label in 1 box on 2 pages"), (2, 2, "2 labels in 1 box on 2 pages"), (2, 1, "2 labels in 2 boxes")],
)
def test_one_box_is_not_one_boxes(
    count: int, per_box: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.pdf"
    text = said(capsys, "sheet", str(table(tmp_path, count)), "--out", str(out), "--per-box", str(per_box))
    assert words in text
    assert "请按 100% 打印" in text


def test_one_label_is_not_one_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes = str(table(tmp_path, 1))
    assert "1 label is in" in said(capsys, "zpl", codes, "--out", str(tmp_path / "one.zpl"))
    assert "1 label is in" in said(capsys, "label", "--codes", codes, "--out", str(tmp_path / "labels"))


def test_a_code_that_our_key_did_not_make_is_sent_to_its_issuer_and_nobody_is_accused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "tag.key"
    assert cli.main(["keygen", "--kind", "tag", "--name", "other", "--plain", "--out", str(key)]) == 0
    text = said(capsys, "read", CODES[0].text, "--key", str(key))
    assert "NOT genuine" in text
    assert "ask its issuer" in text
    assert "向发码单位查询" in text
    assert "伪码" not in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk"])
def test_a_terminal_without_our_characters_changes_no_exit_code(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "two.png").write_bytes(picture_of(2))
    good = on_terminal(encoding, "read", CODES[0].text)
    bad = on_terminal(encoding, "read", "--photo", str(tmp_path / "two.png"))
    assert (good.returncode, bad.returncode) == (0, 1)
    assert b"Traceback" not in good.stderr + bad.stderr
    assert format_code_human(CODES[0]).encode() in good.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk"])
def test_json_stays_one_object_on_such_a_terminal(encoding: str) -> None:
    done = on_terminal(encoding, "read", "--json", "\N{GRINNING FACE}é")
    assert done.returncode == 1
    assert "码" in json.loads(done.stdout.decode(encoding))["text_zh"]


def test_the_scanner_check_runs_on_a_terminal_without_chinese() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [*COMMAND, "scanner", "check"], env=environment, input=b"hello\n", capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_a_scanner_check_that_is_stopped_says_that_it_begins_anew() -> None:
    process = subprocess.Popen(
        [*COMMAND, "scanner", "check"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    process.stderr.readline()  # it asks for the first symbol, so it listens
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=20)[1].decode()
    assert process.returncode == 2
    assert "begin again with symbol 1" in told
    assert "goes on from there" not in told


def test_a_label_given_to_verify_is_sent_to_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "label.png").write_bytes(picture_of(1))
    text = said(capsys, "verify", str(tmp_path / "label.png"))
    assert "no signed statement is in the picture" in text
    assert "cylinder-codes read --photo" in text
    assert "图片中没有签名凭证" in text


def test_a_name_that_is_too_long_is_not_thrown_back_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["issue", "--count", "1", "--to", "长" * 5000, "--out", str(tmp_path / "codes.csv")])
    text = capsys.readouterr().err
    assert "长长" in text
    assert len(text) < 200


def test_what_cannot_be_written_is_told_by_the_name_that_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.zpl.part").mkdir()
    text = said(capsys, "zpl", str(table(tmp_path, 1)), "--out", str(tmp_path / "one.zpl"))
    assert "one.zpl: " in text
    assert "name another" in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk"])
def test_the_help_is_read_on_any_terminal(encoding: str) -> None:
    for words in (["--help"], ["sheet", "--help"]):
        run = on_terminal(encoding, *words)
        assert run.returncode == 0
        assert b"Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("missing", "extra", "arguments"),
    [
        ("cbor2", "statements", ["verify", "slip.png"]),
        ("zxingcpp", "photos", ["read", "--photo", "two.png"]),
        ("zxingcpp", "photos", ["verify", "two.png"]),
        ("PIL", "labels", ["label", "--codes", "codes.csv", "--out", "labels"]),
    ],
)
def test_what_is_not_installed_is_named_in_one_sentence(
    missing: str, extra: str, arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "two.png").write_bytes(picture_of(2))
    (tmp_path / "issuer").mkdir()
    table(tmp_path, 1)
    program = f"import sys; sys.modules[{missing!r}] = None; from cylinder_codes.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.endswith(f"install cylinder-codes[{extra}]\n")
