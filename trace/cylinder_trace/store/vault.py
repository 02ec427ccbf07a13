"""The vault: customers' personal data, encrypted, outside the ledger (个人信息保护法 51: encrypt, de-identify).

One AES-256-GCM data key per person, wrapped by the master key; the customer id is authenticated with both.
Deleting the wrapped key erases the person for good and breaks no hash: the ledger holds a salted commitment only.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cylinder_trace.identity import SALT_BYTES, Identity, commit_identity
from cylinder_trace.store.tables import PersonRow

_NONCE_BYTES = 12
KEY_BYTES = 32


class VaultError(Exception):
    """The person was erased, or the master key is not the one that sealed them."""


class Vault:
    """Seals and opens people with one master key, which never leaves this object."""

    def __init__(self, master_key: bytes) -> None:
        self._master = AESGCM(master_key)

    def seal(self, customer_id: str, identity: Identity, salt: bytes | None = None) -> PersonRow:
        """A row for the vault, with the commitment that events may carry; the salt is drawn unless it is given."""
        salt, data_key = salt or os.urandom(SALT_BYTES), os.urandom(KEY_BYTES)
        return PersonRow(
            customer_id=customer_id,
            wrapped_key=self._encrypt(self._master, data_key, customer_id),
            sealed=self._encrypt(AESGCM(data_key), salt + identity.model_dump_json().encode(), customer_id),
            commitment=commit_identity(identity, salt),
        )

    def open(self, row: PersonRow) -> Identity:
        """The identity in a row; raises VaultError. The caller records who read it and why."""
        if row.wrapped_key is None:
            raise VaultError(f"customer {row.customer_id} was erased")
        data_key = self._decrypt(self._master, row.wrapped_key, row.customer_id)
        plain = self._decrypt(AESGCM(data_key), row.sealed, row.customer_id)
        return Identity.model_validate_json(plain[SALT_BYTES:])

    def _encrypt(self, cipher: AESGCM, plain: bytes, customer_id: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + cipher.encrypt(nonce, plain, customer_id.encode())

    def _decrypt(self, cipher: AESGCM, sealed: bytes, customer_id: str) -> bytes:
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], customer_id.encode())
        except InvalidTag as error:
            raise VaultError("the vault was sealed with another master key, or a row was changed") from error
