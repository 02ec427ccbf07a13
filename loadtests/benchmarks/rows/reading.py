"""The row about reading: what it costs to make a code of what the scanner typed, and to check its tag."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.measure import BenchError, Pair, Row, Scale, microseconds
from cylinder_codes.authenticity import TAG_SECRET_BYTES, TagKey, tag_is_genuine
from cylinder_codes.digital_link import format_printed_link
from cylinder_codes.identifiers import PAYLOAD_BYTES, SEALED_RANDOM_BYTES, Code, make_code, make_grai
from cylinder_codes.reading import read_scan

_LABELS = 200


@contextmanager
def _prepare_read(scale: Scale) -> Iterator[Pair]:
    tag_key = TagKey("bench.example/tags", secrets.token_bytes(TAG_SECRET_BYTES))
    own = [make_code(secrets.token_bytes(PAYLOAD_BYTES), tag_key) for _ in range(_LABELS)]
    sealed = [make_grai("952000112345", secrets.token_bytes(SEALED_RANDOM_BYTES), tag_key) for _ in range(_LABELS)]
    scans = cycle([f"{format_printed_link(code)}\r" for pair in zip(own, sealed, strict=True) for code in pair])
    private_key = Ed25519PrivateKey.generate()
    public_key, statement = private_key.public_key(), secrets.token_bytes(200)
    signature = private_key.sign(statement)
    count = scale.count(5000)
    yield Pair(
        ours=lambda: microseconds(count, lambda: _read(next(scans), tag_key)),
        other=lambda: microseconds(count, lambda: public_key.verify(signature, statement)),
    )


def _read(scan: str, key: TagKey) -> None:
    code = read_scan(scan)
    if not isinstance(code, Code) or not tag_is_genuine(code, key):
        raise BenchError(f"a printed label was not read: {scan!r}")


READ = Row(
    name="codes.read",
    unit="µs",
    better="lower",
    goal=0.25,
    kind="bound",
    against="one Ed25519 verification",
    prepare=_prepare_read,
)
"""What a scanner typed, a printed link of our own code or of a sealed GRAI in turn, is read and its tag checked."""
