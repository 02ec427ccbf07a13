"""Signed statements (签名凭证): what the issuer says about a cylinder, small enough for a seal, a slip or an RFID tag.

A statement is a CBOR Web Token (CWT, RFC 8392) in a COSE_Sign1 message (RFC 9052), signed with Ed25519. It is checked
offline with the trust list (``cylinder_codes.trust``) alone. RFID user memory holds its bytes; a QR symbol holds
``PL1:`` and Base45 (RFC 9285), which uses only characters that QR packs into 5.5 bits each.

    18([                                   COSE_Sign1, tagged
      << {1: -8, 4: h'42456925'} >>,       protected header: algorithm EdDSA, key id of the signing key
      {},                                  nothing unprotected
      << {1: "works.example/signing-1",    iss: the name of the signing key
          2: "04HMASW9NF6YZZPW1011YN6955", sub: the canonical text of the code
          4: 1798761600,                   exp: first second at which it is good no more
          6: 1767225600,                   iat: second of issue
          -65537: {1: "YSP35.5",           model 型号             } a claim of our own, from the range
                   2: "lpg",               medium 充装介质        } for private use
                   3: 16500,               tare 皮重, grams
                   4: 14500,               maximum fill 最大充装量, grams
                   5: "2030-01",           month of the next inspection 下次检验
                   6: "2034-01",           end of life 报废年月
                   7: "company/7"}} >>,    owner 产权单位
      h'64 bytes'])

Only the deterministic encoding (RFC 8949, section 4.2.1) of exactly these claims is accepted, so there is one byte
string for one statement and nothing can be hidden in it. A claim that this program does not know makes a statement
bad, because it may restrict what the others allow; more claims will have another prefix than ``PL1:``.

``open_statement`` never raises. It checks the signature before it looks at what was signed, and returns either what
was found good or the first thing that is not, in both languages.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import cbor2

from cylinder_codes.base45_table import decode_base45, encode_base45
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import Code
from cylinder_codes.keys import SigningKey
from cylinder_codes.trust import Standing, TrustedKey, TrustList, format_instant

TEXT_PREFIX = "PL1:"
MAX_TEXT_LENGTH = 2_000
MAX_BYTES = (MAX_TEXT_LENGTH - len(TEXT_PREFIX)) // 3 * 2
CLOCK_ALLOWANCE_MS = 5 * 60_000
"""How far the checker's clock may be behind the issuer's."""

_SIGN1_TAG, _ALGORITHM, _KEY_ID, _EDDSA = 18, 1, 4, -8
_ISS, _SUB, _EXP, _IAT, _CYLINDER = 1, 2, 4, 6, -65537
_MODEL, _MEDIUM, _TARE, _MAX_FILL, _NEXT_DUE, _END_OF_LIFE, _OWNER = range(1, 8)
_CLAIMS = {_ISS, _SUB, _EXP, _IAT, _CYLINDER}
_FACTS = set(range(_MODEL, _OWNER + 1))

_LONGEST_TEXT = 80
_HEAVIEST_G = 10_000_000
_SIGNATURE_BYTES = 64
_HEAD_OF_SIGNATURE = cbor2.dumps(bytes(_SIGNATURE_BYTES))[:-_SIGNATURE_BYTES]
_END_OF_TIME = 253_402_300_800_000  # the year 10000
_MONTH = re.compile(r"(?:19|20|21)[0-9]{2}-(?:0[1-9]|1[0-2])")


class StatementError(ValueError):
    """A statement that cannot be made: a claim is out of bounds, or all together are too long."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said about one cylinder. Masses in grams, months ``YYYY-MM``, instants UTC ms in whole seconds.

    It is good from ``issued_at`` to before ``expires_at``. StatementError for a claim out of bounds.
    """

    code: Code
    model: str
    medium: str
    tare_g: int
    max_fill_g: int
    next_due_month: str
    end_of_life_month: str
    owner_id: str
    issued_at: int
    expires_at: int

    def __post_init__(self) -> None:
        for text in (self.model, self.medium, self.owner_id):
            if type(text) is not str or not 1 <= len(text) <= _LONGEST_TEXT or not text.isprintable():
                raise StatementError(f"model, medium and owner are printable texts of 1 to {_LONGEST_TEXT} characters")
        for grams in (self.tare_g, self.max_fill_g):
            if type(grams) is not int or not 1 <= grams <= _HEAVIEST_G:
                raise StatementError(f"tare and maximum fill are whole grams from 1 to {_HEAVIEST_G}")
        for month in (self.next_due_month, self.end_of_life_month):
            if type(month) is not str or not _MONTH.fullmatch(month):
                raise StatementError("next inspection and end of life are months YYYY-MM")
        self._check_instants()

    def _check_instants(self) -> None:
        if type(self.issued_at) is not int or type(self.expires_at) is not int:
            raise StatementError("instants are whole milliseconds")
        if self.issued_at % 1000 or self.expires_at % 1000:
            raise StatementError("a statement is issued and expires at whole seconds")
        if not 0 <= self.issued_at < self.expires_at < _END_OF_TIME:
            raise StatementError("a statement expires after it is issued, and before the year 10000")


@dataclass(frozen=True, slots=True)
class Opened:
    """A statement found good, and the key in the trust list that signed it."""

    statement: Statement
    signed_by: TrustedKey


class StatementFailureKind(StrEnum):
    """Why a statement is not good."""

    TOO_LONG = "too_long"
    NOT_A_STATEMENT = "not_a_statement"
    NOT_BASE45 = "not_base45"
    NOT_CBOR = "not_cbor"
    NOT_COSE_SIGN1 = "not_cose_sign1"
    NOT_CANONICAL = "not_canonical"
    WRONG_ALGORITHM = "wrong_algorithm"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SIGNATURE = "wrong_signature"
    WRONG_CLAIMS = "wrong_claims"
    KEY_NOT_VALID = "key_not_valid"
    KEY_REVOKED = "key_revoked"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class StatementFailure:
    """A statement that is not good, and the first reason why, in two languages."""

    kind: StatementFailureKind
    text_en: str
    text_zh: str


_Kind = StatementFailureKind


def sign_statement(statement: Statement, key: SigningKey) -> bytes:
    """Return the signed statement as COSE bytes, for RFID memory or ``statement_text``; StatementError if too long."""
    payload = _encode_claims(statement, key.name)
    protected = _protected_header(key.key_id)
    signed = _encode_message(protected, payload, key.sign(_signed_bytes(protected, payload)))
    if len(signed) > MAX_BYTES:
        raise StatementError(f"the statement has {len(signed)} bytes, and only {MAX_BYTES} are allowed")
    return signed


def statement_text(signed: bytes) -> str:
    """Return the text form, for a QR symbol: ``PL1:`` and Base45."""
    return TEXT_PREFIX + encode_base45(signed)


def open_statement(received: str | bytes, trust: TrustList, at: int) -> Opened | StatementFailure:
    """Check a statement, as text or as bytes, against the trust list at the instant ``at`` (UTC ms)."""
    signed = _decode_text(received) if isinstance(received, str) else received
    if isinstance(signed, StatementFailure):
        return signed
    message = _open_message(signed)
    if isinstance(message, StatementFailure):
        return message
    protected, payload, signature = message
    signer = _claimed_signer(protected, trust)
    if isinstance(signer, StatementFailure):
        return signer
    if not signer.key.verify(signature, _signed_bytes(protected, payload)):
        return _WRONG_SIGNATURE
    statement = _read_claims(payload, signer.name)
    if isinstance(statement, StatementFailure):
        return statement
    return _untimely(statement, signer, at) or Opened(statement, signer)


# --- bytes --------------------------------------------------------------------------------------------------


# What stands before the payload depends on the key and the payload's length alone: encoding it once for each makes
# signing and checking a tenth faster.


@lru_cache(maxsize=1024)
def _protected_header(key_id: bytes) -> bytes:
    return cbor2.dumps({_ALGORITHM: _EDDSA, _KEY_ID: key_id})


def _signed_bytes(protected: bytes, payload: bytes) -> bytes:
    return _head_of_signed_bytes(protected, len(payload)) + payload


def _encode_message(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    return _head_of_message(protected, len(payload)) + payload + _HEAD_OF_SIGNATURE + signature


@lru_cache(maxsize=1024)
def _head_of_signed_bytes(protected: bytes, length: int) -> bytes:
    encoded = cbor2.dumps(("Signature1", protected, b"", bytes(length)))  # Sig_structure, RFC 9052, section 4.4
    return encoded[: len(encoded) - length]


@lru_cache(maxsize=1024)
def _head_of_message(protected: bytes, length: int) -> bytes:
    encoded = cbor2.dumps(cbor2.CBORTag(_SIGN1_TAG, (protected, {}, bytes(length), b"")))
    return encoded[: len(encoded) - length - 1]  # without the one byte of the empty signature


def _encode_claims(statement: Statement, issuer: str) -> bytes:
    # The keys stand in canonical order already, which spares cbor2 the sorting; the tests compare both.
    facts = {
        _MODEL: statement.model,
        _MEDIUM: statement.medium,
        _TARE: statement.tare_g,
        _MAX_FILL: statement.max_fill_g,
        _NEXT_DUE: statement.next_due_month,
        _END_OF_LIFE: statement.end_of_life_month,
        _OWNER: statement.owner_id,
    }
    exp, iat = statement.expires_at // 1000, statement.issued_at // 1000
    return cbor2.dumps({_ISS: issuer, _SUB: statement.code.text, _EXP: exp, _IAT: iat, _CYLINDER: facts})


def _decode(data: bytes) -> Any:
    try:
        return cbor2.loads(data)
    except Exception:  # noqa: BLE001 (what a tag cannot make of its content leaves cbor2 as TypeError, decimal.Overflow …)
        return _NOT_CBOR


def _decode_text(text: str) -> bytes | StatementFailure:
    if len(text) > MAX_TEXT_LENGTH:
        return _TOO_LONG
    text = text.strip("\r\n\t")  # a scanner's line end; a blank is a Base45 character
    if not text.startswith(TEXT_PREFIX):
        return _NOT_A_STATEMENT
    try:
        return decode_base45(text.removeprefix(TEXT_PREFIX))
    except ValueError:
        return _NOT_BASE45


def _open_message(signed: bytes) -> tuple[bytes, bytes, bytes] | StatementFailure:
    if len(signed) > MAX_BYTES:
        return _TOO_LONG
    message = _decode(signed)
    if isinstance(message, StatementFailure):
        return message
    if type(message) is not cbor2.CBORTag or message.tag != _SIGN1_TAG or type(message.value) is not list:
        return _NOT_COSE_SIGN1
    if list(map(type, message.value)) != [bytes, dict, bytes, bytes]:
        return _NOT_COSE_SIGN1
    protected, unprotected, payload, signature = message.value
    if unprotected or len(signature) != _SIGNATURE_BYTES:
        return _NOT_COSE_SIGN1
    fields: tuple[bytes, bytes, bytes] = protected, payload, signature
    return fields if _encode_message(*fields) == signed else _NOT_CANONICAL


def _claimed_signer(protected: bytes, trust: TrustList) -> TrustedKey | StatementFailure:
    key_id = protected[-4:]
    if protected != _protected_header(key_id):
        return _odd_header(protected)
    return trust.statement_key(key_id) or _failure(
        _Kind.UNKNOWN_KEY,
        f"signed by a key ({key_id.hex()}) that is not in the trust list: fetch the newest list (trust take)",
        f"签名密钥（{key_id.hex()}）不在信任列表中，请取最新的列表（trust take）",
    )


def _odd_header(protected: bytes) -> StatementFailure:
    header = _decode(protected)
    if not isinstance(header, dict):
        return _NOT_COSE_SIGN1
    if header.get(_ALGORITHM) != _EDDSA:
        return _WRONG_ALGORITHM
    return _NOT_CANONICAL if header.keys() == {_ALGORITHM, _KEY_ID} else _NOT_COSE_SIGN1


# --- claims -------------------------------------------------------------------------------------------------


def _read_claims(payload: bytes, issuer: str) -> Statement | StatementFailure:
    claims = _decode(payload)
    facts = claims.get(_CYLINDER) if isinstance(claims, dict) else None
    if not isinstance(facts, dict) or claims.keys() != _CLAIMS or facts.keys() != _FACTS:
        return _wrong_claims("a claim is missing, or one is there that this program does not know")
    if claims[_ISS] != issuer:
        return _wrong_claims("the issuer it names is not the owner of the key that signed it")
    try:
        statement = _statement_of(claims, facts)
    except (CodeError, StatementError, TypeError) as error:
        return _wrong_claims(str(error))
    return statement if _encode_claims(statement, issuer) == payload else _NOT_CANONICAL


def _statement_of(claims: dict[Any, Any], facts: dict[Any, Any]) -> Statement:
    code, issued, expires = claims[_SUB], claims[_IAT], claims[_EXP]
    if type(code) is not str or type(issued) is not int or type(expires) is not int:
        raise StatementError("the code must be text, and the instants whole seconds")
    return Statement(
        Code(code), facts[_MODEL], facts[_MEDIUM], facts[_TARE], facts[_MAX_FILL], facts[_NEXT_DUE],
        facts[_END_OF_LIFE], facts[_OWNER], issued * 1000, expires * 1000,
    )  # fmt: skip


def _untimely(statement: Statement, signer: TrustedKey, at: int) -> StatementFailure | None:
    standing = signer.period.standing(statement.issued_at)
    if standing is not Standing.GOOD:
        return _bad_standing(standing, statement, signer)
    if statement.issued_at > at + CLOCK_ALLOWANCE_MS:
        date = format_instant(statement.issued_at)
        return _failure(_Kind.NOT_YET_VALID, f"issued in the future, at {date}: which clock is wrong?",
                        f"签发时间 {date} 在将来，请核对时钟")  # fmt: skip
    if statement.expires_at <= at:
        date = format_instant(statement.expires_at)
        return _failure(_Kind.EXPIRED, f"expired at {date}", f"凭证已于 {date} 过期")
    return None


def _bad_standing(standing: Standing, statement: Statement, signer: TrustedKey) -> StatementFailure:
    period, name, issued = signer.period, signer.name, format_instant(statement.issued_at)
    if standing is Standing.REVOKED and period.revoked_from is not None:
        date = format_instant(period.revoked_from)
        return _failure(_Kind.KEY_REVOKED, f"the key {name} is revoked from {date}: {period.reason}",
                        f"签名密钥 {name} 自 {date} 起已吊销：{period.reason}")  # fmt: skip
    start, end = format_instant(period.valid_from), format_instant(period.valid_until)
    return _failure(_Kind.KEY_NOT_VALID, f"issued at {issued}, but the key {name} may sign from {start} to {end} only",
                    f"签发时间 {issued} 不在密钥 {name} 的有效期（{start} 至 {end}）内")  # fmt: skip


# --- failures -----------------------------------------------------------------------------------------------


def _failure(kind: StatementFailureKind, text_en: str, text_zh: str) -> StatementFailure:
    return StatementFailure(kind, text_en, text_zh)


def _wrong_claims(why: str) -> StatementFailure:
    text_en = f"the signature is right, but the content is not: {why}"
    return _failure(_Kind.WRONG_CLAIMS, text_en, "签名正确，但内容不合规")


_TOO_LONG = _failure(
    _Kind.TOO_LONG,
    f"longer than {MAX_TEXT_LENGTH} characters, so no statement",
    f"超过 {MAX_TEXT_LENGTH} 个字符，不是签名凭证",
)
_NOT_A_STATEMENT = _failure(
    _Kind.NOT_A_STATEMENT,
    f"not a signed statement: one begins with {TEXT_PREFIX}",
    f"不是签名凭证：凭证以 {TEXT_PREFIX} 开头",
)
_NOT_BASE45 = _failure(_Kind.NOT_BASE45, "damaged: not Base45; scan it again", "凭证损坏：不是 Base45 编码，请重新扫描")
_NOT_CBOR = _failure(_Kind.NOT_CBOR, "damaged: not CBOR; scan or read it again", "凭证损坏：不是 CBOR 编码，请重新读取")
_NOT_COSE_SIGN1 = _failure(
    _Kind.NOT_COSE_SIGN1, "not a COSE_Sign1 message of this form", "不是本格式的 COSE_Sign1 凭证"
)
_NOT_CANONICAL = _failure(
    _Kind.NOT_CANONICAL,
    "written in another way than the issuer writes it: changed, or not ours",
    "编码方式与签发时不同：被改动，或不是本系统签发",
)
_WRONG_ALGORITHM = _failure(_Kind.WRONG_ALGORITHM, "not signed with Ed25519", "签名算法不是 Ed25519")
_WRONG_SIGNATURE = _failure(
    _Kind.WRONG_SIGNATURE,
    "the signature does not fit: take a new photo, or ask the issuer for another slip",
    "签名不符：请重新拍照，或请发证方另出一份",
)
