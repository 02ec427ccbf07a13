"""Crockford base32: the 32 characters a code may hold, and numbers written in them.

The alphabet is ``0-9A-Z`` without I, L, O and U: I and L look like 1, O looks like 0, and U is left out by
Crockford's own choice. Its order is ASCII order, so texts sort as the numbers they stand for.

Worked example: 1000 = 0 * 32**2 + 31 * 32 + 8, and the characters for 31 and 8 are Z and 8, so
``encode_base32(1000, 3) == "0Z8"``.
"""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(high + low for high in ALPHABET for low in ALPHABET)  # two characters a step: half the work


def encode_base32(number: int, length: int) -> str:
    """Write ``number`` in exactly ``length`` characters, most significant first.

    Raises ValueError when the number is negative or does not fit.
    """
    if number < 0 or number >> (5 * length):
        raise ValueError(f"the number does not fit into {length} base32 characters")
    first = ALPHABET[number >> (5 * (length - 1))] if length % 2 else ""
    top_pair = 5 * (length - length % 2 - 2)
    return first + "".join([_PAIRS[(number >> shift) & 0x3FF] for shift in range(top_pair, -1, -10)])
