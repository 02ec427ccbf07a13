"""How a ledger's checkpoints are signed, and who is asked to vouch for them.

Two files in a data folder switch things on, and without them nothing changes:

    keys/log-ml-dsa.key     a second key (`cylinder-trace keygen ORIGIN --ml-dsa`): each checkpoint gets its line too
    witnesses.policy        a tlog-policy: each `witness <name> <vkey> <url>` in it is asked for a cosignature
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cylinder_codes.keys import KeyFormatError, SigningKey, VerifyingKey, format_vkey
from cylinder_trace.checkpoint import Checkpoint, format_checkpoint, sign_checkpoint
from cylinder_trace.cosignature import ML_DSA_44, Cosigner, LogKey, format_cosigner_key, parse_cosigner
from cylinder_trace.policy import PolicyError, parse_policy
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.witness_client import WitnessAddress

ALARMS = "alarms"
"""The folder, in the data folder, with the forks that witnesses saw."""


@dataclass(frozen=True, slots=True)
class Publishing:
    """Settings: a second signature in ML-DSA-44 under the log's own name, and the witnesses that are asked."""

    second: Cosigner | None = None
    witnesses: tuple[WitnessAddress, ...] = ()


def publishing_of(folder: Path) -> Publishing:
    """The settings in a data folder; raises StoreError."""
    return Publishing(_second_key(folder / "keys" / "log-ml-dsa.key"), _witnesses(folder / "witnesses.policy"))


def _second_key(path: Path) -> Cosigner | None:
    try:
        return parse_cosigner(path.read_text(encoding="ascii", errors="replace"))
    except FileNotFoundError:
        return None
    except (KeyFormatError, OSError) as error:
        raise StoreError(f"{path} is not an ML-DSA-44 key ({error}); put the right one back or take it away") from error


def _witnesses(path: Path) -> tuple[WitnessAddress, ...]:
    try:
        policy = parse_policy(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (PolicyError, OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    silent = [name for name in policy.witnesses if not policy.urls.get(name, "").startswith(("http://", "https://"))]
    if silent:
        raise StoreError(f"{path}: the witness {silent[0]} has no address; write: witness NAME KEY http://…")
    return tuple(WitnessAddress(policy.urls[name], key) for name, key in policy.witnesses.items())


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
