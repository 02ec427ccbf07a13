"""How a ledger's checkpoints are signed, and who is asked to vouch for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from cylinder_codes.keys import SigningKey, VerifyingKey, format_vkey
from cylinder_trace.checkpoint import Checkpoint, format_checkpoint, sign_checkpoint
from cylinder_trace.cosignature import ML_DSA_44, Cosigner, LogKey, format_cosigner_key
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.witness_client import WitnessAddress


@dataclass(frozen=True, slots=True)
class Publishing:
    """Settings: a second signature in ML-DSA-44 under the log's own name, and the witnesses that are asked."""

    second: Cosigner | None = None
    witnesses: tuple[WitnessAddress, ...] = ()


ONE_KEY = Publishing()
"""One Ed25519 key, and nobody asked."""


class LogSigner:
    """Signs checkpoints with the log's key, and with its ML-DSA-44 key where there is one."""

    def __init__(self, key: SigningKey, second: Cosigner | None = None, former: Sequence[VerifyingKey] = ()) -> None:
        """`former` are the keys that were rotated out, newest first; raises StoreError when the second does not fit."""
        if second is not None and (second.kind, second.name) != (ML_DSA_44, key.name):
            raise StoreError(f"the log's second key must be an ML-DSA-44 key named {key.name}, as its first one is")
        self.key, self._second, self.former = key, second, tuple(former)

    @property
    def keys(self) -> list[LogKey]:
        """Keys that a stored checkpoint may be signed by, newest first."""
        second: list[LogKey] = [self._second.verifying_key] if self._second else []
        return [self.key.verifying_key, *second, *self.former]

    @property
    def vkeys(self) -> list[str]:
        """The same as text, for ``log/keys``."""
        return [format_vkey(key) if isinstance(key, VerifyingKey) else format_cosigner_key(key) for key in self.keys]

    def sign(self, checkpoint: Checkpoint, time_s: int) -> str:
        """The signed note that publishes `checkpoint`."""
        text = format_checkpoint(checkpoint)
        return sign_checkpoint(checkpoint, self.key, [self._second.cosign(text, time_s)] if self._second else [])
