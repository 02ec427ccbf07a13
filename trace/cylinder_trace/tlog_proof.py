"""One entry's proof as one text file (C2SP tlog-proof): index, siblings up to the root, and the signed checkpoint.

    c2sp.org/tlog-proof@v1
    extra <base64>                   optional; not covered by any signature
    index 5
    vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=
    …

    ledger.example/cylinders
    8
    XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=

    — ledger.example/cylinders QkVpJfwwpH78…
    — witness.example/w1 IDJKvgAAAABq…

Our proofs carry the entry's stored bytes as `extra`: the proof itself shows whether they are the entry's, so the one
file is enough. A proof made without them is checked against bytes from elsewhere.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cylinder_codes.keys import decode_base64, encode_base64
from cylinder_trace.checkpoint import CheckpointError, unverified_checkpoint
from cylinder_trace.merkle import HASH_SIZE, NodeReader, ProofError, check_inclusion, leaf_hash, prove_inclusion
from cylinder_trace.policy import Endorsed, Policy, accept
from cylinder_trace.suite import Suite, suite_of_origin

HEADER = "c2sp.org/tlog-proof@v1"
_LONGEST_PROOF = 63
_INDEX = re.compile("index (0|[1-9][0-9]{0,15})")


class TlogProofError(ValueError):
    """Not a proof, or one that does not prove what it claims; the message says what."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A proof as it stands in its file; nothing of it is checked yet."""

    index: int
    proof: tuple[bytes, ...]
    """Siblings from the leaf up."""
    checkpoint: str
    """The signed note, with every line it has."""
    extra: bytes | None = None


def make_tlog_proof(index: int, read: NodeReader, checkpoint: str, extra: bytes | None = None) -> TlogProof:
    """The proof that leaf `index` is under `checkpoint`; raises CheckpointError, and ValueError when it is not."""
    claimed = unverified_checkpoint(checkpoint)
    nodes = prove_inclusion(index, claimed.size, read, suite_of_origin(claimed.origin))
    return TlogProof(index, tuple(nodes), checkpoint, extra)


def format_tlog_proof(proof: TlogProof) -> str:
    """The file's text."""
    extra = [] if proof.extra is None else [f"extra {encode_base64(proof.extra)}"]
    lines = [HEADER, *extra, f"index {proof.index}", *(encode_base64(node) for node in proof.proof)]
    return "\n".join([*lines, "", proof.checkpoint])


def is_tlog_proof(text: str) -> bool:
    """Whether a file means to be such a proof."""
    return text.startswith(f"{HEADER}\n")


def parse_tlog_proof(text: str) -> TlogProof:
    """Read the file's text, or raise TlogProofError."""
    head, _, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != HEADER:
        raise TlogProofError(f"the first line of a proof reads {HEADER}")
    extra, lines = _extra(lines[1:])
    matched = _INDEX.fullmatch(lines[0]) if lines else None
    if not matched:
        raise TlogProofError("the line with the index is missing or is not: index <decimal number>")
    return TlogProof(int(matched[1]), _nodes(lines[1:]), checkpoint, extra)


def verify_tlog_proof(proof: TlogProof, entry: bytes, policy: Policy) -> Endorsed:
    """Check that `entry` is in a log under a checkpoint that `policy` accepts; raises TlogProofError."""
    return _verify(proof, lambda suite: leaf_hash(entry, suite), policy)


def verify_tlog_proof_of_leaf(proof: TlogProof, leaf: bytes, policy: Policy) -> Endorsed:
    """The same for an entry of which one has only the hash, as a receipt names it; raises TlogProofError."""
    return _verify(proof, lambda _suite: leaf, policy)


def _verify(proof: TlogProof, leaf_under: Callable[[Suite], bytes], policy: Policy) -> Endorsed:
    try:
        endorsed = accept(proof.checkpoint, policy)
        checkpoint = endorsed.checkpoint
        suite = suite_of_origin(checkpoint.origin)
        leaf = leaf_under(suite)
        check_inclusion(leaf, proof.index, checkpoint.size, proof.proof, checkpoint.root, suite)
    except CheckpointError as error:
        raise TlogProofError(f"the checkpoint is not accepted: {error}") from error
    except ProofError as error:
        raise TlogProofError(f"the entry is not in the log at index {proof.index}: {error}") from error
    return endorsed


def _extra(lines: list[str]) -> tuple[bytes | None, list[str]]:
    if not lines or not lines[0].startswith("extra "):
        return None, lines
    extra = decode_base64(lines[0].removeprefix("extra "))
    if extra is None:
        raise TlogProofError("the extra data is not base64")
    return extra, lines[1:]


def _nodes(lines: Sequence[str]) -> tuple[bytes, ...]:
    if len(lines) > _LONGEST_PROOF:
        raise TlogProofError(f"a proof has at most {_LONGEST_PROOF} hashes")
    nodes = tuple(node for line in lines if (node := decode_base64(line)) is not None and len(node) == HASH_SIZE)
    if len(nodes) != len(lines):
        raise TlogProofError("a line of the proof is not a hash in base64")
    return nodes
