"""The hash chain of a subject: an entry is a record with its place, and its hash is its Merkle leaf hash.

    entry = record + {"n": position in the subject's chain from 0,
                      "prev": hash of the subject's previous entry, or 64 zeros,
                      "recorded_at": the ledger's clock, UTC ms}

The entry's canonical text is what is stored, hashed, put into the tree and handed out; the hash of a chain's
last entry commits to the whole chain, and the tree commits to every chain.
"""

from typing import NamedTuple

from cylinder_trace.canonical import LARGEST_INTEGER, LONGEST_ENTRY, CanonicalError
from cylinder_trace.events import DeviceLink, Entry, Record, Stated, record_text
from cylinder_trace.merkle import leaf_hash
from cylinder_trace.suite import SHA256, Suite
from cylinder_trace.values import built

NO_PREVIOUS = "0" * 64
"""`prev` of the first entry of a chain."""


class Sealed(NamedTuple):
    """An entry, the bytes that are stored, and their hash."""

    entry: Entry
    text: bytes
    hash: bytes


class Head(NamedTuple):
    """End of a chain: how many entries it has and the hash of the last one."""

    n: int
    hash: str


EMPTY = Head(0, NO_PREVIOUS)


def seal(record: Record, head: Head, recorded_at: int, suite: Suite = SHA256) -> Sealed:
    """The entry that puts `record` behind `head`; raises EventError, or CanonicalError if it has no canonical text."""
    text = _text(record.stated(), head, recorded_at)
    if len(text) > LONGEST_ENTRY:
        raise CanonicalError(f"entry of {len(text)} bytes, more than {LONGEST_ENTRY}")
    fields = {**record.__dict__, "n": head.n, "prev": head.hash, "recorded_at": recorded_at}
    return Sealed(built(Entry, fields, _ALL_FIELDS), text, leaf_hash(text, suite))


_ALL_FIELDS = set(Entry.model_fields)


def _text(stated: Stated, head: Head, recorded_at: int) -> bytes:
    # In the alphabetical order of their names the record's own moment stands between the fields of its place.
    if type(recorded_at) is not int or not 0 <= recorded_at <= LARGEST_INTEGER:
        raise CanonicalError(f"recorded_at: {recorded_at!r} is no moment")
    n, prev = b'"n":%d,' % head.n, b'"prev":"%b","recorded_at":%d,' % (head.hash.encode(), recorded_at)
    return b"".join((stated.before, n, stated.moment, prev, stated.after))


def next_head(sealed: Sealed) -> Head:
    """The chain's head once `sealed` is its last entry."""
    return Head(sealed.entry.n + 1, sealed.hash.hex())


def next_link(device_id: str, record: Record | None) -> DeviceLink:
    """The link that the device's record after `record` carries; `record` is None before the first."""
    if record is None or record.device is None:
        return DeviceLink(id=device_id, seq=0, prev=NO_PREVIOUS)
    return DeviceLink(id=device_id, seq=record.device.seq + 1, prev=record_hash(record))


def record_hash(record: Record) -> str:
    """Hash of a record in its device's chain."""
    return leaf_hash(record_text(record)).hex()
