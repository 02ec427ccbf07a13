"""The command line as a label printer uses it: a whole day's work, and one clear sentence for every slip."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from cylinder_codes.authenticity import TagKey
from cylinder_codes.cli import main
from cylinder_codes.digital_link import format_link
from cylinder_codes.identifiers import make_code
from cylinder_codes.keys import format_tag_key

COMMAND = str(Path(sys.executable).with_name("cylinder-codes"))
KEY = TagKey("works", bytes(range(32)))
CODE = make_code(bytes(range(10)), KEY)
COMMANDS = "issue book label read sign verify trust keygen sign-note import self-test".split()


def run(*arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, input=stdin, check=False)


@pytest.fixture
def tag_key(tmp_path: Path) -> Path:
    path = tmp_path / "tag.key"
    path.write_text(format_tag_key(KEY) + "\n")
    return path


def test_a_day_of_a_label_printer(tmp_path: Path) -> None:
    key, book, table, labels = (tmp_path / name for name in ("tag.key", "book.sqlite", "codes.csv", "labels"))
    assert run("keygen", "--plain", "--kind", "tag", "--name", "works", "--out", key).returncode == 0
    issued = run("issue", "--key", key, "--count", "5", "--book", book, "--out", table)
    assert (issued.returncode, issued.stderr) == (0, "")
    assert run("label", "--codes", table, "--out", labels).returncode == 0
    with table.open(encoding="utf-8", newline="") as file:
        codes = [line["code"] for line in csv.DictReader(file)]
    assert sorted(path.stem for path in labels.iterdir()) == sorted(codes)
    for code in codes:
        scanned = zxingcpp.read_barcodes(Image.open(labels / f"{code}.png"))[0].text
        read = run("read", "--json", "--key", key, stdin=scanned + "\r\n")
        assert read.returncode == 0
        answer = json.loads(read.stdout)
        assert (answer["ok"], answer["genuine"], answer["code"]) == (True, True, code)


def test_a_note_is_signed_and_verified_and_a_changed_one_is_not(tmp_path: Path) -> None:
    key, slip, note = tmp_path / "signing.key", tmp_path / "slip.txt", tmp_path / "slip.note"
    made = run("keygen", "--plain", "--kind", "signing", "--name", "station.example/3", "--out", key, "--json")
    assert json.loads(made.stdout)["public_file"] == f"{key}.pub"
    slip.write_bytes("皮重 16500 g\nnext due 2027-03\n".encode())
    assert run("sign-note", slip, "--key", key, "--out", note).returncode == 0
    assert run("sign-note", slip, "--key", key).stdout == note.read_text(encoding="utf-8")
    verified = run("verify", note, "--key", f"{key}.pub", "--json")
    assert (verified.returncode, json.loads(verified.stdout)["text"]) == (0, slip.read_text(encoding="utf-8"))
    note.write_bytes(note.read_bytes().replace(b"2027", b"2037"))
    changed = run("verify", note, "--key", f"{key}.pub", "--json")
    assert (changed.returncode, json.loads(changed.stdout)["kind"]) == (1, "wrong_signature")


def test_secret_keys_are_readable_by_their_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    for kind in ("tag", "signing"):
        path = tmp_path / kind
        arguments = ["keygen", "--plain", "--kind", kind, "--name", "works", "--out", str(path)]
        old_mask = os.umask(0)
        try:
            assert main(arguments) == 0
        finally:
            os.umask(old_mask)
        assert path.stat().st_mode & 0o777 == 0o600
        before = path.read_bytes()
        assert main(arguments) == 2
        assert path.read_bytes() == before


def test_a_secret_is_never_printed(tmp_path: Path) -> None:
    for kind in ("tag", "signing"):
        made = run("keygen", "--plain", "--kind", kind, "--name", "works", "--out", tmp_path / kind, "--json")
        secret = (tmp_path / kind).read_text().split("+", 4)[4].strip()
        assert secret not in made.stdout + made.stderr


def test_a_key_for_which_the_disk_has_no_room_leaves_no_file_in_the_way(tmp_path: Path) -> None:
    made = [COMMAND, "keygen", "--plain", "--kind", "tag", "--name", "works", "--out", str(tmp_path / "tag.key")]
    full = subprocess.run(["bash", "-c", 'ulimit -f 0; "$@"', "_", *made], capture_output=True, text=True, check=False)
    assert (full.returncode, full.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "tag.key").exists()
    assert str(tmp_path / "tag.key") in full.stderr


def test_codes_are_not_issued_into_a_file_that_is_there(tmp_path: Path, tag_key: Path) -> None:
    book, table = tmp_path / "book.sqlite", tmp_path / "codes.csv"
    table.write_text("mine")
    refused = run("issue", "--key", tag_key, "--count", "5", "--book", book, "--out", table)
    assert refused.returncode == 2
    assert table.read_text() == "mine"
    assert not book.exists()


@pytest.mark.parametrize(
    ("scan", "exit_code", "facts"),
    [
        (format_link(CODE).upper(), 0, {"ok": True, "code": CODE.text}),
        ("", 1, {"ok": False, "kind": "empty"}),
        ("https://elsewhere.example/c/" + CODE.text, 1, {"ok": False, "kind": "foreign_link", "position": 6}),
        (CODE.text[:-2] + "00", 1, {"ok": False, "kind": "wrong_check_digits", "position": 25}),
    ],
)
def test_a_scan_is_read_from_an_argument(
    capsys: pytest.CaptureFixture[str], scan: str, exit_code: int, facts: dict[str, object]
) -> None:
    assert main(["read", "--json", scan]) == exit_code
    printed = json.loads(capsys.readouterr().out)
    assert printed | facts == printed


def test_a_code_of_another_key_is_checked_and_bad(capsys: pytest.CaptureFixture[str], tag_key: Path) -> None:
    stranger = make_code(bytes(10), TagKey("other", bytes(32)))
    assert main(["read", stranger.text, "--key", str(tag_key)]) == 1
    assert "NOT genuine" in capsys.readouterr().out


def test_a_failure_is_told_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "12345"]) == 1
    assert "气瓶码" in capsys.readouterr().out


def test_a_table_is_checked_without_being_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "台账.csv"
    headers = "code,maker,serial,model,tare,volume,max_fill\n"
    good = f"{CODE.text},C27,001,YSP35.5,16.5,35.5,14.9\n"
    table.write_text(headers + good, encoding="utf-8")
    assert main(["import", str(table)]) == 0
    table.write_text(headers + good + good.replace("16.5", "?"), encoding="utf-8")
    assert main(["import", "--json", str(table)]) == 1
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [error["row_number"] for error in printed["errors"]] == [3]
    assert printed["rows"][0]["tare_g"] == 16500


def test_the_self_test_says_what_it_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["self-test"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("ok  ") >= 10
    assert "FAIL" not in printed
    assert main(["self-test", "--json"]) == 0
    assert all(json.loads(capsys.readouterr().out)["checks"].values())


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["issue"],
        ["issue", "--key", "{key}", "--count", "0", "--book", "b", "--out", "{dir}/o.csv"],
        ["issue", "--key", "{key}", "--count", "many", "--book", "b", "--out", "{dir}/o.csv"],
        ["issue", "--key", "{key}", "--count", "9" * 30, "--book", "{dir}/b", "--out", "{dir}/o.csv"],
        ["issue", "--key", "{key}", "--count", "1", "--book", "{dir}/b", "--out", "{dir}/o.csv", "--host", "a b/c"],
        ["issue", "--key", "{key}", "--count", "1", "--book", "{dir}/b", "--out", "{dir}/o.csv", "--host", ""],
        ["issue", "--key", "{dir}/none", "--count", "1", "--book", "{dir}/b", "--out", "{dir}/o.csv"],
        ["issue", "--key", "{dir}", "--count", "1", "--book", "{dir}/b", "--out", "{dir}/o.csv"],
        ["issue", "--key", "{text}", "--count", "1", "--book", "{dir}/b", "--out", "{dir}/o.csv"],
        ["issue", "--key", "{key}", "--count", "1", "--book", "{text}", "--out", "{dir}/o.csv"],
        ["issue", "--key", "{key}", "--count", "1", "--book", "{dir}/b", "--out", "{dir}/none/o.csv"],
        ["issue", "--key", "{key}", "--count", "1", "--book", "{dir}/none/b", "--out", "{dir}/o.csv"],
        ["keygen", "--kind", "tag", "--name", "a b", "--out", "{dir}/k"],
        ["keygen", "--kind", "tag", "--name", "a", "--out", "{dir}/none/k"],
        ["keygen", "--kind", "magic", "--name", "a", "--out", "{dir}/k"],
        ["label", "--codes", "{dir}/none", "--out", "{dir}/l"],
        ["label", "--codes", "{text}", "--out", "{dir}/l"],
        ["label", "--codes", "{noise}", "--out", "{dir}/l"],
        ["label", "--codes", "{empty}", "--out", "{dir}/l"],
        ["label", "--codes", "{codes}", "--out", "{text}"],
        ["label", "--codes", "{key}", "--out", "{dir}/l", "--module-px", "1000"],
        ["read", "x", "--key", "{text}"],
        ["sign-note", "{text}", "--key", "{key}"],
        ["verify", "{text}", "--key", "{text}"],
        ["verify", "{dir}/none", "--key", "{text}"],
        ["import", "{dir}/none.csv"],
        ["import", "{dir}"],
        ["import", "{noise}"],
    ],
    ids=" ".join,
)
def test_a_wrong_argument_or_file_is_one_clear_sentence_and_exit_2(
    arguments: list[str], tmp_path: Path, tag_key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, noise, empty, codes = (tmp_path / name for name in ("text", "noise", "empty", "codes"))
    empty.touch()
    codes.write_text(CODE.text)
    text.write_text("only words, and long enough to be looked at as a database\n" * 20)
    noise.write_bytes(bytes(range(128, 256)) * 20)
    before = sorted(tmp_path.iterdir())
    files = {"dir": tmp_path, "key": tag_key, "text": text, "noise": noise, "empty": empty, "codes": codes}
    filled = [part.format(**files) for part in arguments]
    try:
        exit_code = main(filled)
    except SystemExit as stop:  # how argparse leaves
        exit_code = int(stop.code or 0)
    printed = capsys.readouterr()
    assert (exit_code, printed.out) == (2, "")
    assert printed.err.startswith("cylinder-codes")
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err
    assert sorted(tmp_path.iterdir()) == before


def test_an_unreadable_file_is_one_clear_sentence(tmp_path: Path) -> None:
    unreadable = tmp_path / "unreadable"
    unreadable.symlink_to(unreadable)  # a loop cannot be read, not even by root
    read = run("read", "x" * 26, "--key", unreadable)
    imported = run("import", unreadable)
    for refused in (read, imported):
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1


def test_a_file_that_is_not_text_is_named(tmp_path: Path, tag_key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = tmp_path / "noise"
    noise.write_bytes(bytes(range(128, 256)))
    assert main(["verify", str(tag_key), "--key", str(noise)]) == 2
    assert f"{noise}: not UTF-8 text" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert f"cylinder-codes {name}" in capsys.readouterr().out.partition("example:")[2]


def test_every_command_explains_itself() -> None:
    overview = run("--help").stdout
    for name in (
        "keygen",
        "issue",
        "book",
        "label",
        "read",
        "sign",
        "sign-note",
        "trust",
        "verify",
        "import",
        "self-test",
    ):
        assert name in overview
    with_options = run("issue", "--help").stdout
    for option in ("--key", "--count", "--book", "--out", "--range", "--to", "--json"):
        assert option in with_options
