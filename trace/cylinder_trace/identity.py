"""Who bought (实名): the identity that is kept in the vault, and the commitment that goes into the ledger.

The ledger holds SHA-256(salt || canonical identity).  Without the salt nobody can find the person by trying
numbers; with it, the seller can show that the recorded buyer is the one in the vault.  Erasing salt and identity
erases the person and breaks no hash.
"""

from hashlib import sha256

from cylinder_trace.canonical import canonical_json
from cylinder_trace.values import Frozen, Text

SALT_BYTES = 16


class Identity(Frozen):
    """A customer's personal data (用户实名信息)."""

    name: Text
    id_number: Text
    phone: Text
    address: Text


def commit_identity(identity: Identity, salt: bytes) -> str:
    """The commitment to `identity` under 16 random bytes of salt, as hex; raises ValueError for another salt."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return sha256(salt + canonical_json(identity.model_dump())).hexdigest()
