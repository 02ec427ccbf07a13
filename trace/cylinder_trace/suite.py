"""The hash of a ledger (哈希套件): SHA-256, or SM3 (国密, GB/T 32905) where Chinese standards are asked for.

A suite is chosen when a ledger is created and never changes; every leaf, node and chain link is made with that
one hash. The origin says which: an SM3 ledger's origin ends in ``/sm3``, and no other's does, so whoever holds a
signed checkpoint knows the suite, and nobody can pass off a tree of one suite as a tree of the other. C2SP, whose
formats checkpoint and tiles have, knows SHA-256 alone: an SM3 ledger is outside it, and tools of others cannot
check its tree. A device's own chain (`record_hash`) is SHA-256 in every ledger: a station serves both.

>>> SM3.digest(b"abc").hex()[:16]
'66c7f0f462eeedd9'
>>> suite_of_origin("ledger.example/cylinders").name
'sha256'
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes

SM3_SUFFIX = "/sm3"


@dataclass(frozen=True, slots=True)
class Suite:
    """A hash of 32 bytes and the word that names it."""

    name: str
    digest: Callable[[bytes], bytes]

    @property
    def is_c2sp(self) -> bool:
        """Whether tools made for C2SP logs can check a tree of this suite."""
        return self.name == "sha256"


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _sm3_of_hashlib(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


def _sm3_of_cryptography(data: bytes) -> bytes:
    hasher = hashes.Hash(hashes.SM3())
    hasher.update(data)
    return hasher.finalize()


SHA256 = Suite("sha256", _sha256)
# Some builds of OpenSSL leave SM3 out; `cryptography` brings its own.
SM3 = Suite("sm3", _sm3_of_hashlib if "sm3" in hashlib.algorithms_available else _sm3_of_cryptography)
SUITES = {suite.name: suite for suite in (SHA256, SM3)}

OUTSIDE_C2SP = (
    "this ledger is hashed with SM3 (GB/T 32905): its tree is outside C2SP, and only tools that know SM3 can check it "
    "本账本使用 SM3，不属于 C2SP，须用支持 SM3 的工具核验"
)


def suite_of_origin(origin: str) -> Suite:
    """The suite of the log with this origin."""
    return SM3 if origin.endswith(SM3_SUFFIX) else SHA256
