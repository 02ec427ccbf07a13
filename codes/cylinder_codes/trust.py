"""The trust list (信任列表): which keys sign statements, from when until when, and which are revoked.

It is published as a signed note (``cylinder_codes.note``) of the root key, so people can read it and the usual tools
check it. Whoever checks statements holds two things: the root's public key, handed over once, and the newest list.

    pinglian-trust-list/1
    serial 3
    issued 2026-08-01T06:00:00Z
    statement works.example+42456925+AQOhB7/zzhC+HX… from 2026-01-01T00:00:00Z until 2028-01-01T00:00:00Z
    statement old.example+1f2e3d4c+AQpZ… from … until … revoked 2026-05-01T00:00:00Z because its laptop was stolen
    tag works.example/2026+8f2a11c0 from 2026-01-01T00:00:00Z until 2028-01-01T00:00:00Z

*from* is the first instant at which a key may sign, *until* the first at which it may no more, *revoked* the first at
which its signatures count no more. All three are compared with the issue date that the statement itself gives: what a
key signed before it was revoked stays good. A thief can write any issue date, so a stolen key is revoked from its last
honest use, not from the day on which somebody noticed.

A line that begins with *tag* names a tag key (标签密钥) by name and key id, one for each issuer and range; its secret
is in no list. Codes do not carry the date on which they were issued. The register does, so it can say which codes were
issued under a revoked tag key, from that instant on (``TrustList.tag_key``).

Every list has a serial number, one more than the last. Somebody who sends an old list to hide a revocation is noticed
by whoever has seen a newer one (``open_trust_list`` with ``known``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from cylinder_codes.keys import (
    KEY_ID_BYTES,
    KeyFormatError,
    SigningKey,
    VerifyingKey,
    check_key_name,
    format_vkey,
    parse_vkey,
)
from cylinder_codes.note import NoteError, open_note, sign_note

MAX_LIST_LENGTH = 4_000_000
"""Characters; some ten thousand keys."""

_HEAD = "pinglian-trust-list/1"
_SERIAL = re.compile(r"serial (0|[1-9][0-9]{0,14})")
_ISSUED = re.compile(r"issued (\S+)")
_KEY = re.compile(r"(statement|tag) (\S+) from (\S+) until (\S+)(?: revoked (\S+) because (.+))?")
_TAG_KEY = re.compile(rf"([^+]+)\+([0-9a-f]{{{2 * KEY_ID_BYTES}}})")
_INSTANT = re.compile(r"(?:19[7-9]|[2-9][0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class TrustErrorKind(StrEnum):
    """Why there is no trust list, or why it cannot be changed like that."""

    MALFORMED = "malformed"
    NOT_SIGNED_BY_ROOT = "not_signed_by_root"
    OLDER_LIST = "older_list"
    CONFLICTING_LIST = "conflicting_list"
    ALREADY_LISTED = "already_listed"
    NOT_LISTED = "not_listed"
    WRONG_DATES = "wrong_dates"


class TrustError(ValueError):
    """A trust list that is refused; ``line`` counts from 1 where one line is to blame."""

    def __init__(self, kind: TrustErrorKind, message: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.kind = kind
        self.line = line


class Standing(StrEnum):
    """How a key stands at an instant."""

    GOOD = "good"
    REVOKED = "revoked"
    NOT_VALID = "not_valid"


@dataclass(frozen=True, slots=True)
class Period:
    """When a key may sign: from ``valid_from`` to before ``valid_until``, UTC ms, whole seconds.

    ``revoked_from`` is the first instant at which it counts no more, with the reason; None when it is not revoked.
    TrustError for dates in the wrong order or a reason without a revocation.
    """

    valid_from: int
    valid_until: int
    revoked_from: int | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.valid_from >= self.valid_until:
            raise TrustError(TrustErrorKind.WRONG_DATES, "a key must be valid from an instant before it ends")
        if (self.revoked_from is None) == bool(self.reason) or not self.reason.isprintable():
            message = "a revocation has a date and a reason in one line, and a key that is not revoked has neither"
            raise TrustError(TrustErrorKind.WRONG_DATES, message)

    def standing(self, at: int) -> Standing:
        """How the key stands for something issued at ``at`` (UTC ms)."""
        if self.revoked_from is not None and self.revoked_from <= at:
            return Standing.REVOKED
        return Standing.GOOD if self.valid_from <= at < self.valid_until else Standing.NOT_VALID


@dataclass(frozen=True)
class TrustedKey:
    """A key that signs statements."""

    key: VerifyingKey
    period: Period

    @property
    def name(self) -> str:
        """The key's name, which is also the issuer in its statements."""
        return self.key.name

    @property
    def key_id(self) -> bytes:
        """Four bytes, the ``kid`` of its statements."""
        return self.key.key_id


@dataclass(frozen=True)
class TrustedTagKey:
    """A tag key by name and key id; the secret stays with issuer and service."""

    name: str
    key_id: bytes
    period: Period


@dataclass(frozen=True)
class TrustList:
    """A list as it was signed: serial number, instant of signing (UTC ms), keys.

    TrustError when two keys have one key id, because a statement names its key by nothing else.
    """

    serial: int
    issued_at: int
    keys: tuple[TrustedKey, ...] = ()
    tag_keys: tuple[TrustedTagKey, ...] = ()

    def __post_init__(self) -> None:
        for entries in (self.keys, self.tag_keys):
            if len({entry.key_id for entry in entries}) < len(entries):
                raise TrustError(TrustErrorKind.ALREADY_LISTED, "two keys of one use have the same key id")

    @cached_property
    def _keys_by_id(self) -> dict[bytes, TrustedKey]:
        return {entry.key_id: entry for entry in self.keys}

    def statement_key(self, key_id: bytes) -> TrustedKey | None:
        """The key that signs statements under this key id, revoked or not."""
        return self._keys_by_id.get(key_id)

    def tag_key(self, key_id: bytes) -> TrustedTagKey | None:
        """The tag key with this id; ``.period.standing(issued_at)`` judges a code by its issue date in the register."""
        return next((entry for entry in self.tag_keys if entry.key_id == key_id), None)

    def with_key(self, entry: TrustedKey | TrustedTagKey, issued_at: int) -> "TrustList":
        """The next list, with one key more."""
        if isinstance(entry, TrustedKey):
            return replace(self, serial=self.serial + 1, issued_at=issued_at, keys=(*self.keys, entry))
        return replace(self, serial=self.serial + 1, issued_at=issued_at, tag_keys=(*self.tag_keys, entry))

    def with_revocation(self, key_id: bytes, revoked_from: int, reason: str, issued_at: int) -> "TrustList":
        """The next list, with a key revoked from an instant on; a revocation is never taken back or moved later."""
        period = self._period(key_id)
        if period.revoked_from is not None and period.revoked_from <= revoked_from:
            message = f"key {key_id.hex()} is revoked from {format_instant(period.revoked_from)} already"
            raise TrustError(TrustErrorKind.ALREADY_LISTED, message)
        return self._with_period(key_id, replace(period, revoked_from=revoked_from, reason=reason), issued_at)

    def with_end(self, key_id: bytes, valid_until: int, issued_at: int) -> "TrustList":
        """The next list, with a key that ends at ``valid_until`` if it does not end earlier."""
        period = self._period(key_id)
        ended = replace(period, valid_until=min(period.valid_until, valid_until))
        return self._with_period(key_id, ended, issued_at)

    def _period(self, key_id: bytes) -> Period:
        entry = self.statement_key(key_id) or self.tag_key(key_id)
        if entry is None:
            raise TrustError(TrustErrorKind.NOT_LISTED, f"no key {key_id.hex()} is in the trust list")
        return entry.period

    def _with_period(self, key_id: bytes, period: Period, issued_at: int) -> "TrustList":
        keys = tuple(replace(entry, period=period) if entry.key_id == key_id else entry for entry in self.keys)
        tags = tuple(replace(entry, period=period) if entry.key_id == key_id else entry for entry in self.tag_keys)
        return TrustList(self.serial + 1, issued_at, keys, tags)


def name_tag_key(text: str, period: Period) -> TrustedTagKey:
    """Return the tag key that ``text``, its name, + and key id, names for a list; KeyFormatError when it names none."""
    found = _TAG_KEY.fullmatch(text)
    if found is None:
        raise KeyFormatError(f"{text!a} names no tag key: it reads name+8 hex digits, as keygen printed them")
    check_key_name(found[1])
    return TrustedTagKey(found[1], bytes.fromhex(found[2]), period)


def format_trust_list(trust: TrustList) -> str:
    """Return the text of a list, to be signed by the root key."""
    keys = [f"statement {format_vkey(entry.key)} {_format_period(entry.period)}" for entry in trust.keys]
    tags = [f"tag {entry.name}+{entry.key_id.hex()} {_format_period(entry.period)}" for entry in trust.tag_keys]
    head = [_HEAD, f"serial {trust.serial}", f"issued {format_instant(trust.issued_at)}"]
    return "\n".join([*head, *keys, *tags, ""])


def parse_trust_list(text: str) -> TrustList:
    """Read the text of a list; TrustError names the line that is wrong. No signature is looked at."""
    lines = text.split("\n")
    if lines[0] != _HEAD or lines[-1] or len(lines) < len((_HEAD, _SERIAL, _ISSUED, "")):
        raise TrustError(TrustErrorKind.MALFORMED, f"a trust list begins with {_HEAD}, serial and issued", 1)
    serial = int(_match(_SERIAL, lines[1], 2, "serial and a number")[1])
    issued_at = _instant(_match(_ISSUED, lines[2], 3, "issued and an instant")[1], 3)
    entries = [_parse_key(line, number) for number, line in enumerate(lines[3:-1], start=4)]
    keys = tuple(entry for entry in entries if isinstance(entry, TrustedKey))
    return TrustList(serial, issued_at, keys, tuple(e for e in entries if isinstance(e, TrustedTagKey)))


def sign_trust_list(trust: TrustList, root: SigningKey) -> str:
    """Return the list as a note signed by the root key, ready to be published."""
    return sign_note(format_trust_list(trust), root)


def open_trust_list(note: str, roots: Sequence[VerifyingKey], known: TrustList | None = None) -> TrustList:
    """Check a published list against the root's public key and the newest list one has seen.

    TrustError when a root did not sign it, when a line is wrong, when it is older than ``known``, or when it has the
    same serial number and says something else.
    """
    if len(note) > MAX_LIST_LENGTH:
        message = f"the trust list has more than {MAX_LIST_LENGTH} characters"
        raise TrustError(TrustErrorKind.MALFORMED, message)
    try:
        trust = parse_trust_list(open_note(note, roots).text)
    except NoteError as error:
        message = f"the trust list is not signed by the root key: {error}"
        raise TrustError(TrustErrorKind.NOT_SIGNED_BY_ROOT, message) from error
    if known is not None:
        _require_no_older(trust, known)
    return trust


def format_instant(at: int) -> str:
    """Return UTC ms as ``2026-08-01T06:00:00Z``; what is left of a second is cut off."""
    return (_EPOCH + at * _MILLISECOND).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(text: str) -> int:
    """Return ``2026-08-01T06:00:00Z`` as UTC ms; ValueError for anything else."""
    if not _INSTANT.fullmatch(text):
        raise ValueError("an instant reads 2026-08-01T06:00:00Z")
    return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND


def _require_no_older(trust: TrustList, known: TrustList) -> None:
    if trust.serial < known.serial:
        message = f"this list has serial {trust.serial}, but list {known.serial} is known already: ask for the new one"
        raise TrustError(TrustErrorKind.OLDER_LIST, message)
    if trust.serial == known.serial and trust != known:
        message = f"there are two different lists with serial {trust.serial}: one of them must not be trusted"
        raise TrustError(TrustErrorKind.CONFLICTING_LIST, message)


def _format_period(period: Period) -> str:
    dates = f"from {format_instant(period.valid_from)} until {format_instant(period.valid_until)}"
    if period.revoked_from is None:
        return dates
    return f"{dates} revoked {format_instant(period.revoked_from)} because {period.reason}"


def _parse_key(line: str, number: int) -> TrustedKey | TrustedTagKey:
    parts = _match(
        _KEY, line, number, "statement or tag, a key, from, until, and for a revoked key revoked and because"
    )
    try:
        revoked_from = parse_instant(parts[5]) if parts[5] else None
        period = Period(parse_instant(parts[3]), parse_instant(parts[4]), revoked_from, parts[6] or "")
        return TrustedKey(parse_vkey(parts[2]), period) if parts[1] == "statement" else name_tag_key(parts[2], period)
    except ValueError as error:  # KeyFormatError and TrustError are ValueErrors
        raise TrustError(TrustErrorKind.MALFORMED, str(error), number) from error


def _match(pattern: re.Pattern[str], line: str, number: int, expected: str) -> re.Match[str]:
    found = pattern.fullmatch(line)
    if found is None:
        raise TrustError(TrustErrorKind.MALFORMED, f"expected {expected}", number)
    return found


def _instant(text: str, number: int) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise TrustError(TrustErrorKind.MALFORMED, str(error), number) from error
