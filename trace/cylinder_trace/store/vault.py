"""The vault: customers' personal data, encrypted, outside the ledger (个人信息保护法 51: encrypt, de-identify).

One AES-256-GCM data key per person, wrapped by the master key; the customer id is authenticated with both.
Deleting the wrapped key erases the person for good and breaks no hash: the ledger holds a salted commitment only.
"""

import os
from collections.abc import Sequence

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

    def seal(
        self, customer_id: str, identity: Identity, salt: bytes | None = None, company_id: str | None = None
    ) -> PersonRow:
        """A row for the vault, with the commitment that events may carry; the salt is drawn unless it is given.

        `company_id`: who took the data and answers for them.
        """
        salt, data_key = salt or os.urandom(SALT_BYTES), os.urandom(KEY_BYTES)
        return PersonRow(
            customer_id=customer_id,
            wrapped_key=encrypt(self._master, data_key, customer_id),
            sealed=encrypt(AESGCM(data_key), salt + identity.model_dump_json().encode(), customer_id),
            commitment=commit_identity(identity, salt),
            company_id=company_id,
        )

    def open(self, row: PersonRow) -> Identity:
        """The identity in a row; raises VaultError. The caller records who read it and why."""
        if row.wrapped_key is None:
            raise VaultError(f"customer {row.customer_id} was erased")
        data_key = decrypt(self._master, row.wrapped_key, row.customer_id)
        plain = decrypt(AESGCM(data_key), row.sealed, row.customer_id)
        return Identity.model_validate_json(plain[SALT_BYTES:])


def erased(row: PersonRow) -> PersonRow:
    """The row without its data key, and without what that key opened: the person, and the salt of the commitment."""
    return PersonRow(customer_id=row.customer_id, sealed=b"", commitment=row.commitment, company_id=row.company_id)


def rewrap(sealed: bytes, name: str, new: bytes, old: Sequence[bytes]) -> bytes | None:
    """What one of the `old` keys sealed for `name`, sealed with the `new` one; None if the new one opens it already.

    Raises VaultError when none of them opens it.
    """
    if _opens(new, sealed, name):
        return None
    for key in old:
        if _opens(key, sealed, name):
            return encrypt(AESGCM(new), decrypt(AESGCM(key), sealed, name), name)
    raise VaultError(f"{name} was sealed with a key that is not at hand")


def _opens(key: bytes, sealed: bytes, name: str) -> bool:
    try:
        decrypt(AESGCM(key), sealed, name)
    except VaultError:
        return False
    return True


def encrypt(cipher: AESGCM, plain: bytes, name: str) -> bytes:
    """`plain`, sealed for `name`: under another name it does not open."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, name.encode())


def decrypt(cipher: AESGCM, sealed: bytes, name: str) -> bytes:
    """What `encrypt` sealed; raises VaultError."""
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
    except InvalidTag as error:
        raise VaultError("the vault was sealed with another master key, or a row was changed") from error
