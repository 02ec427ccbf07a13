"""A history bundle: one subject's entries, the proof that its last entry is in the log, and the checkpoint.

It is checked offline by anybody who has the log's verifying key.  `verify_bundle` numbers its steps:
  1. the checkpoint is signed by the log's key;
  2. the entries form one chain of the subject: positions 0, 1, 2 … and each names its predecessor's hash;
  3. the last entry is in the log, under the checkpoint's root.
Because each entry commits to the one before it, step 3 puts the whole chain under the checkpoint.
"""

from collections.abc import Sequence
from typing import Literal

from cylinder_codes.keys import KeyFormatError, VerifyingKey, decode_base64, encode_base64, parse_vkey
from cylinder_codes.note import NoteKey
from cylinder_trace.chain import EMPTY, Head
from cylinder_trace.checkpoint import Checkpoint, CheckpointError, open_checkpoint, unverified_checkpoint
from cylinder_trace.events import Entry, parse_entry
from cylinder_trace.merkle import NodeReader, ProofError, check_inclusion, leaf_hash, prove_inclusion
from cylinder_trace.suite import SHA256, Suite, suite_of_origin
from cylinder_trace.values import Count, Frozen, Subject


class BundleError(ValueError):
    """The bundle does not prove what it claims; the message says which step failed and where."""


class HistoryBundle(Frozen):
    """One subject's history with its proof. `entries` are the stored texts, byte for byte."""

    format: Literal["pinglian-history-bundle/1"] = "pinglian-history-bundle/1"
    subject: Subject
    entries: tuple[str, ...]
    last_index: Count
    """Index of the last entry in the log."""
    inclusion_proof: tuple[str, ...]
    """Sibling hashes from the last entry up to the root, base64."""
    checkpoint: str
    log_vkey: str
    suite: Literal["sha256", "sm3"] = "sha256"
    """The hash; the signed origin says the same."""


class Verdict(Frozen):
    """What a verified bundle shows."""

    subject: str
    entries: Count
    origin: str
    size: Count
    suite: str = SHA256.name


PROVES = (
    "each entry stands as it was recorded, in this order, with none left out before the last one shown",
    "all of them were in the log when it signed this checkpoint",
)
DOES_NOT_PROVE = (
    "that nothing was recorded after the last entry shown: ask for a newer bundle",
    "that the log shows everybody the same checkpoint: compare it with one a witness has kept",
)


def make_bundle(
    subject: str,
    texts: Sequence[bytes],
    last_index: int,
    size: int,
    read: NodeReader,
    checkpoint: str,
    vkey: str,
) -> HistoryBundle:
    """The bundle for `texts`, whose last entry is leaf `last_index` of the log of `size` in `checkpoint`."""
    suite = suite_of_origin(unverified_checkpoint(checkpoint).origin)
    siblings = prove_inclusion(last_index, size, read, suite)
    return HistoryBundle(
        subject=subject,
        entries=tuple(text.decode() for text in texts),
        last_index=last_index,
        inclusion_proof=tuple(encode_base64(node) for node in siblings),
        checkpoint=checkpoint,
        log_vkey=vkey,
        suite="sha256" if suite is SHA256 else "sm3",
    )


def verify_bundle(bundle: HistoryBundle, known: Sequence[NoteKey]) -> Verdict:
    """Check `bundle` against the keys one trusts; raises BundleError naming the step and place."""
    checkpoint = _signed_checkpoint(bundle, known)
    suite = suite_of_origin(checkpoint.origin)
    if bundle.suite != suite.name:
        raise BundleError(f"step 1: a log with the origin {checkpoint.origin} is hashed with {suite.name}")
    last = _check_chain(bundle, suite)
    _check_last_entry(bundle, last, checkpoint, suite)
    return Verdict(
        subject=bundle.subject,
        entries=len(bundle.entries),
        origin=checkpoint.origin,
        size=checkpoint.size,
        suite=suite.name,
    )


def bundle_key(bundle: HistoryBundle) -> VerifyingKey:
    """The key the bundle itself names: good for trying out, no proof of whose log it is."""
    try:
        return parse_vkey(bundle.log_vkey)
    except KeyFormatError as error:
        raise BundleError(f"step 1: {error}") from error


def _signed_checkpoint(bundle: HistoryBundle, known: Sequence[NoteKey]) -> Checkpoint:
    try:
        return open_checkpoint(bundle.checkpoint, known)
    except CheckpointError as error:
        raise BundleError(f"step 1: {error}") from error


def _check_chain(bundle: HistoryBundle, suite: Suite) -> bytes:
    head, last = EMPTY, b""
    for position, text in enumerate(bundle.entries):
        entry = _entry_at(position, text)
        if entry.subject != bundle.subject or (entry.n, entry.prev) != head:
            raise BundleError(f"step 2: entry {position} does not follow on the one before it")
        last = leaf_hash(text.encode(), suite)
        head = Head(position + 1, last.hex())
    if not last:
        raise BundleError("step 2: the bundle has no entries")
    return last


def _entry_at(position: int, text: str) -> Entry:
    try:
        return parse_entry(text.encode())
    except ValueError as error:
        raise BundleError(f"step 2: entry {position} is not an entry") from error


def _check_last_entry(bundle: HistoryBundle, last: bytes, checkpoint: Checkpoint, suite: Suite) -> None:
    nodes = [decode_base64(node) for node in bundle.inclusion_proof]
    try:
        if None in nodes:
            raise ProofError("a node is not base64")
        proof = [node for node in nodes if node is not None]
        check_inclusion(last, bundle.last_index, checkpoint.size, proof, checkpoint.root, suite)
    except ProofError as error:
        place = f"index {bundle.last_index}"
        raise BundleError(f"step 3: the last entry is not in the log at {place}: {error}") from error
