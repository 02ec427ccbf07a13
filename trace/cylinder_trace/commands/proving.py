"""`cylinder-trace verify` and `cylinder-trace proof`: history bundles, proofs and receipts, checked offline."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cylinder_trace.checkpoint import CheckpointError, unverified_checkpoint
from cylinder_trace.commands.receipts import receipt_file, receipt_in, redeem, verify_one_receipt
from cylinder_trace.commands.shared import (
    GOOD,
    CannotCheck,
    bad,
    named_keys,
    open_source_of,
    read_text,
    say,
    story,
)
from cylinder_trace.policy import Endorsed, Policy, PolicyError, parse_policy
from cylinder_trace.proof import DOES_NOT_PROVE, PROVES, BundleError, HistoryBundle, bundle_key, verify_bundle
from cylinder_trace.tlog_proof import (
    TlogProof,
    TlogProofError,
    format_tlog_proof,
    is_tlog_proof,
    make_tlog_proof,
    parse_tlog_proof,
    verify_tlog_proof,
    verify_tlog_proof_of_leaf,
)

VERIFY = "check a history bundle, a .tlog-proof or a receipt offline and say what it proves"
PROVE = "write the proof that one entry is in the log, as one text file; with a receipt, check its promise too"

_ENTRY_PROVES = "exactly these bytes stood in the log at this index when it signed this checkpoint"
_NEWEST = "that nothing was recorded about the same thing later: ask for a history bundle"
_SAME_LOG = "that the log shows everybody the same checkpoint: name the witnesses you believe with --policy"
_COSIGNED = "the witnesses named saw a log that had only ever grown up to this checkpoint"


def add_verify(parser: Any) -> None:
    """Arguments of `verify`."""
    parser.add_argument("file", help="a history bundle or a receipt (JSON), or a .tlog-proof")
    parser.add_argument("--vkey", help="the log's verifying key, or a file with its keys; a bundle names one itself")
    parser.add_argument("--policy", metavar="FILE", help="logs, witnesses and quorum (tlog-policy); for a .tlog-proof")
    parser.add_argument("--rotations", metavar="FILE", help="log/rotations: trust the keys that followed on --vkey too")
    parser.add_argument("--entry", metavar="FILE", help="the entry's bytes, when a .tlog-proof does not carry them")
    parser.add_argument(
        "--receipt", metavar="FILE", help="the entry's receipt, which names its hash, instead of --entry"
    )
    parser.add_argument("--record", metavar="FILE", help="the record that was sent, to compare with its receipt")


def verify(arguments: Namespace) -> int:
    """Run `verify`."""
    text = read_text(arguments.file)
    if is_tlog_proof(text):
        return _verify_proof(arguments, text)
    receipt = receipt_in(text)
    return _verify_bundle(arguments, text) if receipt is None else verify_one_receipt(arguments, receipt)


def _verify_bundle(arguments: Namespace, text: str) -> int:
    try:
        bundle = HistoryBundle.model_validate_json(text)
    except ValidationError as error:
        raise CannotCheck(f"{arguments.file} is neither a history bundle, nor a receipt, nor a .tlog-proof") from error
    try:
        keys = named_keys(arguments) if arguments.vkey else [bundle_key(bundle)]
        verdict = verify_bundle(bundle, keys)
    except BundleError as error:
        return bad(arguments, str(error))
    told = {"ok": True, **verdict.model_dump(), "proves": PROVES, "does_not_prove": DOES_NOT_PROVE}
    lines = [f"✔ {verdict.subject}: {verdict.entries} entries in the log {verdict.origin} of {verdict.size}"]
    lines += story(PROVES, DOES_NOT_PROVE, verdict.origin)
    if not arguments.vkey:
        lines.append(
            "  The key was taken from the bundle itself: name the log's key with --vkey to be sure whose it is."
        )
    say(arguments, told, "\n".join(lines))
    return GOOD


def _verify_proof(arguments: Namespace, text: str) -> int:
    policy = _policy(arguments)
    try:
        proof = parse_tlog_proof(text)
        endorsed = _endorsed(arguments, proof, policy)
    except TlogProofError as error:
        return bad(arguments, str(error))
    checkpoint, witnesses = endorsed.checkpoint, endorsed.witnesses
    proves = [_ENTRY_PROVES, *([_COSIGNED] if witnesses else [])]
    does_not = [_NEWEST, *([] if witnesses else [_SAME_LOG])]
    place = {"index": proof.index, "origin": checkpoint.origin, "size": checkpoint.size, "witnesses": witnesses}
    lines = [f"✔ entry {proof.index} is in the log {checkpoint.origin} of {checkpoint.size}"]
    lines += [f"  cosigned by 见证人: {', '.join(witnesses)}"] if witnesses else []
    lines += story(proves, does_not, checkpoint.origin)
    say(arguments, {"ok": True, **place, "proves": proves, "does_not_prove": does_not}, "\n".join(lines))
    return GOOD


def _policy(arguments: Namespace) -> Policy:
    if arguments.policy is None:
        if arguments.vkey is None:
            raise CannotCheck("say whose log this should be: --vkey KEY, or --policy FILE with its witnesses")
        return Policy(logs=tuple(named_keys(arguments)))
    try:
        policy = parse_policy(read_text(arguments.policy))
    except PolicyError as error:
        raise CannotCheck(f"{arguments.policy}: {error}") from error
    logs = policy.logs if arguments.vkey is None else tuple(named_keys(arguments))
    if not logs:
        raise CannotCheck(f"{arguments.policy} names no log; add a line `log KEY`, or name one with --vkey")
    return Policy(logs, policy.witnesses, policy.groups, policy.quorum)


def _endorsed(arguments: Namespace, proof: TlogProof, policy: Policy) -> Endorsed:
    if arguments.receipt is None:
        return verify_tlog_proof(proof, _entry(arguments, proof), policy)
    receipt = receipt_in(read_text(arguments.receipt))
    if receipt is None:
        raise CannotCheck(f"{arguments.receipt} is not a receipt")
    return verify_tlog_proof_of_leaf(proof, bytes.fromhex(receipt.hash), policy)


def _entry(arguments: Namespace, proof: TlogProof) -> bytes:
    if arguments.entry is not None:
        return Path(arguments.entry).read_bytes()
    if proof.extra is None:
        sentence = "name the file with its bytes with --entry, or its receipt with --receipt"
        raise CannotCheck(f"{arguments.file} does not carry its entry: {sentence}")
    return proof.extra


# --- proof --------------------------------------------------------------------------------------------------


def add_proof(parser: Any) -> None:
    """Arguments of `proof`."""
    parser.add_argument("source", help="data folder, ledger.db, postgresql://… or http://… of a service")
    parser.add_argument(
        "entry", help="a file with its receipt, the entry's index in the log, or its id (not for a service)"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="where to write it; the usual ending: .tlog-proof")
    parser.add_argument("--token", help="bearer token of an auditor (only for a service; a receipt needs none)")
    parser.add_argument(
        "--vkey", help="the log's verifying key, which must have signed the receipt; or a file with keys"
    )
    parser.add_argument("--rotations", metavar="FILE", help="log/rotations: trust the keys that followed on --vkey too")
    parser.add_argument(
        "--without-entry", action="store_true", help="leave the entry's bytes out, for readers who have them"
    )


def prove(arguments: Namespace) -> int:
    """Run `proof`."""
    source = open_source_of(arguments)
    if receipt := receipt_file(arguments.entry):
        return redeem(arguments, source, receipt)
    note, found = source.checkpoint(), source.entry(arguments.entry)
    if note is None or found is None:
        raise CannotCheck(f"no entry {arguments.entry} under a published checkpoint; name an index below its size")
    try:
        size = unverified_checkpoint(note).size
        if found.index >= size:
            raise CannotCheck(f"entry {found.index} is not published yet: the checkpoint has {size}; ask again soon")
        extra = None if arguments.without_entry else found.text
        proof = make_tlog_proof(found.index, source.nodes(size), note, extra)
    except CheckpointError as error:
        raise CannotCheck(f"{arguments.source} gives no checkpoint: {error}") from error
    Path(arguments.out).write_text(format_tlog_proof(proof), encoding="utf-8")
    told = {"ok": True, "index": found.index, "size": size, "file": arguments.out}
    say(arguments, told, f"✔ {arguments.out}: entry {found.index} ({found.subject}) in the log of {size}")
    return GOOD
