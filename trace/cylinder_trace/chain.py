"""The hash chain of a subject: an entry is a record with its place, and its hash is its Merkle leaf hash.

    entry = record + {"n": position in the subject's chain from 0,
                      "prev": hash of the subject's previous entry, or 64 zeros,
                      "recorded_at": the ledger's clock, UTC ms}

The entry's canonical text is what is stored, hashed, put into the tree and handed out; the hash of a chain's
last entry commits to the whole chain, and the tree commits to every chain.
"""

from typing import Any, NamedTuple

from cylinder_trace.canonical import LONGEST_ENTRY, CanonicalError, canonical_json
from cylinder_trace.events import DeviceLink, Entry, Record, record_text
from cylinder_trace.merkle import leaf_hash
from cylinder_trace.suite import SHA256, Suite

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
    """The entry that puts `record` behind `head`; raises CanonicalError if it has no canonical text."""
    entry = _placed(record, head, recorded_at)
    text = canonical_json(_as_json(entry))
    if len(text) > LONGEST_ENTRY:
        raise CanonicalError(f"entry of {len(text)} bytes, more than {LONGEST_ENTRY}")
    return Sealed(entry, text, leaf_hash(text, suite))


_ALL_FIELDS = set(Entry.model_fields)


def _placed(record: Record, head: Head, recorded_at: int) -> Entry:
    fields: dict[str, Any] = {**record.__dict__, "n": head.n, "prev": head.hash, "recorded_at": recorded_at}
    # `model_construct` would look up aliases and defaults of every field; a record has them all.
    entry = Entry.__new__(Entry)
    object.__setattr__(entry, "__dict__", fields)
    object.__setattr__(entry, "__pydantic_fields_set__", _ALL_FIELDS)
    object.__setattr__(entry, "__pydantic_extra__", None)
    object.__setattr__(entry, "__pydantic_private__", None)
    return entry


def _as_json(entry: Entry) -> dict[str, Any]:
    """What `model_dump` would give; `data` is JSON already and is not walked through once more."""
    fields = {name: value for name, value in entry.__dict__.items() if value is not None}
    if entry.device is not None:
        fields["device"] = entry.device.model_dump(mode="json")
    return fields


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
