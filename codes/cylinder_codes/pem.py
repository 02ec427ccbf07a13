"""Key files (密钥文件): the secret of a key, encrypted with a passphrase, as PEM.

    Name: works.example/signing-1
    Kind: signing
    Key-Id: 42456925
    -----BEGIN ENCRYPTED PRIVATE KEY-----
    MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBBcSu15zKgNsRBirxrd…
    -----END ENCRYPTED PRIVATE KEY-----

Below the three lines for people (RFC 7468 allows them) stands PKCS #8, encrypted as ``cryptography`` thinks best:
today AES-256 under a key stretched from the passphrase by PBKDF2. ``openssl pkey -in FILE`` opens it with the same
passphrase. The three lines are not encrypted, but they cannot be changed unnoticed: the key id is computed over name
and key, in one way for a signing key and in another for a tag key, and is checked when the file is read.

A tag key (标签密钥) is 32 secret bytes and no pair of keys. It lies in the same container as if it were the seed of an
Ed25519 key, which has 32 bytes as well; nothing is ever signed with it.

PBKDF2 is applied only 2,048 times, so a weak passphrase is guessed from a stolen file. That is why one of fewer than
12 characters is refused when a file is made. ``openssl pkcs8 -topk8 -scrypt`` makes a stronger file of the same key;
put the three lines above it again, and it is read here like any other.

Key files in the plain text form (``cylinder_codes.keys``) are read by the same two functions. Every refusal is a
KeyFormatError whose sentence repeats nothing of the file.
"""

import re
from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from cylinder_codes.authenticity import TagKey
from cylinder_codes.keys import KeyFormatError, SigningKey, check_key_name, parse_signer, parse_tag_key, require_key_id

SHORTEST_PASSPHRASE = 12
Ask = Callable[[], str]
"""Gives the passphrase; called only when the file is encrypted."""

_TAG, _SIGNING = "tag", "signing"
_BEGIN = "-----BEGIN "
_FILE = re.compile(
    r"Name: (?P<name>[^\r\n]+)\r?\nKind: (?P<kind>tag|signing)\r?\nKey-Id: (?P<key_id>[0-9a-f]{8})\r?\n"
    r"(?P<pem>-----BEGIN ENCRYPTED PRIVATE KEY-----\r?\n.+)",
    re.DOTALL,
)


def encrypt_signer(key: SigningKey, passphrase: str) -> str:
    """Return the key file of a signing key; KeyFormatError for a passphrase that is too short."""
    return _encrypt(_SIGNING, key.name, key.key_id, key.seed, passphrase)


def encrypt_tag_key(key: TagKey, passphrase: str) -> str:
    """Return the key file of a tag key; KeyFormatError for a passphrase that is too short."""
    return _encrypt(_TAG, key.name, key.key_id, key.secret, passphrase)


def read_signer(text: str, ask: Ask) -> SigningKey:
    """Read a signing key from an encrypted key file or from its plain text form; KeyFormatError otherwise."""
    if _BEGIN not in text:
        return parse_signer(text)
    name, key_id, seed = _decrypt(_SIGNING, text, ask)
    key = SigningKey(name, seed)
    require_key_id("key file", key_id, key.key_id)
    return key


def read_tag_key(text: str, ask: Ask) -> TagKey:
    """Read a tag key from an encrypted key file or from its plain text form; KeyFormatError otherwise."""
    if _BEGIN not in text:
        return parse_tag_key(text)
    name, key_id, secret = _decrypt(_TAG, text, ask)
    key = TagKey(name, secret)
    require_key_id("key file", key_id, key.key_id)
    return key


def check_passphrase(passphrase: str) -> None:
    """Raise KeyFormatError for a passphrase too short to protect a file that is stolen."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise KeyFormatError(f"a passphrase needs at least {SHORTEST_PASSPHRASE} characters: take some words")
    if any("\ud800" <= char <= "\udfff" for char in passphrase):
        raise KeyFormatError("the passphrase is not UTF-8 text")


def _encrypt(kind: str, name: str, key_id: bytes, secret: bytes, passphrase: str) -> str:
    check_key_name(name)
    check_passphrase(passphrase)
    container = Ed25519PrivateKey.from_private_bytes(secret)
    encryption = BestAvailableEncryption(passphrase.encode())
    pem = container.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return f"Name: {name}\nKind: {kind}\nKey-Id: {key_id.hex()}\n{pem.decode('ascii')}"


def _decrypt(kind: str, text: str, ask: Ask) -> tuple[str, str, bytes]:
    found = _FILE.fullmatch(text)
    if found is None:
        raise KeyFormatError(
            "the key file is damaged: it reads Name, Kind, Key-Id and -----BEGIN ENCRYPTED PRIVATE KEY-----"
        )
    if found["kind"] != kind:
        raise KeyFormatError(f"this is the file of a {found['kind']} key, and a {kind} key is needed")
    check_key_name(found["name"])
    return found["name"], found["key_id"], _open_container(found["pem"], ask())


def _open_container(pem: str, passphrase: str) -> bytes:
    try:
        container = load_pem_private_key(pem.encode(), passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        message = "the key file does not open: the passphrase is wrong, or the file is damaged"
        raise KeyFormatError(message) from None  # the library's own message may quote the file
    if not isinstance(container, Ed25519PrivateKey):
        raise KeyFormatError("the key file holds a key that is not Ed25519")
    return container.private_bytes_raw()
