"""The issuer's folder (发码室): the keys of one issuer, encrypted, the trust list it publishes, and its issue book.

    tag.key      makes the tags of codes               tag-<key id>.key       earlier ones, for checking old codes
    signing.key  signs statements                      signing-<key id>.key   earlier ones
    root.key     signs the trust list alone; better kept on another medium and brought when it is needed
    root.pub     the public half of root, for everybody who checks
    trust.note   the trust list as published
    book.sqlite  the issue book

The folder has mode 0700 and the files 0600. It is made under another name beside its place, with everything in it on
the disk, and renamed at the end: after a kill there is a whole folder or none. Whatever replaces one of its files
does so by renaming too.
"""

import argparse
import fcntl
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cylinder_codes.authenticity import TAG_SECRET_BYTES, TagKey
from cylinder_codes.commands.common import CannotCheck, now_ms
from cylinder_codes.commands.files import read_key, read_text, replace_file, require_folder, sync_folder, write_new
from cylinder_codes.commands.instants import DAY_MS, whole_second
from cylinder_codes.commands.passphrase import Passphrase, add_passphrase_option, read_secret
from cylinder_codes.keys import (
    SEED_BYTES,
    KeyFormatError,
    SigningKey,
    check_key_name,
    format_vkey,
    parse_vkey,
)
from cylinder_codes.pem import encrypt_signer, encrypt_tag_key, read_signer, read_tag_key
from cylinder_codes.trust import (
    Period,
    TrustedKey,
    TrustedTagKey,
    TrustError,
    TrustList,
    open_trust_list,
    sign_trust_list,
)

DEFAULT_FOLDER = Path("issuer")
KEY_LIFE_MS = 2 * 365 * DAY_MS
"""How long a new key may sign unless the trust list says otherwise."""


class Issuer:
    """One issuer's folder. What needs a secret key decrypts it; CannotCheck with one sentence when that fails."""

    def __init__(self, folder: Path, passphrase: Passphrase) -> None:
        self.folder = folder
        self.passphrase = passphrase
        self.book_path = folder / "book.sqlite"
        self.trust_path = folder / "trust.note"
        self.root_path = folder / "root.pub"

    def tag_key(self) -> TagKey:
        """The key that new codes get their tags from."""
        return read_secret(self.folder / "tag.key", read_tag_key, self.passphrase)

    def tag_keys(self) -> list[TagKey]:
        """Every tag key that is in the folder, the present one first."""
        earlier = sorted(self.folder.glob("tag-*.key"))
        return [self.tag_key(), *(read_secret(path, read_tag_key, self.passphrase) for path in earlier)]

    def signing_key(self) -> SigningKey:
        """The key that signs statements."""
        return read_secret(self.folder / "signing.key", read_signer, self.passphrase)

    def root_key(self) -> SigningKey:
        """The key that signs the trust list and nothing else."""
        return read_secret(self.folder / "root.key", read_signer, self.passphrase)

    def trust_list(self) -> TrustList:
        """The trust list as published last."""
        return read_trust_list(self.trust_path, self.root_path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from changing the trust list meanwhile: of two lists with one serial one would be lost."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def publish(self, trust: TrustList) -> None:
        """Sign ``trust`` with the root key and put it in the place of the list before it."""
        replace_file(self.trust_path, sign_trust_list(trust, self.root_key()))


def add_issuer_options(command: Any) -> None:
    """Add --issuer and --passphrase-file."""
    command.add_argument(
        "--issuer", type=Path, default=DEFAULT_FOLDER, metavar="DIR",
        help=f"folder of the issuer: keys, trust list, book (default {DEFAULT_FOLDER})",
    )  # fmt: skip
    add_passphrase_option(command)


def open_issuer(options: argparse.Namespace) -> Issuer:
    """Return the issuer of --issuer; CannotCheck when it is not there."""
    folder: Path = options.issuer
    if not (folder / "root.pub").is_file():
        raise CannotCheck(f"{folder} is no issuer's folder: `cylinder-codes issue` makes one, or name it with --issuer")
    return Issuer(folder, Passphrase(options))


def open_or_make_issuer(options: argparse.Namespace) -> Issuer:
    """Return the issuer of --issuer; when it is not there, make folder, keys and trust list, and say so on stderr."""
    folder: Path = options.issuer
    if (folder / "root.pub").is_file():
        return open_issuer(options)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CannotCheck(f"{folder} is there and no issuer's folder: name another one with --issuer")
    require_folder(folder.absolute())
    issuer = Issuer(folder, Passphrase(options))
    _make(issuer, folder.absolute().name)
    print(f"{folder} is made: keys, trust list and room for the book; keep a copy of it and of the passphrase"
          f" (已建立发码室 {folder}，请备份并牢记口令)", file=sys.stderr)  # fmt: skip
    return issuer


def read_trust_list(trust_path: Path, root_path: Path, known: TrustList | None = None) -> TrustList:
    """Read a published trust list and check it with the root's public key; CannotCheck when it is not good."""
    for path, what in ((trust_path, "trust list: name it with --trust"), (root_path, "root key: name it with --root")):
        if not path.is_file():
            raise CannotCheck(f"{path}: there is no {what}")
    try:
        return open_trust_list(read_text(trust_path), [read_key(root_path, parse_vkey)], known)
    except TrustError as error:
        raise CannotCheck(f"{trust_path}: {error}") from error


def new_signing_key(name: str) -> SigningKey:
    """Make a signing key; CannotCheck when the name cannot be one."""
    _require_name(name)
    return SigningKey(name, secrets.token_bytes(SEED_BYTES))


def new_tag_key(name: str) -> TagKey:
    """Make a tag key; CannotCheck when the name cannot be one."""
    _require_name(name)
    return TagKey(name, secrets.token_bytes(TAG_SECRET_BYTES))


def _make(issuer: Issuer, name: str) -> None:
    passphrase = issuer.passphrase.new()
    unfinished = issuer.folder.with_name(f".{name}.{secrets.token_hex(4)}.unfinished")
    unfinished.mkdir(mode=0o700)
    try:
        for file, text in _contents(name, passphrase, whole_second(now_ms())).items():
            write_new(unfinished / file, text, mode=0o600)
        sync_folder(unfinished)
        unfinished.rename(issuer.folder)  # refused by the system when somebody else was faster
        sync_folder(issuer.folder.absolute().parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _contents(name: str, passphrase: str, at: int) -> dict[str, str]:
    name = "".join(name.replace("+", "-").split())
    root, signing, tag = (
        new_signing_key(f"{name}/root"),
        new_signing_key(f"{name}/signing-1"),
        new_tag_key(f"{name}/tag-1"),
    )
    period = Period(at, at + KEY_LIFE_MS)
    keys, tag_keys = (TrustedKey(signing.verifying_key, period),), (TrustedTagKey(tag.name, tag.key_id, period),)
    return {
        "tag.key": encrypt_tag_key(tag, passphrase),
        "signing.key": encrypt_signer(signing, passphrase),
        "root.key": encrypt_signer(root, passphrase),
        "trust.note": sign_trust_list(TrustList(1, at, keys, tag_keys), root),
        "root.pub": format_vkey(root.verifying_key),
    }


def _require_name(name: str) -> None:
    try:
        check_key_name(name)
    except KeyFormatError as error:
        raise CannotCheck(f"{name!r} cannot name a key: {error}") from error
