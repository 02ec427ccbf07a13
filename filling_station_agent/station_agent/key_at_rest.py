"""The device's key at rest (设备密钥静态加密): AES-256-GCM, so that a copy of the data folder alone signs nothing.

    {"kind": "pinglian-sealed-key/1", "protected_by": "file" | "passphrase",
     "scrypt": {"n", "r", "p", "salt"},          only with a passphrase
     "nonce": base64 of 12 bytes, "sealed": base64 of the encrypted signing key's text}

What opens it lies elsewhere.  By a *file*: 32 random bytes as one line of base64, looked for in this order: the path in
`STATION_KEY_FILE`; `station-key` among the credentials that systemd hands over (`LoadCredential=station-key:…`); and
`<data folder>.key` beside the data folder, which `enrol` makes.  By a *passphrase*: the first line of the file that
`STATION_PASSPHRASE_FILE` names, or what is typed at the terminal.
"""

import getpass
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cylinder_codes.keys import SigningKey, decode_base64, encode_base64, format_signer, parse_signer

KEY_FILE_VARIABLE, PASSPHRASE_FILE_VARIABLE = "STATION_KEY_FILE", "STATION_PASSPHRASE_FILE"
CREDENTIAL = "station-key"
SHORTEST_PASSPHRASE = 12
ProtectedBy = Literal["nothing", "file", "passphrase"]

_KIND = "pinglian-sealed-key/1"
_KEY_BYTES, _NONCE_BYTES, _SALT_BYTES = 32, 12, 16
_SCRYPT = {"n": 2**15, "r": 8, "p": 1}  # 32 MB and some 0.1 s for each guess
_SCRYPT_MEMORY = 64 * 2**20


class KeyLocked(Exception):
    """The device's key cannot be opened, or not be protected. The text says what is missing and where it belongs."""


def protected_by(text: str) -> ProtectedBy:
    """What protects the key in the text of a key file; "nothing" for the plain text of earlier versions."""
    if not text.lstrip().startswith("{"):
        return "nothing"
    return "passphrase" if _fields(text)["protected_by"] == "passphrase" else "file"


def machine_key_file(data: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the key that protects the device's key is, or belongs. Raises KeyLocked for a place in the data folder."""
    if named := environment.get(KEY_FILE_VARIABLE):
        file = Path(named)
    elif (folder := environment.get("CREDENTIALS_DIRECTORY")) and (Path(folder) / CREDENTIAL).exists():
        file = Path(folder) / CREDENTIAL
    else:
        file = data.resolve().with_name(f"{data.resolve().name}.key")
    if file.resolve().is_relative_to(data.resolve()):
        raise KeyLocked(f"{KEY_FILE_VARIABLE}: {file} lies in the data folder, where it protects nothing; move it out.")
    return file


def new_machine_key() -> str:
    """The text of a new file for `machine_key_file`."""
    return encode_base64(secrets.token_bytes(_KEY_BYTES))


def seal_with_file(key: SigningKey, machine_key: str) -> str:
    """The text of a key file that opens with the text of `machine_key_file`. Raises KeyLocked."""
    return _sealed(key, {"kind": _KIND, "protected_by": "file"}, _machine_key(machine_key))


def seal_with_passphrase(key: SigningKey, passphrase: str) -> str:
    """The text of a key file that opens with a passphrase. Raises KeyLocked for one that is too short."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise KeyLocked(f"A passphrase needs at least {SHORTEST_PASSPHRASE} characters; a few words are easy to keep.")
    scrypt = {**_SCRYPT, "salt": encode_base64(secrets.token_bytes(_SALT_BYTES))}
    fields = {"kind": _KIND, "protected_by": "passphrase", "scrypt": scrypt}
    return _sealed(key, fields, _stretched(passphrase, scrypt))


def open_key(text: str, data: Path, environment: Mapping[str, str] = os.environ) -> SigningKey:
    """The key in the text of a key file. Raises KeyLocked, and KeyFormatError for what is no key."""
    protection = protected_by(text)
    if protection == "nothing":
        return parse_signer(text)
    fields = _fields(text)
    if protection == "passphrase":
        secret = _stretched(known_passphrase(environment), fields["scrypt"])
        wrong = "The passphrase of the device's key is wrong."
    else:
        file = machine_key_file(data, environment)
        secret = _machine_key(_read(file))
        wrong = f"{file} is not the key that the device's key was protected with; put the right one there."
    try:
        sealed = AESGCM(secret).decrypt(_bytes(fields["nonce"]), _bytes(fields["sealed"]), _bound(fields))
    except (InvalidTag, ValueError, KeyError) as error:
        raise KeyLocked(wrong) from error
    return parse_signer(sealed.decode())


def known_passphrase(environment: Mapping[str, str] = os.environ) -> str:
    """The passphrase from the file that the environment names, or from the terminal. Raises KeyLocked."""
    if named := environment.get(PASSPHRASE_FILE_VARIABLE):
        return _read(Path(named)).splitlines()[0]
    return _typed("设备密钥口令 passphrase of the device's key: ")


def new_passphrase(environment: Mapping[str, str] = os.environ) -> str:
    """A passphrase to protect a key with, typed twice where it is typed. Raises KeyLocked."""
    if environment.get(PASSPHRASE_FILE_VARIABLE):
        return known_passphrase(environment)
    first = _typed("新口令 new passphrase: ")
    if _typed("再输入一次 once more: ") != first:
        raise KeyLocked("The two passphrases differ; start again.")
    return first


def _typed(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise KeyLocked(
            "The device's key needs its passphrase: start at a terminal, or name a file with it in"
            f" {PASSPHRASE_FILE_VARIABLE}."
        )
    return getpass.getpass(prompt, sys.stderr)


def _sealed(key: SigningKey, fields: dict[str, Any], secret: bytes) -> str:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(secret).encrypt(nonce, format_signer(key).encode(), _bound(fields))
    return json.dumps({**fields, "nonce": encode_base64(nonce), "sealed": encode_base64(sealed)}, indent=1)


def _bound(fields: dict[str, Any]) -> bytes:
    """What is said in the open about the key; changed, it opens nothing."""
    said = {name: fields[name] for name in ("kind", "protected_by", "scrypt") if name in fields}
    return json.dumps(said, sort_keys=True).encode()


def _stretched(passphrase: str, scrypt: dict[str, Any]) -> bytes:
    try:
        n, r, p = (int(scrypt[name]) for name in ("n", "r", "p"))
        salt = _bytes(scrypt["salt"])
        return hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=r, p=p, maxmem=_SCRYPT_MEMORY, dklen=_KEY_BYTES)
    except (KeyError, TypeError, ValueError) as error:
        raise KeyLocked("The device's key file is damaged; enrol the device again.") from error


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
        if fields["kind"] == _KIND and fields["protected_by"] in ("file", "passphrase"):
            return dict(fields)
    except (ValueError, KeyError, TypeError) as error:
        raise KeyLocked("The device's key file is damaged; enrol the device again.") from error
    raise KeyLocked(f"The device's key file is of a kind that this version does not know: {fields['kind']}.")


def _machine_key(text: str) -> bytes:
    key = decode_base64(text.strip())
    if key is None or len(key) != _KEY_BYTES:
        raise KeyLocked(f"The key that protects the device's key must be {_KEY_BYTES} bytes as one line of base64.")
    return key


def _bytes(text: Any) -> bytes:
    decoded = decode_base64(str(text))
    if decoded is None:
        raise KeyLocked("The device's key file is damaged; enrol the device again.")
    return decoded


def _read(file: Path) -> str:
    try:
        text = file.read_text("ascii")
    except FileNotFoundError as error:
        raise KeyLocked(
            f"{file} is missing: it protects the device's key. Put it back, or name its place in {KEY_FILE_VARIABLE}."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise KeyLocked(f"{file} cannot be read: {error}.") from error
    if not text.strip():
        raise KeyLocked(f"{file} is empty.")
    return text
