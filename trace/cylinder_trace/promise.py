"""A receipt (回执) that its holder can hold against the ledger: the signed promise that an entry stands at its index.

A group commit is answered only once it is durable.  Its promise names all that it wrote, in one signed note:

    pinglian-promise/1
    ledger.example/cylinders
    4711                                            index of the commit's first entry
    3                                               how many entries it wrote
    6Z0n…=                                          root of the Merkle tree over their hashes, as over any leaves
    1790000000123                                   the ledger's clock at the commit, UTC ms

    — ledger.example/cylinders QkVpJ…

Each receipt carries that note and the path from its own entry up to that root.  Whoever holds it can say later: a
checkpoint of this log that has grown past my index and holds something else there proves that the log was rewritten.
The first line keeps it apart from a checkpoint, whose second line is a number.

`verify_receipt` numbers its steps:
  1. the promise is signed by the log's key;
  2. the receipt's entry is among those promised, at the index it names;
  3. with the record in hand: the entry is that record, in the place that the receipt names.
"""

from collections.abc import Sequence
from typing import Literal

from cylinder_codes.keys import SigningKey, decode_base64, encode_base64
from cylinder_codes.note import NoteError, NoteKey, open_note, sign_note, split_note
from cylinder_trace.canonical import CanonicalError
from cylinder_trace.chain import Head, seal
from cylinder_trace.events import Record
from cylinder_trace.merkle import (
    HASH_SIZE,
    HashesInMemory,
    ProofError,
    check_inclusion,
    prove_inclusion,
    root_hash,
)
from cylinder_trace.suite import suite_of_origin
from cylinder_trace.values import Count, Frozen, Id, Instant, Sha256, Subject

HEADER = "pinglian-promise/1"
_LINES = 6


class PromiseError(ValueError):
    """The receipt does not show what it claims; the message says which step failed and why."""


class Promise(Frozen):
    """What one group commit wrote: `count` entries from index `first` on, durable at `recorded_at`."""

    origin: str
    first: Count
    count: Count
    root: bytes
    recorded_at: Instant


class SignedReceipt(Frozen):
    """Where a record stands in the ledger, and the promise that it stands there for ever.

    `n` and `prev` are its place in its subject's chain; `index` is its leaf in the log, `hash` the leaf's hash.
    """

    format: Literal["pinglian-receipt/1"] = "pinglian-receipt/1"
    id: Id
    subject: Subject
    n: Count
    prev: Sha256
    index: Count
    hash: Sha256
    recorded_at: Instant
    """The ledger's clock, UTC ms."""
    promise: str
    """The signed note of the group commit."""
    path: tuple[str, ...] = ()
    """Sibling hashes from the entry up to the promise's root, base64."""


RECEIPT_PROVES = (
    "the log's key signed that an entry with this hash is stored for good at this index",
    "if the log ever shows something else at this index, this receipt and its signed checkpoint prove it was rewritten",
)
RECEIPT_DOES_NOT_PROVE = (
    "that the entry is under a published checkpoint already: turn the receipt into a proof, a second later",
    "what the entry says: compare it with the record you sent",
)


def format_promise(promise: Promise) -> str:
    """The text that is signed."""
    lines = [HEADER, promise.origin, promise.first, promise.count, encode_base64(promise.root), promise.recorded_at]
    return "".join(f"{line}\n" for line in lines)


def parse_promise(text: str) -> Promise:
    """The promise in a note's text; raises PromiseError."""
    lines = text.split("\n")
    if len(lines) != _LINES + 1 or lines[0] != HEADER or lines[-1]:
        raise PromiseError(f"step 1: a promise has {_LINES} lines and begins with {HEADER}")
    _, origin, first, count, root_text, recorded_at, _ = lines
    root = decode_base64(root_text)
    try:
        promise = Promise(
            origin=origin, first=int(first), count=int(count), root=root or b"", recorded_at=int(recorded_at)
        )
    except ValueError as error:
        raise PromiseError("step 1: the numbers of the promise cannot be read") from error
    if len(promise.root) != HASH_SIZE or format_promise(promise) != text:
        raise PromiseError("step 1: the promise is not written as one is")
    return promise


def sign_promise(promise: Promise, key: SigningKey) -> str:
    """The promise as a note signed with the log's own key."""
    return sign_note(format_promise(promise), key)


def open_promise(note: str, known: Sequence[NoteKey]) -> Promise:
    """The promise in a note that one of the `known` keys of its origin signed; raises PromiseError."""
    try:
        opened = open_note(note, known)
    except NoteError as error:
        raise PromiseError(f"step 1: {error}") from error
    promise = parse_promise(opened.text)
    if all(key.name != promise.origin for key in opened.verified_by):
        raise PromiseError(f"step 1: the promise is signed, but not by the key of {promise.origin}")
    return promise


def unverified_promise(receipt: SignedReceipt) -> Promise:
    """What a receipt's promise claims, before anybody has checked it; raises PromiseError."""
    try:
        return parse_promise(split_note(receipt.promise)[0])
    except NoteError as error:
        raise PromiseError(f"step 1: {error}") from error


def promise_of(origin: str, first: int, leaves: Sequence[bytes], recorded_at: int) -> tuple[Promise, HashesInMemory]:
    """The promise over the entry hashes `leaves`, of which `first` is the first one's index, and their tree."""
    tree = HashesInMemory(leaves, suite_of_origin(origin))
    root = root_hash(len(leaves), tree, suite_of_origin(origin))
    return Promise(origin=origin, first=first, count=len(leaves), root=root, recorded_at=recorded_at), tree


def path_to(position: int, tree: HashesInMemory, origin: str) -> tuple[str, ...]:
    """The path of a receipt whose entry is the commit's entry number `position`, from 0."""
    siblings = prove_inclusion(position, len(tree), tree, suite_of_origin(origin))
    return tuple(encode_base64(node) for node in siblings)


def verify_receipt(receipt: SignedReceipt, known: Sequence[NoteKey], record: Record | None = None) -> Promise:
    """Check `receipt` against the keys one trusts, and against the record one sent; raises PromiseError."""
    promise = open_promise(receipt.promise, known)
    _check_path(receipt, promise)
    if record is not None:
        _check_record(receipt, record, promise)
    return promise


def _check_path(receipt: SignedReceipt, promise: Promise) -> None:
    nodes = [decode_base64(node) for node in receipt.path]
    proof = [node for node in nodes if node is not None and len(node) == HASH_SIZE]
    place = receipt.index - promise.first
    try:
        if len(proof) != len(nodes):
            raise ProofError("a node of the path is not a hash in base64")
        leaf, suite = bytes.fromhex(receipt.hash), suite_of_origin(promise.origin)
        check_inclusion(leaf, place, promise.count, proof, promise.root, suite)
    except ProofError as error:
        raise PromiseError(f"step 2: the promise does not hold this entry at index {receipt.index}: {error}") from error


def _check_record(receipt: SignedReceipt, record: Record, promise: Promise) -> None:
    head = Head(receipt.n, receipt.prev)
    try:
        sealed = seal(record, head, receipt.recorded_at, suite_of_origin(promise.origin))
    except CanonicalError as error:
        raise PromiseError(f"step 3: the record has no canonical text: {error}") from error
    if sealed.hash.hex() != receipt.hash:
        raise PromiseError("step 3: the receipt is for an entry that says something else than this record")
