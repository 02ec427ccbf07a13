"""Signed statements: every claim comes back, everything else is refused by name, and another library agrees."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import base45
import cbor2
import cwt
import pytest
import zxingcpp
from cwt import COSE, COSEKey
from cwt.cose_key_interface import COSEKeyInterface
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from cylinder_codes.base45_table import decode_base45, encode_base45
from cylinder_codes.identifiers import Code
from cylinder_codes.keys import SigningKey, parse_signer, parse_vkey
from cylinder_codes.statement import (
    MAX_BYTES,
    MAX_TEXT_LENGTH,
    Opened,
    Statement,
    StatementError,
    StatementFailure,
    StatementFailureKind,
    open_statement,
    sign_statement,
    statement_text,
)
from cylinder_codes.symbols import qr_symbol
from cylinder_codes.trust import open_trust_list

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors/codes/statements.json").read_text(encoding="utf-8")
)
TRUST = open_trust_list(VECTORS["trust_list"], [parse_vkey(VECTORS["root"])])
SIGNER = parse_signer(VECTORS["signer"])
DAY = 86_400_000


def statement_of(vector: dict[str, Any]) -> Statement:
    return Statement(**(vector["statement"] | {"code": Code(vector["statement"]["code"])}))


STATEMENT = statement_of(VECTORS["good"][0])
SIGNED = bytes.fromhex(VECTORS["good"][0]["hex"])
TEXT: str = VECTORS["good"][0]["text"]
AT = STATEMENT.issued_at + DAY


def received(vector: dict[str, Any]) -> str | bytes:
    text: str | None = vector.get("text")
    return bytes.fromhex(vector["hex"]) if text is None else text


def kind_of(statement: str | bytes, at: int = AT) -> str | None:
    opened = open_statement(statement, TRUST, at)
    return opened.kind if isinstance(opened, StatementFailure) else None


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda v: v["sentence"])
def test_a_statement_is_signed_byte_for_byte_and_every_claim_comes_back(vector: dict[str, Any]) -> None:
    statement = statement_of(vector)
    assert sign_statement(statement, SIGNER).hex() == vector["hex"]
    assert statement_text(bytes.fromhex(vector["hex"])) == vector["text"]
    for form in (bytes.fromhex(vector["hex"]), vector["text"]):
        opened = open_statement(form, TRUST, AT)
        assert isinstance(opened, Opened)
        assert asdict(opened.statement) == asdict(statement)
        assert opened.signed_by.key == SIGNER.verifying_key


@pytest.mark.parametrize("vector", VECTORS["accepted"], ids=lambda v: v["sentence"])
def test_accepted(vector: dict[str, Any]) -> None:
    assert isinstance(open_statement(received(vector), TRUST, vector["at"]), Opened)


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda v: v["sentence"])
def test_refused(vector: dict[str, Any]) -> None:
    refused = open_statement(received(vector), TRUST, vector["at"])
    assert isinstance(refused, StatementFailure)
    assert refused.kind == vector["kind"]
    assert refused.text_en.isascii()
    assert not refused.text_zh.isascii()


def test_every_kind_of_failure_has_a_vector() -> None:
    assert {vector["kind"] for vector in VECTORS["refused"]} == set(StatementFailureKind)


def test_the_encoding_is_the_deterministic_one_of_cbor2() -> None:
    message = cbor2.loads(SIGNED)
    protected, _, payload, _ = message.value
    assert cbor2.dumps(message, canonical=True) == SIGNED
    for part in (protected, payload):
        assert cbor2.dumps(cbor2.loads(part), canonical=True) == part


# --- another library ----------------------------------------------------------------------------------------


def cose_key(key: SigningKey) -> COSEKeyInterface:
    return COSEKey.new({1: 1, 2: key.key_id, 3: -8, -1: 6, -2: key.verifying_key.public_bytes, -4: key.seed})


def test_the_library_cwt_verifies_what_we_sign() -> None:
    in_force = replace(STATEMENT, issued_at=STATEMENT.issued_at, expires_at=STATEMENT.expires_at + 50 * 365 * DAY)
    claims = cwt.decode(sign_statement(in_force, SIGNER), cose_key(SIGNER))  # cwt reads the clock itself
    assert isinstance(claims, dict)
    assert (claims[1], claims[2], claims[-65537][3]) == (SIGNER.name, STATEMENT.code.text, STATEMENT.tare_g)
    changed = bytearray(SIGNED)
    changed[-1] ^= 1
    with pytest.raises(cwt.VerifyError):
        COSE.new().decode(bytes(changed), cose_key(SIGNER))


def test_we_verify_what_the_library_cwt_signs_to_the_last_byte() -> None:
    payload = cbor2.loads(SIGNED).value[2]
    header: dict[Any, Any] = {1: -8, 4: SIGNER.key_id}
    signed = COSE.new().encode_and_sign(payload, cose_key(SIGNER), protected=header, unprotected={})
    assert signed == SIGNED
    assert isinstance(open_statement(signed, TRUST, AT), Opened)


# --- Base45 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0")]
)
def test_the_examples_of_rfc_9285_hold(data: bytes, text: str) -> None:
    assert encode_base45(data) == text
    assert decode_base45(text) == data


@given(st.binary(max_size=80))
def test_the_table_encodes_what_the_library_encodes(data: bytes) -> None:
    assert encode_base45(data) == base45.b45encode(data).decode()
    assert decode_base45(encode_base45(data)) == data


@given(st.text("09AZ $%*+-./:a\n\r", max_size=12) | st.text(max_size=12))
def test_the_table_refuses_what_the_library_refuses_and_line_ends_as_well(text: str) -> None:
    try:
        expected = base45.b45decode(text.encode())
    except ValueError:
        with pytest.raises(ValueError, match=r"(?i)base45|utf-8"):
            decode_base45(text)
    else:
        assert decode_base45(text) == expected


# --- symbols ------------------------------------------------------------------------------------------------


def test_the_text_fits_into_a_qr_symbol_of_medium_size_and_a_foreign_decoder_reads_it_back() -> None:
    modules = qr_symbol(TEXT).modules
    assert len(modules) <= 17 + 4 * 11
    pixels = bytes(0 if dark else 255 for row in modules for dark in row)
    small = Image.frombytes("L", (len(modules), len(modules)), pixels)
    picture = Image.new("L", (len(modules) + 8, len(modules) + 8), 255)
    picture.paste(small, (4, 4))
    picture = picture.resize((picture.width * 5, picture.height * 5), Image.Resampling.NEAREST)
    assert zxingcpp.read_barcodes(picture)[0].text == TEXT


def test_the_text_is_packed_as_alphanumeric_because_lower_case_would_need_a_larger_symbol() -> None:
    assert qr_symbol(TEXT, level="M").version < qr_symbol(TEXT.lower(), level="M").version


# --- making -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim",
    [
        {"model": ""}, {"model": "a\nb"}, {"medium": "x" * 81}, {"owner_id": "\ud800"}, {"owner_id": "a\u200bb"},
        {"tare_g": 0}, {"tare_g": -1}, {"max_fill_g": 10_000_001}, {"max_fill_g": True}, {"tare_g": 16.5},
        {"next_due_month": "2030-00"}, {"end_of_life_month": "2034-1"}, {"next_due_month": "２０３０-01"},
        {"issued_at": STATEMENT.issued_at + 1}, {"expires_at": STATEMENT.issued_at}, {"issued_at": -1000},
        {"expires_at": 253_402_300_800_000}, {"issued_at": 0.0},
    ],
    ids=str,
)  # fmt: skip
def test_a_claim_out_of_bounds_is_never_signed(claim: dict[str, Any]) -> None:
    with pytest.raises(StatementError):
        replace(STATEMENT, **claim)


def test_a_statement_that_nobody_could_read_back_for_its_length_is_never_signed() -> None:
    long_name = SigningKey("x" * 1400, SIGNER.seed)
    with pytest.raises(StatementError, match=str(MAX_BYTES)):
        sign_statement(STATEMENT, long_name)


texts = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=80)
months = st.from_regex(r"20[0-9]{2}-(0[1-9]|1[0-2])", fullmatch=True)


@given(texts, texts, st.integers(1, 10_000_000), st.integers(1, 10_000_000), months, months, texts)
def test_any_statement_that_can_be_made_can_be_opened(
    model: str, medium: str, tare_g: int, max_fill_g: int, due: str, end: str, owner_id: str
) -> None:
    facts = (model, medium, tare_g, max_fill_g, due, end, owner_id)
    statement = Statement(STATEMENT.code, *facts, STATEMENT.issued_at, STATEMENT.expires_at)
    text = statement_text(sign_statement(statement, SIGNER))
    assert len(text) <= MAX_TEXT_LENGTH
    opened = open_statement(text, TRUST, AT)
    assert isinstance(opened, Opened)
    assert opened.statement == statement


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_single_changed_bit_is_noticed() -> None:
    for bit in range(8 * len(SIGNED)):
        changed = bytearray(SIGNED)
        changed[bit // 8] ^= 1 << bit % 8
        assert kind_of(bytes(changed)) is not None


def test_every_cut_is_noticed() -> None:
    for length in range(len(TEXT)):
        assert kind_of(TEXT[:length]) is not None
    for length in range(len(SIGNED)):
        assert kind_of(SIGNED[:length]) == "not_cbor"


cbor_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.integers() | st.text(max_size=5), inner, max_size=5),
    max_leaves=15,
)


@given(st.binary(max_size=300) | st.text(max_size=300))
@example(b"\xd8\x1e\x82\x01\x00")
@example(b"\xc5\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x03")
@example(b"\x81" * MAX_BYTES)
@example(b"\xd2" * MAX_BYTES)
@example(b"\xd2\x84\x5b\xff\xff\xff\xff\xff\xff\xff\xff")
def test_whatever_arrives_is_refused_and_nothing_is_raised(arrived: bytes | str) -> None:
    assert kind_of(arrived) is not None
    assert kind_of(statement_text(arrived if isinstance(arrived, bytes) else arrived.encode("utf-8", "replace")))


@given(st.lists(st.tuples(st.integers(0, len(SIGNED) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_mutated_bytes_are_the_same_statement_or_refused(changes: list[tuple[int, int]]) -> None:
    mutated = bytearray(SIGNED)
    for place, byte in changes:
        mutated[place] = byte
    assert (kind_of(bytes(mutated)) is None) == (bytes(mutated) == SIGNED)


@given(st.lists(st.tuples(st.integers(0, len(TEXT) - 1), st.characters()), min_size=1, max_size=3))
def test_a_mutated_text_is_the_same_statement_or_refused(changes: list[tuple[int, str]]) -> None:
    mutated = list(TEXT)
    for place, char in changes:
        mutated[place] = char
    assert (kind_of("".join(mutated)) is None) == ("".join(mutated) == TEXT)


@given(cbor_values)
def test_whatever_a_trusted_key_signs_by_mistake_is_refused_and_nothing_is_raised(claims: Any) -> None:
    protected = cbor2.loads(SIGNED).value[0]
    payload = cbor2.dumps(claims)
    signature = SIGNER.sign(cbor2.dumps(["Signature1", protected, b"", payload]))
    assert kind_of(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))) == "wrong_claims"


@given(st.sampled_from([1, 2, 4, 6, -65537, *range(101, 108)]), cbor_values)
def test_a_claim_of_any_other_type_is_refused_even_when_signed(label: int, value: Any) -> None:
    protected, _, payload, _ = cbor2.loads(SIGNED).value
    claims = cbor2.loads(payload)
    if label > 100:
        claims[-65537][label - 100] = value
    else:
        claims[label] = value
    payload = cbor2.dumps(claims)
    signature = SIGNER.sign(cbor2.dumps(["Signature1", protected, b"", payload]))
    opened = open_statement(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature])), TRUST, AT)
    if isinstance(opened, Opened):
        assert sign_statement(opened.statement, SIGNER) == cbor2.dumps(
            cbor2.CBORTag(18, [protected, {}, payload, signature])
        )
