"""Receipts at the command line: is the promise the log's, and is it kept?"""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cylinder_codes.keys import KeyFormatError
from cylinder_trace.checkpoint import CheckpointError, unverified_checkpoint
from cylinder_trace.commands.shared import GOOD, CannotCheck, bad, named_keys, read_text, say, story
from cylinder_trace.cosignature import LogKey, parse_log_keys
from cylinder_trace.events import Record, first_fault, parse_record
from cylinder_trace.promise import (
    RECEIPT_DOES_NOT_PROVE,
    RECEIPT_FORMAT,
    RECEIPT_PROVES,
    RECEIPT_PROVES_RECORD,
    NotPublishedYet,
    PromiseBroken,
    PromiseError,
    SignedReceipt,
    redeem_promise,
    verify_receipt,
)
from cylinder_trace.tlog_proof import format_tlog_proof


def receipt_file(name: str) -> SignedReceipt | None:
    """The receipt in the file called `name`; None when there is no such file."""
    if not Path(name).is_file():
        return None
    receipt = receipt_in(read_text(name))
    if receipt is None:
        raise CannotCheck(f"{name} is not a receipt: name one, or an entry's index or id")
    return receipt


def receipt_in(text: str) -> SignedReceipt | None:
    """The receipt in a text, also in a whole answer of the service; None when it does not mean to be one."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    inner = value.get("receipt", value) if isinstance(value, dict) else None
    if not isinstance(inner, dict) or inner.get("format") != RECEIPT_FORMAT:
        return None
    try:
        return SignedReceipt.model_validate_json(json.dumps(inner))
    except ValidationError as error:
        raise CannotCheck(f"the receipt is damaged: {first_fault(error)}") from error


def verify_one_receipt(arguments: Namespace, receipt: SignedReceipt) -> int:
    """Run `verify` for a receipt."""
    if arguments.vkey is None:
        raise CannotCheck("say whose promise this should be: --vkey KEY, the log's verifying key")
    try:
        promise = verify_receipt(receipt, named_keys(arguments), _record(arguments))
    except PromiseError as error:
        return bad(arguments, str(error))
    proves = [*RECEIPT_PROVES, *([RECEIPT_PROVES_RECORD] if arguments.record else [])]
    does_not = RECEIPT_DOES_NOT_PROVE[: 1 if arguments.record else None]
    told = {"ok": True, **promise.model_dump(), "proves": proves, "does_not_prove": does_not}
    lines = [f"✔ entry {promise.index} ({receipt.subject}) is promised by the log {promise.origin}"]
    say(arguments, told, "\n".join([*lines, *story(proves, does_not, promise.origin)]))
    return GOOD


def _record(arguments: Namespace) -> Record | None:
    if arguments.record is None:
        return None
    try:
        return parse_record(read_text(arguments.record).strip().encode())
    except ValueError as error:
        raise CannotCheck(f"{arguments.record} is not a record: {error}") from error


def redeem(arguments: Namespace, source: Any, receipt: SignedReceipt) -> int:
    """Run `proof` for a receipt: is its promise kept, and if not, what proves it?"""
    note, known = source.checkpoint(), _known(arguments, source)
    try:
        promise = verify_receipt(receipt, known)
        if note is None:
            raise NotPublishedYet("no checkpoint is published yet")
        proof = redeem_promise(promise, note, known, source.nodes(unverified_checkpoint(note).size))
    except NotPublishedYet as error:
        raise CannotCheck(f"{error}; ask again in a second, and if it stays so, tell the regulator") from error
    except PromiseBroken as error:
        Path(arguments.out).write_text(format_tlog_proof(error.evidence), encoding="utf-8")
        return bad(arguments, f"{error}; keep the receipt and {arguments.out}: together they prove it")
    except (PromiseError, CheckpointError) as error:
        return bad(arguments, str(error))
    Path(arguments.out).write_text(format_tlog_proof(proof), encoding="utf-8")
    told = {"ok": True, "index": proof.index, "size": unverified_checkpoint(note).size, "file": arguments.out}
    kept = f"✔ the promise is kept 承诺已兑现: entry {proof.index} is in the log of {told['size']}"
    say(
        arguments,
        told,
        f"{kept}\n  {arguments.out}: check it with verify --receipt {arguments.entry}{_whose(arguments)}",
    )
    return GOOD


def _known(arguments: Namespace, source: Any) -> list[LogKey]:
    try:
        return named_keys(arguments) if arguments.vkey else parse_log_keys(source.vkeys())
    except KeyFormatError as error:
        raise CannotCheck(f"{arguments.source} names no key: {error}; name the log's key with --vkey") from error


def _whose(arguments: Namespace) -> str:
    return (
        ""
        if arguments.vkey
        else "\n  The key was taken from the log itself: name it with --vkey to be sure whose it is."
    )
