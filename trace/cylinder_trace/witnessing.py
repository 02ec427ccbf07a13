"""What a witness (见证人) answers to a checkpoint (C2SP tlog-witness, add-checkpoint): the rules alone.

    old 7
    <consistency proof from 7, base64, a hash a line>

    <the signed checkpoint>

A witness remembers for each log the size and root it cosigned last. It cosigns what provably extends that, and
nothing else:

    200  cosigned
    400  not a request, or old > new
    403  not signed by that log's key
    404  unknown log
    409  `old` is not the size cosigned last; the answer says which one is
    422  the log shows another history: same size with another root, or a proof that does not hold

On first contact the size cosigned last is 0, so a log begins with ``old 0``: a witness that took whatever size it
was told first would vouch for a history nobody has shown it. 422 is the fork; the two signed notes are the evidence.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from cylinder_codes.keys import decode_base64, encode_base64
from cylinder_trace.checkpoint import Checkpoint, CheckpointError, open_checkpoint, unverified_checkpoint
from cylinder_trace.cosignature import LogKey
from cylinder_trace.merkle import HASH_SIZE, ProofError, check_consistency
from cylinder_trace.suite import suite_of_origin

LONGEST_PROOF = 63
SIZE_TYPE = "text/x.tlog.size"
_OLD = re.compile("old (0|[1-9][0-9]{0,15})")


class Status(IntEnum):
    """The answers of add-checkpoint, as HTTP statuses."""

    COSIGNED = 200
    BAD_REQUEST = 400
    NOT_SIGNED = 403
    UNKNOWN_LOG = 404
    OTHER_SIZE = 409
    OTHER_HISTORY = 422


class RequestError(ValueError):
    """Not an add-checkpoint request; the message says why."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: this checkpoint, which extends the tree of `old` entries as the proof shows."""

    old: int
    proof: tuple[bytes, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer; with COSIGNED the checkpoint to remember, with OTHER_SIZE the size remembered."""

    status: Status
    reason: str
    checkpoint: Checkpoint | None = None
    """What the log signed; None when that could not be established."""
    seen_size: int = 0


def origin_path(origin: str) -> str:
    """Where a witness shows what it cosigned last for a log: ``<this>/checkpoint``.

    >>> origin_path("ledger.example/cylinders")[:8]
    '8a7996ae'
    """
    return sha256(origin.encode()).hexdigest()


def format_request(request: AddCheckpoint) -> str:
    """The body of an add-checkpoint request."""
    lines = [f"old {request.old}", *(encode_base64(node) for node in request.proof)]
    return "\n".join([*lines, "", request.note])


def parse_request(body: bytes) -> AddCheckpoint:
    """Read the body of a request, or raise RequestError."""
    try:
        head, _, note = body.decode().partition("\n\n")
    except UnicodeDecodeError as error:
        raise RequestError("the request is not UTF-8") from error
    lines = head.split("\n")
    matched = _OLD.fullmatch(lines[0])
    if not matched:
        raise RequestError("the first line of a request reads: old <size>")
    if len(lines) - 1 > LONGEST_PROOF:
        raise RequestError(f"a proof has at most {LONGEST_PROOF} hashes")
    nodes = tuple(node for line in lines[1:] if (node := decode_base64(line)) is not None and len(node) == HASH_SIZE)
    if len(nodes) != len(lines) - 1:
        raise RequestError("a line of the proof is not a hash in base64")
    return AddCheckpoint(int(matched[1]), nodes, note)


def claimed_origin(request: AddCheckpoint) -> str:
    """The log a request says it comes from; raises RequestError."""
    try:
        return unverified_checkpoint(request.note).origin
    except CheckpointError as error:
        raise RequestError(str(error)) from error


def judge(request: AddCheckpoint, known: Mapping[str, Sequence[LogKey]], seen: Checkpoint | None) -> Judgement:
    """What to answer, when `seen` was cosigned last for this log (None: never) and `known` are the logs' keys.

    The caller must ask and remember in one step: between them no other request of the same log may pass.
    """
    try:
        origin = claimed_origin(request)
        if origin not in known:
            return Judgement(Status.UNKNOWN_LOG, f"this witness does not know the log {origin}")
        checkpoint = open_checkpoint(request.note, known[origin])
    except RequestError as error:
        return Judgement(Status.BAD_REQUEST, str(error))
    except CheckpointError as error:
        return Judgement(Status.NOT_SIGNED, str(error))
    return _compared(request, checkpoint, seen or _nothing(origin))


def _nothing(origin: str) -> Checkpoint:
    return Checkpoint(origin=origin, size=0, root=suite_of_origin(origin).digest(b""))


def _compared(request: AddCheckpoint, new: Checkpoint, seen: Checkpoint) -> Judgement:
    if request.old > new.size:
        return Judgement(Status.BAD_REQUEST, f"old {request.old} is more than the checkpoint's {new.size}", new)
    if request.old != seen.size:
        return Judgement(Status.OTHER_SIZE, f"the size cosigned last is {seen.size}", new, seen.size)
    suite = suite_of_origin(new.origin)
    try:
        check_consistency(seen.size, new.size, request.proof, seen.root, new.root, suite)
    except ProofError as error:
        reason = f"this does not extend the {seen.size} entries cosigned last: {error}"
        return Judgement(Status.OTHER_HISTORY, reason, new, seen.size)
    return Judgement(Status.COSIGNED, "cosigned", new, seen.size)
