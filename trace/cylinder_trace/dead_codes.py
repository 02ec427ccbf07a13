"""A compact list of codes (报废、作废、黑气瓶名单): small enough for every station, now and then wrong about a code.

It is a Bloom filter: a code on the list is always found, and of the others at most one in ten thousand, too.  So a hit
never decides anything by itself.  A cylinder on file is judged by its own record; of one that is not, a hit changes
only what people are told (R02).

    digest      the first 16 bytes of SHA-256("pinglian-dead-code/1" 0A code)
    a, b        its first and last 8 bytes, big-endian; b with its lowest bit set
    positions   (a + i * b) mod bits, for i = 0 … 12
    bit p       of byte p div 8, the one of value 1 << (p mod 8)

With 20 bits for a code, 0.007 % of other codes are found, too; a million codes take 2.5 MB.  A code can be added and
none can be taken out: what is cleared goes with the next list that is made anew.
"""

from hashlib import sha256

from cylinder_trace.cylinder import CylinderState

KIND = "pinglian-dead-codes/2"
"""What a list is called where it is sent. 1 had 16 bits for a code and 11 positions: its bits say nothing here."""
DIGEST_BYTES = 16
_PREFIX = b"pinglian-dead-code/1\n"
_BITS_PER_CODE = 20
_HASHES = 13
_FEWEST_BYTES = 1024
_DEAD = ("condemned", "cancelled", "destroyed")


def digest_of(code: str) -> bytes:
    """What a list knows of a code."""
    return sha256(_PREFIX + code.encode()).digest()[:DIGEST_BYTES]


def listed_codes(cylinder: CylinderState) -> tuple[str, ...]:
    """The cylinder's codes that belong on the list: dead ones, and every one of a dead or marked cylinder."""
    if cylinder.status in _DEAD or cylinder.flags:
        return (*cylinder.codes, *cylinder.voided_codes)
    return cylinder.voided_codes


class DeadCodes:
    """The list; more codes than it was made for make it wrong more often."""

    def __init__(self, bits: bytes | bytearray) -> None:
        """Raises ValueError for an empty one."""
        if not bits:
            raise ValueError("a list of codes has at least one byte")
        self._bits = bytearray(bits)

    @classmethod
    def for_count(cls, count: int) -> "DeadCodes":
        """An empty list for so many codes."""
        return cls(bytes(max(_FEWEST_BYTES, -(-count * _BITS_PER_CODE // 8))))

    @property
    def capacity(self) -> int:
        """For how many codes it was made."""
        return len(self._bits) * 8 // _BITS_PER_CODE

    def add(self, digest: bytes) -> None:
        """Put a code on the list."""
        for place in self._places(digest):
            self._bits[place >> 3] |= 1 << (place & 7)

    def may_have(self, code: str) -> bool:
        """True for every code on the list, and for few others."""
        return all(self._bits[place >> 3] >> (place & 7) & 1 for place in self._places(digest_of(code)))

    def __bytes__(self) -> bytes:
        return bytes(self._bits)

    def _places(self, digest: bytes) -> list[int]:
        size = len(self._bits) * 8
        place, step = int.from_bytes(digest[:8], "big") % size, (int.from_bytes(digest[8:], "big") | 1) % size
        places = []
        for _ in range(_HASHES):  # with small numbers, because a list is made of millions
            places.append(place)
            place += step
            if place >= size:
                place -= size
        return places
