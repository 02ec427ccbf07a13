"""Rows about codes: what it costs to issue one and to sign a statement about it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.measure import Pair, Row, Scale, per_second
from cylinder_codes.authenticity import TAG_SECRET_BYTES, TagKey
from cylinder_codes.identifiers import PAYLOAD_BYTES, make_code
from cylinder_codes.keys import SEED_BYTES, SigningKey
from cylinder_codes.note import sign_note


@contextmanager
def _prepare_sign(scale: Scale) -> Iterator[Pair]:
    seed = secrets.token_bytes(SEED_BYTES)
    key, tag_key = SigningKey("bench.example/codes", seed), TagKey("bench.example/tags", bytes(TAG_SECRET_BYTES))
    bare = Ed25519PrivateKey.from_private_bytes(seed)

    def statement() -> str:
        code = make_code(secrets.token_bytes(PAYLOAD_BYTES), tag_key)
        return f"bench.example/codes\n{code.text}\nEXAMPLE-0001\n2026-11-22\n"

    data = statement().encode()
    count = scale.count(5000)
    yield Pair(
        ours=lambda: per_second(count, lambda: sign_note(statement(), key)),
        other=lambda: per_second(count, lambda: bare.sign(data)),
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
"""A new code is made and a statement about it signed as a note, encoding included."""
