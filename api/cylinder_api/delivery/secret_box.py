"""The secrets that messages are signed with, as they lie in the database: sealed with a key from the master key."""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cylinder_api.tokens import MESSAGES, derived_key
from cylinder_trace.store.vault import decrypt, encrypt


class SecretBox:
    """Seals and opens secrets, each under the id of what it belongs to; `rotate-master-key` seals them anew."""

    def __init__(self, master: bytes) -> None:
        self._cipher = AESGCM(derived_key(master, MESSAGES))

    def seal(self, name: str, secret: bytes) -> bytes:
        """The secret of the webhook or subscription `name`, as it is kept."""
        return encrypt(self._cipher, secret, name)

    def open(self, name: str, sealed: bytes) -> bytes:
        """The secret; raises VaultError where another key sealed it, or for another name."""
        return decrypt(self._cipher, sealed, name)
