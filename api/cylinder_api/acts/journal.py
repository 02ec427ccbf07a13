"""Taking over a station's journal (补传): the records of a device's own chain, oldest first, in bulk.

    texts → read_lines (pure: schema, chain, head) → take_records (signature, continuity, storing) → answers

Bytes that do not verify are refused from the first bad record on, and the good ones before it stand.  Records that
verify are all kept: what a station did is never rejected away; what does not fit becomes a dispute.  A journal that
forked is kept as a second branch (分叉): both are disputed, and the device is cut off, all in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from cylinder_api.acts.common import SERVICE, derived_id, raise_dispute
from cylinder_api.acts.deciding_again import Pasts, refused_by_then
from cylinder_api.acts.enrolment import revoke_device
from cylinder_api.acts.fill import RecordedFill, decision_about, record_check, record_fill
from cylinder_api.refusals import Refused
from cylinder_codes.keys import decode_base64, parse_vkey
from cylinder_trace.canonical import CanonicalError
from cylinder_trace.chain import EMPTY, Head
from cylinder_trace.cylinder import StateError
from cylinder_trace.decision import FillRequest
from cylinder_trace.events import (
    AlarmRaised,
    DisputeRaised,
    Event,
    EventError,
    FillDecided,
    Filled,
    FillStarted,
    HeadSigned,
    JournalForked,
    LeftStation,
    PostfillChecked,
    PrefillChecked,
    Record,
    Returned,
    Reweighed,
    SentToInspection,
    ShiftChanged,
    parse_record,
    record_text,
    state_event,
)
from cylinder_trace.merkle import leaf_hash
from cylinder_trace.store.journals import Uploaded, journal_head, journal_rows, keep_beside, keep_record
from cylinder_trace.store.unit import CodeTaken, Hints, IdConflict, Receipt, Unit
from cylinder_trace.subjects import DeviceState
from cylinder_trace.values import Count, Frozen, Sha256, Text

Status = Literal["stored", "linked", "known", "disputed"]


class SignedHead(Frozen):
    """The end of the device's chain, signed by the device: it covers every record before it."""

    seq: Count
    hash: Sha256
    signature: Text
    """Base64 of the Ed25519 signature over `head_text`."""


class Line(NamedTuple):
    """A record as it was uploaded."""

    seq: int
    record: Record
    text: bytes
    hash: str
    event: Event

    @property
    def previous(self) -> str:
        """Hash of the device's record before this one, as this one names it."""
        assert self.record.device is not None  # noqa: S101 - read_lines takes no record without its place
        return self.record.device.prev


class Trouble(NamedTuple):
    """Where an upload stopped being good, and why; nothing from `seq` on was taken."""

    seq: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one record: `index` is the log index of the entry it is, or links to."""

    seq: int
    id: str
    status: Status
    index: int


class Taken(NamedTuple):
    """What became of an upload."""

    answers: list[Answer]
    next_seq: int
    problem: Trouble | None


def head_text(device_id: str, seq: int, head: str) -> bytes:
    """What a device signs to vouch for its chain up to record `seq`."""
    return f"pinglian-device-head/1\n{device_id}\n{seq}\n{head}\n".encode()


def read_lines(texts: Sequence[str], device_id: str, head: SignedHead) -> tuple[list[Line], Trouble | None]:
    """The records up to the first one that is not what the signed head covers, and what is wrong with that one."""
    first = head.seq + 1 - len(texts)
    lines: list[Line] = []
    trouble: Trouble | None = None
    for offset, text in enumerate(texts):
        line = _read_line(text, device_id, first + offset)
        if isinstance(line, Trouble):
            trouble = line
            break
        lines.append(line)
    return _linked(lines, trouble, head.hash)


def _read_line(text: str, device_id: str, seq: int) -> Line | Trouble:
    raw = text.encode()
    try:
        record = parse_record(raw)
    except (CanonicalError, EventError) as error:
        return Trouble(seq, "bad_record", str(error))
    if record.device is None or (record.device.id, record.device.seq) != (device_id, seq):
        return Trouble(seq, "bad_record", f"the record is not number {seq} of device {device_id}")
    if record_text(record) != raw:
        return Trouble(seq, "bad_record", "the text is not the record's canonical text")
    return Line(seq, record, raw, leaf_hash(raw).hex(), record.event())


def _linked(lines: list[Line], trouble: Trouble | None, head: str) -> tuple[list[Line], Trouble | None]:
    """The lines up to the first whose hash is not what its follower, or at the end the head, names."""
    named = [line.previous for line in lines[1:]]
    for place, (line, expected) in enumerate(zip(lines, named if trouble else [*named, head], strict=False)):
        if line.hash != expected:
            detail = "its bytes are not the ones that the following record, or the signed head, covers"
            return lines[:place], Trouble(line.seq, "chain_broken", detail)
    return lines, trouble


def take_records(unit: Unit, device_id: str, lines: Sequence[Line], trouble: Trouble | None, head: SignedHead) -> Taken:
    """Store the device's records in order. `lines` and `trouble` come from `read_lines`.

    Raises Refused when the device is not enrolled.
    """
    device = unit.device(device_id)
    if device is None:
        raise Refused("other_device", f"device {device_id} is not enrolled")
    if device.revoked_at is not None:
        raise Refused("device_cut_off", f"device {device_id} was cut off; enrol another one")
    here = journal_head(unit, device_id)
    if not is_signed(device, head):
        first = lines[0].seq if lines else head.seq
        return Taken([], here.n, Trouble(first, "bad_signature", "the head is not signed by the device's key"))
    answers, here, break_off, rest = _take_lines(unit, device, lines, here)
    if rest:
        if trouble is not None:  # what the head does not cover is no ground for cutting a device off
            return Taken(answers, here.n, trouble)
        told, forked = _take_branch(unit, device, rest, here, head)
        return Taken([*answers, *told], rest[-1].seq + 1, forked)
    if trouble is None and break_off is None and lines:
        _record_head(unit, lines[-1], head, f"head.{head.seq}")
    return Taken(answers, here.n, break_off or trouble)


def is_signed(device: DeviceState, head: SignedHead) -> bool:
    """Whether the device's key, also of one that was cut off, signed this head."""
    signature = decode_base64(head.signature)
    text = head_text(device.device_id, head.seq, head.hash)
    return signature is not None and parse_vkey(device.vkey).verify(signature, text)


def _take_lines(
    unit: Unit, device: DeviceState, lines: Sequence[Line], here: Head
) -> tuple[list[Answer], Head, Trouble | None, Sequence[Line]]:
    """Take what goes on from `here`; the lines from the first one on that stands beside another are given back."""
    known = journal_rows(unit, device.device_id, lines[0].seq, lines[-1].seq + 1) if lines else {}
    unit.prefetch(_hints_for(lines))
    answers: list[Answer] = []
    pasts = Pasts(unit)
    for place, line in enumerate(lines):
        if (row := known.get(line.seq)) is not None and row.hash == line.hash:
            answers.append(Answer(line.seq, row.id, "known", row.log_index))
            continue
        if line.seq > here.n:
            return answers, here, Trouble(line.seq, "gap", f"record {here.n} is expected next"), ()
        if here == EMPTY and line.previous != EMPTY.hash:
            return answers, here, Trouble(line.seq, "chain_broken", "the first record names one before it"), ()
        if row is not None or line.previous != here.hash:
            return answers, here, None, lines[place:]
        answer = _take(unit, device, line, pasts)
        keep_record(unit, row_of(device, line, answer))
        answers.append(answer)
        here = Head(line.seq + 1, line.hash)
    return answers, here, None, ()


def _hints_for(lines: Sequence[Line]) -> Hints:
    """What recording `lines` will look up: themselves, their chains, and the checks that they quote."""
    checks = {check_id for line in lines if (check_id := getattr(line.event, "check_id", None))}
    return Hints([*(line.record.id for line in lines), *checks], [line.record.subject for line in lines])


# --- a journal that forked ------------------------------------------------------------------------------------


def _take_branch(
    unit: Unit, device: DeviceState, lines: Sequence[Line], here: Head, head: SignedHead
) -> tuple[list[Answer], Trouble]:
    """Keep a second branch beside the first, dispute both, and trust the device no more.

    The device signed two records for one place: an older copy of its disk is in use, or a clone of it.  What either
    says happened may have happened, so the second branch comes into the histories as the first one did.
    """
    first = lines[0]
    _declare_fork(unit, device, first)
    answers, pasts = [], Pasts(unit)
    for line in lines:
        answer = _take(unit, device, line, pasts)
        keep_beside(unit, row_of(device, line, answer))
        answers.append(answer)
    _record_head(unit, lines[-1], head, f"head.{head.seq}.{head.hash[:16]}")
    _dispute_both(unit, device, first, here)
    revoke_device(unit, device, f"its journal forked at record {first.seq}", SERVICE)
    detail = (
        f"device {device.device_id} uploaded another record {first.seq} before: an older copy of its disk is in use, "
        "or a clone. Both are kept and disputed, and the device is cut off: find out what is true, enrol another device"
    )
    return answers, Trouble(first.seq, "journal_forked", detail)


def _declare_fork(unit: Unit, device: DeviceState, first: Line) -> None:
    forked = state_event(
        JournalForked(seq=first.seq, previous=first.previous, first=first.hash),
        id=derived_id(device.device_id, "forked"),
        subject=f"device/{device.device_id}",
        occurred_at=unit.now,
        by=SERVICE,
        refs=(f"station/{device.station_id}",),
    )
    unit.append(forked)


def _dispute_both(unit: Unit, device: DeviceState, first: Line, here: Head) -> None:
    """A dispute about the first record of the second branch, and one about the record that it stands beside."""
    beside = min(first.seq, here.n - 1)
    row = journal_rows(unit, device.device_id, beside, beside + 1)[beside]
    told = f"device {device.device_id} told two records {first.seq}"
    _dispute(unit, device, first, "journal_forked", f"{told}: this one begins the second branch")
    other = parse_record(row.text)
    line = Line(row.seq, other, row.text, row.hash, other.event())
    _dispute(unit, device, line, "journal_forked", f"{told}: this one is of the first branch")


def _dispute(unit: Unit, device: DeviceState, line: Line, kind: str, message: str) -> Receipt:
    """Raise a dispute in the station's history, and in nobody else's whom the record may name."""
    station = f"station/{device.station_id}"
    about = line.record.model_copy(update={"refs": (station,)})
    return raise_dispute(unit, about, station, kind, message, f"{kind}.{line.hash[:16]}")


def _take(unit: Unit, device: DeviceState, line: Line, pasts: Pasts) -> Answer:
    """Store one verified record; what the ledger cannot follow is kept as a dispute in the station's history."""
    try:
        _require_own_act(device, line)
        return _store(unit, line, pasts)
    except (StateError, IdConflict, CodeTaken, EventError, CanonicalError, Refused) as error:
        message = f"record {line.record.id} was kept, but not followed: {error}"
        receipt = _dispute(unit, device, line, "not_followed", message)
        return Answer(line.seq, line.record.id, "disputed", receipt.index)


def _store(unit: Unit, line: Line, pasts: Pasts) -> Answer:
    match line.event:
        case FillDecided():
            return _store_decision(unit, line, line.event, pasts)
        case Filled():
            recorded = record_fill(unit, line.record, line.event)
            return _answer(line, recorded)
        case PrefillChecked() | PostfillChecked() | Reweighed():
            return _answer(line, record_check(unit, line.record, line.event))
        case _:
            return Answer(line.seq, line.record.id, "stored", unit.append(line.record).index)


def _answer(line: Line, recorded: RecordedFill) -> Answer:
    status: Status = "disputed" if recorded.dispute else "stored"
    return Answer(line.seq, line.record.id, status, recorded.receipt.index)


def _store_decision(unit: Unit, line: Line, own: FillDecided, pasts: Pasts) -> Answer:
    """One act, one id: where the service has decided this check, the station's record links to that entry."""
    decided = decision_about(unit, own.request.check_id)
    known = unit.receipt(own.request.check_id)
    if decided is None or known is None or decided.decided_by != "service":
        return _store_lone_decision(unit, line, own, pasts)
    if _scanned(decided.request) != _scanned(own.request):
        raise IdConflict(f"check_id {own.request.check_id} was used for another scan")
    if decided.decision.outcome == own.decision.outcome:
        return Answer(line.seq, line.record.id, "linked", known.index)
    second = line.record.model_copy(update={"id": derived_id(own.request.check_id, "station")})
    receipt = unit.append(second)
    outcomes = f"the service decided {decided.decision.outcome}, the station {own.decision.outcome}"
    raise_dispute(unit, line.record, second.subject, "outcomes_differ", f"check {own.request.check_id}: {outcomes}")
    return Answer(line.seq, second.id, "disputed", receipt.index)


def _store_lone_decision(unit: Unit, line: Line, own: FillDecided, pasts: Pasts) -> Answer:
    """A decision that the station took alone stands; where the ledger knows better, a dispute stands beside it."""
    codes = refused_by_then(unit, own, pasts)
    receipt = unit.append(line.record)
    if not codes:
        return Answer(line.seq, line.record.id, "stored", receipt.index)
    message = f"check {own.request.check_id}: by what had been stated by then it is refused, {' '.join(codes)}"
    raise_dispute(unit, line.record, line.record.subject, "refused_by_then", message)
    return Answer(line.seq, line.record.id, "disputed", receipt.index)


def _scanned(request: FillRequest) -> tuple[str, str, str]:
    return request.station_id, request.scale_id, request.raw_scan


def _require_own_name(device: DeviceState, record: Record) -> None:
    """A record is found under the names it carries, so it must carry the station's, and no other's."""
    stations = {ref for ref in record.refs if ref.startswith("station/")}
    if record.by not in (device.station_id, device.device_id) or stations != {f"station/{device.station_id}"}:
        raise Refused("other_station", "it is stated in another name than the station's")


def _require_own_act(device: DeviceState, line: Line) -> None:
    """What a station may state: its own scans, fills, shifts, alarms, empties back, cylinders sent away, disputes."""
    _require_own_name(device, line.record)
    own = f"station/{device.station_id}"
    match line.event:
        case FillDecided(request=request, decision=decision):
            if line.event.decided_by != "station" or not line.record.id == request.check_id == decision.check_id:
                raise Refused("not_allowed", "a station states its own decisions, each under its own check_id")
            named = request.station_id
            fits = line.record.subject == (f"cylinder/{decision.cylinder_id}" if decision.cylinder_id else own)
        case (
            Filled(station_id=named)
            | Returned(station_id=named)
            | PrefillChecked(station_id=named)
            | FillStarted(station_id=named)
            | PostfillChecked(station_id=named)
            | Reweighed(station_id=named)
            | LeftStation(station_id=named)
        ):
            fits = line.record.subject.startswith("cylinder/")
        case SentToInspection() | DisputeRaised():
            named, fits = device.station_id, line.record.subject.startswith(("cylinder/", own))
        case AlarmRaised(station_id=named) | ShiftChanged(station_id=named):
            fits = line.record.subject == own
        case _:
            raise Refused("not_allowed", f"{line.record.type} is not an act of a station")
    if named != device.station_id:
        raise Refused("other_station", f"it is stated for another station, {named}")
    if not fits:
        raise Refused("not_allowed", f"it does not belong into the history of {line.record.subject}")


def row_of(device: DeviceState, line: Line, answer: Answer) -> Uploaded:
    return Uploaded(device.device_id, line.seq, line.hash, answer.id, answer.status, answer.index, line.text)


def _record_head(unit: Unit, last: Line, head: SignedHead, word: str) -> None:
    link = last.record.device
    assert link is not None  # noqa: S101 - read_lines takes no record without its place
    signed = HeadSigned(seq=head.seq, head=head.hash, signature=head.signature)
    unit.append(
        state_event(
            signed,
            id=derived_id(link.id, word),
            subject=f"device/{link.id}",
            occurred_at=last.record.occurred_at,
            by=link.id,
        )
    )
