"""One Ed25519 verify (验签) on this machine, in this run: times are also told as so many of it.

A time alone says more about the machine than about the program; that of a verify says how fast the machine is.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.measure import microseconds

_ROUNDS = 20
_VERIFIES = 200
_BYTES = 300
"""As long as the note of a decision is."""
_US = {"µs": 1.0, "ms": 1e3, "s": 1e6}


def verify_us() -> float:
    """What one verify takes, microseconds; the least of several rounds: what others take meanwhile is not its speed."""
    key, text = Ed25519PrivateKey.generate(), b"x" * _BYTES
    signature, public = key.sign(text), key.public_key()
    return min(microseconds(_VERIFIES, lambda: public.verify(signature, text)) for _ in range(_ROUNDS))


def in_verifies(unit: str, value: float, verify: float) -> float | None:
    """A time, or a rate's time of one, in verifies of `verify` µs each; None for what is neither."""
    if unit == "/s":
        return 1e6 / value / verify
    return value * _US[unit] / verify if unit in _US else None
