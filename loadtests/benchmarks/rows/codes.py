"""Rows about codes: what it costs to make a code and sign a statement about it, and to check one offline."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.measure import BenchError, Pair, Row, Scale, per_second
from cylinder_codes.authenticity import TAG_SECRET_BYTES, TagKey
from cylinder_codes.identifiers import PAYLOAD_BYTES, make_code
from cylinder_codes.keys import SEED_BYTES, SigningKey
from cylinder_codes.statement import Opened, Statement, open_statement, sign_statement, statement_text
from cylinder_codes.trust import Period, TrustedKey, TrustList

_ISSUED_AT, _EXPIRES_AT = 1_767_225_600_000, 1_798_761_600_000


def _signed_text(key: SigningKey, tag_key: TagKey) -> str:
    statement = Statement(
        code=make_code(secrets.token_bytes(PAYLOAD_BYTES), tag_key), model="YSP35.5", medium="lpg", tare_g=16_500,
        max_fill_g=14_500, next_due_month="2030-01", end_of_life_month="2034-01", owner_id="company/7",
        issued_at=_ISSUED_AT, expires_at=_EXPIRES_AT,
    )  # fmt: skip
    return statement_text(sign_statement(statement, key))


def _keys() -> tuple[SigningKey, TagKey]:
    seed = secrets.token_bytes(SEED_BYTES)
    return SigningKey("bench.example/signing-1", seed), TagKey("bench.example/tags", bytes(TAG_SECRET_BYTES))


@contextmanager
def _prepare_sign(scale: Scale) -> Iterator[Pair]:
    key, tag_key = _keys()
    bare = Ed25519PrivateKey.from_private_bytes(key.seed)
    data = bytes(len(_signed_text(key, tag_key)) * 2 // 3)
    count = scale.count(5000)
    yield Pair(
        ours=lambda: per_second(count, lambda: _signed_text(key, tag_key)),
        other=lambda: per_second(count, lambda: bare.sign(data)),
    )


@contextmanager
def _prepare_verify(scale: Scale) -> Iterator[Pair]:
    key, tag_key = _keys()
    text = _signed_text(key, tag_key)
    trust = TrustList(1, _ISSUED_AT, (TrustedKey(key.verifying_key, Period(_ISSUED_AT, _EXPIRES_AT)),))
    if not isinstance(open_statement(text, trust, _ISSUED_AT), Opened):
        raise BenchError("a statement just signed does not verify: run cylinder-codes self-test")
    bare = Ed25519PrivateKey.from_private_bytes(key.seed)
    data = bytes(len(text) * 2 // 3)
    signature, public = bare.sign(data), bare.public_key()
    count = scale.count(3000)
    yield Pair(
        ours=lambda: 1e6 / per_second(count, lambda: open_statement(text, trust, _ISSUED_AT)),
        other=lambda: 1e6 / per_second(count, lambda: public.verify(signature, data)),
    )


SIGN = Row(
    name="codes.sign",
    unit="/s",
    better="higher",
    goal=0.4,
    kind="bound",
    against="bare Ed25519 signing of as many bytes",
    prepare=_prepare_sign,
)
"""A new code is made and a statement about it signed, CBOR and Base45 text included."""

VERIFY_STATEMENT = Row(
    name="codes.verify_statement",
    unit="µs",
    better="lower",
    goal=1.6,
    kind="bound",
    against="one bare Ed25519 verification of as many bytes",
    prepare=_prepare_verify,
)
"""The text of a statement, as scanned, is decoded, checked against a trust list and turned into its claims."""
