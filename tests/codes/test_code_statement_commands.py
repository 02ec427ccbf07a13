"""The issuer's folder and what is done with it: statements on slips, keys changed and revoked, lists published."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cylinder_codes.authenticity import TagKey
from cylinder_codes.cli import main
from cylinder_codes.commands.common import CannotCheck
from cylinder_codes.commands.issuer import Issuer, open_issuer, open_or_make_issuer
from cylinder_codes.identifiers import Code, format_code_human, make_code
from cylinder_codes.keys import format_vkey, parse_vkey
from cylinder_codes.slips import kilograms, lines_of, slip_png
from cylinder_codes.statement import Statement
from cylinder_codes.trust import TrustList, format_trust_list, open_trust_list
from cylinder_codes.typeface import require_drawable

COMMAND = str(Path(sys.executable).with_name("cylinder-codes"))
PASSPHRASE = "twelve bottles in a row"
CODE = make_code(bytes(range(10)), TagKey("works", bytes(range(32))))
FACTS = ["--model", "YSP35.5", "--tare", "16.5", "--max-fill", "14.5", "--next-due", "2030-01",
         "--end-of-life", "2034-01", "--owner", "company/临江燃气"]  # fmt: skip

Say = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def made_issuer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    passphrase = tmp_path_factory.mktemp("secret") / "passphrase"
    passphrase.write_text(PASSPHRASE + "\n")
    folder = tmp_path_factory.mktemp("works") / "issuer"
    open_or_make_issuer(argparse.Namespace(issuer=folder, passphrase_file=passphrase))
    return folder


@pytest.fixture
def issuer(made_issuer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Issuer:
    """A new issuer in ./issuer, with the passphrase in the environment."""
    shutil.copytree(made_issuer, tmp_path / "issuer")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CYLINDER_CODES_PASSPHRASE", PASSPHRASE)
    return open_issuer(argparse.Namespace(issuer=Path("issuer"), passphrase_file=None))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command that must succeed and return what it says with --json."""

    def run(*arguments: str, exit_code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert main([*arguments, "--json"]) == exit_code
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        return answer

    return run


def sign(*more: str) -> int:
    return main(["sign", "--code", CODE.text, *FACTS, *more])


# --- the folder ---------------------------------------------------------------------------------------------


def test_a_new_folder_holds_encrypted_keys_and_a_trust_list_for_its_owner_alone(made_issuer: Path) -> None:
    assert made_issuer.stat().st_mode & 0o777 == 0o700
    files = {path.name: path for path in made_issuer.iterdir()}
    assert sorted(files) == ["root.key", "root.pub", "signing.key", "tag.key", "trust.note"]
    for name, path in files.items():
        assert path.stat().st_mode & 0o777 == 0o600
        assert ("BEGIN ENCRYPTED PRIVATE KEY" in path.read_text()) == name.endswith(".key")
    assert [path.name for path in made_issuer.parent.iterdir()] == ["issuer"]


def test_its_first_list_names_its_signing_key_and_its_tag_key(issuer: Issuer) -> None:
    trust = issuer.trust_list()
    assert trust.serial == 1
    assert [entry.key for entry in trust.keys] == [issuer.signing_key().verifying_key]
    assert [entry.key_id for entry in trust.tag_keys] == [issuer.tag_key().key_id]
    assert issuer.root_path.read_text().strip() == format_vkey(issuer.root_key().verifying_key)
    assert len({issuer.tag_key().secret, issuer.signing_key().seed, issuer.root_key().seed}) == 3


def test_a_folder_that_is_there_is_opened_and_nothing_of_it_is_changed(issuer: Issuer) -> None:
    before = {path.name: path.read_bytes() for path in issuer.folder.iterdir()}
    open_or_make_issuer(argparse.Namespace(issuer=issuer.folder, passphrase_file=None))
    assert {path.name: path.read_bytes() for path in issuer.folder.iterdir()} == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYLINDER_CODES_PASSPHRASE", PASSPHRASE)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-my-aunt").touch()
    for folder in (tmp_path / "letters", tmp_path / "letters" / "to-my-aunt", tmp_path / "none" / "issuer"):
        with pytest.raises(CannotCheck):
            open_or_make_issuer(argparse.Namespace(issuer=folder, passphrase_file=None))
    assert [path.name for path in tmp_path.rglob("*")] == ["letters", "to-my-aunt"]


def test_a_kill_at_any_moment_leaves_a_whole_folder_or_none(tmp_path: Path) -> None:
    script = (
        "import argparse, sys, pathlib\n"
        "from cylinder_codes.commands.issuer import open_or_make_issuer\n"
        "print('go', flush=True)\n"
        "open_or_make_issuer(argparse.Namespace(issuer=pathlib.Path(sys.argv[1]), passphrase_file=None))\n"
    )
    environment = os.environ | {"CYLINDER_CODES_PASSPHRASE": PASSPHRASE}
    for number in range(8):
        folder = tmp_path / f"issuer-{number}"
        child = subprocess.Popen([sys.executable, "-c", script, folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=environment)  # fmt: skip
        with child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(number * 0.003)
            child.send_signal(signal.SIGKILL)
        if folder.exists():
            assert len(list(folder.iterdir())) == 5


def test_keys_of_which_the_passphrase_is_unknown_are_refused_in_one_sentence(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CYLINDER_CODES_PASSPHRASE", "not this one at all")
    assert sign() == 2
    wrong = capsys.readouterr().err
    assert "signing.key" in wrong
    assert "passphrase is wrong" in wrong
    monkeypatch.delenv("CYLINDER_CODES_PASSPHRASE")
    asked = subprocess.run([COMMAND, "sign", "--code", CODE.text, *FACTS], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert (asked.returncode, asked.stdout, asked.stderr.count("\n")) == (2, "", 1)
    assert "CYLINDER_CODES_PASSPHRASE" in asked.stderr


def test_the_passphrase_is_read_from_a_file(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CYLINDER_CODES_PASSPHRASE")
    Path("words").write_text(f"{PASSPHRASE}\r\nsecond line\n")
    assert sign("--passphrase-file", "words") == 0
    Path("words").write_text("\n")
    assert sign("--passphrase-file", "words") == 2


# --- keygen -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tag", "signing"])
def test_a_key_is_encrypted_unless_plain_is_asked_for(kind: str, issuer: Issuer, say: Say) -> None:
    made = say("keygen", "--kind", kind, "--name", "works", "--out", "encrypted")
    assert made["encrypted"] is True
    assert Path("encrypted").read_text().startswith(f"Name: works\nKind: {kind}\nKey-Id: {made['key_id']}\n")
    assert Path("encrypted").stat().st_mode & 0o777 == 0o600
    plain = say("keygen", "--plain", "--kind", kind, "--name", "works", "--out", "plain")
    assert plain["encrypted"] is False
    assert Path("plain").read_text().startswith("TAG+KEY+works+" if kind == "tag" else "PRIVATE+KEY+works+")


def test_a_note_is_signed_with_an_encrypted_key_and_with_a_plain_one(issuer: Issuer, say: Say) -> None:
    Path("slip.txt").write_text("皮重 16500 g\n")
    for options in ([], ["--plain"]):
        name = f"key{len(options)}"
        say("keygen", *options, "--kind", "signing", "--name", "works", "--out", name)
        say("sign-note", "slip.txt", "--key", name, "--out", f"{name}.note")
        assert say("verify", f"{name}.note", "--key", f"{name}.pub")["text"] == "皮重 16500 g\n"


def test_a_short_passphrase_makes_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CYLINDER_CODES_PASSPHRASE", "short")
    assert main(["keygen", "--kind", "tag", "--name", "works", "--out", str(tmp_path / "tag.key")]) == 2
    assert "12 characters" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# --- statements ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".txt", ".cbor"])
def test_a_statement_is_signed_and_verified_offline(suffix: str, issuer: Issuer, say: Say) -> None:
    out = f"slip{suffix}"
    assert sign("--out", out, "--valid-days", "7") == 0
    claims = say("verify", out)
    assert claims["ok"] is True
    assert (claims["code"], claims["tare_g"], claims["max_fill_g"]) == (CODE.text, 16_500, 14_500)
    assert (claims["model"], claims["medium"], claims["owner_id"]) == ("YSP35.5", "lpg", "company/临江燃气")
    assert claims["expires_at"] - claims["issued_at"] == 7 * 86_400_000
    assert claims["signed_by"] == "issuer/signing-1"


def test_the_text_is_printed_and_verified_as_an_argument_or_from_standard_input(
    issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sign() == 0
    text = capsys.readouterr().out
    assert text.startswith("PL1:")
    assert main(["verify", text.strip()]) == 0
    piped = subprocess.run([COMMAND, "verify", "-"], input=text, capture_output=True, text=True, check=False)
    assert piped.returncode == 0


def test_the_verdict_stands_first_and_every_claim_below_it_in_both_languages(
    issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    sign("--out", "slip.txt")
    capsys.readouterr()
    assert main(["verify", "slip.txt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("真实有效")
    assert lines[1].startswith("GENUINE")
    assert f"气瓶码 code: {format_code_human(CODE)}" in lines
    assert "皮重 tare: 16.5 kg" in lines
    assert main(["verify", "slip.txt", "--at", "2099-01-01"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("不能采信：")
    assert lines[1].startswith("NOT GOOD: expired at")


def test_a_genuine_statement_says_when_the_cylinder_is_overdue_or_past_its_end_of_life(
    issuer: Issuer, say: Say
) -> None:
    slip = say("sign", *("--code", CODE.text, *FACTS), "--valid-days", "3650")["text"]
    months = {"2029-12-01": [], "2030-03-01": ["next_due_month"], "2034-03-01": ["end_of_life_month", "next_due_month"]}
    for day, past in months.items():
        assert say("verify", slip, "--at", day)["past"] == past


def test_a_human_code_and_a_scanned_link_name_the_cylinder_as_well(issuer: Issuer, say: Say) -> None:
    for code in (format_code_human(CODE), f"HTTPS://ID.PINGLIAN.EXAMPLE/C/{CODE.text}", "stamp:XF|2019-03|00123"):
        assert say("sign", "--code", code, *FACTS)["code"] in (CODE.text, "stamp:XF|2019-03|00123")


def test_who_has_only_list_and_root_key_can_verify(issuer: Issuer, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    sign("--out", "slip.png")
    say("trust", "publish", "--out", "list.note")
    shutil.copy("issuer/root.pub", "root.pub")
    shutil.rmtree("issuer")
    monkeypatch.delenv("CYLINDER_CODES_PASSPHRASE")
    assert say("verify", "slip.png", "--trust", "list.note", "--root", "root.pub")["ok"] is True


@pytest.mark.parametrize(
    ("kilogram_text", "grams"), [("16.5", 16_500), ("16.505", 16_505), ("0.001", 1), ("16", 16_000), ("16.50", 16_500)]
)
def test_kilograms_become_grams_exactly_and_back(kilogram_text: str, grams: int, issuer: Issuer, say: Say) -> None:
    sign("--tare", kilogram_text, "--out", "slip.txt")
    assert say("verify", "slip.txt")["tare_g"] == grams
    assert float(kilograms(grams)) == float(kilogram_text)


@pytest.mark.parametrize(
    "content", [b"", b"\xd2\x84", b"\x89PNG\r\n\x1a\nno picture", b"PL1:", b"words\n", bytes(3000)]
)
@pytest.mark.parametrize("suffix", [".png", ".txt", ".cbor", ""])
def test_whatever_is_in_a_file_it_is_refused_and_never_crashes(
    content: bytes, suffix: str, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(f"file{suffix}")
    path.write_bytes(content)
    exit_code = main(["verify", str(path)])
    printed = capsys.readouterr()
    assert exit_code in (1, 2)
    assert "Traceback" not in printed.err
    assert (printed.err.count("\n"), bool(printed.out)) == ((1, False) if exit_code == 2 else (0, True))


@pytest.mark.parametrize(
    "wrong",
    [
        ["--code", "12345"], ["--tare", "16,5"], ["--tare", "16.5005"], ["--tare", "-1"], ["--tare", "0"],
        ["--max-fill", "1e3"], ["--next-due", "2030-13"], ["--end-of-life", "2034"], ["--model", ""],
        ["--model", "a\nb"], ["--owner", "x" * 81], ["--valid-days", "0"], ["--valid-days", "3651"],
        ["--out", "slip.pdf"], ["--out", "none/slip.txt"], ["--issuer", "none"], ["--model", "𓀀", "--out", "a.png"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_statement_that_cannot_be_made_is_one_clear_sentence_and_no_file(
    wrong: list[str], issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        exit_code = sign(*wrong)
    except SystemExit as stop:  # how argparse leaves
        exit_code = int(stop.code or 0)
    printed = capsys.readouterr()
    assert (exit_code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert [path.name for path in Path().iterdir()] == ["issuer"]


def test_a_slip_is_never_overwritten(issuer: Issuer) -> None:
    Path("slip.txt").write_text("mine")
    assert sign("--out", "slip.txt") == 2
    assert Path("slip.txt").read_text() == "mine"


def test_a_note_and_a_word_are_not_taken_for_statements(
    issuer: Issuer, say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "issuer/trust.note"]) == 2
    assert "--key" in capsys.readouterr().err
    assert say("verify", "issuer/trust.note", "--key", "issuer/root.pub")["ok"] is True
    assert main(["verify", "nothing"]) == 2
    assert main(["verify", "PL1:ABC", "--trust", "none"]) == 2


def test_every_line_of_a_slip_can_be_drawn_and_long_claims_are_broken() -> None:
    statement = Statement(
        Code("stamp:XF|2019-03|00123"), "型" * 80, "lpg", 1, 1, "2030-01", "2034-01", "W" * 80, 0, 1000
    )
    for line in lines_of(statement):
        require_drawable(line)
    assert slip_png(statement, "PL1:ABC").startswith(b"\x89PNG")


# --- the trust list -----------------------------------------------------------------------------------------


def key_named(trust: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(key for key in trust["keys"] if key["name"] == name)
    return found


def test_after_a_rotation_old_statements_stay_good_and_new_ones_are_signed_by_the_new_key(
    issuer: Issuer, say: Say
) -> None:
    old_id = issuer.signing_key().key_id.hex()
    sign("--out", "old.txt")
    rotated = say("trust", "rotate", "--old-until", "2090-01-01")
    sign("--out", "new.txt")
    assert rotated["serial"] == 2
    assert say("verify", "old.txt")["signed_by"] == "issuer/signing-1"
    assert say("verify", "new.txt")["signed_by"] == "issuer/signing-2"
    assert (issuer.folder / f"signing-{old_id}.key").is_file()
    assert sorted(path.name for path in issuer.folder.glob("signing*")) == [f"signing-{old_id}.key", "signing.key"]


def test_a_rotated_tag_key_leaves_the_old_one_for_checking_old_codes(issuer: Issuer, say: Say) -> None:
    old = issuer.tag_key()
    say("trust", "rotate", "--use", "tag", "--name", "works/2027")
    assert issuer.tag_key().name == "works/2027"
    assert issuer.tag_keys() == [issuer.tag_key(), old]
    assert [entry.name for entry in issuer.trust_list().tag_keys] == ["issuer/tag-1", "works/2027"]


def test_a_revoked_key_spoils_what_it_signed_from_that_date_on_and_signs_no_more(
    issuer: Issuer, say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    sign("--out", "slip.txt")
    key_id = issuer.signing_key().key_id.hex()
    revoked = say("trust", "revoke", key_id, "--from", "2020-01-01", "--reason", "the laptop was stolen")
    assert key_named(revoked, "issuer/signing-1")["standing"] == "revoked"
    assert key_named(revoked, "issuer/signing-1")["revoked_from"] == 1_577_808_000_000  # midnight in Beijing
    refused = say("verify", "slip.txt", exit_code=1)
    assert (refused["kind"], "stolen" in refused["text_en"]) == ("key_revoked", True)
    assert sign("--out", "another.txt") == 2
    assert "trust rotate" in capsys.readouterr().err
    assert not Path("another.txt").exists()
    say("trust", "rotate")
    assert sign("--out", "another.txt") == 0


def test_keys_of_others_are_added_from_a_file_or_a_text(issuer: Issuer, say: Say) -> None:
    made = say("keygen", "--plain", "--kind", "signing", "--name", "station-7", "--out", "station.key")
    added = say("trust", "add", "station.key.pub", "--until", "2090-01-01")
    assert key_named(added, "station-7")["valid_until"] == 3_786_883_200_000
    assert main(["trust", "add", made["vkey"]]) == 2  # it is there already
    tag = say("trust", "add", "works/range-9+8f2a11c0", "--use", "tag")
    assert key_named(tag, "works/range-9")["key_id"] == "8f2a11c0"
    assert say("trust", "show") == tag


def test_a_newer_list_is_taken_over_and_an_older_one_never(
    issuer: Issuer, say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ["--root", "issuer/root.pub"]
    say("trust", "publish", "--out", "first.note")
    say("trust", "rotate")
    say("trust", "publish", "--out", "second.note")
    at_hand = ["--trust", "at-hand.note", *root]
    assert [say("trust", "take", note, *at_hand)["serial"] for note in ("first.note", "second.note")] == [1, 2]
    assert main(["trust", "take", "first.note", *at_hand]) == 2
    assert "list 2 is known already" in capsys.readouterr().err
    assert Path("at-hand.note").read_text() == Path("second.note").read_text()
    shutil.copy("first.note", "issuer/trust.note")  # a copy from yesterday is put back
    assert main(["trust", "publish", "--out", "second.note"]) == 2


def test_a_list_of_another_issuer_is_not_taken_over(issuer: Issuer, made_issuer: Path) -> None:
    other = open_or_make_issuer(argparse.Namespace(issuer=Path("other"), passphrase_file=None))
    before = issuer.trust_path.read_bytes()
    assert main(["trust", "take", str(other.trust_path)]) == 2
    assert issuer.trust_path.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["revoke", "00000000", "--from", "2026-01-01", "--reason", "x"],
        ["revoke", "xyz", "--from", "2026-01-01", "--reason", "x"],
        ["revoke", "{signing}", "--from", "yesterday", "--reason", "x"],
        ["revoke", "{signing}", "--from", "2026-02-30", "--reason", "x"],
        ["revoke", "{signing}", "--from", "2026-01-01", "--reason", ""],
        ["revoke", "{signing}", "--from", "2026-01-01", "--reason", "two\nlines"],
        ["rotate", "--old-until", "2020-01-01"],
        ["rotate", "--name", "a b"],
        ["add", "nonsense"],
        ["add", "works+8f2a11c", "--use", "tag"],
        ["add", "issuer/root.pub", "--from", "2030-01-01", "--until", "2029-01-01"],
        ["show", "--trust", "none"],
        ["publish", "--out", "none/list.note"],
    ],
    ids=" ".join,
)
def test_a_change_that_cannot_be_made_is_one_clear_sentence_and_changes_nothing(
    arguments: list[str], issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in issuer.folder.iterdir()}
    signing = issuer.signing_key().key_id.hex()
    try:
        exit_code = main(["trust", *(part.format(signing=signing) for part in arguments)])
    except SystemExit as stop:  # how argparse leaves
        exit_code = int(stop.code or 0)
    printed = capsys.readouterr()
    assert (exit_code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert {path.name: path.read_bytes() for path in issuer.folder.iterdir()} == before


def test_two_changes_at_once_both_end_up_in_the_list(issuer: Issuer) -> None:
    changes = [["trust", "add", f"works/range-{n}+0000000{n}", "--use", "tag"] for n in range(4)]
    running = [subprocess.Popen([COMMAND, *change], stdout=subprocess.DEVNULL) for change in changes]
    assert [process.wait() for process in running] == [0] * 4
    trust = issuer.trust_list()
    assert (trust.serial, len(trust.tag_keys)) == (5, 5)


def test_the_published_list_can_be_read_and_checked_by_hand(issuer: Issuer) -> None:
    note = issuer.trust_path.read_text(encoding="utf-8")
    trust = open_trust_list(note, [parse_vkey(issuer.root_path.read_text())])
    assert isinstance(trust, TrustList)
    assert note.startswith(format_trust_list(trust))
