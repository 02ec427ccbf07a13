"""Keys as text and signed notes, against the published examples of other programs."""

import base64
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_codes.authenticity import TagKey
from cylinder_codes.keys import (
    KeyFormatError,
    SigningKey,
    VerifyingKey,
    format_signer,
    format_tag_key,
    format_vkey,
    parse_signer,
    parse_tag_key,
    parse_vkey,
)
from cylinder_codes.note import NoteError, format_note, open_note, sign_note, sign_text, split_note

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/codes/keys_and_notes.json").read_text(encoding="utf-8"))
OURS = next(v for v in VECTORS["notes"] if v.get("signer", "").startswith("PRIVATE+KEY+ledger.example"))
SIGNER = SigningKey("station.example/3", hashlib.sha256(b"a seed for tests").digest())
OTHER = SigningKey("other.example", hashlib.sha256(b"another seed for tests").digest())
TEXT = "statement\n\nwith an empty line\n"


def note_of(vector: dict[str, str]) -> str:
    return f"{vector['text']}\n{vector['signature_line']}\n"


@pytest.mark.parametrize("vector", VECTORS["notes"], ids=lambda v: v["sentence"])
def test_a_published_note_opens(vector: dict[str, str]) -> None:
    key = parse_vkey(vector["vkey"])
    opened = open_note(note_of(vector), [key])
    assert opened.text == vector["text"]
    assert opened.verified_by == (key,)
    assert format_vkey(key) == vector["vkey"]


@pytest.mark.parametrize("vector", [v for v in VECTORS["notes"] if "signer" in v], ids=lambda v: v["sentence"])
def test_a_published_note_is_signed_anew_byte_for_byte(vector: dict[str, str]) -> None:
    signer = parse_signer(vector["signer"])
    assert sign_note(vector["text"], signer) == note_of(vector)
    assert format_signer(signer) == vector["signer"]
    assert format_vkey(signer.verifying_key) == vector["vkey"]


def test_the_key_id_is_computed_over_name_newline_type_and_key() -> None:
    signer = parse_signer(OURS["signer"])
    assert signer.seed == bytes(range(32))
    assert signer.verifying_key.public_bytes.hex() == VECTORS["public_key_of_our_seed"]
    assert signer.key_id.hex() == "42456925"
    renamed = VerifyingKey("ledger.example/bottles", signer.verifying_key.public_bytes)
    assert renamed.key_id != signer.key_id


@given(st.binary(min_size=32, max_size=32), st.from_regex(r"[a-z./0-9瓶链-]{1,30}", fullmatch=True))
def test_keys_of_every_kind_read_back_from_their_text(secret: bytes, name: str) -> None:
    signer = SigningKey(name, secret)
    assert parse_signer(format_signer(signer) + "\n") == signer
    assert parse_vkey(format_vkey(signer.verifying_key) + "\n") == signer.verifying_key
    assert parse_tag_key(format_tag_key(TagKey(name, secret)) + "\n") == TagKey(name, secret)


def test_a_signing_key_never_shows_its_seed() -> None:
    assert repr(SIGNER) == "SigningKey(name='station.example/3')"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b", "a\u3000b", "a\x00b", "\ud800"])
def test_a_name_with_space_plus_or_control_character_is_refused(name: str) -> None:
    with pytest.raises(KeyFormatError):
        SigningKey(name, bytes(32))
    with pytest.raises(KeyFormatError):
        format_tag_key(TagKey(name, bytes(32)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ledger.example",
        OURS["vkey"].replace("42456925", "42456926"),
        OURS["vkey"].replace("ledger", "lodger"),
        OURS["vkey"][:-1],
        OURS["vkey"] + "=",
        OURS["vkey"].replace("AQOh", "AgOh"),
        OURS["vkey"].replace("AQOh", "AQO*"),
        OURS["vkey"].replace("+4245", "+ 4245"),
        OURS["signer"],
        "a+00000000+AQ==",
    ],
)
def test_a_damaged_verifying_key_is_refused(text: str) -> None:
    with pytest.raises(KeyFormatError):
        parse_vkey(text)


@pytest.mark.parametrize(
    ("parse", "text"),
    [(parse_signer, OURS["signer"]), (parse_tag_key, format_tag_key(TagKey("works", bytes(range(32)))))],
)
def test_a_damaged_secret_key_is_refused_without_repeating_the_secret(
    parse: Callable[[str], object], text: str
) -> None:
    for damaged in (text[:-2], text[:-12] + "QQQQ" + text[-8:], text.replace("e", "f", 1), text[8:], "x" + text):
        with pytest.raises(KeyFormatError) as caught:
            parse(damaged)
        assert "GBka" not in str(caught.value)


def test_base64_with_spare_bits_set_is_refused() -> None:
    padded = format_tag_key(TagKey("a", bytes(32)))
    assert padded.endswith("AA=")
    with pytest.raises(KeyFormatError):
        parse_tag_key(padded[:-2] + "B=")


@given(st.text(max_size=200))
def test_any_text_is_a_key_or_a_clear_refusal(text: str) -> None:
    for parse in (parse_vkey, parse_signer, parse_tag_key):
        for candidate in (text, f"PRIVATE+KEY+{text}", f"TAG+KEY+{text}"):
            with suppress(KeyFormatError):
                parse(candidate)


def test_a_signature_fits_its_text_alone() -> None:
    signature = SIGNER.sign(b"a")
    assert SIGNER.verifying_key.verify(signature, b"a")
    assert not SIGNER.verifying_key.verify(signature, b"b")
    assert not SIGNER.verifying_key.verify(signature[:-1], b"a")
    assert not OTHER.verifying_key.verify(signature, b"a")


# --- notes --------------------------------------------------------------------------------------------------


def refusal(note: str, known: list[VerifyingKey]) -> str:
    with pytest.raises(NoteError) as caught:
        open_note(note, known)
    return str(caught.value.kind)


def test_a_note_is_split_at_its_last_empty_line() -> None:
    assert open_note(sign_note(TEXT, SIGNER), [SIGNER.verifying_key]).text == TEXT


def test_a_note_inside_a_note_is_only_text() -> None:
    inner = sign_note(TEXT, OTHER)
    opened = open_note(sign_note(inner, SIGNER), [SIGNER.verifying_key, OTHER.verifying_key])
    assert opened.text == inner
    assert opened.verified_by == (SIGNER.verifying_key,)


def test_a_signature_by_an_unknown_key_is_ignored_but_kept() -> None:
    note = format_note(TEXT, [sign_text(TEXT, OTHER), sign_text(TEXT, SIGNER)])
    opened = open_note(note, [SIGNER.verifying_key])
    assert opened.verified_by == (SIGNER.verifying_key,)
    assert [line.name for line in opened.signatures] == ["other.example", "station.example/3"]


def test_a_note_that_only_strangers_signed_is_not_opened() -> None:
    assert refusal(sign_note(TEXT, SIGNER), [OTHER.verifying_key]) == "no_known_signature"
    assert refusal(sign_note(TEXT, SIGNER), []) == "no_known_signature"


def test_a_known_key_whose_signature_fails_rejects_the_note_whoever_else_signed() -> None:
    good = sign_text(TEXT, OTHER)
    forged = sign_text("another text\n", SIGNER)
    both = [SIGNER.verifying_key, OTHER.verifying_key]
    assert refusal(format_note(TEXT, [good, forged]), both) == "wrong_signature"
    assert open_note(format_note(TEXT, [good, forged]), [OTHER.verifying_key]).text == TEXT


def test_every_changed_character_of_the_text_is_noticed() -> None:
    note = sign_note(TEXT, SIGNER)
    for place in range(len(TEXT) - 1):
        changed = note[:place] + ("x" if note[place] != "x" else "y") + note[place + 1 :]
        assert refusal(changed, [SIGNER.verifying_key]) == "wrong_signature"


def test_sixteen_signatures_and_more_are_accepted_and_a_flood_is_not() -> None:
    lines = [sign_text(TEXT, SigningKey(f"witness.example/{n}", bytes([n] * 32))) for n in range(16)]
    note = format_note(TEXT, [*lines, sign_text(TEXT, SIGNER)])
    assert len(open_note(note, [SIGNER.verifying_key]).signatures) == 17
    flood = note + note.splitlines(keepends=True)[-1] * 100
    assert refusal(flood, [SIGNER.verifying_key]) == "too_many_signatures"


def test_the_same_signature_twice_counts_once() -> None:
    note = format_note(TEXT, [sign_text(TEXT, SIGNER)] * 2)
    assert open_note(note, [SIGNER.verifying_key]).verified_by == (SIGNER.verifying_key,)


@pytest.mark.parametrize("char", ["\r", "\t", "\x00", "\x1f", "\ud800"])
def test_control_characters_are_refused_when_signing_and_when_opening(char: str) -> None:
    with pytest.raises(NoteError) as caught:
        sign_note(f"a{char}b\n", SIGNER)
    assert caught.value.kind == "malformed_text"
    note = sign_note("aXb\n", SIGNER)
    assert refusal(note.replace("X", char), [SIGNER.verifying_key]) == "malformed_text"


def test_a_text_without_its_last_newline_cannot_be_signed() -> None:
    with pytest.raises(NoteError):
        sign_note("no newline", SIGNER)


def test_a_note_needs_a_signature_to_be_written() -> None:
    with pytest.raises(NoteError):
        format_note(TEXT, [])


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        ("", "no_signature_lines"),
        ("- station.example/3 AAAAAAA=\n", "malformed_signature"),
        ("— station.example/3\n", "malformed_signature"),
        ("— station.example/3 AAAAAA==\n", "malformed_signature"),
        ("— station.example/3 AAAA*AAA\n", "malformed_signature"),
        ("— station.example/3 AAAAAAAA", "malformed_signature"),
        ("—  AAAAAAAA\n", "malformed_signature"),
        ("— a+b AAAAAAAA\n", "malformed_signature"),
        ("— station.example/3 AAAA AAAA\n", "malformed_signature"),
    ],
)
def test_a_malformed_signature_line_is_refused(tail: str, kind: str) -> None:
    assert refusal(f"text\n\n{tail}", [SIGNER.verifying_key]) == kind


def test_two_known_keys_with_one_name_and_one_id_are_not_guessed_between() -> None:
    twin = VerifyingKey(SIGNER.name, bytes(32))
    twin.__dict__["key_id"] = SIGNER.key_id  # a real collision would take 2**32 tries
    assert refusal(sign_note(TEXT, SIGNER), [SIGNER.verifying_key, twin]) == "ambiguous_key"


@given(st.text(max_size=300))
def test_any_text_is_a_note_or_a_clear_refusal(text: str) -> None:
    for candidate in (
        text,
        f"{text}\n\n— {text}\n",
        f"a\n\n— b {base64.b64encode(text.encode('utf-8', 'ignore')).decode()}\n",
    ):
        with suppress(NoteError):
            split_note(candidate)
