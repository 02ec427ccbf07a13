"""An authority signs a rulebook; whoever is given the file and the note sees whether they belong together."""

import json
from pathlib import Path

import pytest

from cylinder_codes.keys import SigningKey, format_signer, format_vkey
from cylinder_codes.pem import encrypt_signer
from cylinder_trace import cli
from cylinder_trace.rulebook import RulebookError
from cylinder_trace.rulebook_signing import open_rulebook, sign_rulebook
from vectors.admission.cases import rulebook_text

TEXT = rulebook_text("cn-zhejiang")
AUTHORITY = SigningKey("regulator.example/rules", bytes(range(32)))
TRUSTED = [AUTHORITY.verifying_key]


def test_a_signed_rulebook_opens_with_its_authority_s_key() -> None:
    book, names = open_rulebook(TEXT, sign_rulebook(TEXT, AUTHORITY), TRUSTED)
    assert (book.name, names) == ("cn-zhejiang@2026.1", ("regulator.example/rules",))


@pytest.mark.parametrize(
    ("old", "new"),
    [("interval_months = 48", "interval_months = 60"), ("# 定期检验", "# 定期检验 "), ("2026.1", "2026.2")],
    ids=["a number", "a comment", "the version"],
)
def test_one_changed_character_needs_a_new_signature(old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(RulebookError, match="for another text"):
        open_rulebook(TEXT.replace(old, new), sign_rulebook(TEXT, AUTHORITY), TRUSTED)


def test_a_stranger_s_signature_and_a_damaged_one_are_not_good() -> None:
    stranger = SigningKey(AUTHORITY.name, bytes(32))
    for note in (sign_rulebook(TEXT, stranger), sign_rulebook(TEXT, AUTHORITY)[:-4] + "AA=\n", "", "nonsense"):
        with pytest.raises(RulebookError, match="signature is not good"):
            open_rulebook(TEXT, note, TRUSTED)


def test_what_is_no_rulebook_is_not_signed() -> None:
    with pytest.raises(RulebookError, match="interval_months"):
        sign_rulebook(TEXT.replace("interval_months = 48", "interval_months = 0"), AUTHORITY)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_rulebook_is_signed_and_checked_at_the_command_line(
    encrypted: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book, key, note = tmp_path / "mine.toml", tmp_path / "authority.key", tmp_path / "mine.toml.sig"
    book.write_text(TEXT)
    monkeypatch.setenv("CYLINDER_CODES_PASSPHRASE", "a long passphrase")
    key.write_text(encrypt_signer(AUTHORITY, "a long passphrase") if encrypted else format_signer(AUTHORITY))
    vkey = format_vkey(AUTHORITY.verifying_key)
    assert cli.main(["rulebook", str(book), "--sign", str(key), "--out", str(note)]) == 0
    capsys.readouterr()
    assert cli.main(["rulebook", str(book), "--signature", str(note), "--vkey", vkey, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["signed_by"] == ["regulator.example/rules"]
    book.write_text(TEXT.replace("interval_months = 48", "interval_months = 60"))
    assert cli.main(["rulebook", str(book), "--signature", str(note), "--vkey", vkey]) == 1
    assert "for another text" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--sign", "{key}"], "--out"),
        (["--sign", "{book}", "--out", "x"], "cannot sign"),
        (["--sign", "nowhere", "--out", "x"], "cannot read nowhere"),
        (["--signature", "{book}"], "--vkey"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book, key = tmp_path / "mine.toml", tmp_path / "authority.key"
    book.write_text(TEXT)
    key.write_text(format_signer(AUTHORITY))
    given = [word.format(book=book, key=key) for word in words]
    assert cli.main(["rulebook", str(book), *given]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_a_shipped_rulebook_is_shown_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rulebook", "cn-shandong"]) == 0
    assert "cn-shandong@2026.1" in capsys.readouterr().out
    assert cli.main(["rulebook", "cn-nowhere"]) == 2
