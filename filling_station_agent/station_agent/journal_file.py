"""A journal as a file (日志导出), that an inspector checks offline, with nothing but this program and the file.

    {"kind": "pinglian-journal/1", "device_id", "station_id", "vkey", "first_seq", "records",
     "head": {"seq", "hash", "signature"}}                      one line; `head` is absent where there is no record
    the records, oldest first, each line the very bytes that were hashed and signed

The chain is whole if every record names the hash of the one before it and the head, signed by the device's key, names
the last.  Whose key that is says the ledger: compare `vkey` with the device's entry there, or hand it in.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cylinder_codes.keys import KeyFormatError, VerifyingKey, decode_base64, format_vkey, parse_vkey
from cylinder_trace.chain import NO_PREVIOUS
from cylinder_trace.decision_note import DecisionNoteError, check_decision_note
from cylinder_trace.events import FillDecided, parse_record
from cylinder_trace.merkle import leaf_hash
from station_agent.device import Device
from station_agent.journal import Journal, JournalLine, fault_in, head_text

KIND = "pinglian-journal/1"
_AT_ONCE = 1_000


class NotAJournalFile(Exception):
    """The file is no exported journal, or does not verify. The text names the place."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a file that verifies says of itself."""

    device_id: str
    station_id: str
    vkey: str
    first_seq: int
    records: int
    decisions_signed: int
    """Decisions below which stands this device's own signature, checked too."""


def journal_lines(journal: Journal, device: Device, first_seq: int = 0) -> Iterator[str]:
    """The file's lines, from record `first_seq` on. Raises JournalBroken."""
    length = journal.length
    about: dict[str, Any] = {
        "kind": KIND,
        "device_id": device.device_id,
        "station_id": device.station_id,
        "vkey": format_vkey(device.key.verifying_key),
        "first_seq": first_seq,
        "records": max(0, length - first_seq),
    }
    if length > first_seq:
        (last,) = journal.lines(length - 1, 1)
        about["head"] = journal.sign_head(last)
    yield json.dumps(about, ensure_ascii=False)
    for line in _records(journal, first_seq, length):
        yield line.text.decode()


def _records(journal: Journal, first_seq: int, length: int) -> Iterator[JournalLine]:
    """No more than there were when the head was signed: the agent may be running."""
    for start in range(first_seq, length, _AT_ONCE):
        yield from journal.lines(start, min(_AT_ONCE, length - start))


def verify_lines(lines: Iterable[str], trusted: VerifyingKey | None = None) -> Verified:
    """Check a file; `trusted` is the device's key as the ledger tells it. Raises NotAJournalFile."""
    each = iter(lines)
    about = _about(next(each, ""))
    key = _key(str(about.get("vkey")))
    if trusted is not None and trusted != key:
        raise NotAJournalFile(f"The file is signed by {about['vkey']}, which is not the key that was handed in.")
    signed = 0
    seq = first_seq = int(about["first_seq"])
    before = NO_PREVIOUS if first_seq == 0 else None
    for text in each:
        line = JournalLine(seq, "", text.rstrip("\n").encode(), leaf_hash(text.rstrip("\n").encode()).hex(), None, None)
        if fault := fault_in(line, seq, before, str(about["device_id"])):
            raise NotAJournalFile(f"The journal is damaged: record {seq} {fault}.")
        signed += _decision_is_signed(line, key)
        before, seq = line.hash, seq + 1
    _require_head(about, key, seq, before)
    return Verified(
        str(about["device_id"]), str(about["station_id"]), str(about["vkey"]), first_seq, seq - first_seq, signed
    )


def _about(text: str) -> dict[str, Any]:
    try:
        about = json.loads(text)
        if about["kind"] == KIND:
            return {**about, "first_seq": int(about["first_seq"]), "records": int(about["records"])}
    except (ValueError, KeyError, TypeError) as error:
        raise NotAJournalFile("The file is no exported journal: make one with station-agent export --out.") from error
    raise NotAJournalFile(f"The file is of a kind that this version does not know: {about['kind']}.")


def _key(text: str) -> VerifyingKey:
    try:
        return parse_vkey(text)
    except KeyFormatError as error:
        raise NotAJournalFile(f"The file's first line holds no verifying key: {error}.") from error


def _decision_is_signed(line: JournalLine, key: VerifyingKey) -> bool:
    event = parse_record(line.text).event()
    if not isinstance(event, FillDecided) or event.note is None or event.inputs_sha256 is None:
        return False
    try:
        check_decision_note(event.note, event.request, event.decision, event.inputs_sha256, [key])
    except DecisionNoteError as error:
        raise NotAJournalFile(
            f"The journal is damaged: the decision in record {line.seq} is not signed: {error}."
        ) from error
    return True


def _require_head(about: dict[str, Any], key: VerifyingKey, end: int, last_hash: str | None) -> None:
    if end - about["first_seq"] != about["records"]:
        raise NotAJournalFile(
            f"The file holds {end - about['first_seq']} records and says that it has {about['records']}."
        )
    if about["records"] == 0:
        return
    try:
        head = about["head"]
        seq, named, signature = int(head["seq"]), str(head["hash"]), decode_base64(str(head["signature"]))
    except (KeyError, TypeError, ValueError) as error:
        raise NotAJournalFile("The file's first line holds no signed head of the chain.") from error
    if (seq, named) != (end - 1, last_hash):
        raise NotAJournalFile(f"The file's last record is not number {seq}, which its head signs.")
    if signature is None or not key.verify(signature, head_text(str(about["device_id"]), seq, named)):
        raise NotAJournalFile("The file's head is not signed by the key in its first line.")
