"""Encrypted key files: the key for who knows the passphrase, one clear sentence for anybody else, and no secret."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from cylinder_codes.authenticity import TagKey
from cylinder_codes.keys import KeyFormatError, SigningKey, format_signer, format_tag_key
from cylinder_codes.pem import encrypt_signer, encrypt_tag_key, read_signer, read_tag_key

PASSPHRASE = "twelve bottles 瓶"
SIGNER = SigningKey("瓶链.example/signing-1", bytes(range(32)))
TAG = TagKey("works.example/2026", bytes(range(1, 33)))
SIGNER_FILE = encrypt_signer(SIGNER, PASSPHRASE)
TAG_FILE = encrypt_tag_key(TAG, PASSPHRASE)


def ask() -> str:
    return PASSPHRASE


def never() -> str:
    raise AssertionError("the passphrase was asked for without need")


def refusal(text: str, passphrase: str = PASSPHRASE) -> str:
    with pytest.raises(KeyFormatError) as caught:
        read_signer(text, lambda: passphrase)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


def test_a_key_comes_back_with_its_name_for_who_knows_the_passphrase() -> None:
    assert read_signer(SIGNER_FILE, ask) == SIGNER
    assert read_tag_key(TAG_FILE, ask) == TAG


def test_the_same_functions_read_the_plain_text_form_and_ask_for_nothing() -> None:
    assert read_signer(format_signer(SIGNER) + "\n", never) == SIGNER
    assert read_tag_key(format_tag_key(TAG) + "\n", never) == TAG


def test_a_file_says_what_it_is_to_people_and_hides_the_secret() -> None:
    assert SIGNER_FILE.splitlines()[:4] == [
        "Name: 瓶链.example/signing-1",
        "Kind: signing",
        f"Key-Id: {SIGNER.key_id.hex()}",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    ]
    assert format_signer(SIGNER).rpartition("+")[2] not in SIGNER_FILE
    assert encrypt_signer(SIGNER, PASSPHRASE) != SIGNER_FILE  # salted anew


def test_openssl_opens_the_same_file_with_the_same_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    path.write_text(SIGNER_FILE, encoding="utf-8")
    shown = subprocess.run(
        ["openssl", "pkey", "-in", path, "-passin", f"pass:{PASSPHRASE}", "-pubout", "-outform", "DER"],
        capture_output=True,
        check=True,
    )
    assert shown.stdout.endswith(SIGNER.verifying_key.public_bytes)


def test_a_file_made_stronger_with_openssl_is_read_like_any_other(tmp_path: Path) -> None:
    plain, strong = tmp_path / "signing.key", tmp_path / "strong.key"
    plain.write_text(SIGNER_FILE, encoding="utf-8")
    words = f"pass:{PASSPHRASE}"
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-scrypt", "-in", plain, "-out", strong, "-passin", words, "-passout", words],
        capture_output=True,
        check=True,
    )
    head = "".join(SIGNER_FILE.splitlines(keepends=True)[:3])
    assert read_signer(head + strong.read_text(), ask) == SIGNER


def test_a_wrong_passphrase_is_one_sentence() -> None:
    for wrong in ("another passphrase", "", "\0", "瓶" * 2000):
        assert "the passphrase is wrong, or the file is damaged" in refusal(SIGNER_FILE, wrong)


def test_a_short_passphrase_is_refused_when_a_file_is_made() -> None:
    with pytest.raises(KeyFormatError, match="12 characters"):
        encrypt_tag_key(TAG, "elf zeichen")


def test_a_passphrase_that_no_keyboard_types_is_refused() -> None:
    with pytest.raises(KeyFormatError, match="UTF-8"):
        encrypt_tag_key(TAG, "bytes of no text \udcff")
    assert "passphrase is wrong" in refusal(SIGNER_FILE, "bytes of no text \udcff")


def test_a_name_cannot_be_moved_to_another_key() -> None:
    assert "key id" in refusal(SIGNER_FILE.replace("signing-1", "signing-2", 1))
    stranger = encrypt_signer(SigningKey(SIGNER.name, bytes(32)), PASSPHRASE)
    swapped = SIGNER_FILE.partition("-----BEGIN")[0] + "-----BEGIN" + stranger.partition("-----BEGIN")[2]
    assert "key id" in refusal(swapped)


def test_a_tag_key_is_not_taken_for_a_signing_key_even_when_its_file_says_so() -> None:
    assert "file of a tag key" in refusal(TAG_FILE)
    assert "key id" in refusal(TAG_FILE.replace("Kind: tag", "Kind: signing"))
    with pytest.raises(KeyFormatError, match="file of a signing key"):
        read_tag_key(SIGNER_FILE, never)


def test_another_kind_of_key_in_the_container_is_refused() -> None:
    foreign = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode())
    )
    assert "not Ed25519" in refusal(SIGNER_FILE.partition("-----BEGIN")[0] + foreign.decode())


def test_an_unencrypted_pem_is_refused_because_this_program_writes_none() -> None:
    key = load_pem_private_key(SIGNER_FILE.encode(), PASSPHRASE.encode())
    bare = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert "damaged" in refusal(SIGNER_FILE.partition("-----BEGIN")[0] + bare)


@pytest.mark.parametrize("lines", [1, 2, 3, 4, 5, 6])
def test_a_file_cut_off_is_damaged(lines: int) -> None:
    refusal("".join(SIGNER_FILE.splitlines(keepends=True)[:lines]))


@given(st.integers(0, len(SIGNER_FILE) - 1), st.characters())
@settings(deadline=None)
def test_a_damaged_file_gives_the_same_key_or_one_sentence_without_its_content(place: int, char: str) -> None:
    damaged = SIGNER_FILE[:place] + char + SIGNER_FILE[place + 1 :]
    try:
        read = read_signer(damaged, ask)
    except KeyFormatError as error:
        sentence = str(error)
    else:
        assert read == SIGNER
        return
    assert "\n" not in sentence
    assert not any(line in sentence for line in SIGNER_FILE.splitlines()[4:])


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_is_a_key_or_one_sentence(text: str) -> None:
    for candidate in (text, "-----BEGIN " + text, SIGNER_FILE.partition("\n-----END")[0] + text):
        with pytest.raises(KeyFormatError):
            read_signer(candidate, ask)
