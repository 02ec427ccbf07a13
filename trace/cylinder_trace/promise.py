"""A receipt (回执) that its holder can hold against the ledger: the signed promise that an entry stands at its index.

An append is answered only once it is durable.  The promise is a signed note:

    pinglian-promise/1
    ledger.example/cylinders
    4711                                            index of the entry in the log
    6Z0n…=                                          hash of the entry, its leaf in the tree, base64
    1790000000123                                   the ledger's clock when it was recorded, UTC ms

    — ledger.example/cylinders QkVpJ…

Whoever holds it can say later: a checkpoint of this log that has grown past my index and holds something else there
proves that the log was rewritten.  The same act sent again gets the same note, byte for byte, because Ed25519 draws no
random number.  The first line keeps it apart from a checkpoint, whose second line is a number.

`verify_receipt` numbers its steps:
  1. the promise is signed by the log's key;
  2. it is about this receipt's entry: same index, hash and time;
  3. with the record in hand: the entry is that record, in the place that the receipt names.
"""

from collections.abc import Sequence
from typing import Literal

from cylinder_codes.keys import SigningKey, decode_base64, encode_base64
from cylinder_codes.note import NoteError, NoteKey, open_note, sign_note, split_note
from cylinder_trace.canonical import CanonicalError
from cylinder_trace.chain import Head, seal
from cylinder_trace.checkpoint import open_checkpoint
from cylinder_trace.events import Record
from cylinder_trace.merkle import NodeReader, ProofError, check_inclusion
from cylinder_trace.suite import suite_of_origin
from cylinder_trace.tlog_proof import TlogProof, make_tlog_proof
from cylinder_trace.values import Count, Frozen, Id, Instant, Sha256, Subject

HEADER = "pinglian-promise/1"
RECEIPT_FORMAT: Literal["pinglian-receipt/1"] = "pinglian-receipt/1"
_LINES = 5


class PromiseError(ValueError):
    """The receipt does not show what it claims; the message says which step failed and why."""


class NotPublishedYet(PromiseError):
    """No checkpoint has come as far as the entry yet: ask again in a second."""


class PromiseBroken(PromiseError):
    """The log has signed another entry in the promised place; `evidence` is the proof of that other entry."""

    def __init__(self, message: str, evidence: TlogProof) -> None:
        super().__init__(message)
        self.evidence = evidence


class Promise(Frozen):
    """What the log promises: the entry with this hash stands at this index, since `recorded_at`."""

    origin: str
    index: Count
    hash: Sha256
    recorded_at: Instant


class SignedReceipt(Frozen):
    """Where a record stands in the ledger, and the promise that it stands there for ever.

    `n` and `prev` are its place in its subject's chain; `index` is its leaf in the log, `hash` the leaf's hash;
    `recorded_at` is the ledger's clock, UTC ms.
    """

    format: Literal["pinglian-receipt/1"] = RECEIPT_FORMAT
    id: Id
    subject: Subject
    n: Count
    prev: Sha256
    index: Count
    hash: Sha256
    recorded_at: Instant
    promise: str
    """The signed note."""


RECEIPT_PROVES = (
    "the log's key signed that the entry with this hash is stored for good at this index",
    "should the log ever show another entry there, this receipt and its checkpoint prove that it was rewritten",
)
RECEIPT_PROVES_RECORD = "the entry is the record you sent, word for word"
RECEIPT_DOES_NOT_PROVE = (
    "that the entry is under a published checkpoint: a second later, turn the receipt into a proof",
    "what the entry says: compare it with the record you sent",
)


def format_promise(promise: Promise) -> str:
    """The text that is signed."""
    leaf = encode_base64(bytes.fromhex(promise.hash))
    return f"{HEADER}\n{promise.origin}\n{promise.index}\n{leaf}\n{promise.recorded_at}\n"


def parse_promise(text: str) -> Promise:
    """The promise in a note's text; raises PromiseError."""
    lines = text.split("\n")
    if len(lines) != _LINES + 1 or lines[0] != HEADER:
        raise PromiseError(f"step 1: a promise has {_LINES} lines, of which the first reads {HEADER}")
    _, origin, index, leaf, recorded_at, _ = lines
    try:
        digest = (decode_base64(leaf) or b"").hex()
        promise = Promise(origin=origin, index=int(index), hash=digest, recorded_at=int(recorded_at))
    except ValueError as error:
        raise PromiseError("step 1: the promise's index, hash or time cannot be read") from error
    if format_promise(promise) != text:
        raise PromiseError("step 1: the promise is not written as one is")
    return promise


def sign_promise(promise: Promise, key: SigningKey) -> str:
    """The promise as a note signed by the log's own key; only for what is durable."""
    return sign_note(format_promise(promise), key)


def unverified_promise(receipt: SignedReceipt) -> Promise:
    """What a receipt's promise claims, before anybody has checked it; raises PromiseError."""
    try:
        return parse_promise(split_note(receipt.promise)[0])
    except NoteError as error:
        raise PromiseError(f"step 1: {error}") from error


def verify_receipt(receipt: SignedReceipt, known: Sequence[NoteKey], record: Record | None = None) -> Promise:
    """Check `receipt` against the keys one trusts, and against the record one sent; raises PromiseError."""
    promise = _open_promise(receipt.promise, known)
    if (promise.index, promise.hash, promise.recorded_at) != (receipt.index, receipt.hash, receipt.recorded_at):
        raise PromiseError("step 2: the promise is about another entry than the receipt")
    if record is not None:
        _check_record(receipt, record, promise.origin)
    return promise


def _open_promise(note: str, known: Sequence[NoteKey]) -> Promise:
    try:
        opened = open_note(note, known)
    except NoteError as error:
        raise PromiseError(f"step 1: {error}") from error
    promise = parse_promise(opened.text)
    if all(key.name != promise.origin for key in opened.verified_by):
        raise PromiseError(f"step 1: the promise is signed, but not by the key of {promise.origin}")
    return promise


def _check_record(receipt: SignedReceipt, record: Record, origin: str) -> None:
    try:
        sealed = seal(record, Head(receipt.n, receipt.prev), receipt.recorded_at, suite_of_origin(origin))
    except CanonicalError as error:
        raise PromiseError(f"step 3: the record has no canonical text: {error}") from error
    told = (sealed.entry.id, sealed.entry.subject, sealed.hash.hex())
    if told != (receipt.id, receipt.subject, receipt.hash):
        raise PromiseError("step 3: the entry says something else than this record")


def redeem_promise(promise: Promise, checkpoint: str, known: Sequence[NoteKey], read: NodeReader) -> TlogProof:
    """The proof that the promised entry is under `checkpoint`, a signed note of the same log.

    `read` answers for the nodes of the checkpoint's tree; no entry's text is needed.  Raises NotPublishedYet,
    PromiseBroken, PromiseError when checkpoint and tree do not fit each other, CheckpointError.
    """
    opened = open_checkpoint(checkpoint, known)
    if opened.origin != promise.origin:
        raise PromiseError(f"the receipt is of the log {promise.origin}, and this is {opened.origin}")
    if opened.size <= promise.index:
        raise NotPublishedYet(
            f"the checkpoint has {opened.size} entries, and entry {promise.index} is not under it yet"
        )
    proof, leaf = make_tlog_proof(promise.index, read, checkpoint), read(0, promise.index)
    try:
        suite = suite_of_origin(opened.origin)
        check_inclusion(leaf, promise.index, opened.size, proof.proof, opened.root, suite)
    except ProofError as error:
        raise PromiseError(f"the tree does not fit its own checkpoint: {error}") from error
    if leaf.hex() != promise.hash:
        found = f"entry {promise.index} was promised as {promise.hash}, and the log has signed {leaf.hex()} there"
        raise PromiseBroken(f"{found}: it was rewritten", proof)
    return proof
