"""A device's own chain (本机日志) and its signed head, written from `docs/ledger-format.md` alone.

The load comes from a program that shares no code with the service, as a station's maker would write one: records are
canonical JSON, each names the hash of the one before, and an upload ends with a head that the device's key signs.
"""

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_NO_PREVIOUS = "0" * 64
_LEAF = b"\x00"
_ED25519 = b"\x01"


def vkey_of(name: str, seed: bytes) -> str:
    """The device's public key as a signed note names it: name, key id, algorithm and key."""
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    public = _ED25519 + key.public_bytes_raw()
    key_id = hashlib.sha256(f"{name}\n".encode() + public).digest()[:4]
    return f"{name}+{key_id.hex()}+{base64.b64encode(public).decode()}"


class DeviceChain:
    """What one device has told: the records that nobody answered for yet, oldest first."""

    def __init__(self, device_id: str, station_id: str, seed: bytes) -> None:
        """`seed` are the 32 bytes of the device's Ed25519 key."""
        self.device_id, self.station_id = device_id, station_id
        self.waiting: list[str] = []
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._seq, self._head = 0, _NO_PREVIOUS

    def tell(self, id: str, subject: str, type: str, occurred_at: int, data: dict[str, Any]) -> None:
        """Add the record that this happened."""
        text = _canonical(
            {
                "by": self.station_id,
                "data": data,
                "device": {"id": self.device_id, "prev": self._head, "seq": self._seq},
                "id": id,
                "occurred_at": occurred_at,
                "refs": [f"station/{self.station_id}"],
                "subject": subject,
                "type": type,
                "v": 1,
            }
        )
        self.waiting.append(text)
        self._head = hashlib.sha256(_LEAF + text.encode()).hexdigest()
        self._seq += 1

    def upload(self) -> dict[str, Any]:
        """The body that hands over all that waits; it waits on until `answered`."""
        seq = self._seq - 1
        signed = self._key.sign(f"pinglian-device-head/1\n{self.device_id}\n{seq}\n{self._head}\n".encode())
        head = {"seq": seq, "hash": self._head, "signature": base64.b64encode(signed).decode()}
        return {"device_id": self.device_id, "records": list(self.waiting), "head": head}

    def answered(self, records: int) -> None:
        """The service has answered for the first so many of what waits."""
        del self.waiting[:records]


def _canonical(value: dict[str, Any]) -> str:
    """Sorted keys, no blanks, integers only: what RFC 8785 makes of such a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
