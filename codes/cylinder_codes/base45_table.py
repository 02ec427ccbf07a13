"""Base45 (RFC 9285) by table: the library ``base45`` encodes every pair of bytes once, after that it is looked up.

Base45 turns each two bytes into three characters by themselves: 0x4142 is ``BB8`` wherever it stands. The library goes
through them one by one in Python, which costs as much as the signature of a statement. So it is asked once for all
65,536 pairs, in the moment of the first use (less than a tenth of a second, 10 MB), and again for what is left over at
an end.

Worked example: ``encode_base45(b"AB!")`` is ``BB8X0``: ``BB8`` for ``AB`` and ``X0`` for ``!``.
"""

import struct
from functools import cache

import base45

_PAIRS = 0x10000


def encode_base45(data: bytes) -> str:
    """Return the Base45 text of ``data``."""
    pairs = struct.unpack_from(f">{len(data) // 2}H", data)
    text = "".join(map(_triples().__getitem__, pairs))
    return text + _library_text(data[-1:]) if len(data) % 2 else text


def decode_base45(text: str) -> bytes:
    """Return the bytes of a Base45 text; ValueError for anything else, a line end behind it included."""
    data = text.encode()
    whole, left_over = divmod(len(data), 3)
    try:
        decoded = b"".join(map(_pairs().__getitem__, struct.unpack_from("3s" * whole, data)))
    except KeyError:
        raise ValueError("not Base45") from None
    return decoded + _library_bytes(data[-left_over:]) if left_over else decoded


@cache
def _triples() -> tuple[str, ...]:
    text = _library_text(struct.pack(f">{_PAIRS}H", *range(_PAIRS)))
    return tuple(text[start : start + 3] for start in range(0, 3 * _PAIRS, 3))


@cache
def _pairs() -> dict[bytes, bytes]:
    return {triple.encode(): pair.to_bytes(2, "big") for pair, triple in enumerate(_triples())}


def _library_text(data: bytes) -> str:
    encoded: bytes = base45.b45encode(data)
    return encoded.decode("ascii")


def _library_bytes(text: bytes) -> bytes:
    decoded: bytes = base45.b45decode(text)  # of a str it would drop line ends
    return decoded
